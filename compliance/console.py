"""The compliance console: Django admin, read-only, for some roles, with every look at it in the log."""

import re
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.module_loading import import_string

from accounts import elevations
from audit import health
from audit.events import EventType, Outcome, Role
from audit.log import REFERENCE, Entry, record
from compliance import emergencies
from compliance.readonly import ReadOnlyAdmin
from consent import staff
from consent.staff import Action

View = Callable[..., HttpResponse]

# The pages that are no table: address, view (in `compliance`), name, and the action that opens it.
OWN_PAGES = (
    ("apps/", "clients.apps", "apps", Action.REVIEW_APPS),
    ("apps/<slug:client_id>/", "clients.app", "app-review", Action.REVIEW_APPS),
    ("groups/", "export_groups.groups", "export-groups", Action.APPROVE_EXPORTS),
    ("groups/<str:group_id>/", "export_groups.group", "export-group", Action.APPROVE_EXPORTS),
    ("destinations/", "export_destinations.destinations", "export-destinations", Action.APPROVE_EXPORTS),
    (
        "destinations/<uuid:destination_id>/",
        "export_destinations.destination",
        "export-destination",
        Action.APPROVE_EXPORTS,
    ),
    ("activation/", "activation_codes.page", "activation", Action.HAND_OUT_CODE),
    ("merges/", "merge_pages.merges", "merges", Action.MERGE),
    ("merges/<uuid:proposal_id>/", "merge_pages.merge", "merge", Action.MERGE),
    ("people/", "legal_pages.people", "people", Action.REVIEW_HELPERS),
    ("people/<uuid:patient_id>/", "legal_pages.person", "legal", Action.REVIEW_HELPERS),
    ("log/", "cases.log_search_page", "log-search", Action.INVESTIGATE),
    ("cases/", "cases.cases", "cases", Action.INVESTIGATE),
    ("cases/<uuid:case_id>/", "cases.case", "case", Action.INVESTIGATE),
    ("cases/<uuid:case_id>/change/", "cases.case_change", "case-change", Action.INVESTIGATE),
    ("cases/<uuid:case_id>/pack/", "cases.case_pack", "case-pack", Action.INVESTIGATE),
    ("alerts/", "monitoring.pages.alert_list", "alerts", Action.INVESTIGATE),
    ("alerts/<uuid:alert_id>/", "monitoring.pages.alert_page", "alert", Action.INVESTIGATE),
    ("alerts/<uuid:alert_id>/change/", "monitoring.pages.alert_change", "alert-change", Action.INVESTIGATE),
    ("detectors/", "monitoring.pages.detector_list", "detectors", Action.INVESTIGATE),
    ("disclosures/", "cases.disclosure_queue", "disclosures", Action.DISCLOSURES),
    ("disclosures/<uuid:asked_id>/", "cases.disclosure", "disclosure", Action.DISCLOSURES),
    ("watched/", "watched.page", "watched", Action.WATCH_RECORD),
    ("emergencies/", "emergency_pages.queue", "emergency-views", Action.REVIEW_EMERGENCY),
    ("emergencies/<uuid:view_id>/", "emergency_pages.view", "emergency-view", Action.REVIEW_EMERGENCY),
)
WAITING_ALERTS = "compliance.monitoring.pages.waiting_count"  # its module asks for the site, as all pages do
A_PATIENT = re.compile(r"Patient/[0-9a-f-]{36}")


