"""README.txt of an archive: what the files are and what is not there, in the language of who asked."""

from collections.abc import Mapping, Sequence

from django.conf import settings
from django.utils import translation
from django.utils.translation import pgettext, pgettext_lazy

from consent.words import CATEGORY
from exports.choices import TOO_LARGE
from exports.formats.about import Why
from exports.formats.held import Format
from exports.formats.parts import WHY
from exports.manifests import Item
from exports.models import ExportJob

FORMAT = {
    Format.PDF: pgettext_lazy("readme.pdf", "The file summary.pdf is for you to read and print."),
    Format.IPS: pgettext_lazy(
        "readme.ips",
        "The file summary.ips.json is a health summary for clinics and apps, "
        "in the form of the International Patient Summary.",
    ),
    Format.CCD: pgettext_lazy(
        "readme.ccd", "The file summary.ccd.xml is the same for clinics with older systems (CCD)."
    ),
    Format.CSV: pgettext_lazy("readme.csv", "The file results.csv has your test results for a spreadsheet."),
}


def text(
    job: ExportJob, items: Sequence[Item], left_out: Sequence[Mapping[str, str]], *, is_private: bool
) -> str:
    """The whole file. `left_out`: what, and why as a code, as the manifest says it."""
    with translation.override(job.who.language):
        return "\n\n".join(filter(None, _parts(job, items, left_out, is_private=is_private))) + "\n"


def _parts(
    job: ExportJob, items: Sequence[Item], left_out: Sequence[Mapping[str, str]], *, is_private: bool
) -> list[str]:
    outputs = [item for item in items if item.output]
    title = pgettext("readme.title", "Your health records from {clinic}").format(clinic=settings.CLINIC_NAME)
    private = pgettext("readme.private", "This package has your private topics and nothing else.")
    return [
        title,
        private if is_private else "",
        pgettext(
            "readme.what",
            "Each file that ends in .ndjson holds one kind of record, one on each line. "
            "They are in the FHIR format, which other health apps can read.",
        )
        if outputs
        else "",
        "\n".join(f"  {item.name}: {item.output.count}" for item in outputs if item.output),
        *(str(FORMAT[each]) for each in Format if each in job.formats and not _is_missing(each, left_out)),
        pgettext("readme.documents", "The folder documents holds your letters and other documents.")
        if any("documents/" in item.name for item in items)
        else "",
        _missing(left_out),
        _chosen(left_out),
        pgettext(
            "readme.manifest",
            "The file manifest.json lists all files. "
            "It has a check sum for each, to show that nobody changed it.",
        ),
        pgettext("readme.safe", "Keep these files safe. Anyone who has them can read them."),
    ]


def _is_missing(each: str, left_out: Sequence[Mapping[str, str]]) -> bool:
    return any(left["what"] == each for left in left_out)


def _missing(left_out: Sequence[Mapping[str, str]]) -> str:
    kinds = [left["what"] for left in left_out if left["why"] == Why.MISSING and left["what"] not in CATEGORY]
    said = []
    if kinds:
        missing = pgettext("readme.missing", "We could not get these kinds of record: {kinds}.")
        said.append(missing.format(kinds=", ".join(dict.fromkeys(kinds))))
    if any(left["why"] == TOO_LARGE for left in left_out):
        said.append(pgettext("readme.too_large", "Your record is too large for a summary. It is not here."))
    return "\n".join(said)


def _chosen(left_out: Sequence[Mapping[str, str]]) -> str:
    """Kinds of record that are left out by choice or by rule, each reason once."""
    said = []
    for why in (Why.CHOSEN, Why.NOT_SHARED):
        kinds = [
            str(CATEGORY[left["what"]])
            for left in left_out
            if left["why"] == why and left["what"] in CATEGORY
        ]
        if kinds:
            said.append(f"{WHY[why]}\n  {', '.join(kinds)}")
    if any(left["why"] == Why.PRIVATE for left in left_out):
        said.append(str(WHY[Why.PRIVATE]))
    return "\n".join(said)
