"""A clinic's code becomes an account, for its patient and nobody else, once."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts import activation
from accounts.models import ActivationCode, User
from audit.models import AuditEvent
from tests import factories

WHO = {"name": "Tom Moreno"}
SECRET = "violet umbrella tractor"


@pytest.fixture(autouse=True)
def _nobody_tried_before():
    cache.clear()


@pytest.fixture
def tom(db):
    return factories.create_patient("Tom Moreno", signs_in=False)


def tell(client, given, patient, **changes):
    told = {"code": given, "name": "Tom Moreno", "birth_date": patient.birth_date.isoformat()}
    return client.post("/activate/", told | changes)


def mail_code():
    return re.search(r"\b\d{8}\b", mail.outbox[-1].body)[0]


def make_account(client, patient, *, email="tom@demo.example"):
    tell(client, activation.issue(patient, by=None), patient)
    client.post("/activate/account/", {"email": email, "password": SECRET})
    return client.post("/activate/confirm/", {"code": mail_code()})


def test_patient_makes_their_account_and_is_offered_a_passkey(tom, client):
    done = make_account(client, tom)

    tom.refresh_from_db()
    assert (tom.user.email, tom.user.name) == ("tom@demo.example", "Tom Moreno")
    assert tom.user.check_password(SECRET)
    assert done.url == "/accounts/2fa/webauthn/add/"
    assert "Add a passkey" in client.get(done.url).text  # and is not asked again who they are
    kinds = ["activation:issue", "activation:use", "session:start"]
    assert (
        list(AuditEvent.objects.filter(type__in=kinds).order_by("id").values_list("type", flat=True)) == kinds
    )


def test_code_is_taken_however_it_is_typed(tom, client):
    code = activation.issue(tom, by=None)

    assert tell(client, f" {code.lower().replace('-', ' ')} ", tom).url == "/activate/account/"


@pytest.mark.parametrize("name", ["tom moreno", "TOM  MORENO", "Tóm Moreno"])
def test_small_things_about_a_name_do_not_matter(tom, client, name):
    assert tell(client, activation.issue(tom, by=None), tom, name=name).status_code == 302


@pytest.mark.parametrize(
    "wrong",
    [{"name": "Tom"}, {"name": "Alice Moreno"}, {"birth_date": "1999-01-01"}, {"code": "ABCD-EFGH-2345"}],
)
def test_A22_one_answer_for_whatever_is_wrong(tom, client, wrong):
    page = tell(client, activation.issue(tom, by=None), tom, **wrong)

    assert page.status_code == 422
    assert "These do not go together, or the code is too old." in page.text
    assert AuditEvent.objects.filter(type="activation:fail").count() == 1


def test_five_wrong_answers_and_the_code_is_void(tom, client):
    code = activation.issue(tom, by=None)
    for _ in range(5):
        tell(client, code, tom, birth_date="1999-01-01")

    assert tell(client, code, tom).status_code == 422


def test_who_tries_many_codes_is_stopped(tom, client):
    answers = [tell(client, f"ABCD-EFGH-{n:04}", tom).status_code for n in range(31)]

    assert answers == [422] * 30 + [429]


def test_code_works_once(tom, client):
    code = activation.issue(tom, by=None)
    tell(client, code, tom)
    other = Client()
    tell(other, code, tom)
    client.post("/activate/account/", {"email": "tom@demo.example", "password": SECRET})
    first = mail_code()
    other.post("/activate/account/", {"email": "thief@demo.example", "password": SECRET})
    client.post("/activate/confirm/", {"code": first})

    assert other.post("/activate/confirm/", {"code": mail_code()}).url == "/activate/"
    assert not User.objects.filter(email="thief@demo.example").exists()
    assert tell(Client(), code, tom).status_code == 422


def test_code_that_is_too_old_opens_nothing(tom, client):
    code = activation.issue(tom, by=None)
    then = timezone.now() - timedelta(days=15)
    ActivationCode.objects.update(issued_at=then, expires_at=then + activation.LASTS)

    assert tell(client, code, tom).status_code == 422


def test_new_code_makes_the_old_one_void(tom, client):
    old = activation.issue(tom, by=None)
    activation.issue(tom, by=None)

    assert tell(client, old, tom).status_code == 422


def test_code_is_kept_as_a_hash_only(tom):
    code = activation.issue(tom, by=None)

    kept = str(ActivationCode.objects.values().get())
    assert code not in kept
    assert code.replace("-", "") not in kept


def test_one_patient_has_one_account(tom, client):
    make_account(client, tom)
    tom.refresh_from_db()

    with pytest.raises(activation.Refused):
        activation.issue(tom, by=None)


def test_shared_address_is_refused_and_why_is_said(tom, client):
    mother = factories.alice().user
    tell(client, activation.issue(tom, by=None), tom)

    page = client.post("/activate/account/", {"email": mother.email.upper(), "password": SECRET})

    assert page.status_code == 422
    assert "A parent and a teen, or two partners, cannot share one." in page.text
    assert mail.outbox == []


@pytest.mark.parametrize(
    "password", ["short", "tommoreno20262026", "chartkeychartkey", "passwordpassword", "123456789012345678"]
)
def test_password_that_is_short_or_easy_to_guess_is_refused(tom, client, password):
    tell(client, activation.issue(tom, by=None), tom)

    assert (
        client.post("/activate/account/", {"email": "tom@demo.example", "password": password}).status_code
        == 422
    )


@pytest.mark.parametrize(
    "password", ["violet umbrella tractor", "aaaabbbbcccc ünïcode", "no digits no capitals"]
)
def test_there_are_no_rules_of_what_it_is_made_of(tom, client, password):
    tell(client, activation.issue(tom, by=None), tom)

    assert (
        client.post("/activate/account/", {"email": "tom@demo.example", "password": password}).status_code
        == 302
    )


def test_wrong_mail_codes_end_it(tom, client):
    tell(client, activation.issue(tom, by=None), tom)
    client.post("/activate/account/", {"email": "tom@demo.example", "password": SECRET})
    right = mail_code()
    for _ in range(5):
        client.post("/activate/confirm/", {"code": "00000000"})

    client.post("/activate/confirm/", {"code": right})

    assert not User.objects.filter(email="tom@demo.example").exists()


def test_steps_cannot_be_left_out(tom, client):
    assert client.get("/activate/account/").url == "/activate/"
    assert client.post("/activate/confirm/", {"code": "1"}).url == "/activate/"
    tell(client, activation.issue(tom, by=None), tom)
    assert client.get("/activate/confirm/").url == "/activate/account/"


def test_no_password_stands_in_the_session(tom, client):
    tell(client, activation.issue(tom, by=None), tom)
    client.post("/activate/account/", {"email": "tom@demo.example", "password": SECRET})

    assert SECRET not in str(dict(client.session))


def test_command_prints_a_code(tom, capsys):
    call_command("activation", str(tom.pk))

    assert re.match(r"([A-Z2-9]{4}-){2}[A-Z2-9]{4}  \(for 14 days, once\)", capsys.readouterr().out)


def test_command_finds_a_patient_by_their_record(tom, capsys):
    call_command("activation", f"{factories.SOURCE}/{factories.fhir_id(tom)}")

    assert tom.activation_codes.count() == 1


@pytest.mark.parametrize(("age", "is_made"), [(3, False), (11, False), (15, True), (40, True)])
def test_command_looks_at_the_age(db, age, is_made):
    born = timezone.localdate() - timedelta(days=round((age + 0.5) * 365.25))
    patient = factories.create_patient("Tim Moreno", birth_date=born, signs_in=False)

    if is_made:
        call_command("activation", str(patient.pk))
    else:
        with pytest.raises(CommandError, match="A parent or guardian asks to help"):
            call_command("activation", str(patient.pk))

    assert patient.activation_codes.exists() is is_made


@pytest.mark.parametrize("whom", ["nobody", "00000000-0000-0000-0000-000000000000", "riverside/nobody"])
def test_command_says_that_there_is_no_such_patient(db, whom):
    with pytest.raises(CommandError, match="no such patient"):
        call_command("activation", whom)


def test_without_a_code_the_way_to_one_is_said(db, client):
    page = client.get("/accounts/signup/")

    assert "You need a code." in page.text
    assert "/activate/" in client.get("/accounts/login/").text
