"""Which EHR pages do not wait for: one that is late for all, not one that one page had no time for."""

import pytest

from portal import sources
from tests.ehr.conftest import _fake_process, fake  # noqa: F401  (fixtures)
from tests.ehr.mischief import bundle
from tests.portal.lakeside import Lakeside, link

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lakeside(alice, fake) -> Lakeside:  # noqa: F811
    return link(alice, fake)


def test_a_record_too_long_for_one_page_closes_the_ehr_to_nobody(lakeside, client, settings):
    settings.PAGE_DEADLINE = 3
    goes_on = bundle(next_link=f"{lakeside.fake.url('plain')}/Immunization?page=2").decode()
    lakeside.fake.script(
        {"match": "page=2", "times": 0, "do": {"hang": 30}},
        {"match": "/Immunization", "times": 0, "do": {"status": 200, "body": goes_on}},
    )

    assert "did not answer" in client.get("/vaccines/").text

    assert not sources.late.rests("lakeside")


def test_an_ehr_that_had_no_time_left_is_not_late(lakeside, client, settings, monkeypatch):
    """Others took it: what is left is not what the EHR took."""
    settings.PAGE_DEADLINE = 30
    monkeypatch.setattr(sources, "deadline", lambda: sources.time.monotonic() + 1)
    lakeside.fake.script({"match": "/Immunization", "times": 0, "do": {"hang": 30}})

    assert "did not answer" in client.get("/vaccines/").text

    assert not sources.late.rests("lakeside")
