from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.decision import (
    Access,
    Authority,
    Contents,
    Meaning,
    Provision,
    ProvisionType,
    Reason,
    Ruling,
    decide,
)
from consent.vocabulary import Category, Label
from smart.scopes import Scope

NOW = datetime(2026, 5, 3, 14, 23, tzinfo=UTC)
LABS, MEDS = frozenset({Category.TEST_RESULTS}), frozenset({Category.MEDICINES})
LABORATORY = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"

READ = Access("read", "Observation", NOW, "PATRQT", LABS, codings=frozenset({LABORATORY}))
BEFORE = replace(READ, categories=LABS | MEDS, codings=None, beforehand=True)  # the EHR was not asked yet
READ_SUD = replace(READ, security_labels=frozenset({Label.SUD}))
READ_TWO = replace(READ, security_labels=frozenset({Label.SUD, Label.PSY}))
CREATE = replace(READ, interaction="create")

PERMIT = Provision(
    "permit",
    ProvisionType.PERMIT,
    period_end=NOW + timedelta(days=1),
    categories=LABS,
    purposes=frozenset({"PATRQT"}),
)
PERMIT_SUD = replace(PERMIT, id="sud", security_labels=frozenset({Label.SUD}))
PERMIT_WRITES = replace(PERMIT, id="writes", writes=True)
EXPIRED = replace(PERMIT, id="expired", period_end=NOW)
DENY = Provision("deny", ProvisionType.DENY)
DENY_MEDS = replace(DENY, id="deny-meds", categories=MEDS)
DENY_SUD = replace(DENY, id="deny-sud", security_labels=frozenset({Label.SUD}))
OWN = Provision("own", ProvisionType.PERMIT, every_label=True, writes=True)

YES = Ruling(True, ("client-for-patient",))
NO_ROLE = Ruling(False, (), Reason.ROLE)


@pytest.mark.parametrize(
    ("access", "scope", "provisions", "reasons", "provision_ids"),
    [
        (READ, "patient/Observation.rs", [PERMIT], (), ("permit",)),
        (BEFORE, "patient/Observation.rs", [PERMIT], (), ("permit",)),
        (BEFORE, f"patient/Observation.rs?category={LABORATORY}", [PERMIT, DENY_MEDS], (), ("permit",)),
        (READ, f"patient/Observation.rs?category={LABORATORY}", [PERMIT], (), ("permit",)),
        (READ, "patient/Observation.rs?category=x|y", [PERMIT], (Reason.SCOPE,), ("permit",)),
        (READ, "patient/Observation.rs", [], (Reason.NO_CONSENT,), ()),
        (READ, "patient/Observation.rs", [EXPIRED], (Reason.EXPIRED,), ()),
        (READ, "patient/Observation.rs", [PERMIT, DENY], (Reason.DENIED,), ("deny",)),
        (READ, "patient/Observation.rs", [PERMIT, DENY_MEDS], (), ("permit",)),
        (READ_SUD, "patient/Observation.rs", [PERMIT_SUD, DENY_SUD], (Reason.DENIED,), ("deny-sud",)),
        (READ_SUD, "patient/Observation.rs", [PERMIT], (Reason.SENSITIVE,), ()),
        (READ_SUD, "patient/Observation.rs", [PERMIT_SUD], (), ("sud",)),
        (READ_TWO, "patient/Observation.rs", [PERMIT_SUD], (Reason.SENSITIVE,), ()),
        (READ_TWO, "patient/Observation.rs", [OWN], (), ("own",)),
        (CREATE, "patient/Observation.rs", [PERMIT], (Reason.SCOPE, Reason.WRITE), ()),
        (CREATE, "patient/Observation.c", [PERMIT_WRITES], (), ("writes",)),
        (replace(READ, purpose="HRESCH"), "patient/*.rs", [PERMIT], (Reason.PURPOSE,), ()),
        (replace(READ, categories=MEDS), "patient/*.rs", [PERMIT], (Reason.CATEGORY,), ()),
        (replace(READ, belongs_to_patient=False), "patient/*.rs", [PERMIT], (Reason.NOT_YOURS,), ("permit",)),
        (READ, "patient/Patient.rs", [], (Reason.SCOPE, Reason.NO_CONSENT), ()),
    ],
)
def test_decide(access, scope, provisions, reasons, provision_ids):
    decision = decide(access, Authority(YES, tuple(provisions), (Scope.parse(scope),)))

    assert decision.permitted is (reasons == ())
    assert (decision.reasons, decision.provision_ids) == (reasons, provision_ids)
    assert decision.policy_ids == ("client-for-patient",)


def test_the_organisation_can_deny_what_the_patient_permits():
    decision = decide(READ, Authority(NO_ROLE, (PERMIT,)))

    assert decision.reasons == (Reason.ROLE,)


@pytest.mark.parametrize("missing", [Reason.REVOKED, Reason.EXPIRED])
def test_a_consent_that_ended_says_how(missing):
    assert decide(READ, Authority(YES, (), missing=missing)).reasons == (missing,)
    assert decide(READ, Authority(YES, (EXPIRED,), missing=missing)).reasons == (missing,)


