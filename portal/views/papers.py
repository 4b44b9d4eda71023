"""The papers of a request to help: send them, see what became of each, take one back."""

from typing import cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import pgettext, pgettext_lazy
from django.views.decorators.http import require_http_methods

from accounts import relationships
from accounts.evidence_models import Evidence
from accounts.models import RelatedPerson, User
from accounts.relation_states import Why
from accounts.relations import Refused
from consent import evidence
from portal import acting, helper_words
from portal.guards import signed_in, time_zone_of
from portal.helper_forms import EVIDENCE
from portal.pages import page

MEBIBYTES = evidence.LARGEST // (1024 * 1024)
STATES = {
    Evidence.Status.WAITING: (pgettext_lazy("papers.waiting", "Sent"), "info"),
    Evidence.Status.SEEN: (pgettext_lazy("papers.seen", "Your clinic looked at it"), "good"),
}


class PaperForm(forms.Form):
    kind = forms.ChoiceField(
        label=pgettext_lazy("papers.kind", "What is it?"),
        widget=forms.RadioSelect,
        error_messages={"required": pgettext_lazy("papers.kind.missing", "Choose what it is.")},
    )
    file = forms.FileField(
        label=pgettext_lazy("papers.file", "The file"),
        allow_empty_file=True,  # said in our words: it is no picture
        widget=forms.FileInput(attrs={"accept": ",".join(("application/pdf", "image/jpeg", "image/png"))}),
        error_messages=dict.fromkeys(
            ("required", "invalid", "missing"), pgettext_lazy("papers.file.missing", "Choose a file.")
        ),
    )

    def __init__(self, relation: RelatedPerson, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        needed = relationships.bases()[relation.basis].evidence
        field = cast(forms.ChoiceField, self.fields["kind"])
        field.choices = [(code, EVIDENCE[code]) for code in (*needed, *(set(relation.evidence) - {*needed}))]
        self.fields["file"].help_text = pgettext(
            "papers.file.what", "A photo (JPEG or PNG) or a PDF, with %(size)d MB at most."
        ) % {"size": MEBIBYTES}


@page("acting-papers", reads=("RelatedPerson", "Evidence"))
@require_http_methods(["GET", "POST"])
@signed_in
def papers(request: HttpRequest, relation_id: UUID) -> HttpResponse:
    """Of one's own request, for as long as it waits for an answer."""
    user = cast(User, request.user)
    relation = user.helps.select_related("patient").filter(pk=relation_id).first()
    if relation is None or relation.status != RelatedPerson.Status.ASKED:
        raise Http404
    form = PaperForm(relation, None)
    with timezone.override(time_zone_of(user)), acting.prefixed(None):
        if request.method == "POST" and "remove" in request.POST:
            _remove(request, relation, user)
            return redirect("portal:acting-papers", relation.pk)
        if request.method == "POST":
            form = PaperForm(relation, request.POST, request.FILES)
            if form.is_valid() and _add(request, form, relation, user):
                return redirect("portal:acting-papers", relation.pk)
        context = _context(relation, form)
        return render(request, "portal/acting_papers.html", context, status=422 if form.errors else 200)


def _add(request: HttpRequest, form: PaperForm, relation: RelatedPerson, user: User) -> bool:
    file: UploadedFile = form.cleaned_data["file"]
    try:
        evidence.add(relation, kind=form.cleaned_data["kind"], content=file.read(), by=user)
    except Refused as error:
        form.add_error("file", helper_words.refused(error.code))
        return False
    messages.success(request, pgettext("papers.sent", "Your clinic has it now."))
    return True


def _remove(request: HttpRequest, relation: RelatedPerson, user: User) -> None:
    """One that is not theirs, or not there, is no paper of this request: nothing happens."""
    try:
        paper = relation.papers.filter(pk=UUID(request.POST["remove"])).first()
    except ValueError:
        paper = None
    if paper:
        evidence.remove(paper, by=user)
        messages.success(request, pgettext("papers.removed", "You took it back. We destroyed it."))


def _context(relation: RelatedPerson, form: PaperForm) -> dict[str, object]:
    sent = list(relation.papers.exclude(status=Evidence.Status.GONE).defer("content").order_by("uploaded_at"))
    needed = relationships.bases()[relation.basis].evidence
    have = {paper.kind for paper in sent}
    return {
        "relation": relation,
        "form": form,
        "papers": [(paper, EVIDENCE[paper.kind], STATES[Evidence.Status(paper.status)]) for paper in sent],
        "missing": [EVIDENCE[code] for code in needed if code not in have],
        "more": relation.reason == Why.MORE_EVIDENCE,
        "full": len(sent) >= evidence.MOST,
    }
