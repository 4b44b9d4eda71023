"""Care plans, goals and the care team."""

from html import escape

from demo.population.chart import Chart
from demo.population.clinic import CLINIC, Clinician
from demo.population.coding import US_CORE, Resource, concept, loinc, quantity, snomed

ASSESS_PLAN = concept(
    f"{US_CORE}CodeSystem/careplan-category", "assess-plan", "Assessment and Plan of Treatment"
)


def goal(
    chart: Chart,
    ago: int,
    description: str,
    *,
    measure: tuple[str, str] | None = None,
    target: Resource | None = None,
    due_in: int = 180,
    status: str = "active",
) -> str:
    """A goal. `measure`: LOINC (code, display) with `target` as a Quantity at most."""
    due = chart.coming(due_in).isoformat()
    return chart.add(
        "Goal",
        "goal",
        profile="us-core-goal",
        lifecycleStatus=status,
        description={"text": description},
        startDate=chart.day(ago).isoformat(),
        target=[
            {"measure": loinc(*measure), "detailRange": {"high": target}, "dueDate": due}
            if measure
            else {"dueDate": due}
        ],
        expressedBy=chart.subject,
    )


def at_most(value: float, unit: str, ucum: str = "") -> Resource:
    return quantity(value, unit, ucum)


def plan(
    chart: Chart,
    ago: int,
    title: str,
    steps: list[str],
    *,
    goals: tuple[str, ...] = (),
    problems: tuple[str, ...] = (),
    status: str = "active",
) -> str:
    """A care plan with its steps, also as narrative, as US Core asks."""
    items = "".join(f"<li>{escape(step)}</li>" for step in steps)
    return chart.add(
        "CarePlan",
        "plan",
        profile="us-core-careplan",
        text={
            "status": "additional",
            "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{escape(title)}</p><ul>{items}</ul></div>',
        },
        status=status,
        intent="plan",
        category=[ASSESS_PLAN],
        title=title,
        period={"start": chart.day(ago).isoformat()},
        addresses=[{"reference": each} for each in problems] or None,
        goal=[{"reference": each} for each in goals] or None,
        activity=[{"detail": {"status": "in-progress", "description": step}} for step in steps],
    )


def team(chart: Chart, ago: int, *members: tuple[Clinician, str]) -> str:
    """The care team: (clinician, what they are in it)."""
    return chart.add(
        "CareTeam",
        "team",
        profile="us-core-careteam",
        status="active",
        category=[loinc("LA28865-6", "Longitudinal care-coordination focused care team")],
        name="Care team",
        period={"start": chart.day(ago).isoformat()},
        participant=[
            {
                "role": [snomed("223366009", "Healthcare professional (occupation)", text=role)],
                "member": person.ref,
            }
            for person, role in members
        ],
        managingOrganization=[CLINIC],
    )