YEAR = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC))
MAY = (datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC))
LATER = (datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 1, 2, tzinfo=UTC))
VISIT, NOTE = "Encounter/1", "DocumentReference/1"
A_NOTE = Contents(NOTE, frozenset({VISIT}), frozenset({"Practitioner/1"}), frozenset({"l|34111-5"}), MAY)
READ_NOTE = replace(READ, resource_type="DocumentReference", categories=frozenset({Category.NOTES}))
READ_NOTE = replace(READ_NOTE, contents=A_NOTE, codings=None, actors=frozenset({"Organization/1"}))
ANY = Provision("any", ProvisionType.PERMIT)


@pytest.mark.parametrize(
    ("changes", "reached"),
    [
        ({}, True),
        ({"actors": {"Organization/1", "Organization/2"}}, True),
        ({"actors": {"Organization/2"}}, False),
        ({"resource_types": {"DocumentReference"}}, True),
        ({"resource_types": {"Observation"}}, False),
        ({"codes": {"l|34111-5"}}, True),
        ({"codes": {"l|1"}}, False),
        ({"data_period": YEAR}, True),
        ({"data_period": MAY}, True),
        ({"data_period": LATER}, False),
        ({"data": {(Meaning.INSTANCE, NOTE)}}, True),
        ({"data": {(Meaning.INSTANCE, VISIT)}}, False),
        ({"data": {(Meaning.RELATED, VISIT)}}, True),
        ({"data": {(Meaning.RELATED, NOTE)}}, True),
        ({"data": {(Meaning.AUTHORED_BY, "Practitioner/1")}}, True),
        ({"data": {(Meaning.AUTHORED_BY, "Practitioner/2"), (Meaning.INSTANCE, VISIT)}}, False),
        ({"period_start": NOW}, True),
        ({"period_start": NOW + timedelta(seconds=1)}, False),
    ],
)
def test_a_permit_and_a_denial_of_particular_records_reach_the_same(changes, reached):
    sets = {name: frozenset(v) if isinstance(v, set) else v for name, v in changes.items()}
    permit, denial = replace(ANY, **sets), replace(DENY, **sets)

    assert decide(READ_NOTE, Authority(YES, (permit,))).permitted is reached
    assert decide(READ_NOTE, Authority(YES, (ANY, denial))).permitted is not reached


def test_what_does_not_say_when_it_was_is_kept_from_a_permit_and_caught_by_a_denial():
    silent = replace(READ_NOTE, contents=replace(A_NOTE, period=None))

    assert not decide(silent, Authority(YES, (replace(ANY, data_period=YEAR),))).permitted
    assert not decide(silent, Authority(YES, (ANY, replace(DENY, data_period=LATER)))).permitted


@pytest.mark.parametrize(
    ("named", "labels", "denied"),
    [
        ({"R"}, {Label.SUD}, True),
        ({"R"}, set(), False),
        ({"N"}, set(), True),
        ({"V"}, {Label.SUD}, False),
        ({"SUD"}, {Label.SUD, Label.PSY}, True),
        ({"SUD"}, {Label.PSY}, False),
    ],
)
def test_a_denial_of_what_is_restricted_is_one_of_all_that_is_labelled(named, labels, denied):
    own = Provision("own", ProvisionType.PERMIT, every_label=True)
    denial = replace(DENY, security_labels=frozenset(named))
    access = replace(READ, security_labels=frozenset(labels))

    assert decide(access, Authority(YES, (own, denial))).permitted is not denied


def test_a_denial_for_a_purpose_leaves_the_others_alone():
    denial = replace(DENY, purposes=frozenset({"HRESCH"}))

    assert decide(READ, Authority(YES, (PERMIT, denial))).permitted
    assert not decide(replace(READ, purpose="HRESCH"), Authority(YES, (ANY, denial))).permitted


def test_a_denial_leaves_its_exceptions_alone_and_denies_the_rest():
    """A root that denies with a permit inside: only in an emergency, only these people (IHE PCF)."""
    exception = Provision(
        "1", ProvisionType.PERMIT, actors=frozenset({"Group/1"}), purposes=frozenset({"BTG"})
    )
    dissent = (replace(DENY, exceptions=(exception,)), exception)
    emergency = replace(READ, purpose="BTG", actors=frozenset({"Group/1"}))

    assert decide(emergency, Authority(YES, dissent)).permitted
    assert not decide(replace(emergency, actors=frozenset()), Authority(YES, dissent)).permitted
    assert not decide(replace(emergency, purpose="TREAT"), Authority(YES, (*dissent, ANY))).permitted


@pytest.mark.parametrize(
    ("changes", "particular"),
    [
        ({}, False),
        ({"categories": MEDS}, False),
        ({"codes": frozenset({"l|1"})}, True),
        ({"data_period": YEAR}, True),
        ({"exceptions": (replace(ANY, data=frozenset({(Meaning.INSTANCE, NOTE)})),)}, True),
    ],
)
def test_a_provision_tells_whether_it_names_particular_records(changes, particular):
    """Only then is a resource looked into."""
    assert replace(DENY, **changes).particular is particular


