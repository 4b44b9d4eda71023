"""Staff print the code with which a patient makes their account: for the right person, of the right age."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from accounts import activation
from accounts.models import ActivationCode
from audit.models import AuditEvent
from tests import factories

pytestmark = pytest.mark.django_db
PAGE = "/admin/activation/"


@pytest.fixture
def cora(client):
    cache.clear()
    user = factories.create_staff("Cora Lind", "compliance")
    client.force_login(user)
    return user


@pytest.fixture
def pat():
    return factories.create_patient("Pat Example", signs_in=False)


def ask(client, whose, **changes):
    form = {"patient": f"Patient/{whose.pk}", "birth_date": whose.birth_date.isoformat()} | changes
    return client.post(PAGE, form)


def test_code_is_shown_once_and_is_in_the_log(client, cora, pat):
    page = ask(client, pat).text

    code = page.split("<code>")[1].split("</code>")[0]
    assert activation.check(code, name=pat.name, birth_date=pat.birth_date).issued_by == cora
    assert code not in client.get(PAGE).text
    assert AuditEvent.objects.get(type="activation:issue").actor == f"User/{cora.pk}"


def test_patient_is_named_by_a_record_at_an_ehr_too(client, cora, pat):
    identity = pat.identities.get()

    assert "<code>" in ask(client, pat, patient=f"{identity.source}/{identity.fhir_id}").text


@pytest.mark.parametrize(
    "changes", [{"birth_date": "1999-01-01"}, {"patient": "nobody"}, {"patient": "there/nobody"}]
)
def test_another_birth_date_and_no_patient_get_one_answer(client, cora, pat, changes):
    answer = ask(client, pat, **changes)

    assert "There is no such patient of that birth date." in answer.text
    assert not ActivationCode.objects.exists()


def test_who_has_an_account_gets_no_code(client, cora):
    assert "has an account already" in ask(client, factories.create_patient("Has One")).text


def test_child_gets_no_account_of_their_own(client, cora):
    ten = timezone.localdate() - timedelta(days=10 * 366)
    child = factories.create_patient("Tim Moreno", birth_date=ten, signs_in=False)

    assert "too young" in ask(client, child).text


def test_code_that_was_made_for_a_child_all_the_same_makes_no_account(client):
    cache.clear()
    ten = timezone.localdate() - timedelta(days=10 * 366)
    child = factories.create_patient("Tim Moreno", birth_date=ten, signs_in=False)
    code = activation.issue(child, by=None)

    told = {"code": code, "name": child.name, "birth_date": ten.isoformat()}
    answer = client.post("/activate/", told)

    assert answer.status_code == 403
    assert "too young" in answer.text
    assert client.get("/activate/account/").url == "/activate/"


def test_teen_is_told_what_parents_see(client):
    cache.clear()
    born = timezone.localdate() - timedelta(days=15 * 366)
    teen = factories.create_patient("Tess Moreno", birth_date=born, signs_in=False)
    told = {"code": activation.issue(teen, by=None), "name": teen.name, "birth_date": born.isoformat()}
    client.post("/activate/", told)

    assert "Some topics are yours alone." in client.get("/activate/account/").text
