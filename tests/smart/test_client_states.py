"""Where a client stands, who may change it, and what it may do there."""

from itertools import product
from pathlib import Path

import pytest

from audit.models import AuditEvent
from smart import commands, states
from smart.commands import InvalidClient, NotReady, move
from smart.models import Client, ClientReview
from smart.states import MOVES, OF_OWNER, OF_REVIEWER, Act, WrongState
from tests import factories

pytestmark = pytest.mark.django_db
SAID = {
    "client_name": "Sugar",
    "vendor": "Acme Health",
    "purpose": "to show your sugar levels",
    "policy_uri": "https://app.example/privacy",
    "contacts": ["dev@app.example"],
    "redirect_uris": ["https://app.example/callback"],
    "token_endpoint_auth_method": "none",
}
WORKS = {"sandbox", "in-review", "active"}


@pytest.fixture
def developer():
    return factories.create_user("Dana Cho")


@pytest.fixture
def cora():
    return factories.create_user("Cora Lind")


@pytest.fixture
def sugar(developer) -> Client:
    return commands.register_app(SAID, by=developer)[0]


@pytest.mark.parametrize(("status", "act"), list(product(Client.Status, Act)))
def test_every_act_in_every_state(sugar, developer, cora, status, act):
    Client.objects.update(status=status)
    if status == "in-review":
        ClientReview.objects.create(client=sugar, asked_by=developer)
    then = MOVES[status].get(act)

    if then is None:
        with pytest.raises(WrongState):
            move(sugar, act, by=cora, reason="name", words="Choose another name.")
        return
    moved = move(sugar, act, by=cora, reason="name", words="Choose another name.")
    assert (moved.status, moved.is_usable(None)) == (then, then in WORKS)
    assert Client.objects.get().status == then
    open_reviews = ClientReview.objects.filter(decided_at=None).count()
    assert open_reviews == (1 if then == "in-review" else 0)
    event = AuditEvent.objects.get(type="client:status")
    assert (event.detail["before"], event.detail["status"], event.detail["change"]) == (status, then, act)


def test_every_act_is_somebodys_and_every_state_is_reached():
    assert set(Act) == OF_OWNER | OF_REVIEWER
    assert not OF_OWNER & OF_REVIEWER
    assert set(MOVES) == set(Client.Status)
    assert {then for moves in MOVES.values() for then in moves.values()} == set(Client.Status)


def test_the_picture_in_the_docs_is_the_table():
    """To renew it, put what this prints into docs/states.md."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "states.md").read_text()

    assert states.diagram() in page, states.diagram()


@pytest.mark.parametrize("member", ["vendor", "purpose", "policy_uri", "contacts"])
def test_a_review_needs_to_know_who_and_why(sugar, developer, member):
    commands.change_client(sugar, {k: v for k, v in SAID.items() if k != member}, by=developer)

    with pytest.raises(NotReady) as missing:
        move(sugar, Act.ASK, by=developer)
    assert missing.value.members == (member,)


@pytest.mark.parametrize(("reason", "words"), [("", "Why not"), ("name", " "), ("nonsense", "Why not")])
def test_a_refusal_says_why(sugar, developer, cora, reason, words):
    move(sugar, Act.ASK, by=developer)

    with pytest.raises(InvalidClient):
        move(sugar, Act.REFUSE, by=cora, reason=reason, words=words)
    assert Client.objects.get().status == "in-review"


def test_what_was_looked_at_stays_as_it_was(sugar, developer, cora):
    move(sugar, Act.ASK, by=developer)
    move(sugar, Act.APPROVE, by=cora)

    commands.change_client(sugar, SAID | {"contacts": ["other@app.example"]}, by=developer)
    for changes in (
        {"client_name": "Bank"},
        {"redirect_uris": ["https://evil.example/"]},
        {"scope": "openid"},
    ):
        with pytest.raises(InvalidClient):
            commands.change_client(sugar, SAID | changes, by=developer)
    move(sugar, Act.REOPEN, by=developer)
    changed, _ = commands.change_client(sugar, SAID | {"client_name": "Sugar 2"}, by=developer)
    assert (changed.name, changed.status) == ("Sugar 2", "sandbox")


def test_a_new_secret_ends_the_one_before(developer, client):
    said = SAID | {"token_endpoint_auth_method": "client_secret_post"}
    sugar, first = commands.register_app(said, by=developer)
    second = commands.new_secret(sugar, by=developer)

    def asks(secret):
        asked = {"client_id": sugar.client_id, "client_secret": secret, "token": "x"}
        return client.post("/o/introspect/", asked).status_code

    assert (asks(first), asks(second), asks("")) == (401, 200, 401)
    assert len(second) == 43


def test_one_person_registers_so_many(developer, monkeypatch):
    monkeypatch.setattr(commands, "MOST_OF_ONE", 1)
    commands.register_app(SAID, by=developer)

    with pytest.raises(InvalidClient):
        commands.register_app(SAID, by=developer)
