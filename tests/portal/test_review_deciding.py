"""What a clinician does with a proposal beyond a plain yes: a part, pass on, a second yes, conflicts."""

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEvent
from consent import commands as consents
from consent.models import Consent
from fhirproxy.models import WriteCommand
from fhirproxy.writes import targets
from tests import factories
from tests.fhirproxy.test_writes import submit
from tests.portal.browsing import browsing
from tests.portal.looking import wrong_on
from tests.writes.conftest import command_of, in_chart, let_in
from tests.writes.conftest import reading as made

pytestmark = pytest.mark.django_db
reading = made


@pytest.fixture
def alice():
    cache.clear()
    return factories.alice()


@pytest.fixture
def osei(client, alice):
    user = factories.dr_osei(treats=[alice])
    client.force_login(user)
    return user


@pytest.fixture
def lee(osei):
    """A second clinician who is known to the EHR as a member of the same team."""
    return factories.create_staff("Dr. Lee", "clinician", practitioner="Practitioner/dr-osei")


@pytest.fixture
def app(alice):
    return let_in(alice)


def at(name, command):
    return reverse(f"portal:review-{name}", args=[command.pk])


def look(client, command):
    return client.get(at("item", command)).content.decode()


def act(client, name, command, **data):
    """As the page's form does: with what the page showed."""
    seen = re.search(r'name="seen" value="(\d+)"', look(client, command))[1]
    return client.post(at(name, command), {"seen": seen, **data})


def now(command):
    command.refresh_from_db()
    return command


def allergy(alice):
    return {
        "resourceType": "AllergyIntolerance",
        "patient": {"reference": f"Patient/{factories.fhir_id(alice)}"},
        "code": {"text": "Nuts"},
        "note": [{"text": "since May"}],
    }


def test_a_part_is_left_out_and_what_was_sent_is_kept(client, alice, osei, app, reading):
    command = command_of(app.post(reading(note=[{"text": "after coffee"}])))
    act(client, "accept", command, leaving=["note"])

    [found] = in_chart(alice)
    assert "note" not in found
    assert ("after coffee" in now(command).proposed, command.status) == (True, "applied")
    assert "review.part" in command.transformations
    assert AuditEvent.objects.get(type="write:approve").reasons == ["review.part"]


@pytest.mark.parametrize(
    "leaving", [["status"], ["nonsense"], ["code", "status", "category", "value", "series"]]
)
def test_what_is_left_has_to_stand_by_itself(client, alice, osei, app, reading, leaving):
    command = command_of(app.post(reading()))

    assert act(client, "accept", command, leaving=leaving).status_code == 422
    assert now(command).status == "awaiting_review"


def test_two_say_yes_and_a_part_begins_anew(client, alice, osei, lee, app):
    command = command_of(app.post(allergy(alice)))
    act(client, "accept", command)
    assert "Waits for a second" in client.get(at("done", command)).content.decode()
    assert "Accept and add" not in look(client, command)

    client.force_login(lee)
    page = look(client, command)
    assert "Yours is the second" in page
    act(client, "accept", command, leaving=["note"])
    assert now(command).status == "awaiting_review"  # the first has not seen it so
    client.force_login(osei)
    act(client, "accept", command)
    assert now(command).status == "applied"
    assert "note" not in in_chart(alice, "AllergyIntolerance")[0]


def test_it_is_passed_on_and_waits_for_somebody_else(client, alice, osei, lee):
    command = submit(alice)
    page = look(client, command)
    assert "Dr. Lee" in page
    act(client, "pass-on", command, to=lee.pk)

    assert now(command).passed_to == lee
    assert "Alice Moreno" not in client.get(reverse("portal:review")).content.decode()
    client.force_login(lee)
    assert "Passed on to you" in client.get(reverse("portal:review")).content.decode()
    act(client, "pass-on", command, to="")
    assert now(command).passed_to is None
    assert AuditEvent.objects.filter(type="write:review", reasons=["review.passed-on"]).count() == 2


