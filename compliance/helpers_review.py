"""Who asked to help whom: the console's list of requests, and the page where staff looks at the evidence.

The list holds codes only. Names and dates of birth stand on the page that compares; a look is in the log.
"""

from functools import partial
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import relationships
from accounts.models import Patient, RelatedPerson, RelatedPersonChange, User
from accounts.relation_states import HELPING, Why
from accounts.relations import Refused
from compliance.console import Console
from compliance.readonly import ReadOnlyAdmin, ReadOnlyInline
from consent import ages, evidence, helper_requests, helping
from consent.staff import Action
from consent.versions import Act

DECISIONS = {
    "approve": Why.EVIDENCE_SEEN,
    "refuse": Why.EVIDENCE_REFUSED,
    "more": Why.MORE_EVIDENCE,
}
WHY_NOT = {
    "helper.evidence": "Tick all that this ground asks for, once you have seen it.",
    "helper.changed": "Somebody else decided this a moment ago. Look again.",
    "helper.age": "The patient's age does not allow it any more.",
    "evidence.gone": "This paper was destroyed.",
    "role.not-allowed": "You cannot decide about yourself, or your role does not allow it.",
}


class ChangeInline(ReadOnlyInline):
    model = RelatedPersonChange
    fields = ("number", "status", "reason", "level", "made_at", "made_by", "note")
    ordering = ("number",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("made_by")


@admin.register(RelatedPerson)
class RelatedPersonAdmin(ReadOnlyAdmin):
    list_display = ("id", "patient_id", "user_id", "status", "reason", "level", "period_start", "review_at")
    list_filter = ("status", "period_start")
    ordering = ("-period_start",)
    fields = (
        *("look_and_decide", "id", "patient", "user", "status", "reason", "level", "may_share"),
        *("version", "period_start", "period_end", "review_at"),
    )
    inlines = (ChangeInline,)
    find = {"RelatedPerson": "pk", "Patient": "patient_id", "User": "user_id"}
    patient_column = "patient_id"

    @admin.display(description="decide")
    def look_and_decide(self, relation: RelatedPerson) -> SafeString:
        address = reverse("admin:accounts_relatedperson_review", args=[relation.pk])
        return format_html('<a href="{}">Look at the evidence, and decide</a>', address)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return cast(Console, self.admin_site).may(request, Action.REVIEW_HELPERS)

    has_module_permission = has_view_permission

    def get_urls(self) -> list[Any]:
        view = partial(cast(Console, self.admin_site).admin_view, action=Action.REVIEW_HELPERS)
        name = "accounts_relatedperson"
        return [
            path("<str:object_id>/review/", view(self.review), name=f"{name}_review"),
            path("<str:object_id>/paper/<uuid:paper_id>/", view(self.paper), name=f"{name}_paper"),
            path("<str:object_id>/decide/", view(self.decide), name=f"{name}_decide"),
            *super().get_urls(),
        ]

    def review(self, request: HttpRequest, object_id: str) -> HttpResponse:
        relation = _relation(object_id)
        ground, now = relationships.bases()[relation.basis], timezone.now()
        context = self.admin_site.each_context(request) | {
            "title": "May this person help?",
            "relation": relation,
            "own": Patient.objects.filter(user=relation.user).first(),
            "age": ages.age_at(relation.patient, now),
            "law": ages.law_of(relation.patient).code,
            "asked": sorted({*ground.evidence, *relation.evidence}),
            "needed": ground.evidence,
            "papers": relation.papers.defer("content").order_by("uploaded_at"),
            "steps": relation.changes.order_by("-number"),
            "living": relation.status in HELPING,
            "opts": self.opts,
        }
        return TemplateResponse(request, "compliance/helper_review.html", context)

    def paper(self, request: HttpRequest, object_id: str, paper_id: UUID) -> HttpResponse:
        """The file itself, which no browser may run: a type by its bytes, no sniffing, a sandbox."""
        relation, by = _relation(object_id), cast(User, request.user)
        paper = get_object_or_404(relation.papers.select_related("relation__patient"), pk=paper_id)
        try:
            content = evidence.look(paper, by=by)
        except Refused as error:
            messages.error(request, WHY_NOT.get(error.code, "This cannot be done now."))
            return HttpResponseRedirect(reverse("admin:accounts_relatedperson_review", args=[relation.pk]))
        response = HttpResponse(content, content_type=paper.media_type)
        ending = paper.media_type.rpartition("/")[2]
        response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Disposition"] = f'attachment; filename="{paper.kind}-{paper.pk}.{ending}"'
        return response

    def decide(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        relation = _relation(object_id)
        back = HttpResponseRedirect(reverse("admin:accounts_relatedperson_review", args=[relation.pk]))
        note, what = request.POST.get("note", "").strip()[:500], request.POST.get("what", "")
        if not note:
            messages.error(request, "Say why: the reason is kept with the decision.")
            return back
        try:
            _act(request, relation, what, note)
        except Refused as error:
            messages.error(request, WHY_NOT.get(error.code, "This cannot be done now."))
            return back
        messages.success(request, "It is done, and both of them were told.")
        return back


def _relation(object_id: str) -> RelatedPerson:
    found: RelatedPerson = get_object_or_404(
        RelatedPerson.objects.select_related("patient__user", "user"), pk=object_id
    )
    return found


def _act(request: HttpRequest, relation: RelatedPerson, what: str, note: str) -> None:
    """Raises Refused."""
    user: Any = request.user
    seen = request.POST.get("version", "")
    version = int(seen) if seen.isdecimal() and len(seen) < 9 else -1
    if what in DECISIONS:
        evidence = [code for code in request.POST.getlist("evidence") if code in relationships.EVIDENCE]
        helper_requests.decide(relation, DECISIONS[what], by=user, note=note, evidence=evidence, seen=version)
    elif what == "stop":
        helping.stop_as_staff(relation, by=user, note=note, seen=version)
    elif what == "renew":
        helping.renew_as_staff(
            relation, by=user, act=Act(by=user, channel="staff", role="compliance"), seen=version
        )
    else:
        raise Refused("helper.state")
