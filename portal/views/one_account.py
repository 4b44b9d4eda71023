"""A patient says whether two accounts are theirs, and can stop it until they are one."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods

from accounts import stepup
from accounts.identities import Refused
from accounts.stepup import Action
from consent import merge_proposals
from portal.guards import PatientRequest, patient_required
from portal.pages import StepUp, page


@page("one-account", reads=("MergeProposal",), step_up=StepUp.FRESH)
@require_http_methods(["GET", "POST"])
@patient_required
def one_account(request: PatientRequest) -> HttpResponse:
    """A yes needs a fresh proof; a no never does."""
    proposal = merge_proposals.open_for(request.patient)
    do = request.POST.get("do", "")
    if proposal and do in ("yes", "no"):
        if do == "yes":
            stepup.require(request, Action.MERGE)
        try:
            merge_proposals.answer(proposal, by=request.user, yes=do == "yes")
        except Refused:
            text = pgettext("one.changed", "This was answered already. Look again.")
            messages.error(request, text)
        else:
            messages.success(request, pgettext("one.done", "We noted your answer."))
        return redirect("portal:one-account")
    context: dict[str, object] = {"proposal": proposal}
    if proposal:
        stays = proposal.kept_id == request.patient.pk
        other = proposal.merged if stays else proposal.kept
        said = proposal.kept_yes_at if stays else proposal.other_yes_at
        address = masked(other.user.email if other.user else "")
        context |= {"stays": stays, "address": address, "said": said, "days": merge_proposals.WAITS.days}
    return render(request, "portal/one_account.html", context)


def masked(email: str) -> str:
    """Enough for its owner: the first letter, and where it is."""
    name, _, host = email.partition("@")
    return f"{name[:1]}…@{host}"
