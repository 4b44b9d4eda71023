"""Insurance: the policy, what was billed, and what the plan paid."""

from demo.population.chart import Chart, instant, reference
from demo.population.clinic import CLINIC, INSURER
from demo.population.coding import HL7, Resource, coding, hl7, snomed

OFFICE_VISIT = snomed("185349003", "Encounter for check up (procedure)", text="Office visit")


def coverage(chart: Chart, member: str, *, since: int = 800, relationship: str = "self") -> str:
    return chart.add(
        "Coverage",
        "coverage",
        profile="us-core-coverage",
        identifier=[
            {
                "type": hl7("v2-0203", "MB", "Member Number"),
                "system": "https://harbor.example/members",
                "value": member,
            }
        ],
        status="active",
        type=hl7("v3-ActCode", "HIP", "health insurance plan policy"),
        subscriberId=member,
        relationship=hl7("subscriber-relationship", relationship),
        period={"start": chart.day(since).isoformat()},
        payor=[INSURER],
        class_=[
            {"type": hl7("coverage-class", "group", "Group"), "value": "HARBOR-77", "name": "Harbor Standard"}
        ],
    )


def bill(chart: Chart, policy: str, encounter: str, ago: int, charged: int, paid: int) -> str:
    """A claim for a visit and its explanation of benefits, in whole dollars."""
    common: Resource = {
        "status": "active",
        "type": hl7("claim-type", "professional", "Professional"),
        "use": "claim",
        "billablePeriod": {"start": chart.day(ago).isoformat(), "end": chart.day(ago).isoformat()},
        "provider": CLINIC,
    }
    claim = chart.add(
        "Claim",
        "claim",
        created=instant(chart.day(ago), "18:00"),
        priority={"coding": [coding(HL7 + "processpriority", "normal")]},
        insurance=[{"sequence": 1, "focal": True, "coverage": reference(policy)}],
        item=[
            {
                "sequence": 1,
                "productOrService": OFFICE_VISIT,
                "encounter": [reference(encounter)],
                "net": _dollars(charged),
            }
        ],
        total=_dollars(charged),
        **common,
    )
    return chart.add(
        "ExplanationOfBenefit",
        "benefit",
        created=instant(chart.day(max(1, ago - 12)), "18:00"),
        insurer=INSURER,
        outcome="complete",
        claim=reference(claim),
        insurance=[{"focal": True, "coverage": reference(policy)}],
        item=[{"sequence": 1, "productOrService": OFFICE_VISIT, "encounter": [reference(encounter)]}],
        total=[
            {"category": hl7("adjudication", "submitted", "Submitted Amount"), "amount": _dollars(charged)},
            {"category": hl7("adjudication", "benefit", "Benefit Amount"), "amount": _dollars(paid)},
        ],
        payment={"amount": _dollars(paid), "date": chart.day(max(1, ago - 12)).isoformat()},
        **common,
    )


def _dollars(amount: int) -> Resource:
    return {"value": amount, "currency": "USD"}