def test_a_denial_says_why_in_its_own_words():
    teen = replace(DENY, security_labels=frozenset({Label.SEX}), reason=Reason.TEEN)
    access = replace(READ, security_labels=frozenset({Label.SEX}))

    assert decide(access, Authority(YES, (OWN, teen))).reasons == (Reason.TEEN,)


@pytest.mark.parametrize(
    ("provisions", "redact"),
    [
        ([{"Patient.address"}], {"Patient.address"}),
        ([{"Patient.address", "Patient.telecom"}, {"Patient.address"}], {"Patient.address"}),
        ([{"Patient.address"}, set()], set()),
    ],
)
def test_what_one_permit_lets_through_the_others_do_not_hold_back(provisions, redact):
    permits = tuple(replace(ANY, redacts=frozenset(left_out)) for left_out in provisions)

    assert decide(READ, Authority(YES, permits)).redact == redact


@pytest.mark.parametrize(
    "narrow",
    [
        {"codes": frozenset({"l|1"})},
        {"data": frozenset({(Meaning.INSTANCE, NOTE)})},
        {"data_period": YEAR},
        {"security_labels": frozenset({"SUD"})},
        {"resource_types": frozenset({"Patient"})},
        {"categories": MEDS},
    ],
)
def test_beforehand_only_a_denial_of_everything_denies(narrow):
    assert decide(BEFORE, Authority(YES, (ANY, replace(DENY, **narrow)))).permitted
    assert not decide(BEFORE, Authority(YES, (ANY, DENY))).permitted


provisions_ = st.builds(
    Provision,
    id=st.just("p"),
    type=st.sampled_from(ProvisionType),
    period_end=st.sampled_from([None, NOW, NOW + timedelta(days=1)]),
    categories=st.sets(st.sampled_from(Category), max_size=3).map(frozenset),
    purposes=st.sampled_from([frozenset(), frozenset({"PATRQT"}), frozenset({"TREAT"})]),
    security_labels=st.sets(st.sampled_from(Label), max_size=3).map(frozenset),
    every_label=st.booleans(),
    writes=st.booleans(),
    actors=st.sampled_from([frozenset(), frozenset({"Client/1"}), frozenset({"Client/2"})]),
    resource_types=st.sampled_from([frozenset(), frozenset({"Observation"}), frozenset({"Patient"})]),
    codes=st.sampled_from([frozenset(), frozenset({"l|1"}), frozenset({"l|2"})]),
    data=st.sampled_from([frozenset(), frozenset({(Meaning.RELATED, VISIT)})]),
    data_period=st.sampled_from([None, YEAR, LATER]),
    redacts=st.sampled_from([frozenset(), frozenset({"Patient.address"})]),
)
accesses = st.builds(
    Access,
    interaction=st.sampled_from(["read", "search-type", "create"]),
    resource_type=st.just("Observation"),
    at=st.just(NOW),
    purpose=st.sampled_from(["PATRQT", "TREAT"]),
    categories=st.sets(st.sampled_from(Category), min_size=1, max_size=2).map(frozenset),
    security_labels=st.sets(st.sampled_from(Label), max_size=2).map(frozenset),
    actors=st.just(frozenset({"Client/1"})),
    contents=st.builds(
        Contents,
        reference=st.just("Observation/1"),
        references=st.sampled_from([frozenset(), frozenset({VISIT})]),
        codes=st.sampled_from([frozenset(), frozenset({"l|1"})]),
        period=st.sampled_from([None, MAY]),
    ),
)


@given(accesses, st.lists(provisions_, max_size=4), st.data())
def test_taking_a_permit_away_never_opens_anything(access, provisions, data):
    """Monotonicity: without a grant, no more is allowed than with it."""
    permits = [p for p in provisions if p.type is ProvisionType.PERMIT]
    before = decide(access, Authority(YES, tuple(provisions)))
    fewer = list(provisions)
    if permits:
        fewer.remove(data.draw(st.sampled_from(permits)))
    after = decide(access, Authority(YES, tuple(fewer)))

    assert before.permitted or not after.permitted
    if after.permitted:  # nor does it show an element more
        assert before.redact <= after.redact


@given(accesses, st.lists(provisions_, max_size=4))
def test_what_is_refused_beforehand_would_be_refused_for_every_resource(access, provisions):
    """Asking before the EHR is asked must not refuse what some resource could still be allowed."""
    authority = Authority(YES, tuple(provisions))
    possible = access.categories | {Category.OTHER}
    before = replace(access, categories=possible, security_labels=frozenset(), beforehand=True)
    early = decide(before, authority)

    assert early.permitted or not decide(access, authority).permitted


@given(accesses, st.lists(provisions_, max_size=4))
def test_a_denial_has_reasons_and_a_permit_has_none(access, provisions):
    decision = decide(access, Authority(YES, tuple(provisions)))

    assert decision.permitted is (not decision.reasons)
    assert len(set(decision.reasons)) == len(decision.reasons)
