"""The console's pages of two accounts that may be one person's: propose, stand in, withdraw.

They name rows by id and birth date, as at the desk; each account answers for itself.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from accounts import stepup
from accounts.identities import Refused
from accounts.models import User
from compliance.activation_codes import patient_of
from consent import merge_proposals
from consent.models import MergeProposal

MOST = 50


class ProposalForm(forms.Form):
    kept = forms.CharField(label="The account that stays", max_length=300, help_text="Patient/id.")
    merged = forms.CharField(label="The account that closes", max_length=300, help_text="Patient/id.")
    birth_date = forms.DateField(
        label="Birth date of both", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    evidence = forms.CharField(label="What you have seen", max_length=200)
    reason = forms.CharField(label="Why", max_length=200)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        found = [patient_of(str(data.get(name, "")).strip()) for name in ("kept", "merged")]
        if any(one is None or one.birth_date != data.get("birth_date") for one in found):
            raise forms.ValidationError("There are no two such patients of that birth date.")
        return data | dict(zip(("kept", "merged"), found, strict=True))


@require_http_methods(["GET", "POST"])
def merges(request: HttpRequest) -> HttpResponse:
    form, status = ProposalForm(request.POST or None), 200
    if request.method == "POST" and form.is_valid():
        stepup.require(request, stepup.Action.MERGE)
        said = {name: value for name, value in form.cleaned_data.items() if name != "birth_date"}
        try:
            made = merge_proposals.propose(**said, by=cast(User, request.user))
        except Refused as error:
            form.add_error(None, str(error))
        else:
            return redirect("admin:merge", made.pk)
    if form.errors:
        status = 422
    rows = MergeProposal.objects.order_by("-proposed_at")[:MOST]
    return _page(request, "merges", "Two accounts of one person", status, form=form, rows=rows)


@require_http_methods(["GET", "POST"])
def merge(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    found = get_object_or_404(
        MergeProposal.objects.select_related("merged__user", "proposed_by", "seconded_by"), pk=proposal_id
    )
    act = ACTS.get(request.POST.get("do", ""))
    if request.method == "POST" and act:
        stepup.require(request, stepup.Action.MERGE)
        try:
            act(found, cast(User, request.user))
        except Refused as error:
            messages.error(request, str(error))
        return redirect("admin:merge", found.pk)
    context = {"proposal": found, "dead": merge_proposals.is_dead(found.merged)}
    return _page(request, "merge", f"MergeProposal/{found.pk}", 200, **context)


Act = Callable[[MergeProposal, User], object]
ACTS: Mapping[str, Act] = {
    "second": lambda proposal, by: merge_proposals.second(proposal, by=by),
    "withdraw": lambda proposal, by: merge_proposals.withdraw(proposal, by=by),
}


def _page(request: HttpRequest, name: str, title: str, status: int, **context: Any) -> TemplateResponse:
    whole = admin.site.each_context(request) | {"title": title} | context
    return TemplateResponse(request, f"admin/compliance/{name}.html", whole, status=status)
