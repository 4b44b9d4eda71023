"""Alice, one of each thing of hers that an address can name, and those who come looking for it."""

from datetime import date, timedelta

from django.utils import timezone

from accounts.models import Patient, RelatedPerson, StaffRole, User
from audit.models import AuditEvent
from compliance import disclosures, investigations
from compliance.monitoring.models import Alert
from consent import commands as consents
from consent.emergency_models import EmergencyAccess
from consent.versions import Act
from consent.vocabulary import Category
from exports.models import ExportFile, ExportJob
from exports.shl import commands as health_links
from exports.shl import payload
from fhirproxy.models import Source, WriteCommand
from notices import commands as notices
from portal import drafts
from smart.models import AuthorizationRequest, Client

REDIRECT = "http://127.0.0.1:8001/callback"
MARKER = "Moreno-Marker"  # stands in Alice's things, where a page could show it


def create_user(name: str, *roles: str) -> User:
    user = User.objects.create_user(
        f"{name}@walk.example", "a-password-for-walks", name=f"{name} {MARKER * (name == 'alice')}"
    )
    for role in roles:
        StaffRole.objects.create(user=user, role=role)
    return user


def create_patient(name: str) -> User:
    user = create_user(name)
    Patient.objects.create(user=user, name=user.name, birth_date=date(1980, 5, 1))
    return user


def create_people() -> dict[str, User]:
    """Who walks: by the name of their column in routes.txt."""
    auditor = create_user("compliance", "compliance")
    auditor.is_staff = True
    auditor.save(update_fields=["is_staff"])
    return {
        "mallory": create_patient("mallory"),
        "patient": create_patient("alice"),
        "clinician": create_user("clinician", "clinician"),
        "compliance": auditor,
    }


def create_client(client_id: str, name: str) -> Client:
    return Client.objects.create(
        client_id=client_id,
        name=name,
        status="active",
        client_type="public",
        authorization_grant_type="authorization-code",
        redirect_uris=REDIRECT,
    )


def create_request(client: Client) -> AuthorizationRequest:
    """An authorization request that waits; its page names the client to whoever has the link."""
    names = ("redirect_uri", "state", "code_challenge", "nonce", "prompt", "max_age")
    kept = dict.fromkeys(names) | {"redirect_uri": REDIRECT, "state": "s", "code_challenge": "c" * 43}
    return AuthorizationRequest.objects.create(
        client=client, parameters=kept | {"scope": "patient/Observation.rs"}
    )


def create_alert(subject: str) -> Alert:
    now = timezone.now()
    return Alert.objects.create(
        detector="denials",
        severity="medium",
        kind="client",
        subject=subject,
        starts_at=now,
        count=60,
        limit=40,
        against="nothing",
        mean=0,
        windows=0,
        raised_at=now,
        found_at=now,
    )


def create_things(alice: User, client_id: str = "walk-app") -> dict[str, str]:
    """What an address of Alice's pages can name: the argument's name in the URLconf, and its value."""
    patient, a_week = alice.patient, timezone.now() + timedelta(days=7)
    client = create_client(client_id, f"App {MARKER}")
    consent = consents.grant(
        patient=patient,
        client=client,
        categories=[Category.TEST_RESULTS],
        labels=[],
        until=a_week,
        by=alice,
        channel="portal",
        text_shown="Share your records?",
        language="en",
    )
    job = ExportJob.objects.create(
        patient=patient, requested_by=alice, status="completed", resource_types=["Patient"], expires_at=a_week
    )
    file = ExportFile.objects.create(job=job, resource_type="Patient", count=1, size=1, sha256="0" * 64)
    source, _ = Source.objects.get_or_create(
        is_primary=True, defaults={"slug": "walk", "name": "Walk", "kind": "embedded"}
    )
    write = WriteCommand.objects.create(
        patient=patient,
        author=alice,
        client=client,
        consent=consent,
        consent_number=1,
        source=source,
        channel="portal",
        interaction="create",
        resource_type="Observation",
        resource=f'{{"resourceType": "Observation", "note": [{{"text": "{MARKER}"}}]}}',
        idempotency_scope="walk",
        idempotency_key=client_id,
        body_sha256="0" * 64,
        status="awaiting_review",
    )
    helper = RelatedPerson.objects.create(
        patient=patient, user=create_user(f"amir-{client_id}"), relationship="SPS", status="confirmed"
    )
    notice = notices.enqueue(
        "app_connected", recipient=f"User/{alice.id}", email="", language="en", context={"app": MARKER}
    )
    event = AuditEvent.objects.filter(patient=f"Patient/{patient.pk}").latest("recorded_at")
    case = investigations.ask(event, patient=patient, by=alice, text=MARKER)
    accounting = disclosures.answer(disclosures.ask(patient, by=alice), by=alice)
    opened = EmergencyAccess.objects.create(
        user=create_user(f"osei-{client_id}", "clinician"),
        patient=patient,
        why="life",
        text=MARKER,
        on_team=False,
        ends_at=a_week,
    )
    act = Act(by=alice, channel="portal", text_shown="Share by link?", language="en")
    link = health_links.make(
        patient=patient, by=alice, terms=health_links.Terms(until=a_week, is_live=True, label=MARKER), act=act
    ).link
    draft = drafts.start(
        owner=alice, patient=patient, form="share", answers={"recipient": "Practitioner/1", "name": MARKER}
    )
    asked = create_request(create_client(f"asking-{client_id}", "An app that asks"))
    return {
        "patient_id": str(patient.pk),
        "consent_id": str(consent.pk),
        "job_id": str(job.pk),
        "file_id": str(file.pk),
        "event_id": str(event.pk),
        "case_id": str(case.pk),
        "view_id": str(opened.pk),
        "alert_id": str(create_alert(f"Client/{client_id}").pk),
        "asked_id": str(accounting.pk),
        "link_id": str(link.pk),
        "address": payload.Secret.unsealed(
            link.sealed
        ).address,  # of the link: that, and no session, opens it
        "command_id": str(write.pk),
        "draft_id": str(draft.pk),
        "step": "what",
        "helper_id": str(helper.pk),
        "notice_id": str(notice.pk),
        "request_id": str(asked.pk),
        "client_id": client.client_id,
        "pk": str(client.pk),
        "object_id": str(consent.pk),  # the console's; its own tests open every table
        "path": f"Patient/{patient.pk}",  # below the FHIR base
        "source": source.slug,
    }
