"""Every event can be told, in both languages, and nobody's name can break the sentence."""

import re
from datetime import UTC, datetime
from itertools import cycle, product
from uuid import UUID

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from django.utils import translation
from django.utils.translation import trans_real
from hypothesis import given
from hypothesis import strategies as st

from audit.events import EventType, Outcome, Role
from audit.models import AuditEvent
from audit.paragraphs import paragraph
from audit.phrases import PHRASES
from audit.sentences import sentence, what
from audit.words import ACTORS, CATEGORIES, DATED, REASONS
from config import catalogue
from consent.decision import Reason
from consent.vocabulary import Category
from tests.audit.cast import ACME, ALICE_USER, AMIR_USER, entry

NAMES = {ACME: "GlucoTrack", AMIR_USER: "Amir", ALICE_USER: "Alice"}
EVENTS = list(product(EventType, Outcome))


def event(detail=None, **changes):
    given_entry = entry(**changes)
    values = {name: getattr(given_entry, name) for name in given_entry.__dataclass_fields__}
    values.pop("detail")
    made = AuditEvent(
        id=UUID(int=7), recorded_at=datetime(2026, 6, 9, 8, 2, tzinfo=UTC), leaf=b"\x01" * 32, **values
    )
    made.payload = "{}" if detail is None else f'{{"detail": {{"on": "{detail}"}}}}'
    return made


def told(names=NAMES, viewer=ALICE_USER, **changes):
    return re.sub(r"</?bdi>", "", sentence(event(**changes), names, viewer))


@pytest.fixture(scope="module")
def locale(tmp_path_factory):
    """Spanish as it stands in the catalogue and its parts, merged or not."""
    folder = tmp_path_factory.mktemp("locale")
    texts = Catalog(locale="es")
    for (context, _), message in catalogue.translations().items():
        texts.add(message.id, message.string, context=context)
    (folder / "es" / "LC_MESSAGES").mkdir(parents=True)
    with (folder / "es" / "LC_MESSAGES" / "django.mo").open("wb") as file:
        write_mo(file, texts)
    return folder


@pytest.fixture
def spanish(locale, settings, monkeypatch):
    settings.LOCALE_PATHS = [locale]
    monkeypatch.setattr(trans_real, "_translations", {})
    with translation.override("es"):
        yield


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "GlucoTrack saw your test results."),
        (
            {"categories": ("test-results", "medicines")},
            "GlucoTrack saw your test results and your medicines.",
        ),
        ({"actor": ALICE_USER, "role": "patient", "client": ""}, "You looked at your test results."),
        ({"actor": AMIR_USER, "role": "helper", "client": ""}, "Amir, your helper, saw your test results."),
        (
            {"outcome": Outcome.DENY, "categories": ("notes",), "reasons": ("consent.category",)},
            "GlucoTrack tried to see your visit notes. "
            "We said no because you did not share your visit notes with GlucoTrack.",
        ),
        (
            {"outcome": Outcome.DENY, "categories": (), "reasons": ("consent.revoked",)},
            "GlucoTrack tried to see your records. We said no because you stopped sharing.",
        ),
        (
            {"outcome": Outcome.DENY, "reasons": ("consent.revoked",), "detail": "2026-06-12"},
            "GlucoTrack tried to see your test results. "
            "We said no because you stopped sharing on June 12, 2026.",
        ),
        (
            {"outcome": Outcome.DENY, "reasons": ("never.heard.of",)},
            "GlucoTrack tried to see your test results. We said no.",
        ),
        ({"outcome": Outcome.FAILED}, "GlucoTrack tried to see your test results. It did not work."),
        (
            {"type": EventType.CONSENT_REVOKE, "outcome": Outcome.DONE, "actor": ALICE_USER},
            "You stopped sharing with GlucoTrack.",
        ),
        (
            {"type": EventType.EXPORT_DOWNLOAD, "outcome": Outcome.DONE, "actor": ALICE_USER},
            "You saved a copy of your records.",
        ),
        (
            {
                "type": EventType.SESSION_FAIL,
                "outcome": Outcome.FAILED,
                "actor": "User/anonymous",
                "role": "",
            },
            "Someone tried to sign in as you. It did not work.",
        ),
    ],
)
def test_sentence(changes, expected):
    assert told(**changes) == expected


