"""The tags that every page uses: tabs, icons, the state line, form controls, pictures of numbers."""

from dataclasses import dataclass

from django import template
from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.forms import BoundField
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, get_language_info, pgettext, pgettext_lazy

from accounts import elevations, sessions
from accounts.models import RelatedPerson, StaffRole, User
from config.providers import IdentityProvider
from fhirproxy import dates
from portal import account_state, acting
from portal.browsers import browser_words
from portal.guards import roles_of, time_zone_of
from portal.may_send import may_send
from portal.states import State

register = template.Library()
register.filter("date_words", dates.date_words)
register.filter("time_words", dates.time_words)
register.filter("browser_words", browser_words)
register.filter("can_go_in_bulk", lambda rows: [row for row in rows if row["bulk"]])
register.filter("account_words", lambda code: account_state.WORDS.get(code, code))


@register.simple_tag
def sign_in_providers() -> list[IdentityProvider]:
    """Those that people may sign in with."""
    return list(settings.IDENTITY_PROVIDERS.values())


@dataclass(frozen=True, slots=True)
class Tab:
    url_name: str
    icon: str
    label: str | Promise
    under: tuple[str, ...]  # the first parts of the paths that belong to it

    def is_current(self, path: str) -> bool:
        return path.strip("/").split("/")[0] in self.under


RECORD_PATHS = (
    *("records", "results", "vitals", "medicines", "allergies", "conditions"),
    *("vaccines", "visits", "documents", "care-team", "insurance", "search", "add"),
    *("wrong", "questions"),
)
PATIENT_TABS: tuple[Tab, ...] = (
    Tab("portal:home", "home", pgettext_lazy("tabs.home", "Home"), ("",)),
    Tab("portal:records", "records", pgettext_lazy("tabs.records", "Records"), RECORD_PATHS),
    Tab(
        "portal:sharing", "sharing", pgettext_lazy("tabs.sharing", "Sharing"), ("sharing", "apps", "helpers")
    ),
    Tab("portal:activity", "activity", pgettext_lazy("tabs.activity", "Activity"), ("activity",)),
    Tab(
        "portal:more",
        "more",
        pgettext_lazy("tabs.more", "More"),
        ("more", "help", "downloads", "settings", "contact", "accounts", "developers"),
    ),
)
ACTING_TABS = tuple(tab for tab in PATIENT_TABS if tab.url_name != "portal:sharing")  # that is theirs alone
CLINICIAN_TABS = (Tab("portal:review", "review", pgettext_lazy("tabs.review", "Review"), ("review",)),)


@register.simple_tag(takes_context=True)
def tabs(context: template.Context) -> list[dict[str, object]]:
    """The tabs of whoever is signed in; none for a visitor, or where there is no request (the 500 page)."""
    request: HttpRequest | None = context.get("request")
    user = getattr(request, "user", None)
    if request is None or user is None or not user.is_authenticated:
        return []
    if relation := _acting_for(request):
        with acting.prefixed(relation.pk):
            return _shown(ACTING_TABS, request)
    shown = PATIENT_TABS if has_record(user) else PATIENT_TABS[-1:]
    if StaffRole.Role.CLINICIAN in roles_of(user):
        shown = CLINICIAN_TABS + shown
    return _shown(shown, request)


def _shown(tabs: tuple[Tab, ...], request: HttpRequest) -> list[dict[str, object]]:
    return [
        {"url": url, "icon": tab.icon, "label": tab.label, "current": tab.is_current(request.path_info)}
        for tab in tabs
        if (url := _address(tab.url_name))
    ]


def has_record(user: User) -> bool:
    try:
        return bool(user.patient)
    except ObjectDoesNotExist:
        return False


def _address(url_name: str) -> str:
    try:
        return reverse(url_name)
    except NoReverseMatch:  # that room has no page yet
        return ""


@register.inclusion_tag("parts/acting.html", takes_context=True)
def acting_banner(context: template.Context) -> dict[str, object]:
    """For whom this session acts, on whatever page; nothing where it acts for nobody."""
    relation = _acting_for(context.get("request"))
    return {"name": relation.patient.name, "csrf_token": context.get("csrf_token")} if relation else {}


