"""Visits that were, appointments to come, procedures, and what was asked of others."""

from dataclasses import dataclass

from demo.population.chart import Chart, instant, reference
from demo.population.clinic import CLINIC, MAIN_BUILDING, OSEI, VIDEO, Clinician
from demo.population.coding import HL7, Resource, coding, hl7, snomed


@dataclass(frozen=True, slots=True)
class Kind:
    code: str  # SNOMED CT
    display: str
    encounter_class: tuple[str, str]  # v3 ActCode


AMBULATORY, VIRTUAL, EMERGENCY, INPATIENT = (
    ("AMB", "ambulatory"),
    ("VR", "virtual"),
    ("EMER", "emergency"),
    ("IMP", "inpatient encounter"),
)
CHECK_UP = Kind("185349003", "Encounter for check up (procedure)", AMBULATORY)
FOLLOW_UP = Kind("390906007", "Follow-up encounter (procedure)", AMBULATORY)
PROBLEM = Kind("185347001", "Encounter for problem (procedure)", AMBULATORY)
WELL_CHILD = Kind("410620009", "Well child visit (procedure)", AMBULATORY)
PRENATAL = Kind("424619006", "Prenatal visit (regime/therapy)", AMBULATORY)
COUNSELLING = Kind("390906007", "Follow-up encounter (procedure)", VIRTUAL)
VIDEO_VISIT = Kind("390906007", "Follow-up encounter (procedure)", VIRTUAL)
EMERGENCY_ROOM = Kind("50849002", "Emergency room admission (procedure)", EMERGENCY)
HOSPITAL_STAY = Kind("32485007", "Hospital admission (procedure)", INPATIENT)


def visit(
    chart: Chart,
    kind: Kind,
    ago: int,
    reason: str,
    *,
    who: Clinician = OSEI,
    labels: tuple[str, ...] = (),
    where: Resource = CLINIC,
    days: int = 0,
) -> str:
    """A finished visit; `days` more than 0 for a stay. Returns its reference."""
    start = chart.day(ago)
    end = chart.day(max(1, ago - days)) if days else start
    place = VIDEO if kind.encounter_class == VIRTUAL else MAIN_BUILDING
    return chart.add(
        "Encounter",
        "visit",
        profile="us-core-encounter",
        labels=labels,
        identifier=[{"system": "https://riverside.example/visits", "value": f"{chart.id}-{start:%Y%m%d}"}],
        status="finished",
        class_=coding(HL7 + "v3-ActCode", *kind.encounter_class),
        type=[snomed(kind.code, kind.display)],
        participant=[
            {
                "type": [hl7("v3-ParticipationType", "PPRF", "primary performer")],
                "individual": who.ref,
                "period": {
                    "start": instant(start, "09:00"),
                    "end": instant(end, "17:00" if days else "09:30"),
                },
            }
        ],
        period={"start": instant(start, "09:00"), "end": instant(end, "17:00" if days else "09:30")},
        reasonCode=[{"text": reason}],
        hospitalization={"dischargeDisposition": hl7("discharge-disposition", "home", "Home")}
        if days
        else None,
        location=[{"location": place}] if where == CLINIC else None,
        serviceProvider=where,
    )


def appointment(
    chart: Chart,
    days: int,
    reason: str,
    *,
    who: Clinician = OSEI,
    clock: tuple[str, str] = ("10:15", "10:45"),
    status: str = "booked",
    instruction: str = "",
    by_video: bool = False,
) -> str:
    """An appointment: `days` ahead, or, below 0, in the past."""
    day = chart.coming(days) if days > 0 else chart.day(-days)
    people = [chart.subject, who.ref, VIDEO if by_video else MAIN_BUILDING]
    return chart.add(
        "Appointment",
        "appointment",
        status=status,
        cancelationReason=hl7("appointment-cancellation-reason", "pat", "Patient")
        if status == "cancelled"
        else None,
        serviceType=[snomed("394814009", "General practice (specialty)", text=who.speciality)],
        reasonCode=[{"text": reason}],
        description=reason,
        start=instant(day, clock[0]),
        end=instant(day, clock[1]),
        created=instant(chart.day(max(14, 14 - days)), "11:00"),
        patientInstruction=instruction or None,
        participant=[{"actor": actor, "required": "required", "status": "accepted"} for actor in people],
    )


def procedure(
    chart: Chart,
    stem: str,
    code: Resource,
    ago: int,
    *,
    who: Clinician = OSEI,
    encounter: str = "",
    note: str = "",
    labels: tuple[str, ...] = (),
) -> str:
    return chart.add(
        "Procedure",
        stem,
        profile="us-core-procedure",
        labels=labels,
        status="completed",
        code=code,
        encounter=reference(encounter) if encounter else None,
        performedDateTime=instant(chart.day(ago), "10:00"),
        performer=[{"actor": who.ref}],
        note=[{"text": note}] if note else None,
    )


def order(chart: Chart, code: Resource, ago: int, *, status: str = "active", encounter: str = "") -> str:
    """A request to another service, such as a referral."""
    return chart.add(
        "ServiceRequest",
        "order",
        profile="us-core-servicerequest",
        status=status,
        intent="order",
        category=[snomed("386053000", "Evaluation procedure (procedure)")],
        code=code,
        encounter=reference(encounter) if encounter else None,
        occurrenceDateTime=chart.day(ago).isoformat(),
        authoredOn=instant(chart.day(ago), "09:30"),
        requester=OSEI.ref,
    )
