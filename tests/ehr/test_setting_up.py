"""`manage.py ehr`: an EHR that cannot be used is not kept."""

import io

import pytest
from django.core.management import CommandError, call_command

from fhirproxy.models import Source
from tests import factories

pytestmark = pytest.mark.django_db


def set_up(*arguments: str) -> str:
    said = io.StringIO()
    call_command("ehr", "far", "Far Clinic", *arguments, stdout=said)
    return said.getvalue()


def test_an_ehr_that_answers_is_kept_with_what_it_has(fake):
    fake.load("hapi", [{"resourceType": "Observation", "id": "1", "code": {}}])

    said = set_up(fake.url("hapi"), "--adapter", "hapi", "--deadline", "7")

    source = Source.objects.get(slug="far")
    assert said == "Far Clinic answers, with 2 types of resources.\n"
    assert (source.adapter, source.deadline, source.types) == ("hapi", 7, "Observation Patient")


@pytest.mark.parametrize(
    ("do", "words"), [({"send": "garbage"}, "not FHIR JSON"), ({"status": 401}, "our credentials")]
)
def test_an_ehr_that_does_not_is_not_kept_and_the_cure_is_named(fake, do, words):
    fake.script({"match": "metadata", "times": 0, "do": do})

    with pytest.raises(CommandError, match=words) as error:
        set_up(fake.url("plain"))

    assert "Far Clinic: " in str(error.value)
    assert not Source.objects.filter(slug="far").exists()


def test_a_change_that_does_not_work_changes_nothing(fake):
    set_up(fake.url("plain"))
    fake.script({"match": "metadata", "times": 0, "do": {"status": 404}})

    with pytest.raises(CommandError, match="metadata gave 404"):
        set_up(fake.url("hapi"))

    assert Source.objects.get(slug="far").base_url == fake.url("plain")


def test_a_second_primary_is_refused(fake):
    factories.create_source()

    with pytest.raises(CommandError):
        set_up(fake.url("plain"), "--primary")

    assert not Source.objects.filter(slug="far").exists()


def test_a_secret_is_read_and_not_shown(fake, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("s3cret\n"))
    fake.control("authorize", {"authorization": "Basic Z2F0ZTpzM2NyZXQ="})

    said = set_up(fake.url("plain"), "--auth", "basic", "--auth-id", "gate")

    source = Source.objects.get(slug="far")
    assert source.open_secret() == "s3cret"
    assert "s3cret" not in said + source.secret