def test_sentence_in_spanish(spanish):
    refusal = {"outcome": Outcome.DENY, "categories": ("notes",), "reasons": ("consent.category",)}

    assert told(**refusal) == (
        "GlucoTrack intentó ver sus notas de visitas. "
        "Dijimos que no porque usted no compartió sus notas de visitas con GlucoTrack."
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "An app saw your test results."),
        ({"actor": "User/9", "role": "support"}, "Support staff saw your test results."),
        ({"actor": "User/9", "role": ""}, "A person saw your test results."),
        (
            {"type": EventType.CONSENT_GRANT, "actor": ALICE_USER, "role": "patient"},
            "You shared your test results with an app.",
        ),
        (
            {"type": EventType.CONSENT_GRANT, "actor": ALICE_USER, "role": "patient", "client": ""},
            "You shared your test results with this person.",
        ),
    ],
)
def test_who_is_not_known_is_called_by_what_they_are(changes, expected):
    assert told(names={}, **changes) == expected


def every_sentence():
    """Each event with each reason, each event in each way and each reason in each way: who looks, whether
    names are known, and whether there is a day. (All three at once are 145,000, and say nothing more: what
    happened and why are told one after the other.)"""
    reasons = [(), *((code,) for code in REASONS), ("x",)]
    ways = list(product((ALICE_USER, "User/0"), (NAMES, {}), (None, "2026-06-12")))
    cases = [
        *((*pair, way) for pair, way in zip(product(EVENTS, reasons), cycle(ways), strict=False)),
        *product(EVENTS, reasons[:1], ways),
        *product([(EventType.RECORD_READ, Outcome.DENY)], reasons, ways),
    ]
    for (event_type, outcome), reason, (viewer, names, day) in cases:
        happened = event(detail=day, type=event_type, outcome=outcome, reasons=reason, actor=ALICE_USER)
        yield happened, sentence(happened, names, viewer)


def is_whole(text):
    return text[0].isupper() and text[-1] == "." and not re.search(r"[{}]|%\(|None|\s{2}", text)


def test_every_event_can_be_told_in_english():
    assert [text for _, text in every_sentence() if not is_whole(re.sub(r"</?bdi>", "", text))] == []


def test_every_event_can_be_told_in_spanish(spanish):
    told_in_spanish = [text for _, text in every_sentence()]

    assert [text for text in told_in_spanish if not is_whole(re.sub(r"</?bdi>", "", text))] == []
    assert [text for text in told_in_spanish if re.search(r"\b(You|your|We|the)\b", text)] == []


def test_words_are_total():
    assert set(PHRASES) == set(EventType)
    assert set(ACTORS) == set(Role)
    assert set(CATEGORIES) == set(Category)
    assert set(Reason) <= set(REASONS)
    assert set(DATED) <= set(REASONS)


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        ((), "your records"),
        (("never-heard-of", "medicines"), "your records"),
        (("medicines",), "your medicines"),
        (("medicines", "visits", "notes"), "your medicines, your visits and your visit notes"),
        (tuple(CATEGORIES)[:5], "5 kinds of records"),
    ],
)
def test_what(categories, expected):
    assert what(categories) == expected


@given(st.text())
def test_a_name_is_plain_text_that_turns_nothing_around(name):
    text = sentence(event(), {ACME: f"x{name}"}, ALICE_USER)

    shown = re.fullmatch(r"<bdi>([^<>]*)</bdi> saw your test results\.", text)
    assert shown
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x1f]", shown[1])


def test_a_long_name_is_cut():
    assert told(names={ACME: "G" * 100}) == f"{'G' * 59}… saw your test results."


def test_paragraph_says_all_that_the_event_says():
    refused = event(
        outcome=Outcome.DENY,
        reasons=("consent.category",),
        on_behalf_of=ALICE_USER,
        target="Observation/1",
        correlation_id="request-0001",
        detail="2026-06-12",
    )
    text = paragraph(refused, seq=17, shown=sentence(refused, NAMES, ALICE_USER))

    for said in (refused.actor, refused.patient, refused.client, ALICE_USER, "search-type", "Observation"):
        assert said in text
    for said in ("test-results", "PATRQT", "deny", "consent.category", "Consent/0197, version 1", "entry 17"):
        assert said in text
    assert "2026-06-09T08:02:00.000+00:00" in text
    assert "No record content was returned." in text
    assert "01" * 32 in text
    assert 'The patient reads: "GlucoTrack tried to see your test results. We said no' in text


@pytest.mark.parametrize(("event_type", "outcome"), EVENTS)
def test_every_event_has_a_paragraph(event_type, outcome, spanish):
    text = paragraph(event(type=event_type, outcome=outcome, client="", count=None))

    assert event_type.value in text
    assert not re.search(r"[{}]|None", text)
