"""What a FHIR Consent.provision may say: all else is refused, with the element named."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import fhir, vocabulary
from consent.decision import Meaning, ProvisionType
from consent.provisions import ELEMENTS, InvalidConsent, compile_consent, read_back
from consent.vocabulary import ACT_REASON, LOINC, Category
from tests.examples import examples

ACME = fhir.client_reference("acme", "Acme")


def actor(reference: object = None, role: str = "IRCP") -> dict[str, Any]:
    return {"role": fhir.concept(fhir.PARTICIPATION, role), "reference": reference or ACME}


def exception(**elements: object) -> dict[str, Any]:
    """A permit to Acme with these elements; None takes one out."""
    permit = {"type": "permit", "actor": [actor()], "period": {"end": "2027-01-01"}, **elements}
    return {name: value for name, value in permit.items() if value is not None}


def consent(**elements: object) -> dict[str, Any]:
    return {"provision": {"type": "deny", "provision": [exception(**elements)]}}


def purpose(code: str, system: str = ACT_REASON) -> dict[str, str]:
    return {"system": system, "code": code}


CATEGORY = fhir.concept(fhir.DATA_CATEGORY, "medicines")
HERE = "provision.provision[0]"


@pytest.mark.parametrize(
    ("elements", "field"),
    [
        ({"type": "maybe"}, "type"),
        ({"type": None}, "type"),
        ({"type": ["permit"]}, "type"),
        ({"verification": []}, "verification"),
        ({"modifierExtension": [{}]}, "modifierExtension"),
        ({"provision": [{"type": "deny"}]}, "provision"),
        ({"provision": []}, "provision"),
        # when
        ({"period": {"start": "2027-01-01", "end": "2026-01-01"}}, "period"),
        ({"period": {"start": "2026-05-03T14:00:00Z", "end": "2026-05-03T14:00:00Z"}}, "period"),
        ({"period": {"end": "soon"}}, "period"),
        ({"period": {"end": 2027}}, "period"),
        ({"period": {"end": "9999-12-31T23:00:00-14:00"}}, "period"),  # no database could give it back
        ({"period": {"ends": "2027-01-01"}}, "period"),
        ({"period": {}}, "period"),
        ({"period": "2027"}, "period"),
        ({"period": [{"end": "2027"}]}, "period"),
        ({"dataPeriod": {"start": "2022-12-31", "end": "2022-01-01"}}, "dataPeriod"),
        # who
        ({"actor": [actor({"reference": "Patient/1"})]}, "actor[0].reference"),
        ({"actor": [actor({"reference": "Organization/"})]}, "actor[0].reference"),
        ({"actor": [actor({"reference": "Organization/1/_history/2"})]}, "actor[0].reference"),
        ({"actor": [actor({"reference": "Organization/1 or 2"})]}, "actor[0].reference"),
        ({"actor": [actor({"reference": "https://ehr.example/Organization/1"})]}, "actor[0].reference"),
        ({"actor": [actor({"identifier": {"system": "urn:x", "value": "acme"}})]}, "actor[0].reference"),
        ({"actor": [actor({"identifier": {"system": fhir.CLIENT_ID}})]}, "actor[0].reference"),
        ({"actor": [actor({"identifier": {"system": fhir.CLIENT_ID, "value": [1]}})]}, "actor[0].reference"),
        # A client, and somebody else in the same place.
        ({"actor": [actor(), actor(ACME | {"reference": "Patient/1"})]}, "actor[1].reference"),
        ({"actor": [actor(), actor(role="CST")]}, "actor[1].role"),
        ({"actor": [{"reference": ACME}]}, "actor[0].role"),
        ({"actor": [actor() | {"modifierExtension": [{}]}]}, "actor[0].modifierExtension"),
        ({"actor": actor()}, "actor"),
        ({"actor": []}, "actor"),
        ({"actor": [None]}, "actor"),
        # what for
        ({"purpose": [purpose("TREAT"), purpose("FUN")]}, "purpose[1]"),
        ({"purpose": [purpose("TREAT", "urn:x")]}, "purpose[0]"),
        ({"purpose": []}, "purpose"),
        ({"action": [fhir.concept(fhir.CONSENT_ACTION, "sell")]}, "action[0]"),
        ({"action": [fhir.concept(fhir.CONSENT_ACTION, "collect")]}, "action[0]"),
        ({"action": [fhir.concept(fhir.CONSENT_ACTION, "correct")]}, "action"),
        ({"action": [fhir.concept("urn:x", "access")]}, "action[0]"),
        ({"action": [{"text": "access"}]}, "action[0]"),
        # of what
        ({"code": [CATEGORY, fhir.concept(fhir.DATA_CATEGORY, "everything")]}, "code[1]"),
        ({"code": [{"text": "my medicines"}]}, "code[0]"),
        ({"code": [fhir.concept("", "4548-4")]}, "code[0]"),
        ({"code": [CATEGORY, fhir.concept(LOINC, "4548-4")]}, "code"),
        ({"securityLabel": [{"system": vocabulary.ACT_CODE, "code": "SECRET"}]}, "securityLabel[0]"),
        ({"securityLabel": ["SUD"]}, "securityLabel"),
        ({"class": [{"system": fhir.RESOURCE_TYPES, "code": "Diary"}]}, "class[0]"),
        ({"class": [{"system": "urn:x", "code": "Observation"}]}, "class[0]"),
        ({"data": [{"meaning": "near", "reference": {"reference": "Encounter/1"}}]}, "data[0].meaning"),
        ({"data": [{"meaning": "related", "reference": {"reference": "Encounter"}}]}, "data[0].reference"),
        ({"data": [{"meaning": "related", "reference": {"reference": "Encounter/"}}]}, "data[0].reference"),
        ({"data": [{"meaning": "related", "reference": "Encounter/1"}]}, "data[0].reference"),
        ({"data": [{"meaning": "related", "modifierExtension": []}]}, "data[0].modifierExtension"),
        ({"extension": [{"url": "urn:place", "valueReference": {}}]}, "extension[0]"),
        ({"extension": [{"url": fhir.REDACTS, "valueCode": "Diary.text"}]}, "extension[0]"),
        ({"extension": [{"url": fhir.REDACTS, "valueCode": "Patient"}]}, "extension[0]"),
    ],
)
def test_a_provision_that_cannot_be_is_refused_with_its_element(elements, field):
    with pytest.raises(InvalidConsent) as refused:
        compile_consent(consent(**elements), operational=False)

    assert refused.value.field == f"{HERE}.{field}"


@pytest.mark.parametrize("provision", [None, [], "permit", [{"type": "permit"}]])
def test_a_consent_without_a_provision_is_refused(provision):
    with pytest.raises(InvalidConsent) as refused:
        compile_consent({"provision": provision} if provision is not None else {}, operational=False)

    assert refused.value.field == "provision"


def test_a_refusal_does_not_say_back_what_was_sent():
    with pytest.raises(InvalidConsent) as refused:
        compile_consent(consent(purpose=[purpose("<script>")]), operational=False)

    assert "script" not in str(refused.value)


def test_every_element_that_is_understood_reaches_the_decision():
    said = exception(
        id="x",
        period={"start": "2026-05-03", "end": "2026-05-31"},
        action=[fhir.concept(fhir.CONSENT_ACTION, a) for a in ("access", "correct")],
        purpose=[purpose("TREAT")],
        code=[CATEGORY],
        securityLabel=[fhir.label_coding("SUD")],
        dataPeriod={"start": "2022"},
        data=[{"meaning": "dependents", "reference": {"reference": "Encounter/1"}}],
        extension=[{"url": fhir.REDACTS, "valueCode": "Observation.note"}],
        **{"class": [{"system": fhir.RESOURCE_TYPES, "code": "MedicationRequest"}]},
    )
    [provision] = read_back(compile_consent(consent(**said), operational=False))

    assert set(said) == ELEMENTS - {"provision"}
    assert provision.type is ProvisionType.PERMIT
    assert provision.actors == {"Client/acme"}
    assert provision.period_end.isoformat() == "2026-05-31T23:59:59.999999+00:00"
    assert provision.writes
    assert provision.purposes == {"TREAT"}
    assert provision.categories == {Category.MEDICINES}
    assert provision.security_labels == {"SUD"}
    assert provision.resource_types == {"MedicationRequest"}
    assert provision.data == {(Meaning.RELATED, "Encounter/1")}
    assert provision.data_period[0].year == 2022
    assert provision.redacts == {"Observation.note", *fhir.left_out({"medicines"})}


def test_contact_details_stay_out_where_only_other_kinds_are_named():
    def redacts(**elements):
        [provision] = read_back(compile_consent(consent(**elements), operational=False))
        return provision.redacts

    assert "Patient.address" in redacts(code=[CATEGORY])
    assert redacts(code=[CATEGORY, fhir.concept(fhir.DATA_CATEGORY, "contact")]) == frozenset()
    assert redacts() == frozenset()  # everything, and so contact details too


def test_codes_of_other_systems_are_kept_with_their_system():
    [provision] = read_back(compile_consent(consent(code=[fhir.concept(LOINC, "4548-4")]), operational=False))

    assert provision.codes == {f"{LOINC}|4548-4"}


def test_what_a_permitting_root_says_holds_for_its_exceptions():
    root = exception(purpose=[purpose("TREAT")], provision=[{"type": "deny", "code": [CATEGORY]}])
    permit, denial = read_back(compile_consent({"provision": root}, operational=False))

    assert (denial.actors, denial.purposes) == (permit.actors, permit.purposes)
    assert denial.period_end == permit.period_end
    assert (permit.categories, denial.categories) == (frozenset(), {Category.MEDICINES})


def test_a_root_that_denies_is_a_denial_only_where_the_clinic_could_act_without():
    said = {"provision": {"type": "deny", "provision": [exception()]}}
    theirs = read_back(compile_consent(said, operational=False))
    operational = read_back(compile_consent(said, operational=True))

    assert [p.type for p in theirs] == [ProvisionType.PERMIT]
    assert [p.type for p in operational] == [ProvisionType.DENY, ProvisionType.PERMIT]
    assert operational[0].exceptions == operational[1:]


TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [
            *("permit", "deny", "IRCP", "acme", "access", "correct", "TREAT", "medicines", "SUD", "N"),
            *("instance", "related", "Observation", "Organization/1", "Encounter/1", "Patient.address"),
            *("2026-05-03", "2026", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2027-13"),
            *(fhir.PARTICIPATION, fhir.CLIENT_ID, fhir.CONSENT_ACTION, fhir.DATA_CATEGORY, fhir.REDACTS),
            *(ACT_REASON, fhir.RESOURCE_TYPES, vocabulary.ACT_CODE),
        ]
    ),
)
NAMES = st.sampled_from(
    [
        *sorted(ELEMENTS),
        *("coding", "system", "code", "role", "reference", "identifier", "value", "start", "end"),
        *("meaning", "url", "valueCode", "nonsense"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=30,
)


def concepts(systems: list[str], codes: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(fhir.concept, st.sampled_from(systems), st.sampled_from(codes))


def codings_of(system: str, codes: list[str]) -> st.SearchStrategy[list[dict[str, str]]]:
    one = st.builds(lambda code: {"system": system, "code": code}, st.sampled_from(codes))
    return st.lists(one, min_size=1, max_size=3)


PERIODS = st.fixed_dictionaries(
    {}, optional={n: st.dates().map(str) | st.datetimes().map(str) for n in ("start", "end")}
)
# Provisions that are nearly, and often quite, right.
LIKELY = st.fixed_dictionaries(
    {"type": st.sampled_from(["permit", "deny"])},
    optional={
        "period": PERIODS,
        "dataPeriod": PERIODS,
        "actor": st.lists(
            st.sampled_from([actor(), actor({"reference": "Organization/1"}), actor(role="CST")]), max_size=2
        ),
        "action": st.lists(concepts([fhir.CONSENT_ACTION], ["access", "correct", "sell"]), max_size=2),
        "purpose": codings_of(ACT_REASON, ["TREAT", "HRESCH", "BTG"]),
        "code": st.lists(concepts([fhir.DATA_CATEGORY, LOINC], ["medicines", "visits"]), max_size=2),
        "securityLabel": codings_of(vocabulary.ACT_CODE, ["SUD", "PSY", "HIV"]),
        "class": codings_of(fhir.RESOURCE_TYPES, ["Observation", "Encounter"]),
        "data": st.just([{"meaning": "related", "reference": {"reference": "Encounter/1"}}]),
        "extension": st.just([{"url": fhir.REDACTS, "valueCode": "Patient.address"}]),
    },
)
LIKELY_ROOTS = st.builds(
    lambda root, parts: root | ({"provision": parts} if parts else {}), LIKELY, st.lists(LIKELY, max_size=2)
)


@examples(300)
@given(
    st.dictionaries(NAMES, JSON, max_size=8) | LIKELY_ROOTS | st.dictionaries(NAMES, LIKELY), st.booleans()
)
def test_whatever_comes_is_compiled_or_refused_with_its_element(provision, operational):
    try:
        rows = compile_consent({"provision": provision}, operational=operational)
    except InvalidConsent as refused:
        said = refused.field.startswith("provision") and str(refused)
    else:
        said = read_back(rows) == read_back(json.loads(json.dumps(rows)))  # as they come out of the database

    assert said


@examples(200)
@given(LIKELY_ROOTS)
def test_an_exception_is_never_wider_than_a_root_that_permits(root):
    root = root | {"type": "permit", "actor": [actor()], "purpose": [purpose("TREAT")]}
    try:
        _, *nested = read_back(compile_consent({"provision": root}, operational=False))
    except InvalidConsent:
        return

    for part in nested:
        assert part.actors
        assert part.purposes
