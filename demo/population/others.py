"""Messages, devices, family as contacts, and where imported items came from."""

from demo.population.chart import Chart, instant, reference
from demo.population.clinic import CLINIC, COUNTY_HOSPITAL, Clinician
from demo.population.coding import Resource, hl7, snomed


def message(
    chart: Chart,
    ago: int,
    text: str,
    *,
    who: Clinician,
    from_patient: bool = False,
    answers: str = "",
    clock: str = "12:10",
    labels: tuple[str, ...] = (),
) -> str:
    """One message between the patient and a clinician. `answers`: the reference of the one before."""
    ends = (chart.subject, who.ref) if from_patient else (who.ref, chart.subject)
    return chart.add(
        "Communication",
        "message",
        labels=labels,
        inResponseTo=[reference(answers)] if answers else None,
        status="completed",
        category=[hl7("communication-category", "notification", "Notification")],
        sent=instant(chart.day(ago), clock),
        sender=ends[0],
        recipient=[ends[1]],
        payload=[{"contentString": text}],
    )


def device(
    chart: Chart, stem: str, kind: Resource, ago: int, *, implanted: bool = False, serial: str = ""
) -> str:
    """A device of the patient. An implanted one carries its UDI, as US Core asks."""
    udi = f"(01)00844588003288(17)300101(21){serial}"
    return chart.add(
        "Device",
        stem,
        profile="us-core-implantable-device" if implanted else "",
        udiCarrier=[{"deviceIdentifier": "00844588003288", "carrierHRF": udi}] if implanted else None,
        status="active",
        manufactureDate=chart.day(ago + 120).isoformat() if implanted else None,
        serialNumber=serial or None,
        deviceName=[{"name": kind["text"], "type": "user-friendly-name"}],
        type=kind,
    )


def relative_contact(chart: Chart, relationship: tuple[str, str], family: str, given: str) -> str:
    """A RelatedPerson in the EHR: who may be phoned. It gives nobody access."""
    return chart.add(
        "RelatedPerson",
        "contact",
        profile="us-core-relatedperson",
        active=True,
        relationship=[hl7("v3-RoleCode", *relationship)],
        name=[{"family": family, "given": [given]}],
        telecom=[{"system": "phone", "value": "555-0142", "use": "mobile"}],
    )


def imported(chart: Chart, ago: int, *targets: str) -> str:
    """Provenance of items that came from the county hospital and that the clinic took over."""
    return chart.add(
        "Provenance",
        "origin",
        profile="us-core-provenance",
        target=[reference(each) for each in targets],
        recorded=instant(chart.day(ago), "18:30"),
        activity=hl7("v3-DataOperation", "CREATE", "create"),
        agent=[
            {
                "type": hl7("provenance-participant-type", "author", "Author"),
                "who": COUNTY_HOSPITAL,
            },
            {
                "type": {
                    "coding": [
                        {
                            "system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-provenance-participant-type",
                            "code": "transmitter",
                            "display": "Transmitter",
                        }
                    ]
                },
                "who": CLINIC,
            },
        ],
    )


GLUCOSE_METER = snomed("337414009", "Blood glucose meter (physical object)", text="Blood sugar meter")
PACEMAKER = snomed("706004007", "Implantable cardiac pacemaker (physical object)", text="Pacemaker")