def test_it_is_not_passed_on_to_who_does_not_treat_the_patient(client, alice, osei):
    stranger = factories.create_staff("Dr. Who", "clinician", practitioner="Practitioner/dr-who")
    command = submit(alice)

    assert act(client, "pass-on", command, to=stranger.pk).status_code == 422
    assert now(command).passed_to is None


def test_F14_an_old_page_does_nothing(client, alice, osei, lee):
    command = submit(alice)
    seen = re.search(r'name="seen" value="(\d+)"', look(client, command))[1]
    act(client, "pass-on", command, to="")

    answer = client.post(at("accept", command), {"seen": seen}, follow=True)
    assert "Somebody has dealt with this already" in answer.content.decode()
    assert now(command).status == "awaiting_review"


def test_the_words_that_the_patient_reads_stand_beside_each_reason(client, alice, osei):
    command = submit(alice)

    assert "Measure again and send the new one." in look(client, command)
    assert act(client, "send-back", command).status_code == 422
    act(client, "send-back", command, reason="value.unlikely")
    assert (now(command).status, command.reason) == ("sent_back", "value.unlikely")


def test_F13_consent_that_changes_while_the_page_is_open_ends_it_with_the_reason(
    client, alice, osei, app, reading
):
    command = command_of(app.post(reading()))
    Consent.objects.filter(pk=app.consent.pk).update(current_number=app.consent.current_number + 1)

    page = look(client, command)
    assert "The patient changed what is shared" in page
    assert "Accept and add" not in page
    act(client, "accept", command)
    assert (now(command).status, command.reason) == ("blocked", "consent.changed")
    assert "Not sent" in client.get(at("done", command)).content.decode()
    assert in_chart(alice) == []


def test_a_revoke_while_the_page_is_open_is_said(client, alice, osei, app, reading):
    command = command_of(app.post(reading()))
    seen = re.search(r'name="seen" value="(\d+)"', look(client, command))[1]
    consents.revoke(app.consent, by=alice.user)

    client.post(at("accept", command), {"seen": seen})
    assert now(command).status == "blocked"
    assert "stopped sharing" in look(client, command)


class TestConflicts:
    @pytest.fixture
    def moved(self, client, alice, osei, app, reading):
        """A change of a reading that somebody else changed meanwhile."""
        first = command_of(app.post(reading(note=[{"text": "old"}])))
        act(client, "accept", first)
        [found] = in_chart(alice)
        tag = f'W/"{found["meta"]["versionId"]}"'
        mine = command_of(
            app.put(found | {"status": "amended", "note": [{"text": "old"}, {"text": "mine"}]}, if_match=tag)
        )
        other = command_of(
            app.put(
                found | {"status": "corrected", "note": [{"text": "old"}, {"text": "theirs"}]}, if_match=tag
            )
        )
        act(client, "accept", other)
        return mine

    def test_it_shows_three_sides_and_who_changed_it(self, client, moved):
        page = look(client, moved)

        for said in ("As its author saw it", "In the chart now", "corrected", "amended", "mine", "theirs"):
            assert said in page
        assert "Changed by <bdi>Alice Moreno</bdi>" in page
        assert "Accept and add" not in page

    def test_nothing_clinical_is_merged_before_somebody_chose(self, client, alice, moved):
        assert act(client, "settle", moved).status_code == 422
        act(client, "settle", moved, status="ours")

        page = look(client, moved)
        assert "Accept and add" in page
        act(client, "accept", moved)
        [found] = in_chart(alice)
        assert now(moved).status == "applied"
        assert (found["status"], [n["text"] for n in found["note"]]) == ("amended", ["old", "theirs", "mine"])
        assert AuditEvent.objects.filter(type="write:review", reasons=["write.rebased"]).exists()

    def test_what_is_gone_from_the_chart_is_sent_back(self, client, alice, moved, monkeypatch):
        def gone(source, reference):
            raise targets.NoTarget(reference)

        monkeypatch.setattr(targets, "now", gone)
        page = look(client, moved)

        assert "not in the chart any more" in page
        assert "Accept and add" not in page


