"""Names that people may take for other names."""

import pytest

from smart import commands
from smart.lookalikes import resembling, skeleton
from tests import factories


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GlucoTrack", "Gluc\u043eTr\u0430ck"),  # Cyrillic o and a
        ("GlucoTrack", "G1ucoTrack"),
        ("GlucoTrack", "GIuco Track"),
        ("GlucoTrack", "gluco-track"),
        ("GlucoTrack", "\uff27lucoTrack"),  # full width
        ("Kern", "Kem"),
        ("Acme", "\u0391cme"),  # Greek capital alpha
        ("Crème", "Creme"),
    ],
)
def test_names_that_look_the_same_have_one_skeleton(one, other):
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(("one", "other"), [("GlucoTrack", "HeartTrack"), ("Acme", "Apex"), ("Ана", "Olga")])
def test_other_names_have_other_skeletons(one, other):
    assert skeleton(one) != skeleton(other)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("GlucoTrack", ["GlucoTrack"]),
        ("GlucoTrak", ["GlucoTrack"]),
        ("GlucoTracker", ["GlucoTrack"]),
        ("GlucoTrack by Riverside Clinic", ["GlucoTrack", "Riverside Clinic"]),
        ("Riverside Clin\u0456c", ["Riverside Clinic"]),
        ("Steps", []),
    ],
)
def test_a_reviewer_is_told_what_a_name_looks_like(name, found):
    factories.acme_client(name="GlucoTrack", vendor="Health of Acme")
    said = {
        "client_name": name,
        "redirect_uris": ["https://a.example/"],
        "token_endpoint_auth_method": "none",
    }
    client, _ = commands.register_app(said, by=factories.create_user("Dana Cho"))

    assert list(resembling(client)) == found


@pytest.mark.django_db
def test_ones_own_apps_may_look_alike():
    dana = factories.create_user("Dana Cho")
    said = {
        "client_name": "Steps and more",
        "redirect_uris": ["https://a.example/"],
        "token_endpoint_auth_method": "none",
    }
    commands.register_app(said, by=dana)

    assert list(resembling(commands.register_app(said, by=dana)[0])) == []
