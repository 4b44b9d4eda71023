"""How the console shows a table: nothing can be changed, nothing is counted to the end."""

import re
from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import flatten
from django.contrib.admin.views.main import ERROR_FLAG, IGNORED_PARAMS, PAGE_VAR
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

# What Django's filters beside a list ask of a column, and nothing that looks into its text.
ASKED = frozenset({"", "exact", "isnull", "gte", "lt"})
NO_FILTERS = frozenset({*IGNORED_PARAMS, PAGE_VAR, ERROR_FLAG})
KIND = re.compile(r"([A-Z][A-Za-z]+)/(\S+)")


class CappedPaginator(Paginator):
    """Counts no further than MOST rows, so that a page costs the same in a log of any length."""

    MOST = 1000
    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[: self.MOST].count()


class ReadOnly:
    """Nobody adds, changes or deletes; who may open the console may read."""

    admin_site: admin.AdminSite

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.admin_site.has_permission(request)

    has_module_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission


class ReadOnlyInline(ReadOnly, admin.TabularInline):
    extra = 0
    can_delete = False


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin):
    """A table that is searched by reference ("Patient/…") or by bare id, never by name."""

    actions = None
    view_on_site = False
    list_per_page = 50
    show_full_result_count = False
    paginator = CappedPaginator
    search_fields = ("pk",)  # shows the box; `find` says what it takes
    find: Mapping[str, str] = {}  # type of reference -> column
    patient_column = ""  # holds the patient's id, or a reference

    def __init__(self, model: type[Model], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        self.search_help_text = "An id, or a reference: " + ", ".join(f"{kind}/…" for kind in self.find)  # type: ignore[misc]  # Django lets an instance have its own

    def kind_of(self, term: str) -> str:
        """The type that a search term refers to; empty where it is not a reference."""
        match = KIND.fullmatch(term)
        return match[1] if match and match[1] in self.find else ""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """The columns that the filters name, and `pk`. Django would take any: columns that no page shows
        could be read letter by letter."""
        column, _, question = lookup.partition("__")
        return question in ASKED and column in {"pk", *map(_column, self.list_filter)}

    def filters_of(self, request: HttpRequest) -> tuple[list[str], int]:
        """The columns that a request for the list filters by, and how many lookups it may not use."""
        asked = set(request.GET) - NO_FILTERS
        allowed = {name for name in asked if self.lookup_allowed(name, "", request)}
        return sorted({name.partition("__")[0] for name in allowed}), len(asked - allowed)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        kind = self.kind_of(term)
        column, value = (self.find[kind], self.value_of(term)) if kind else ("pk", term)
        try:
            return queryset.filter(**{column: value}), False
        except (ValidationError, ValueError):  # not an id at all
            return queryset.none(), False

    def value_of(self, reference: str) -> str:
        return reference.split("/", 1)[1]

    def patient_reference(self, object_id: str) -> str:
        """Whose record a row speaks of ("Patient/<uuid>"); empty for none, or where there is no row."""
        if not self.patient_column:
            return ""
        try:
            rows = self.model._default_manager.filter(pk=object_id).values_list(
                self.patient_column, flat=True
            )
            found = str(rows.first() or "")
        except (ValidationError, ValueError):
            return ""
        return found if "/" in found or not found else f"Patient/{found}"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple(flatten(self.fields or ()))


def _column(item: Any) -> str:
    """What a filter of `list_filter` is called in an address."""
    return item if isinstance(item, str) else item.parameter_name
