"""The console shows the log to those who answer for it, changes nothing, and is in the log itself."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import StaffRole, User
from audit.events import EventType, Outcome
from audit.log import Entry, record
from audit.models import AuditEvent
from compliance.readonly import CappedPaginator, ReadOnlyAdmin
from smart.models import AccessToken
from tests.habits.cast import MARKER, create_patient, create_things, create_user

LIST = "admin:audit_auditevent_changelist"
PAGES = [f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry]


def staff(*roles: str, is_staff: bool = True) -> User:
    user = create_user(f"staff-{len(roles)}-{is_staff}", *roles)
    User.objects.filter(id=user.id).update(is_staff=is_staff)
    return user


@pytest.fixture
def cora(db):
    return staff("compliance")


@pytest.fixture
def console(client, cora):
    client.force_login(cora)
    return client


@pytest.fixture
def alice(db):
    alice = create_patient("alice")
    create_things(alice)
    return alice


def looks(**fields):
    """The looks at the console that are in the log, oldest first."""
    return list(AuditEvent.objects.filter(type=EventType.ADMIN_VIEW, **fields).order_by("xid", "id"))


def write_events(how_many, **fields):
    for _ in range(how_many):
        record(
            Entry(
                type=EventType.SESSION_START,
                outcome=Outcome.PERMIT,
                actor="User/1",
                **({"role": "patient"} | fields),
            )
        )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("roles", "is_staff", "status"),
    [
        (["compliance"], True, 200),
        (["privacy_officer"], True, 200),
        (["administrator"], True, 200),
        (["clinician"], True, 403),
        (["support"], True, 403),
        ([], True, 403),
        (["compliance"], False, 403),
    ],
)
def test_the_role_opens_the_console(client, roles, is_staff, status):
    client.force_login(staff(*roles, is_staff=is_staff))

    assert client.get(reverse(LIST)).status_code == status


def test_a_role_for_every_case_is_named_above():
    assert set(StaffRole.Role.values) == {
        *("compliance", "privacy_officer", "administrator"),
        *("clinician", "billing", "support", "app_reviewer"),  # these have pages of their own
    }


@pytest.mark.django_db
def test_a_superuser_without_a_role_stays_out(client):
    client.force_login(User.objects.create_superuser("root@walk.example", "x" * 16, name="Root"))

    assert client.get(reverse("admin:index")).status_code == 403


@pytest.mark.django_db
def test_signing_in_is_the_portal_s(client):
    for address in (reverse(LIST), reverse("admin:login")):
        assert client.get(address).url.startswith(reverse("account_login"))


def test_only_tables_that_are_read_only_come_in():
    assert all(isinstance(page, ReadOnlyAdmin) for page in admin.site._registry.values())
    assert not {AccessToken, Group, User} & set(admin.site._registry)
    assert AuditEvent in admin.site._registry


@pytest.mark.parametrize("page", PAGES)
def test_every_list_and_every_row_opens(console, alice, page):
    listed = console.get(reverse(f"admin:{page}_changelist"))
    model = next(m for m in admin.site._registry if f"{m._meta.app_label}_{m._meta.model_name}" == page)

    assert listed.status_code == 200
    for row in model.objects.all()[:3]:
        assert console.get(reverse(f"admin:{page}_change", args=[row.pk])).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_added_changed_or_deleted(console, alice, page):
    model = next(m for m in admin.site._registry if f"{m._meta.app_label}_{m._meta.model_name}" == page)
    row = model.objects.first()

    assert console.post(reverse(f"admin:{page}_add")).status_code == 403
    if row is not None:
        before = model.objects.filter(pk=row.pk).values().get()
        assert (
            console.post(reverse(f"admin:{page}_change", args=[row.pk]), {"status": "x"}).status_code == 403
        )
        assert console.post(reverse(f"admin:{page}_delete", args=[row.pk])).status_code == 403
        assert model.objects.filter(pk=row.pk).values().get() == before


def test_who_tries_to_delete_their_own_trace_leaves_one_more(console, cora):
    console.get(reverse(LIST))
    (trace,) = looks()

    console.post(reverse("admin:audit_auditevent_delete", args=[trace.pk]), {"post": "yes"})

    *_, refused = looks(target=f"AuditEvent/{trace.pk}")
    assert (refused.actor, refused.outcome) == (f"User/{cora.pk}", "deny")
    assert AuditEvent.objects.filter(pk=trace.pk).exists()


def test_no_page_shows_what_a_record_holds(console, alice):
    write = alice.patient.write_commands.get()

    page = console.get(reverse("admin:fhirproxy_writecommand_change", args=[write.pk]))

    assert MARKER in write.resource
    assert MARKER.encode() not in page.content.replace(b"App " + MARKER.encode(), b"")
    assert b"resourceType" not in page.content


def test_a_look_at_a_list_is_in_the_log(console, cora):
    console.get(reverse(LIST))

    (look,) = looks()
    assert (look.actor, look.target, look.outcome) == (f"User/{cora.id}", "AuditEvent/*", "permit")
    assert (look.role, look.patient) == ("compliance", "")


def test_a_look_at_a_row_stands_in_the_patient_s_own_log(console, alice):
    consent = alice.patient.consents.get(kind="app")

    console.get(reverse("admin:consent_consent_change", args=[consent.pk]))

    (look,) = looks(target=f"Consent/{consent.pk}")
    assert look.patient == f"Patient/{alice.patient.id}"


def test_a_search_keeps_the_kind_of_reference_and_whose_record_it_names(console, alice):
    reference = f"Patient/{alice.patient.id}"

    console.get(reverse(LIST), {"q": reference})
    console.get(reverse(LIST), {"q": "Moreno, Alice"})

    by_reference, by_name = looks()
    assert (by_reference.patient, by_reference.detail) == (reference, {"search": "Patient"})
    assert (by_name.patient, by_name.detail) == ("", {"search": "text"})
    assert "Moreno" not in by_name.payload


@pytest.mark.django_db
def test_a_refused_look_is_in_the_log(client):
    clinician = staff("clinician")
    client.force_login(clinician)

    client.get(reverse(LIST))

    (look,) = looks()
    assert (look.actor, look.outcome, look.reasons) == (f"User/{clinician.id}", "deny", ["role.not-allowed"])


@pytest.mark.parametrize("object_id", ["no-such-id", "a b", "../..", "x" * 300, "_0A", "ñ"])
def test_a_made_up_id_is_a_redirect_and_in_the_log(console, object_id):
    response = console.get(reverse("admin:consent_consent_change", args=[object_id]))

    assert response.status_code == 302
    assert [look.target.split("/")[0] for look in looks()] == ["Consent"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("term", ["Patient/x", "Nonsense/1", "Patient/", "%", "\x00", "a" * 5000])
def test_a_search_for_anything_is_a_page(console, page, term):
    assert console.get(reverse(f"admin:{page}_changelist"), {"q": term}).status_code == 200


@pytest.mark.parametrize(
    ("term", "found"),
    [("Patient/1", 2), ("Client/acme", 1), ("User/1", 3), ("walk-id-1", 1), ("Patient/3", 0)],
)
def test_the_log_is_searched_by_reference_or_correlation_id(console, term, found):
    write_events(1, patient="Patient/1")
    write_events(1, patient="Patient/1", client="Client/acme")
    write_events(1, patient="Patient/2", correlation_id="walk-id-1")

    page = console.get(reverse(LIST), {"q": term})

    sign_ins = [row for row in page.context["cl"].result_list if row.type == EventType.SESSION_START]
    assert len(sign_ins) == found


def test_a_row_of_the_log_is_told_in_one_paragraph(console, alice):
    event = AuditEvent.objects.filter(type=EventType.CONSENT_GRANT).first()
    assert event

    page = console.get(reverse("admin:audit_auditevent_change", args=[event.pk])).content.decode()

    assert f"made the event consent:grant about Patient/{alice.patient.id}." in page
    assert f"its hash is {bytes(event.leaf).hex()}" in page


def test_the_log_is_filtered_by_type_and_outcome(console):
    write_events(2)
    console.get(reverse("admin:index"))

    page = console.get(reverse(LIST), {"type": "session:start", "outcome": "permit"})

    assert [row.type for row in page.context["cl"].result_list] == ["session:start"] * 2


@pytest.mark.parametrize("page", PAGES)
def test_a_list_asks_the_same_number_of_queries_for_one_row_and_for_many(console, alice, page):
    address = reverse(f"admin:{page}_changelist")
    console.get(address)
    with CaptureQueriesContext(
        connection,
    ) as few:
        console.get(address)
    create_things(create_patient("bob"), "another-app")
    write_events(20)

    with CaptureQueriesContext(connection) as many:
        console.get(address)

    assert len(many) == len(few)


def test_the_log_is_counted_no_further_than_the_cap(console, monkeypatch):
    monkeypatch.setattr(CappedPaginator, "MOST", 5)
    write_events(20)

    with CaptureQueriesContext(connection) as queries:
        page = console.get(reverse(LIST))

    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"] and "audit_event" in query["sql"]]
    assert page.context["cl"].result_count == 5
    assert [sql for sql in counts if "LIMIT 5" not in sql] == []
    assert counts


@pytest.mark.parametrize(
    ("page", "lookup"),
    [
        ("fhirproxy_writecommand", "resource__contains"),
        ("fhirproxy_writecommand", "resource"),
        ("fhirproxy_writecommand", "author__email__startswith"),
        ("fhirproxy_writecommand", "status__regex"),
        ("fhirproxy_writecommand", "pk__startswith"),
        ("notices_notice", "email__startswith"),
        ("notices_notice", "context__contains"),
        ("smart_client", "client_secret__startswith"),
        ("audit_auditevent", "payload__contains"),
        ("audit_auditevent", "nonsense"),
    ],
)
def test_A11_a_column_that_is_not_a_filter_cannot_be_asked_for(console, alice, page, lookup):
    response = console.get(reverse(f"admin:{page}_changelist"), {lookup: "a"})

    assert response.status_code == 400
    (look,) = looks()
    assert (look.outcome, look.detail) == ("deny", {"refused_filters": 1})


@pytest.mark.parametrize("page", PAGES)
def test_every_filter_that_a_list_offers_works(console, alice, page):
    listed = console.get(reverse(f"admin:{page}_changelist"))
    offers = {
        choice["query_string"]
        for spec in listed.context["cl"].filter_specs
        for choice in spec.choices(listed.context["cl"])
    }

    for offer in offers:
        assert console.get(reverse(f"admin:{page}_changelist") + offer).status_code == 200


def test_a_look_through_filters_names_them_in_the_log(console):
    console.get(
        reverse("admin:fhirproxy_writecommand_changelist"),
        {"status__exact": "failed", "created_at__gte": "2026-01-01 00:00:00+00:00", "o": "1", "p": "1"},
    )

    (look,) = looks()
    assert look.detail == {"filters": "created_at|status"}
    assert (look.outcome, look.role) == ("permit", "compliance")
