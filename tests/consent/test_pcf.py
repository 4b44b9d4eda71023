"""What of IHE Privacy Consent on FHIR (PCF) 1.1 is reached: its examples, compiled and decided on.

IHE's own examples lie beside the project and are skipped where they do not; the small ones here are our
own. What others made of nested, located or delegated consents is refused, with the element named.
"""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from consent import fhir
from consent.contents import contents_of
from consent.decision import Access, Authority, Decision, Reason, Ruling, decide
from consent.labels import labels_of, starter_codes
from consent.provisions import InvalidConsent, compile_consent, read_back
from consent.vocabulary import ACT_CODE, ACT_REASON, CONFIDENTIALITY, categories_of

EXAMPLES = Path(__file__).resolve().parents[3] / "shared" / "data" / "examples"
with_examples = pytest.mark.skipif(not EXAMPLES.exists(), reason="IHE's examples are not here")
NOW = datetime(2026, 5, 3, 14, 23, tzinfo=UTC)
DOCTOR, GROUP, NOBODY = "Practitioner/ex-practitioner", "Group/ex-privilegedUsers", "Practitioner/else"
CODES = starter_codes()


def resources(folder: str) -> Iterator[dict[str, Any]]:
    for path in sorted((EXAMPLES / folder).glob("*.gz")):
        yield from map(json.loads, gzip.decompress(path.read_bytes()).splitlines())


@cache
def ihe() -> dict[str, dict[str, Any]]:
    """By id, without the "ex-" that all of them begin with."""
    return {r["id"].removeprefix("ex-"): r for r in resources("ihe-pcf-consent")}


def record(*labels: str, **elements: object) -> dict[str, Any]:
    """An Observation of Dr Author's at an encounter, with these labels."""
    systems = {"R": CONFIDENTIALITY, "N": CONFIDENTIALITY}
    security = [{"system": systems.get(label, ACT_CODE), "code": label} for label in labels]
    return {
        "resourceType": "Observation",
        "id": "1",
        "meta": {"security": security},
        "effectiveDateTime": "2020-12-04",
        "performer": [{"reference": "Practitioner/ex-author"}],
        "encounter": {"reference": "Encounter/ex-encounter"},
        **elements,
    }


def asked(
    consent: dict[str, Any], of: dict[str, Any], who: str = NOBODY, purpose: str = "TREAT", at: datetime = NOW
) -> Decision:
    """What this consent by itself says; the clinic could act without it (`operational`)."""
    provisions = read_back(compile_consent(consent, operational=True))
    access = Access(
        "read",
        of["resourceType"],
        at,
        purpose,
        categories_of(of),
        actors=frozenset({who}),
        security_labels=labels_of(of, CODES),
        contents=contents_of(of),
    )
    return decide(access, Authority(Ruling(True), provisions))


PLAIN = record("N")
PSY, SDV, ETHUD, RESTRICTED = record("PSY", "R"), record("SDV"), record("ETHUD", "R"), record("R")
IN_2022 = record(effectiveDateTime="2022-06-13")
UNDATED = {name: value for name, value in PLAIN.items() if name != "effectiveDateTime"}
BY_DOCTOR = record(performer=[{"reference": DOCTOR}])
ELSEWHERE = record(encounter={"reference": "Encounter/other"})
ALCOHOL = record(id="ex-alcoholUse")

