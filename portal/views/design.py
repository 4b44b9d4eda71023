"""The living page of the design system: every part, drawn by the same templates as the pages. Demo only."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from fhirproxy.reading import Moment
from portal import charts, trends
from portal.guards import anyone
from portal.observations import Range, Standing
from portal.pages import page
from portal.states import Kind, State
from portal.trends import Point

DAY = datetime(2025, 6, 12, 13, 12, tzinfo=UTC)
STATES = [
    State(kind=Kind.FRESH, at=DAY),
    State(kind=Kind.STALE, at=DAY, source="City Hospital"),
    State(kind=Kind.PARTIAL, missing=("Vaccines", "Visits"), retry="#"),
    State(kind=Kind.EMPTY, heading="No medicines on your record", text="We looked at Riverside Clinic."),
    State(kind=Kind.WITHHELD, count=2),
    State(kind=Kind.PENDING, heading="Sent. Waiting for your clinic", retry="#"),
    State(kind=Kind.ERROR, heading="We could not show your results", retry="#", reference="8f2c-11"),
    State(kind=Kind.OFFLINE, at=DAY),
]
CHIPS = [
    ("good", "On"),
    ("warn", "Ends soon"),
    ("off", "Stopped by you"),
    ("info", "New"),
    ("bad", "Blocked"),
    ("", "Waiting"),
]


class PartsForm(forms.Form):
    name = forms.CharField(label="A line of text", help_text="As on your card.")
    why = forms.CharField(label="A longer text", widget=forms.Textarea(attrs={"rows": 3}), required=False)
    who = forms.ChoiceField(label="A choice", choices=[("", "Everyone"), ("apps", "Apps")], required=False)
    until = forms.ChoiceField(
        label="One of several",
        choices=[("30", "30 days"), ("365", "1 year")],
        widget=forms.RadioSelect,
        help_text="You can stop it any day.",
    )
    yes = forms.BooleanField(label="I read this", required=False)


@page("design")
@require_GET
@anyone
def design(request: HttpRequest) -> HttpResponse:
    context = {
        "states": STATES,
        "chips": CHIPS,
        "form": PartsForm(),
        "bad_form": PartsForm({"name": ""}, auto_id="bad_%s"),
        "pictures": _pictures(),
        "head": ["Date", "Result", "Compared"],
        "rows": [
            [
                {"text": "June 12, 2025"},
                {"label": "Result", "text": "118 mg/dL", "number": True},
                {"label": "Compared", "text": "Above the usual range"},
            ]
        ]
        * 3,
        "summary": [("Who", "GlucoTrack", "#"), ("Until", "July 12, 2025", "#")],
    }
    return render(request, "portal/design.html", context)


def _pictures() -> list[tuple[str, str]]:
    def line(id: str, name: str, value: str, unit: str, usual: Range, **more: Any) -> str:
        return charts.number_line(id=id, name=name, value=Decimal(value), unit=unit, usual=usual, **more)

    both, upper = Range(Decimal("3.5"), Decimal("5.1")), Range(high=Decimal(100))
    values = [(2023, 3, 141), (2023, 10, 152), (2024, 6, 138), (2025, 1, 96), (2025, 6, 118)]
    points = [
        Point(
            Moment(datetime(y, m, 12, tzinfo=UTC)), Decimal(v), "mg/dL", "", upper, upper.standing(Decimal(v))
        )
        for y, m, v in values
    ]
    newest = Point(Moment(DAY), Decimal(109), "mg/dL", "", upper, Standing.HIGH, preliminary=True)
    goal = Range(high=Decimal("7.0"), kind="Treatment goal")
    return [
        ("Inside", line("d1", "Potassium", "4.1", "mmol/L", both)),
        ("Above, one limit", line("d2", "LDL cholesterol", "118", "mg/dL", upper)),
        ("Below", line("d3", "Potassium", "3.2", "mmol/L", both)),
        ("Far above", line("d4", "ALT", "900", "U/L", Range(Decimal(7), Decimal(56)))),
        ("Not final", line("d5", "Potassium", "4.4", "mmol/L", both, preliminary=True)),
        (
            "With a goal",
            line("d6", "Hemoglobin A1c", "7.4", "%", Range(Decimal("4.0"), Decimal("5.6")), goals=[goal]),
        ),
        ("Trend", trends.trend([*points, newest], id="d7", name="LDL cholesterol").svg),
        ("Sparkline", trends.sparkline(points)),
    ]
