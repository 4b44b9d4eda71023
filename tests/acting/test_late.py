"""A form for somebody else that came after the end of the session is sent for them, and for nobody else."""

import pytest
from django.core.cache import cache

from accounts.models import RelatedPerson
from audit.models import AuditEvent
from exports.models import ExportJob
from tests import factories, proving
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
FORM = {"formats": ["ndjson"], "what": "choose", "categories": ["test-results"]}


@pytest.fixture
def alice():
    cache.clear()
    return factories.alice()


@pytest.fixture
def relation(alice):
    return factories.let_help(factories.create_user("Amir Moreno"), alice, may_share=True)


def sign_in(client, user, url="/accounts/login/"):
    return client.post(url, {"login": user.email, "password": PASSWORD})


def too_late(client, relation):
    """Amir acts for Alice, leaves the page open, and presses the button after the end of his session."""
    sign_in(client, relation.user)
    client.post("/acting/switch/", {"who": relation.pk, "agree": "yes"})
    proving.nothing_happens(client, 31)
    return client.post(f"/for/{relation.pk}/downloads/new/", FORM).url


def test_it_is_sent_for_the_same_person_after_a_new_sign_in(client, alice, relation):
    assert sign_in(client, relation.user, too_late(client, relation)).url == "/late/"
    assert "Alice Moreno" in client.get("/late/").text

    client.post("/late/", {"do": "send"})

    job = ExportJob.objects.get()
    assert (job.patient, job.requested_by) == (alice, relation.user)
    assert client.get(f"/for/{relation.pk}/results/").status_code == 200
    assert AuditEvent.objects.filter(type="helper:act", outcome="done").count() == 2


def test_help_that_ended_meanwhile_sends_nothing(client, alice, relation):
    sign_in(client, relation.user, too_late(client, relation))
    RelatedPerson.objects.filter(pk=relation.pk).update(status="revoked")

    assert client.post("/late/", {"do": "send"}).status_code == 403
    assert not ExportJob.objects.exists()
    assert client.get("/results/").status_code == 403  # Amir has no record of his own, and acts for nobody


def test_who_says_no_acts_for_nobody(client, alice, relation):
    sign_in(client, relation.user, too_late(client, relation))

    client.post("/late/", {"do": "drop"})

    assert not ExportJob.objects.exists()
    assert "portal.acting" not in client.session


def test_an_old_sign_in_is_asked_again_and_nothing_is_lost(client, alice, relation):
    sign_in(client, relation.user, too_late(client, relation))
    proving.minutes_pass(client)

    check = client.post("/late/", {"do": "send"}).url
    assert check.startswith("/check/")  # for acting, and then for the copy
    check = client.post(check, {"password": PASSWORD}).url
    client.post(check, {"password": PASSWORD})

    assert ExportJob.objects.get().patient == alice