YES: tuple[Reason, ...] = ()
NO = (Reason.DENIED,)
# Consent, record, who, what for: reasons (none: it is permitted).
IHE: list[tuple[str, dict[str, Any], str, str, tuple[Reason, ...]]] = [
    # Basic: yes or no for purposes, with an end
    ("consent-basic-treat", PLAIN, NOBODY, "TREAT", YES),
    ("consent-basic-treat", PLAIN, NOBODY, "HOPERAT", YES),
    ("consent-basic-treat", PLAIN, NOBODY, "HRESCH", (Reason.PURPOSE,)),
    ("consent-basic-treat", PSY, NOBODY, "TREAT", (Reason.SENSITIVE,)),
    ("consent-basic-ink", PLAIN, NOBODY, "HPAYMT", YES),
    ("consent-basic-treat-infant", PLAIN, NOBODY, "TREAT", YES),
    ("consent-basic-reject", PLAIN, NOBODY, "TREAT", (*NO, Reason.NO_CONSENT)),
    ("consent-basic-reject", PLAIN, NOBODY, "HRESCH", (Reason.NO_CONSENT,)),
    ("consent-basic-research", PLAIN, NOBODY, "HRESCH", YES),
    ("consent-basic-research", PLAIN, NOBODY, "TREAT", (Reason.PURPOSE,)),
    ("consent-expired-treat", PLAIN, NOBODY, "TREAT", (Reason.EXPIRED,)),
    # Intermediate: which records, by author, id, encounter and time
    ("consent-intermediate-authoredby", BY_DOCTOR, NOBODY, "TREAT", YES),
    ("consent-intermediate-authoredby", PLAIN, NOBODY, "TREAT", (Reason.CATEGORY,)),
    ("consent-intermediate-not-authoredby", BY_DOCTOR, NOBODY, "TREAT", NO),
    ("consent-intermediate-not-authoredby", PLAIN, NOBODY, "TREAT", YES),
    ("consent-intermediate-data", ALCOHOL, NOBODY, "TREAT", YES),
    ("consent-intermediate-data", PLAIN, NOBODY, "TREAT", (Reason.CATEGORY,)),
    ("consent-intermediate-not-data", ALCOHOL, NOBODY, "TREAT", NO),
    ("consent-intermediate-not-data", PLAIN, NOBODY, "TREAT", YES),
    ("consent-intermediate-encounter", PLAIN, NOBODY, "TREAT", YES),
    ("consent-intermediate-encounter", ELSEWHERE, NOBODY, "TREAT", (Reason.CATEGORY,)),
    ("consent-intermediate-not-encounter", PLAIN, NOBODY, "TREAT", NO),
    ("consent-intermediate-not-encounter", ELSEWHERE, NOBODY, "TREAT", YES),
    ("consent-intermediate-timeframe", IN_2022, NOBODY, "TREAT", YES),
    ("consent-intermediate-timeframe", PLAIN, NOBODY, "TREAT", (Reason.CATEGORY,)),
    ("consent-intermediate-timeframe", UNDATED, NOBODY, "TREAT", (Reason.CATEGORY,)),
    ("consent-intermediate-not-timeframe", IN_2022, NOBODY, "TREAT", NO),
    ("consent-intermediate-not-timeframe", PLAIN, NOBODY, "TREAT", YES),
    ("consent-intermediate-not-timeframe", UNDATED, NOBODY, "TREAT", NO),
    ("dissent-intermediate-break-glass", PLAIN, GROUP, "BTG", YES),
    ("dissent-intermediate-break-glass", PLAIN, GROUP, "TREAT", (*NO, Reason.PURPOSE)),
    ("dissent-intermediate-break-glass", PLAIN, NOBODY, "BTG", (*NO, Reason.NO_CONSENT)),
    # Advanced: what is sensitive
    ("consent-advanced-normal", PLAIN, NOBODY, "TREAT", YES),
    ("consent-advanced-normal", PSY, NOBODY, "TREAT", (Reason.SENSITIVE,)),
    ("consent-advanced-normal-restricted", RESTRICTED, NOBODY, "TREAT", YES),
    # R names what is restricted and says of nothing why: a topic is opened by its own name.
    ("consent-advanced-normal-restricted", ETHUD, NOBODY, "TREAT", (Reason.SENSITIVE,)),
    ("consent-advanced-normal-not-restricted", PLAIN, NOBODY, "TREAT", YES),
    ("consent-advanced-normal-not-restricted", ETHUD, NOBODY, "TREAT", (*NO, Reason.SENSITIVE)),
    ("consent-advanced-normal-focused-psy", PSY, DOCTOR, "TREAT", YES),
    ("consent-advanced-normal-focused-psy", PSY, NOBODY, "TREAT", (Reason.SENSITIVE,)),
    ("consent-advanced-normal-focused-psy", SDV, DOCTOR, "TREAT", (Reason.SENSITIVE,)),
    ("consent-advanced-normal-focused-psy", PSY, DOCTOR, "HRESCH", (Reason.PURPOSE,)),
    ("consent-advanced-normal-focused-psy-or-sdv", SDV, DOCTOR, "TREAT", YES),
    ("consent-advanced-normal-focused-psy-or-sdv", PSY, DOCTOR, "TREAT", YES),
    ("consent-advanced-normal-focused-psy-or-sdv", ETHUD, DOCTOR, "TREAT", (Reason.SENSITIVE,)),
    ("consent-advanced-normal-focused-restricted", RESTRICTED, DOCTOR, "TREAT", YES),
    ("consent-advanced-normal-focused-restricted", RESTRICTED, NOBODY, "TREAT", (Reason.SENSITIVE,)),
    ("consent-advanced-normal-break-glass-restricted", RESTRICTED, GROUP, "BTG", YES),
    ("consent-advanced-normal-break-glass-restricted", RESTRICTED, GROUP, "TREAT", (Reason.SENSITIVE,)),
    ("consent-advanced-normal-break-glass-restricted", RESTRICTED, NOBODY, "BTG", (Reason.PURPOSE,)),
]
# What is refused, and its element.
IHE_REFUSED = {"consent-intermediate-purpose": "provision.purpose[0]"}  # a code system of its own


@with_examples
@pytest.mark.parametrize(("name", "of", "who", "purpose", "reasons"), IHE)
def test_an_example_of_ihe_is_decided_as_it_says(name, of, who, purpose, reasons):
    assert asked(ihe()[name], of, who, purpose).reasons == reasons


@with_examples
def test_an_example_holds_until_its_end():
    expired = ihe()["consent-expired-treat"]

    assert asked(expired, PLAIN, at=datetime(2022, 12, 31, 23, 59, tzinfo=UTC)).permitted
    assert not asked(expired, PLAIN, at=datetime(2023, 1, 1, tzinfo=UTC)).permitted


