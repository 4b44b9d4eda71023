"""A13, OEMR #13313: whatever two patients had allowed, a merge permits nothing new."""

from itertools import product

from django.utils import timezone
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from consent import authority, bearers, commands, fhir, merging
from consent.decision import Access, decide
from consent.directives import directives
from consent.versions import Act
from consent.vocabulary import Category
from smart import tokens
from smart.models import AccessToken
from tests import factories
from tests.consent.merging import LABELS, OTHER, RECIPIENT, WHY, grant, help_by, make_pair, until
from tests.fhirproxy.conftest import issue

CATEGORIES = st.sets(st.sampled_from([Category.TEST_RESULTS, Category.MEDICINES]), min_size=1)
GRANTS = st.fixed_dictionaries({"categories": CATEGORIES, "labels": st.sets(st.sampled_from(["PSY", "ETH"]))})
DENIAL = {"type": "deny", "securityLabel": [fhir.label_coding("ETH")]}
LIMITS = st.sampled_from(
    [
        None,
        {"type": "deny", "securityLabel": [fhir.label_coding("PSY")]},
        {"type": "deny", "purpose": [{"system": fhir.ACT_REASON, "code": "TREAT"}], "provision": [
            {"type": "permit", "securityLabel": [fhir.label_coding("ETH")]},
        ]},
        {"type": "permit", "purpose": [{"system": fhir.ACT_REASON, "code": "HRESCH"}], "provision": [DENIAL]},
    ]
)  # fmt: skip
SIDE = st.fixed_dictionaries(
    {
        "app": st.none() | GRANTS,
        "helper": st.none() | GRANTS,
        "share": st.none() | GRANTS,
        "limit": LIMITS,
        "choice": st.sampled_from([None, True, False]),
    }
)


WIDE = {"categories": {Category.TEST_RESULTS, Category.MEDICINES}, "labels": {"PSY", "ETH"}}
ALL = {"app": WIDE, "helper": WIDE, "share": WIDE, "limit": None, "choice": True}
NONE = {"app": None, "helper": None, "share": None, "limit": None, "choice": None}


class NothingWidens(TestCase):
    @given(SIDE, SIDE)
    @example(ALL, NONE)
    @example(NONE, ALL)
    @settings(
        max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate)
    )  # to shrink takes minutes
    def test_whatever_the_two_had_allowed_a_merge_permits_nothing_new(self, first, second):
        cora = factories.create_staff("Cora", "compliance")
        doctor = factories.create_staff("Dr Osei", "clinician", practitioner=RECIPIENT)
        amir, acme = factories.create_user("Amir"), factories.acme_client()
        alice, row = make_pair()
        held = [_allow(p, s, acme, amir, by) for p, s, by in
                  [(alice, first, alice.user), (row, second, cora)]]  # fmt: skip
        before = {factories.SOURCE: _permitted(alice, held[0], amir, doctor),
                  OTHER: _permitted(row, held[1], amir, doctor)}  # fmt: skip

        merging.merge(cora, alice, row, WHY)

        after = _permitted(alice, held[0], amir, doctor) | _permitted(alice, held[1], amir, doctor)
        for source in before:
            assert after <= before[source], source
        assert not _asked_by("app", "helper", of=_permitted(row, held[1], amir, doctor))
        assert not _asked_by("app", "helper", of=after)


def _asked_by(*who, of):
    return {permit for permit in of if permit[0] in who}


def _allow(patient, side, acme, amir, by):
    mine = Act(by=by, channel="portal")
    token = None
    if side["app"]:
        consent = grant(patient, acme, by, **side["app"])
        token = _token(consent, by)
    if side["helper"]:
        help_by(amir, patient, by=by, **side["helper"])
    if side["share"]:
        commands.share(patient=patient, recipient=RECIPIENT, until=until(), act=mine, **side["share"])
    if side["limit"]:
        asked = commands.ask_restriction(patient=patient, provision=side["limit"], act=mine)
        commands.answer(asked, agreed=True, act=mine)
    if side["choice"] is not None:
        for directive in directives():
            commands.prefer(patient=patient, directive=directive, permit=side["choice"], act=mine)
    return token


def _token(consent, by):
    if consent.patient.user:
        return issue(consent)
    value = factories.uuid.uuid4().hex
    AccessToken.objects.create(
        user=by, application=consent.client, patient=consent.patient, authorization_id=consent.id,
        scope="patient/*.rs", token="", token_checksum=tokens.checksum(value), expires=until(),
    )  # fmt: skip
    return value


def _permitted(patient, token, amir, doctor):
    """(who, category, labels) that `decide` permits."""
    now = timezone.now()
    requesters = {
        "helper": authority.for_helper(amir, patient),
        "doctor": authority.for_clinician(doctor, patient, now, treats=True),
        "research": authority.for_other_system(patient.pk, {"Organization/uni"}, "HRESCH"),
        "share": authority.for_other_system(patient.pk, {RECIPIENT}, "TREAT"),
    }
    if token and (app := bearers.from_bearer(token)):
        requesters["app"] = app
    found = set()
    for (who, requester), category, labels in product(
        requesters.items(), [Category.TEST_RESULTS, Category.MEDICINES], LABELS
    ):
        access = Access(
            interaction="read", resource_type="Observation", at=requester.now, purpose=requester.purpose,
            categories=frozenset({category}), security_labels=labels, actors=requester.actors,
        )  # fmt: skip
        if decide(access, requester.authority("read")).permitted and requester.alive:
            found.add((who, category, labels))
    return found