class Console(admin.AdminSite):
    site_header = site_title = "Chartkey compliance"
    index_title = "What the log and the consents say"
    site_url = "/"

    def register(
        self, model_or_iterable: type[Model] | Iterable[type[Model]], admin_class: Any = None, **options: Any
    ) -> None:
        """Take in what is read-only. Libraries register their models with every site there is;
        tokens and addresses among them have no place here."""
        if admin_class and issubclass(admin_class, ReadOnlyAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        return self.may(request, Action.CONSOLE)

    def may(self, request: HttpRequest, action: Action) -> bool:
        """What the policies say (`consent.staff`). Asked many times for one page; looked up once."""
        known = request.__dict__.setdefault("console_actions", {})
        if action not in known:
            known[action] = request.user.is_staff and staff.may(request.user, action)
        return known[action]

    def index(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        """The start page: what this person may do here, and what is overdue."""
        may = {action.value: self.may(request, action) for action in Action}
        late = emergencies.late_count() if may[Action.REVIEW_EMERGENCY] else 0
        waiting = import_string(WAITING_ALERTS)() if may[Action.INVESTIGATE] else 0
        told = {"may": may, "late_views": late, "waiting_alerts": waiting}
        return super().index(request, (extra_context or {}) | told)

    def admin_view(self, view: Any, cacheable: bool = False, action: Action = Action.CONSOLE) -> Any:
        """The guard of every page here: sign-in, role, and a row in the log before anything is read."""

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if not (self.has_permission(request) and self.may(request, action)):
                record(_look(request, view, kwargs, refused=True))
                raise PermissionDenied
            if not cacheable:  # the script of translations is no page
                record(_look(request, view, kwargs))
            try:
                return protected(request, *args, **kwargs)
            except PermissionDenied:  # to add, change or delete what may only be read
                record(_look(request, view, kwargs, refused=True))
                raise

        protected = super().admin_view(view, cacheable)
        return guarded

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """With how the log stands, where that is not well, and until when this person sees more than each
        day: every page of the console says it."""
        log = health.current()
        may = self.may(request, Action.SUPPORT)
        return super().each_context(request) | {
            "log_state": log if log and log.state != "whole" else None,
            "elevation": elevations.running(request.user) if may else None,  # type: ignore[arg-type]
        }

    def get_urls(self) -> list[Any]:
        """Without the two pages that no table here has a use for."""
        unused = {"autocomplete", "view_on_site"}
        own = [
            path(route, self.admin_view(import_string(f"compliance.{view}"), action=action), name=name)
            for route, view, name, action in OWN_PAGES
        ]
        return own + [url for url in super().get_urls() if getattr(url, "name", "") not in unused]

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Sign-in is the portal's, with its second factors."""
        return redirect_to_login(reverse("admin:index"))

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return redirect("account_change_password")


def _look(request: HttpRequest, view: View, kwargs: dict[str, Any], *, refused: bool = False) -> Entry:
    """Who looks at what. Of a search only the kind of reference is kept, and whose record it names; of
    filters the columns. One that asks for another column is refused by the list itself."""
    page, term = getattr(view, "__self__", None), request.GET.get("q", "").strip()
    match = request.resolver_match
    target, patient, detail = f"Console/{match.url_name if match else '-'}", "", {}
    role = "" if refused else Role.COMPLIANCE
    if isinstance(page, ReadOnlyAdmin):
        target, detail = _target(page, kwargs), _detail(page, request, kwargs, term)
        refused = refused or "refused_filters" in detail
        patient = _patient(page, kwargs, term) if not refused else ""
    return Entry(
        type=EventType.ADMIN_VIEW,
        outcome=Outcome.DENY if refused else Outcome.PERMIT,
        actor=f"User/{request.user.pk}",
        role=role,
        target=target,
        patient=patient,
        reasons=("role.not-allowed",) if refused else (),
        detail=detail,
    )


def _detail(
    page: ReadOnlyAdmin, request: HttpRequest, kwargs: dict[str, Any], term: str
) -> dict[str, str | int]:
    filters, refused = page.filters_of(request) if "object_id" not in kwargs else ([], 0)
    said: dict[str, str | int] = {
        "search": (page.kind_of(term) or "text") if term else "",
        "filters": "|".join(filters),
        "refused_filters": refused,
    }
    return {name: value for name, value in said.items() if value}


def _target(page: ReadOnlyAdmin, kwargs: dict[str, Any]) -> str:
    kind = page.model.__name__
    target = f"{kind}/{unquote(kwargs.get('object_id', '*'))}"
    return target if REFERENCE.fullmatch(target) else f"{kind}/-"


def _patient(page: ReadOnlyAdmin, kwargs: dict[str, Any], term: str) -> str:
    if "object_id" in kwargs:
        return page.patient_reference(unquote(kwargs["object_id"]))
    return term if A_PATIENT.fullmatch(term) else ""
