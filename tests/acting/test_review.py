"""A request to help: staff looks at the evidence, and says yes, no, or asks for more."""

import pytest
from django.urls import reverse

from accounts.models import RelatedPerson
from consent import authority, helper_requests
from notices.models import Notice
from tests import factories

pytestmark = pytest.mark.django_db
NEEDED = ["birth-record", "photo-id"]


@pytest.fixture
def asked() -> RelatedPerson:
    return helper_requests.ask(
        factories.tom(),
        relationship="PRN",
        basis="parent",
        level="most",
        evidence=NEEDED,
        by=factories.create_user("Alice Moreno"),
    )


@pytest.fixture
def cora(client):
    user = factories.create_staff("Cora Lind", "compliance")
    client.force_login(user)
    return user


def decide(client, relation, what, **more):
    form = {"what": what, "note": "Seen at the desk", "version": relation.version, "evidence": NEEDED} | more
    answer = client.post(
        reverse("admin:accounts_relatedperson_decide", args=[relation.pk]), form, follow=True
    )
    relation.refresh_from_db()
    return answer.text


def test_a_yes_lets_them_in(client, cora, asked):
    page = client.get(reverse("admin:accounts_relatedperson_review", args=[asked.pk])).text
    assert "Tom Moreno" in page
    decide(client, asked, "approve")

    assert (asked.status, asked.evidence) == ("confirmed", NEEDED)
    assert authority.for_helper(asked.user, asked.patient).missing is None
    assert Notice.objects.filter(kind="helping_changed", recipient=f"User/{asked.user.pk}").exists()
    assert asked.changes.get(status="confirmed").note == "Seen at the desk"


@pytest.mark.parametrize(
    ("what", "status"), [("refuse", "denied"), ("more", "asked"), ("anything", "asked"), ("stop", "revoked")]
)
def test_everything_else_lets_nobody_in(client, cora, asked, what, status):
    decide(client, asked, what)

    assert asked.status == ("asked" if what == "stop" else status)
    assert authority.for_helper(asked.user, asked.patient).missing is not None


def test_a_yes_needs_all_the_evidence_and_a_reason(client, cora, asked):
    assert "Tick all that this ground asks for" in decide(client, asked, "approve", evidence=["photo-id"])
    assert "Say why" in decide(client, asked, "approve", note=" ")
    assert asked.status == "asked"


def test_of_two_members_of_staff_the_second_is_told(client, cora, asked):
    decide(client, asked, "more")
    text = decide(client, asked, "approve", version=1)

    assert "Somebody else decided this a moment ago" in text
    assert asked.status == "asked"


def test_staff_does_not_decide_about_itself(client):
    cora = factories.create_staff("Cora Lind", "compliance")
    relation = helper_requests.ask(
        factories.tom(), relationship="PRN", basis="parent", level="most", evidence=NEEDED, by=cora
    )
    client.force_login(cora)

    assert "You cannot decide about yourself" in decide(client, relation, "approve")
    assert relation.status == "asked"


def test_staff_stops_and_renews(client, cora, asked):
    decide(client, asked, "approve")
    decide(client, asked, "renew")
    assert (asked.status, asked.reason) == ("confirmed", "renewed")
    decide(client, asked, "stop")

    assert (asked.status, asked.reason) == ("revoked", "staff-stopped")
    assert authority.for_helper(asked.user, asked.patient).missing == "consent.revoked"


def test_who_has_no_role_for_it_finds_no_page(client, asked):
    client.force_login(factories.create_staff("Sam Park", "support"))

    assert client.get(reverse("admin:accounts_relatedperson_review", args=[asked.pk])).status_code in (
        302,
        403,
    )


def test_the_list_names_nobody(client, cora, asked):
    page = client.get(reverse("admin:accounts_relatedperson_changelist")).text

    assert "Tom Moreno" not in page
    assert str(asked.pk) in page
