"""From Coverage and ExplanationOfBenefit to the rows of a page. Pure, as `portal.rows` is."""

from typing import Any

from babel.numbers import format_currency
from django.utils.translation import get_language, pgettext

from fhirproxy import reading as fhir
from fhirproxy.dates import date_words
from portal.rows import NO_NAME, Row

SUBMITTED, BENEFIT = "submitted", "benefit"  # http://terminology.hl7.org/CodeSystem/adjudication


def coverage(resource: Any) -> Row | None:
    """Coverage: the plan, with whom, and since when."""
    status = fhir.text(resource, "status")
    if status in {"entered-in-error", "draft"}:
        return None
    start = fhir.moment(fhir.text(fhir.first(resource, "period"), "start"))
    end = fhir.moment(fhir.text(fhir.first(resource, "period"), "end"))
    payor = fhir.display(fhir.first(resource, "payor"))
    plan = next(filter(None, (fhir.text(each, "name") for each in fhir.objects(resource, "class"))), "")
    member = fhir.text(resource, "subscriberId") or fhir.text(fhir.first(resource, "identifier"), "value")
    return Row(
        id=fhir.text(resource, "id"),
        name=plan or payor or fhir.words(fhir.first(resource, "type")) or NO_NAME,
        when=start,
        details=_some(
            pgettext("insurance.member", "Member number: {number}").format(number=member) if member else "",
            pgettext("condition.since", "Since {date}").format(date=date_words(start)) if start else "",
            pgettext("condition.until", "Until {date}").format(date=date_words(end)) if end else "",
        ),
        chip=pgettext("chip.ended", "Ended") if status == "cancelled" else "",
        chip_kind="off",
        source=payor if plan else "",
        is_current=status == "active",
    )


def claim(resource: Any) -> Row | None:
    """ExplanationOfBenefit: what was billed, and what the plan paid."""
    if fhir.text(resource, "status") in {"entered-in-error", "draft", "cancelled"}:
        return None
    when = fhir.moment(fhir.text(fhir.first(resource, "billablePeriod"), "start"))
    amounts = {
        code: _money(fhir.first(total, "amount"))
        for total in fhir.objects(resource, "total")
        for code in fhir.codes(fhir.first(total, "category"))
    }
    billed, paid = amounts.get(SUBMITTED, ""), amounts.get(BENEFIT, "")
    return Row(
        id=fhir.text(resource, "id"),
        name=fhir.words(fhir.first(fhir.first(resource, "item"), "productOrService"))
        or fhir.words(fhir.first(resource, "type"))
        or NO_NAME,
        when=when or fhir.moment(fhir.text(resource, "created")),
        details=_some(
            date_words(when),
            pgettext("insurance.billed", "Billed: {amount}").format(amount=billed) if billed else "",
            pgettext("insurance.paid", "Your plan paid: {amount}").format(amount=paid) if paid else "",
        ),
        source=fhir.display(fhir.first(resource, "provider")),
    )


def _money(amount: Any) -> str:
    """FHIR Money in the reader's language; empty for what is no amount."""
    number, currency = fhir.number(amount.get("value")), fhir.text(amount, "currency")
    return (
        format_currency(number, currency, locale=get_language() or "en")
        if number is not None and currency
        else ""
    )


def _some(*lines: str) -> tuple[str, ...]:
    return tuple(line for line in lines if line)