@with_examples
@pytest.mark.parametrize(("name", "field"), IHE_REFUSED.items())
def test_an_example_that_is_not_reached_is_refused_with_its_element(name, field):
    with pytest.raises(InvalidConsent) as refused:
        compile_consent(ihe()[name], operational=True)

    assert refused.value.field == field


@with_examples
def test_every_example_of_ihe_is_decided_or_refused():
    consents = {name for name, r in ihe().items() if r["resourceType"] == "Consent"}

    assert consents == {name for name, *_ in IHE} | set(IHE_REFUSED)


@with_examples
def test_records_of_ihe_come_out_as_its_labels_ask():
    normal, alcohol = ihe()["consent-advanced-normal"], ihe()["alcoholUse"]

    assert asked(normal, ihe()["bloodSugar"]).permitted
    assert asked(normal, alcohol).reasons == (Reason.SENSITIVE,)
    assert asked(ihe()["consent-intermediate-not-data"], ihe()["weight"]).permitted
    assert not asked(ihe()["consent-intermediate-timeframe"], alcohol).permitted  # of 2022, and private


# Our own, so that the three profiles are held where IHE's examples are not.

IRCP = fhir.concept(fhir.PARTICIPATION, "IRCP")


def provision(kind: str, *parts: dict[str, Any], **elements: Any) -> dict[str, Any]:
    """A provision for treatment, with exceptions inside."""
    purpose = [{"system": ACT_REASON, "code": "TREAT"}]
    return {"type": kind, "purpose": purpose, **elements, **({"provision": list(parts)} if parts else {})}


def label(code: str) -> list[dict[str, str]]:
    return [fhir.label_coding(code)]


BASIC = provision("permit", period={"end": "2026-05-31"})
DISSENT = provision("deny")
INTERMEDIATE = provision(
    "permit",
    {
        "type": "deny",
        "data": [{"meaning": "related", "reference": {"reference": "Encounter/ex-encounter"}}],
    },
)
ADVANCED = provision(
    "permit",
    {
        "type": "permit",
        "securityLabel": label("PSY"),
        "actor": [{"role": IRCP, "reference": {"reference": DOCTOR}}],
    },
    securityLabel=label("N"),
)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("root", "of", "who", "at", "reasons"),
    [
        (BASIC, PLAIN, NOBODY, NOW, YES),
        (BASIC, PSY, NOBODY, NOW, (Reason.SENSITIVE,)),
        (BASIC, PLAIN, NOBODY, JUNE, (Reason.EXPIRED,)),
        (DISSENT, PLAIN, DOCTOR, NOW, (*NO, Reason.NO_CONSENT)),
        (INTERMEDIATE, PLAIN, NOBODY, NOW, NO),
        (INTERMEDIATE, ELSEWHERE, NOBODY, NOW, YES),
        (ADVANCED, PLAIN, NOBODY, NOW, YES),
        (ADVANCED, PSY, NOBODY, NOW, (Reason.SENSITIVE,)),
        (ADVANCED, PSY, DOCTOR, NOW, YES),
        (ADVANCED, SDV, DOCTOR, NOW, (Reason.SENSITIVE,)),
    ],
)
def test_a_small_example_is_decided(root, of, who, at, reasons):
    assert asked({"provision": root}, of, who, at=at).reasons == reasons


# What others made of consents: California's AB 352, and those of relatives.

AB352_REFUSED = {
    "Consent-AB352-Example": "provision.provision[0].provision",  # nested deeper, for a place
    "Consent-AB352-Example2": "provision.provision[1].extension[0]",  # only at a place
    "Consent-AB352-Example4": "provision.provision[0].provision",
}
ABORTION = "http://SHIFT-Task-Force.github.io/SLS-ValueSets/CodeSystem/AB352HealthSensitivityCs"


@with_examples
def test_a_consent_of_ab352_is_reached_as_far_as_one_level_goes():
    found = {r["id"]: r for r in resources("ab352-consent") if r["resourceType"] == "Consent"}
    everything = found.pop("Consent-AB352-Example-AllowAll")
    abortion = record(meta={"security": [{"system": ABORTION, "code": "ABORTION"}]})

    assert asked(everything, PLAIN).permitted
    assert asked(everything, abortion).permitted
    assert asked(everything, PSY).reasons == (Reason.SENSITIVE,)
    refused = {}
    for name, consent in found.items():
        with pytest.raises(InvalidConsent) as error:
            compile_consent(consent, operational=True)
        refused[name] = error.value.field
    assert refused == AB352_REFUSED


@with_examples
def test_a_consent_for_a_guardian_is_refused_for_its_role():
    """A helper here receives records (IRCP). Whoever acts as the patient (DELEGATEE, FTH) is not expressed by
    a consent but by a relationship, which the clinic confirms."""
    refused = {}
    for resource in resources("guardian-consent"):
        if resource["resourceType"] != "Consent":
            continue
        with pytest.raises(InvalidConsent) as error:
            compile_consent(resource, operational=False)
        refused[resource["meta"]["profile"][0].rpartition("/")[2]] = error.value.field

    assert refused == {
        "RelatedPersonConsent": "provision.actor[0].role",
        "EmancipationConsent": "provision.provision[0].actor[0].role",
    }