class TestTheQueue:
    @pytest.fixture
    def three(self, alice, osei, app, reading):
        low = command_of(app.post(reading()))
        high = command_of(app.post(reading(systolic=190)))
        nuts = command_of(app.post(allergy(alice)))
        WriteCommand.objects.filter(pk=nuts.pk).update(created_at=timezone.now() - timedelta(days=3))
        return low, high, nuts

    def order(self, client, **query):
        page = client.get(reverse("portal:review"), query).content.decode()
        return re.findall(r'<li><div><a href="/review/([0-9a-f-]{36})/"', page)

    def test_risk_comes_first_and_the_order_can_be_chosen(self, client, three):
        low, high, nuts = (str(c.pk) for c in three)

        assert [c.risk for c in three] == [1, 3, 3]
        assert self.order(client) == [nuts, high, low]
        assert self.order(client, sort="new") == [high, low, nuts]
        assert self.order(client, sort="age") == [nuts, low, high]
        assert self.order(client, show="high") == [nuts, high]
        assert self.order(client, show="late") == [nuts]
        assert self.order(client, show="conflict") == []
        assert self.order(client, show="nonsense", sort="nonsense") == [nuts, high, low]

    def test_it_says_how_much_waits_and_how_long(self, client, three):
        page = client.get(reverse("portal:review")).content.decode()

        assert "3, of high risk 2, in conflict 0" in page
        assert re.search("3\xa0days", page)

    def test_keys_lead_to_the_next_and_through_the_page(self, client, three):
        page = client.get(reverse("portal:review")).content.decode()
        assert 'accesskey="n" autofocus' in page
        item = look(client, three[0])
        assert re.findall('accesskey="(.)"', item) == ["l", "a", "s", "p"]

    def test_several_of_low_risk_at_once_and_nothing_else(self, client, alice, three, app, reading):
        low, high, nuts = three
        second = command_of(app.post(reading(systolic=129)))
        ids = [str(c.pk) for c in (low, high, nuts, second)]
        page = client.get(reverse("portal:review")).content.decode()
        assert set(re.findall('name="id" value="([^"]+)"', page)) == {ids[0], ids[3]}

        client.post(reverse("portal:review-accept-many"), {"id": [*ids, "nonsense"]})

        states = {str(c.pk): c.status for c in WriteCommand.objects.all()}
        assert [states[i] for i in ids] == ["applied", "awaiting_review", "awaiting_review", "applied"]
        assert AuditEvent.objects.filter(type="write:approve").count() == 2


@pytest.mark.parametrize("language", ["en", "es"])
def test_pages_are_accessible(client, alice, osei, lee, app, reading, language):
    first = command_of(app.post(reading(note=[{"text": "old"}])))
    act(client, "accept", first)
    [found] = in_chart(alice)
    tag = f'W/"{found["meta"]["versionId"]}"'
    change = found | {"status": "amended", "note": [{"text": "after coffee"}]}
    conflict = command_of(app.put(change, if_match=tag))
    act(client, "accept", command_of(app.put(found | {"status": "corrected"}, if_match=tag)))
    two = [command_of(app.post(reading(systolic=s))) for s in (131, 132)]
    nuts = command_of(app.post(allergy(alice)))
    act(client, "accept", nuts)
    client.post("/language/", {"language": language})
    pages = {
        "/review/": client.get("/review/"),
        "/item/": client.get(at("item", two[0])),
        "/update/": client.get(at("item", conflict)),
        "/second/": client.get(at("item", nuts)),
        "/wrong/": act(client, "send-back", two[1]),
        "/done/": client.get(at("done", first)),
    }
    looks = [(390, "light"), (1280, "light")]
    with browsing(pages) as page:
        found = wrong_on(page, pages, looks, language=language)

    assert found == {}
