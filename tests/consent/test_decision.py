from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.decision import Access, Authority, Provision, ProvisionType, Reason, Ruling, decide
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
)
accesses = st.builds(
    Access,
    interaction=st.sampled_from(["read", "search-type", "create"]),
    resource_type=st.just("Observation"),
    at=st.just(NOW),
    purpose=st.sampled_from(["PATRQT", "TREAT"]),
    categories=st.sets(st.sampled_from(Category), min_size=1, max_size=2).map(frozenset),
    security_labels=st.sets(st.sampled_from(Label), max_size=2).map(frozenset),
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
