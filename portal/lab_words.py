"""The words that go with a result: where it stands, what the usual range is, and what to do.

Never "normal" or "abnormal": in, above or below the usual range at this lab.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import pgettext, pgettext_lazy

from fhirproxy.numbers import number_text
from portal.acting import voice
from portal.observations import Progress, Range, Result, Standing

STANDING: dict[Standing, Promise] = {
    Standing.IN: pgettext_lazy("lab.standing.in", "In the usual range"),
    Standing.LOW: pgettext_lazy("lab.standing.low", "Below the usual range"),
    Standing.HIGH: pgettext_lazy("lab.standing.high", "Above the usual range"),
    Standing.UNKNOWN: pgettext_lazy("lab.standing.unknown", "No usual range given"),
}
URGENT = pgettext_lazy("home.urgent.chip", "Look soon")
FLAGGED = pgettext_lazy("lab.standing.flagged", "Marked by the lab")
PROGRESS: dict[Progress, Promise | str] = {
    Progress.PRELIMINARY: pgettext_lazy("lab.progress.preliminary", "Not final"),
    Progress.FINAL: pgettext_lazy("lab.progress.final", "Final"),
    Progress.CORRECTED: pgettext_lazy("lab.progress.corrected", "Corrected"),
    Progress.WITHDRAWN: pgettext_lazy("lab.progress.withdrawn", "Withdrawn"),
    Progress.UNKNOWN: pgettext_lazy("lab.progress.unknown", "Status not known"),
}


@dataclass(frozen=True, slots=True)
class Chip:
    text: str | Promise
    kind: str  # good, warn, info, off or "": a look, beside the word and the shape


def standing_chip(result: Result) -> Chip | None:
    """The chip of one result; None where the lab gave nothing to compare with."""
    if result.is_flagged:
        return Chip(FLAGGED, "warn")
    if result.standing == Standing.UNKNOWN:
        return None
    return Chip(STANDING[result.standing], "good" if result.standing == Standing.IN else "warn")


def urgent_chip(result: Result) -> Chip | None:
    """Beside the other chip: the lab marked it to look at soon."""
    return Chip(URGENT, "bad") if result.is_urgent else None


def range_words(one: Range | None, unit: str = "") -> str:
    """ "3.5 to 5.1 mmol/L", "100 mg/dL or less", "40 mg/dL or more"; else the lab's own words."""
    if one is None:
        return ""
    low, high = (None if x is None else number_text(x) for x in (one.low, one.high))
    if low is not None and high is not None:
        words = pgettext("lab.range.both", "{low} to {high} {unit}").format(low=low, high=high, unit=unit)
    elif high is not None:
        words = pgettext("lab.range.high", "{high} {unit} or less").format(high=high, unit=unit)
    elif low is not None:
        words = pgettext("lab.range.low", "{low} {unit} or more").format(low=low, unit=unit)
    else:
        words = one.text
    return " ".join(words.split())


def sentences(result: Result) -> list[str]:
    """What the page says about one result, in the order it is said."""
    said = [_value_sentence(result)]
    if result.progress == Progress.PRELIMINARY:
        said.append(pgettext("lab.prelim", "This result may change. The lab is still checking it."))
    if result.progress == Progress.CORRECTED:
        said.append(pgettext("lab.corrected", "The lab corrected this result. This is the new one."))
    if result.lab_disagrees:
        said.append(
            pgettext(
                "lab.disagrees",
                "The lab marked this result in a way that does not fit its range. Ask your clinic.",
            )
        )
    return said


def _said(own: str, other: str) -> str:
    return str(voice(own, other))


def _urgent_sentence(value: str, words: str) -> str:
    """No comfort here: what to do is said beside it."""
    if words:
        return _said(
            pgettext("lab.urgent", "Your result is {value}. The usual range at this lab is {range}."),
            pgettext("acting.lab.urgent", "The result is {value}. The usual range at this lab is {range}."),
        ).format(value=value, range=words)
    return _said(
        pgettext("lab.urgent_only", "Your result is {value}."),
        pgettext("acting.lab.urgent_only", "The result is {value}."),
    ).format(value=value)


def _value_sentence(result: Result) -> str:
    value = result.value_text
    if not value and result.parts:
        return pgettext("lab.parts", "This test has {count} parts.").format(count=len(result.parts))
    if not value:
        return pgettext("lab.novalue", "The lab did not send a value for this test.")
    words = range_words(result.range, result.unit) or result.range_text
    if result.standing == Standing.IN:
        return _said(
            pgettext("lab.in", "Your result is {value}. It is in the usual range at this lab."),
            pgettext("acting.lab.in", "The result is {value}. It is in the usual range at this lab."),
        ).format(value=value)
    if result.is_urgent:
        return _urgent_sentence(value, words)
    if result.standing in (Standing.LOW, Standing.HIGH) and words:
        return _said(
            pgettext(
                "lab.out",
                "Your result is {value}. The usual range at this lab is {range}. "
                "A result outside it does not always mean a problem.",
            ),
            pgettext(
                "acting.lab.out",
                "The result is {value}. The usual range at this lab is {range}. "
                "A result outside it does not always mean a problem.",
            ),
        ).format(value=value, range=words)
    if result.standing in (Standing.LOW, Standing.HIGH) or result.is_flagged:
        return _said(
            pgettext(
                "lab.flagged",
                "Your result is {value}. The lab marked it. That does not always mean a problem.",
            ),
            pgettext(
                "acting.lab.flagged",
                "The result is {value}. The lab marked it. That does not always mean a problem.",
            ),
        ).format(value=value)
    if words:
        return _said(
            pgettext("lab.text_range", "Your result is {value}. The lab says this about the range: {range}."),
            pgettext(
                "acting.lab.text_range", "The result is {value}. The lab says this about the range: {range}."
            ),
        ).format(value=value, range=words)
    return _said(
        pgettext("lab.value_only", "Your result is {value}. It came without a usual range."),
        pgettext("acting.lab.value_only", "The result is {value}. It came without a usual range."),
    ).format(value=value)
