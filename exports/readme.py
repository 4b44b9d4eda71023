"""README.txt of an archive: what the files are, in the language of who asked for them."""

from collections.abc import Sequence

from django.conf import settings
from django.utils import translation
from django.utils.translation import pgettext

from exports.models import ExportJob


def text(job: ExportJob, gaps: Sequence[str]) -> str:
    """The whole file. `gaps`: resource types that are missing."""
    with translation.override(job.who.language):
        parts = [
            pgettext("readme.title", "Your health records from {clinic}").format(clinic=settings.CLINIC_NAME),
            pgettext(
                "readme.what",
                "Each file that ends in .ndjson holds one kind of record, one on each line. "
                "They are in the FHIR format, which other health apps can read.",
            ),
            "\n".join(
                f"  {file.resource_type}.ndjson: {file.count}" for file in job.files.order_by("resource_type")
            ),
            pgettext(
                "readme.manifest",
                "The file manifest.json lists all files. "
                "It has a check sum for each, to show that nobody changed it.",
            ),
            pgettext("readme.safe", "Keep these files safe. Anyone who has them can read them."),
        ]
        if gaps:
            missing = pgettext("readme.missing", "We could not get these kinds of record: {kinds}.")
            parts.insert(3, missing.format(kinds=", ".join(gaps)))
    return "\n\n".join(parts) + "\n"
