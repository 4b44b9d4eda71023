"""`manage.py ehr`: an EHR that cannot be used is not kept."""

import io

import pytest
from django.core.management import CommandError, call_command

from accounts.models import PatientIdentity
from audit.models import AuditEvent
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
    assert said == "Far Clinic answers, with 2 types of resources. What is missing: ehr check far\n"
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

    with pytest.raises(CommandError, match=r"Riverside Clinic .* is the primary EHR, and there is only one"):
        set_up(fake.url("plain"), "--primary")

    assert not Source.objects.filter(slug="far").exists()


def test_a_secret_is_read_and_not_shown(fake, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("s3cret\n"))
    fake.control("authorize", {"authorization": "Basic Z2F0ZTpzM2NyZXQ="})

    said = set_up(fake.url("plain"), "--auth", "basic", "--auth-id", "gate")

    source = Source.objects.get(slug="far")
    assert source.open_secret() == "s3cret"
    assert "s3cret" not in said + source.secret


@pytest.mark.parametrize("status", [403, 500])
def test_one_that_lets_nobody_search_is_not_kept(fake, status):
    fake.script({"match": "/Patient", "times": 0, "do": {"status": status, "body": "{}"}})

    with pytest.raises(CommandError, match=f"Far Clinic: A search of Patient gave {status}"):
        set_up(fake.url("plain"))

    assert not Source.objects.filter(slug="far").exists()


def test_a_change_leaves_what_it_does_not_name(fake, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("s3cret"))
    basic = ("--auth", "basic", "--auth-id", "gate")
    set_up(fake.url("hapi"), "--adapter", "hapi", "--deadline", "7", *basic)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    set_up(fake.url("plain"))

    source = Source.objects.get(slug="far")
    assert (source.base_url, source.adapter, source.deadline) == (fake.url("plain"), "hapi", 7)
    assert (source.auth, source.auth_id, source.open_secret()) == ("basic", "gate", "s3cret")


def test_the_embedded_server_is_not_turned_into_another(fake):
    embedded = factories.create_source()

    with pytest.raises(CommandError, match="is the embedded server"):
        call_command("ehr", embedded.slug, "Far Clinic", fake.url("plain"))

    assert Source.objects.get(pk=embedded.pk).kind == Source.Kind.EMBEDDED


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--deadline", "0"), "--deadline must be more than 0."),
        (("--concurrency", "-1"), "--concurrency must be more than 0."),
        (("--token-url", "x"), "--token-url: Enter a valid URL."),
    ],
)
def test_an_option_that_cannot_be_is_named(fake, arguments, words):
    with pytest.raises(CommandError) as error:
        set_up(fake.url("plain"), *arguments)

    assert words in str(error.value)


def test_a_slug_that_is_none_is_named(fake):
    with pytest.raises(CommandError, match="SLUG: Enter a valid"):
        call_command("ehr", "Far Clinic", "far", fake.url("plain"))


@pytest.mark.parametrize(
    ("auth", "secret", "words"),
    [
        ("basic", "", "no secret on standard input"),
        ("smart", "", "no secret on standard input"),
        ("smart", "not a key", "no private JWK that signs"),
        ("smart", '{"kty": "oct", "k": "c2VjcmV0"}', "no private JWK that signs"),
    ],
)
def test_a_secret_that_is_none_is_said_before_anybody_is_asked(fake, monkeypatch, auth, secret, words):
    monkeypatch.setattr("sys.stdin", io.StringIO(secret))

    with pytest.raises(CommandError, match=words):
        set_up(fake.url("plain"), "--auth", auth, "--auth-id", "gate", "--token-url", f"{fake.base}/token")

    assert not fake.seen()


def joined_to(slug: str) -> PatientIdentity:
    patient = factories.create_patient("Alice Moreno")
    return PatientIdentity.objects.create(patient=patient, source=slug, fhir_id="there-1")


def changes() -> list[tuple[str, str]]:
    found = AuditEvent.objects.filter(type="admin:change", target__startswith="Source/").order_by("id")
    return [(event.target, event.detail["change"]) for event in found]


def remove(slug: str) -> str:
    said = io.StringIO()
    call_command("ehr", "remove", slug, stdout=said)
    return said.getvalue()


def test_an_ehr_that_nothing_rests_on_can_be_removed_and_the_log_has_both(fake):
    set_up(fake.url("plain"))

    assert remove("far") == "Far Clinic is gone. Nothing was changed there.\n"

    assert not Source.objects.filter(slug="far").exists()
    assert changes() == [("Source/far", "set-up"), ("Source/far", "remove")]


def test_an_ehr_with_a_record_that_is_joined_stays(fake):
    set_up(fake.url("plain"))
    joined_to("far")

    with pytest.raises(CommandError, match=r"1 patient has a record joined from Far Clinic\. .* Undo"):
        remove("far")

    assert Source.objects.filter(slug="far").exists()


def test_the_primary_ehr_and_one_that_is_not_there_cannot_be_removed(fake):
    primary = factories.create_source()

    with pytest.raises(CommandError, match="is the primary EHR"):
        remove(primary.slug)
    with pytest.raises(CommandError, match=f"There are: {primary.slug}"):
        remove("nowhere")


def test_another_address_is_refused_while_records_are_joined_unless_it_is_the_same_ehr(fake):
    set_up(fake.url("plain"))
    joined_to("far")

    with pytest.raises(CommandError, match="may be somebody else's"):
        set_up(fake.url("hapi"))
    assert Source.objects.get(slug="far").base_url == fake.url("plain")

    set_up(fake.url("plain"))  # the same address is no move
    set_up(fake.url("hapi"), "--same-records")
    assert Source.objects.get(slug="far").base_url == fake.url("hapi")
