"""The pages of downloads: what she chooses is what she gets, and a file that is over says so."""

import re
import zipfile
from datetime import date, timedelta
from io import BytesIO

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from consent.vocabulary import ACT_CODE
from exports import commands
from exports.models import ExportJob
from tests import factories, proving
from tests.exports.making import made

pytestmark = pytest.mark.django_db
NEW = "/downloads/new/"
SUD = {"security": [{"system": ACT_CODE, "code": "SUD"}]}


@pytest.fixture(autouse=True)
def _folder(settings, tmp_path):
    settings.EXPORT_FOLDER = tmp_path


@pytest.fixture
def alice(client):
    cache.clear()
    patient = factories.alice()
    factories.load_records(factories.lab_result(patient, f"{factories.fhir_id(patient)}-sud", meta=SUD))
    client.force_login(patient.user)
    return patient


def ask(client, **choices) -> ExportJob:
    answer = client.post(NEW, {"what": "all", "formats": ["ndjson"], **choices})
    assert answer.status_code == 302, re.findall(r'class="error[^<]*<[^<]*', answer.text)
    return ExportJob.objects.latest("created_at")


def saved(client, job, name="download-file") -> zipfile.ZipFile:
    answer = client.get(reverse(f"portal:{name}", args=[job.id]))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    return zipfile.ZipFile(BytesIO(b"".join(answer.streaming_content)))


def test_she_gets_each_form_that_she_ticked(client, alice):
    job = made(ask(client, formats=["pdf", "ips", "ccd", "csv"]))
    archive = saved(client, job)

    made_of = {"summary.pdf", "summary.ips.json", "summary.ccd.xml", "results.csv"}
    assert set(archive.namelist()) == {*made_of, "README.txt", "manifest.json", "manifest.jws"}
    assert archive.read("summary.pdf").startswith(b"%PDF-")
    assert b'"resourceType":"Bundle"' in archive.read("summary.ips.json").replace(b" ", b"")
    assert b"ClinicalDocument" in archive.read("summary.ccd.xml")
    assert b"LDL" in archive.read("results.csv")


def test_a_form_must_be_chosen_and_days_must_be_in_order(client, alice):
    none = client.post(NEW, {"what": "all"})
    swapped = client.post(
        NEW, {"what": "all", "formats": "pdf", "since": "2026-02-02", "until": "2026-02-01"}
    )

    assert (none.status_code, swapped.status_code) == (422, 422)
    assert "Choose at least one form." in none.text
    assert "Choose a day that is not before the first day." in swapped.text


def test_the_last_day_is_in_it(client, alice):
    job = ask(client, since="2026-03-01", until="2026-03-31")

    days = [timezone.localtime(moment).date() for moment in (job.since, job.until)]
    assert days == [date(2026, 3, 1), date(2026, 4, 1)]


def test_private_topics_are_unticked_and_come_as_a_file_of_their_own(client, alice):
    assert 'name="private"' in client.get(NEW).text
    assert not re.search(r'name="private"[^>]*checked', client.get(NEW).text)
    job = made(ask(client, private="on"))
    page = client.get(reverse("portal:download", args=[job.id])).text

    assert "Save your private topics" in page
    assert b"-sud" in saved(client, job, "download-private").read("Observation.ndjson")
    assert b"-sud" not in saved(client, job).read("Observation.ndjson")


def test_without_the_tick_there_is_no_such_file(client, alice):
    job = made(ask(client))

    assert "Save your private topics" not in client.get(reverse("portal:download", args=[job.id])).text
    assert client.get(reverse("portal:download-private", args=[job.id])).status_code == 410


def test_the_page_says_how_long_it_may_take(client, alice):
    job = ask(client)
    ExportJob.objects.filter(pk=job.pk).update(
        status="running",
        progress={"done": 80, "steps": 10, "of": 40},
        created_at=timezone.now() - timedelta(minutes=2),
    )
    part = client.get(reverse("portal:download", args=[job.id]), headers={"HX-Request": "true"}).text

    assert "10 of 40" in part
    assert "About 6 minutes are left." in part
    assert "<html" not in part


@pytest.mark.parametrize("end", ["expire", "cancel", "block"])
def test_A23_a_link_to_a_file_that_is_over_is_gone(client, alice, end, django_capture_on_commit_callbacks):
    job = made(ask(client))
    with django_capture_on_commit_callbacks(execute=True):
        getattr(commands, end)(job, **({"by": alice.user} if end == "cancel" else {}))

    answer = client.get(reverse("portal:download-file", args=[job.id]))
    assert answer.status_code == 410
    assert "Save the file" not in answer.text


def test_A23_nobody_else_finds_a_file_by_its_link(client, alice):
    job = made(ask(client))
    client.force_login(factories.mallory().user)

    for name in ("download", "download-file", "download-private"):
        assert client.get(reverse(f"portal:{name}", args=[job.id])).status_code == 404


def test_A23_a_link_alone_is_not_enough_after_a_while(client, alice):
    job = made(ask(client))
    proving.minutes_pass(client, 60)

    for name in ("download-file", "download-private"):
        answer = client.get(reverse(f"portal:{name}", args=[job.id]))
        assert (answer.status_code, answer.url[:7]) == (302, "/check/")
