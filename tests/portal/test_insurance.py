"""Insurance: the plan, and what was billed, in the reader's own way to write amounts."""

import pytest

from portal import insurance


def benefit(**more):
    def total(code, amount):
        return {"category": {"coding": [{"code": code}]}, "amount": amount}

    return {
        "resourceType": "ExplanationOfBenefit",
        "id": "e1",
        "status": "active",
        "billablePeriod": {"start": "2026-03-02"},
        "item": [{"productOrService": {"text": "Office visit"}}],
        "total": [
            total("submitted", {"value": 1240.5, "currency": "USD"}),
            total("benefit", {"value": 90, "currency": "XQQ"}),
        ],
        **more,
    }


def test_alice_reads_her_plan_and_her_bills(alice, client):
    page = client.get("/insurance/").text

    assert "Harbor Standard" in page
    assert "Member number:" in page
    assert "Billed: $" in page
    assert "Your plan paid: $" in page


def test_an_amount_is_shown_with_its_currency_known_or_not():
    row = insurance.claim(benefit())

    assert row.details == ("March 2, 2026", "Billed: $1,240.50", "Your plan paid: XQQ90.00")


@pytest.mark.parametrize(
    "amount",
    [None, {}, {"value": "x", "currency": "USD"}, {"value": 5}, {"value": True, "currency": "USD"}, 7],
)
def test_what_is_no_amount_is_left_out(amount):
    row = insurance.claim(
        benefit(total=[{"category": {"coding": [{"code": "submitted"}]}, "amount": amount}])
    )

    assert row.details == ("March 2, 2026",)


@pytest.mark.parametrize("status", ["entered-in-error", "draft"])
def test_what_does_not_stand_is_not_shown(status):
    assert insurance.claim(benefit(status=status)) is None
    assert insurance.coverage({"resourceType": "Coverage", "status": status}) is None


def test_a_plan_that_was_cancelled_says_that_it_ended():
    row = insurance.coverage({"status": "cancelled", "payor": [{"display": "Harbor"}]})

    assert (row.name, row.chip, row.is_current, row.source) == ("Harbor", "Ended", False, "")