@register.inclusion_tag("parts/elevation.html", takes_context=True)
def elevation_banner(context: template.Context) -> dict[str, object]:
    """That this person sees more than their daily work needs, on whatever page of theirs, until when."""
    user = getattr(context.get("request"), "user", None)
    if not isinstance(user, User) or StaffRole.Role.SUPPORT not in roles_of(user):
        return {}
    elevation = elevations.running(user)
    if elevation is None:
        return {}
    ends_at = elevation.ends_at.astimezone(time_zone_of(user))
    left = elevations.minutes_left(elevation)
    return {"ends_at": ends_at, "minutes_left": left, "csrf_token": context.get("csrf_token")}


def _acting_for(request: HttpRequest | None) -> RelatedPerson | None:
    session = getattr(request, "session", None)
    if request is None or session is None or not session.get(acting.KEY) or not request.user.is_authenticated:
        return None
    if getattr(request, "helping", None) is None:
        request.helping = acting.relation_of(request.user, acting.in_session(request))  # type: ignore[attr-defined]
    return request.helping  # type: ignore[attr-defined]


@register.simple_tag(takes_context=True)
def wrong_url(context: template.Context, resource_type: str, address: str) -> str:
    """Of the page that says what is wrong with an item; empty where this reader cannot send that."""
    if not (resource_type and address) or "wrong" not in may_send(context["request"]):
        return ""
    return reverse("portal:wrong", args=[resource_type, address])


@register.simple_tag
def heading(title: str | Promise, item: bool = False) -> SafeString:
    """The heading of a page of records: with the person's name, where they are not the reader.

    `item`: the title is a name from the record, and stays as it is.
    """
    name, text = acting.about.get(), str(title)
    if not name:
        return format_html("<bdi>{}</bdi>" if item else "{}", title)
    words = pgettext("acting.heading", "{name}'s {thing}")
    if item:
        words = pgettext("acting.heading.item", "{name}: {thing}")
    stays = item or text[:2].isupper() or words.startswith("{thing}")  # Spanish begins with it
    thing = text if stays else text[:1].lower() + text[1:]
    return format_html(words, name=format_html("<bdi>{}</bdi>", name), thing=thing)


@register.simple_tag
def icon(name: str) -> SafeString:
    """A picture of ours from static/icons.svg, hidden from screen readers: words always stand beside it."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static("icons.svg"), name
    )


@register.simple_tag
def app_mark(name: str) -> SafeString:
    """An app's initials instead of a logo (a picture can pretend to be another app), for the eye alone."""
    words = ["".join(filter(str.isalnum, word)) for word in name.split()]
    initials = "".join(word[0] for word in words if word).upper()[:2]
    return format_html(
        '<svg class="mark" viewBox="0 0 40 40" aria-hidden="true"><rect width="40" height="40" rx="8"/>'
        '<text x="20" y="20" text-anchor="middle" dominant-baseline="central">{}</text></svg>',
        initials or "?",
    )


@register.inclusion_tag("portal/session_left.html", takes_context=True)
def session_watch(context: template.Context) -> dict[str, object]:
    """Asks, when it could be time, whether the session ends; says nothing before."""
    seconds, _ = sessions.left(context["request"])
    return {"over": False, "soon": False, "ask_in": round(max(1, seconds - sessions.WARN_BEFORE))}


@register.simple_tag
def other_languages() -> list[dict[str, str]]:
    """The languages one can change to: [{"code", "name_local"}]."""
    from django.conf import settings

    current = (get_language() or "en").split("-")[0]
    return [get_language_info(code) for code, _ in settings.LANGUAGES if code != current]


@register.inclusion_tag("parts/state.html")
def state(value: State) -> dict[str, object]:
    """How fresh and how whole the records on this page are: the same words on every page."""
    return {"state": value}


@register.filter
def control(field: BoundField) -> SafeString:
    """A form control without placeholder: its label stands above it."""
    return field.as_widget(attrs={"placeholder": ""} if field.field.widget.attrs.get("placeholder") else None)


@register.filter
def widget_kind(field: BoundField) -> str:
    """ "check", "group" (radios, checkboxes, several inputs) or "line": how parts/field.html lays it out."""
    if getattr(field.field.widget, "input_type", "") == "checkbox" and not field.use_fieldset:
        return "check"
    return "group" if field.use_fieldset else "line"


@register.filter
def note_kind(tags: str) -> str:
    """The look of a message from Django's message level."""
    return {"success": "good", "error": "bad", "warning": "warn"}.get(tags.split(" ")[-1], "info")
