"""Notes and letters: plain text inline, and letters as PDF in a Binary that the document owns."""

import base64
import hashlib

from demo.population import pdf
from demo.population.chart import Chart, instant, reference
from demo.population.clinic import CLINIC, OSEI, Clinician
from demo.population.coding import US_CORE, Resource, coding, concept, loinc

CLINICAL_NOTE = concept(
    f"{US_CORE}CodeSystem/us-core-documentreference-category", "clinical-note", "Clinical Note"
)
PROGRESS_NOTE = loinc("11506-3", "Progress note")
CONSULT_NOTE = loinc("11488-4", "Consult note")
DISCHARGE_SUMMARY = loinc("18842-5", "Discharge summary")
HISTORY_AND_PHYSICAL = loinc("34117-2", "History and physical note")
LETTER = loinc("51852-2", "Letter")
INSTRUCTIONS = loinc("69730-0", "Instructions")
REFERRAL_NOTE = loinc("57133-1", "Referral note")


def note(
    chart: Chart,
    kind: Resource,
    ago: int,
    title: str,
    text: str,
    *,
    encounter: str = "",
    author: Clinician = OSEI,
    labels: tuple[str, ...] = (),
    status: str = "final",
) -> str:
    """A note in plain text. `status`: docStatus, "preliminary" while the clinician has not signed it."""
    content = _attachment(
        chart, "text/plain; charset=utf-8", text.encode(), title, instant(chart.day(ago), "17:10")
    )
    content["data"] = base64.b64encode(text.encode()).decode()
    return _document(
        chart, kind, ago, title, content, encounter=encounter, author=author, labels=labels, status=status
    )


def letter(
    chart: Chart,
    ago: int,
    title: str,
    paragraphs: list[str],
    *,
    author: Clinician = OSEI,
    labels: tuple[str, ...] = (),
    encounter: str = "",
    in_binary: bool = False,
) -> str:
    """A letter as PDF: its bytes inline, or in a Binary of its own, as larger EHRs keep them."""
    data = pdf.letter(f"Riverside Clinic: {title}", paragraphs)
    encoded = base64.b64encode(data).decode()
    file = chart.name_next("Binary", "letter-file")
    content = _attachment(chart, "application/pdf", data, title, instant(chart.day(ago), "15:30"))
    content |= {"url": file} if in_binary else {"data": encoded}
    document = _document(
        chart, LETTER, ago, title, content, encounter=encounter, author=author, labels=labels, status="final"
    )
    if in_binary:
        chart.add(
            "Binary",
            "letter-file",
            labels=labels,
            contentType="application/pdf",
            securityContext=reference(document),  # whoever may see the document may see its bytes
            data=encoded,
        )
    return document


def _attachment(chart: Chart, content_type: str, data: bytes, title: str, created: str) -> Resource:
    return {
        "contentType": content_type,
        "language": chart.language,
        "title": title,
        "creation": created,
        "size": len(data),
        "hash": base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode(),
    }


def _document(
    chart: Chart,
    kind: Resource,
    ago: int,
    title: str,
    attachment: Resource,
    *,
    encounter: str,
    author: Clinician,
    labels: tuple[str, ...],
    status: str,
) -> str:
    day = chart.day(ago)
    context: Resource = {"period": {"start": instant(day, "09:00"), "end": instant(day, "09:30")}}
    if encounter:
        context["encounter"] = [reference(encounter)]
    return chart.add(
        "DocumentReference",
        "document",
        profile="us-core-documentreference",
        labels=labels,
        status="current",
        docStatus=status,
        type=kind,
        category=[CLINICAL_NOTE],
        date=instant(day, "17:10"),
        author=[author.ref],
        custodian=CLINIC,
        description=title,
        content=[
            {
                "attachment": attachment,
                "format": coding(
                    "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
                    "urn:ihe:iti:xds:2017:mimeTypeSufficient",
                ),
            }
        ],
        context=context,
    )
