"""Records at EHRs that may be a patient's: the console's one page where something is decided.

The list and its rows hold codes only. The values are asked for when somebody compares them, are
shown on that page, and the look is in the log.
"""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.identities import Refused
from accounts.matching import Demographics
from accounts.models import IdentityMatch
from compliance.readonly import ReadOnlyAdmin
from fhirproxy import identities
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure

SHOWN = {
    "name": "names",
    "birth-date": "birth_dates",
    "gender": "genders",
    "address": "addresses",
    "phone": "phones",
    "email": "emails",
    "identifier": "identifiers",
}


@admin.register(IdentityMatch)
class IdentityMatchAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "patient_id",
        "source",
        "verdict",
        "status",
        "method",
        "made_at",
        "agreed",
        "differed",
    )
    list_filter = ("status", "source", "made_at")
    ordering = ("-made_at",)
    fields = (
        *("compare_and_decide", "id", "patient", "source", "verdict", "agreed", "differed", "status"),
        *("method", "made_at", "made_by", "decided_at", "decided_by"),
    )
    find = {"IdentityMatch": "pk", "Patient": "patient_id"}
    patient_column = "patient_id"

    @admin.display(description="decide")
    def compare_and_decide(self, match: IdentityMatch) -> SafeString:
        address = reverse("admin:accounts_identitymatch_compare", args=[match.pk])
        return format_html('<a href="{}">Compare side by side, and decide</a>', address)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        name = "accounts_identitymatch"
        return [
            path("<str:object_id>/compare/", view(self.compare), name=f"{name}_compare"),
            path("<str:object_id>/decide/", view(self.decide), name=f"{name}_decide"),
            *super().get_urls(),
        ]

    def compare(self, request: HttpRequest, object_id: str) -> HttpResponse:
        match = get_object_or_404(IdentityMatch.objects.select_related("patient", "identity"), pk=object_id)
        rows, problem = [], ""
        try:
            rows = _rows(match)
        except EhrFailure as error:
            problem = str(error)
        context = self.admin_site.each_context(request) | {
            "title": "Is this the same person?",
            "match": match,
            "rows": rows,
            "problem": problem,
            "opts": self.opts,
            "joined": bool(match.identity and match.identity.ended_at is None),
        }
        return TemplateResponse(request, "compliance/identity_match.html", context)

    def decide(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        match = get_object_or_404(IdentityMatch, pk=object_id)
        back = HttpResponseRedirect(reverse("admin:accounts_identitymatch_compare", args=[match.pk]))
        reason, what = request.POST.get("reason", "").strip(), request.POST.get("what", "")
        if not reason:
            messages.error(request, "Say why: the reason is kept with the decision.")
            return back
        try:
            messages.success(request, _act(request.user, match, what, reason))
        except (Refused, EhrFailure) as error:
            messages.error(request, str(error))
        return back


def _act(actor: Any, match: IdentityMatch, what: str, reason: str) -> str:
    """Do what was chosen, and say so. Raises Refused and EhrFailure."""
    if what == "link" and match.status == IdentityMatch.Status.PROPOSED:
        identities.link(actor, match.patient, match.source, match.fhir_id, reason)
        return "The record is joined to the patient's."
    if what == "refuse":
        identities.refuse(actor, match, reason)
        return "The record is not theirs. It is not joined."
    if what == "undo" and match.identity:
        identities.unlink(actor, match.identity, reason)
        return "The link is undone."
    raise Refused("identity.decided", "This was decided already.")


def _rows(match: IdentityMatch) -> list[dict[str, object]]:
    """Each field with what we know, what the EHR says, and what the matcher made of it then."""
    ours = identities.known(match.patient, but_not=match.source)
    there = identities.read(Source.objects.get(slug=match.source), match.fhir_id)
    theirs = there.known if there else Demographics()
    return [
        {
            "field": code,
            "ours": _values(ours, name),
            "theirs": _values(theirs, name),
            "agreed": code in match.agreed,
            "differed": code in match.differed,
        }
        for code, name in SHOWN.items()
    ]


def _values(known: Demographics, name: str) -> list[str]:
    return [" ".join(v) if isinstance(v, tuple) else v for v in sorted(getattr(known, name))]
