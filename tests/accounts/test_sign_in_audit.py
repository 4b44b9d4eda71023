"""Each sign-in, sign-out and failed sign-in stands in the log, and no address does."""

import uuid
from datetime import date

import pytest
from django.db import connection
from django.urls import reverse

from accounts.models import Patient, User
from audit.events import EventType
from audit.models import AuditEvent

PASSWORD = "demo-password-2026"  # for tests only


@pytest.fixture
def alice(db):
    address = f"alice-{uuid.uuid4()}@demo.example"  # of her own: allauth counts failures per address
    user = User.objects.create_user(address, PASSWORD, name="Alice Moreno")
    return Patient.objects.create(user=user, name=user.name, birth_date=date(1980, 5, 1))


def sign_in(client, address, password=PASSWORD):
    return client.post(reverse("account_login"), {"login": address, "password": password})


def the_event(event_type):
    return AuditEvent.objects.get(type=event_type)


def test_a_sign_in_is_recorded_for_the_patient(client, alice):
    response = sign_in(client, alice.user.email)

    event = the_event(EventType.SESSION_START)
    assert response.status_code == 302
    assert (event.actor, event.patient) == (f"User/{alice.user.id}", f"Patient/{alice.id}")
    assert (event.outcome, event.role) == ("permit", "patient")


def test_a_sign_in_of_staff_belongs_to_no_patient(client, db):
    user = User.objects.create_user(f"cora-{uuid.uuid4()}@demo.example", PASSWORD, name="Cora")

    sign_in(client, user.email)

    assert the_event(EventType.SESSION_START).patient == ""


def test_a_sign_out_is_recorded(client, alice):
    client.force_login(alice.user)

    client.post(reverse("account_logout"))

    assert the_event(EventType.SESSION_END).actor == f"User/{alice.user.id}"


def test_a_sign_out_without_a_session_is_no_event(client, db):
    client.post(reverse("account_logout"))

    assert not AuditEvent.objects.exists()


def test_a_wrong_password_names_the_account(client, alice):
    response = sign_in(client, alice.user.email.upper(), "not-her-password-1")

    event = the_event(EventType.SESSION_FAIL)
    assert response.status_code == 200
    assert (event.actor, event.target) == ("User/anonymous", f"User/{alice.user.id}")
    assert (event.outcome, event.patient) == ("failed", f"Patient/{alice.id}")
    assert "@" not in event.payload


def test_an_unknown_address_is_not_kept(client, db):
    address = f"nobody-{uuid.uuid4()}@demo.example"

    sign_in(client, address)

    event = the_event(EventType.SESSION_FAIL)
    assert (event.actor, event.target, event.patient) == ("User/anonymous", "", "")
    assert address not in event.payload
    assert "@" not in event.payload


@pytest.mark.django_db(transaction=True)
def test_without_the_log_nobody_signs_in(client):
    user = User.objects.create_user(f"alice-{uuid.uuid4()}@demo.example", PASSWORD, name="Alice")
    client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_event RENAME TO audit_event_gone")
    try:
        response = sign_in(client, user.email)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_event_gone RENAME TO audit_event")

    assert response.status_code == 500
    assert client.get(reverse("account_change_password")).status_code == 302
