"""A FHIR Consent that cannot be is refused with its element, and none of it is kept."""

import pytest

from consent import fhir
from consent.models import Consent
from consent.vocabulary import ACT_REASON
from tests import factories
from tests.fhirproxy.consents import (
    ORGANIZATION,
    a_consent,
    ask,
    last_event,
    permit,
    refused_by,
    session_of,
    to_acme,
    without,
)

pytestmark = pytest.mark.django_db
TREAT = {"system": ACT_REASON, "code": "TREAT"}
MODIFIER = [{"url": "urn:x", "valueCode": "x"}]
ONE, OTHER = "provision.provision[0]", "provision.provision[1]"
OTHERS = {"reference": "Organization/other"}


def refused(patient, resource):
    response = ask("POST", "", resource, browser=session_of(patient))
    assert not Consent.objects.exists()
    return refused_by(response)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"status": None}, "status"),
        ({"scope": None}, "scope"),
        ({"category": None}, "category"),
        ({"provision": None}, "provision"),
        ({"status": "draft"}, "status"),
        ({"status": "proposed"}, "status"),
        ({"scope": fhir.concept(fhir.CONSENT_SCOPE, "research")}, "scope"),
        ({"performer": [{"reference": "Practitioner/1"}]}, "performer[0]"),
        ({"policy": [{"uri": 1}]}, "policy[0].uri"),
        # what nobody here would heed
        ({"verification": [{"verified": True}]}, "verification"),
        ({"sourceAttachment": {"title": "x"}}, "sourceAttachment"),
        ({"contained": []}, "contained"),
        ({"identifier": [{"value": "1"}]}, "identifier"),
        ({"text": {"status": "empty", "div": "<div/>"}}, "text"),
        ({"implicitRules": "urn:x"}, "implicitRules"),
        ({"modifierExtension": MODIFIER}, "modifierExtension"),
        ({"extension": MODIFIER}, "extension"),
        ({"policy": [{"uri": "urn:x", "modifierExtension": MODIFIER}]}, "policy[0].modifierExtension"),
        ({"organization": [ORGANIZATION | {"extension": MODIFIER}]}, "organization[0].extension"),
        ({"_dateTime": {"id": "x"}}, "_dateTime"),
        ({"policyRule": {"text": "x", "_text": {"id": "x"}}}, "policyRule._text"),
        ({"meta": {"security": [{"code": "R"}]}}, "meta.security"),
    ],
)
def test_an_element_is_refused(alice, changes, field):
    resource = a_consent(alice, permit(ORGANIZATION)) | changes
    gone = [name for name, value in changes.items() if value is None]

    assert refused(alice, without(resource, *gone)) == (422, f"Consent.{field}")
    assert (last_event().type, last_event().reasons) == ("record:refuse", ["request.422"])


@pytest.mark.parametrize(
    ("permits", "root", "field"),
    [
        ([permit(ORGANIZATION), permit(OTHERS)], {}, f"{OTHER}.actor"),
        (
            [permit(ORGANIZATION, actor=[*permit(ORGANIZATION)["actor"], *permit(OTHERS)["actor"]])],
            {},
            f"{ONE}.actor",
        ),
        ([permit(ORGANIZATION), without(permit(ORGANIZATION), "actor")], {}, f"{OTHER}.actor"),
        ([permit(ORGANIZATION), {"type": "deny"}], {}, f"{OTHER}.actor"),
        ([permit(ORGANIZATION)], {"actor": permit(ORGANIZATION)["actor"]}, "provision.actor"),
        ([permit(OTHERS)], permit(ORGANIZATION), f"{ONE}.actor"),
        ([permit(fhir.client_reference("nobody", "No"))], {}, f"{ONE}.actor[0].reference"),
        ([permit({"reference": "RelatedPerson/x"})], {}, f"{ONE}.actor[0].reference"),
        # as compiled: tests/consent/test_provisions.py has them all
        ([permit(ORGANIZATION, provision=[{"type": "deny"}])], {}, f"{ONE}.provision"),
        ([permit(ORGANIZATION, "secrets")], {}, f"{ONE}.code[0]"),
        (
            [permit(ORGANIZATION, purpose=[TREAT | {"extension": MODIFIER}])],
            {},
            f"{ONE}.purpose[0].extension",
        ),
        ([permit(ORGANIZATION, period={"start": "2027", "end": "2026"})], {}, f"{ONE}.period"),
    ],
)
def test_a_provision_is_refused(alice, permits, root, field):
    provision = {"type": "deny", **root, "provision": permits}

    assert refused(alice, a_consent(alice, provision=provision)) == (422, f"Consent.{field}")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda acme: [without(acme, "period")], f"{ONE}.period"),
        (lambda acme: [without(acme, "code")], f"{ONE}.code"),
        (lambda acme: [acme, acme], f"{OTHER}.type"),
    ],
)
def test_an_app_is_let_in_by_what_its_page_can_show(alice, change, field):
    assert refused(alice, a_consent(alice, *change(permit(to_acme())))) == (422, f"Consent.{field}")


def test_an_app_that_is_out_is_not_let_in(alice):
    resource = a_consent(alice, permit(to_acme(status="suspended")))

    assert refused(alice, resource) == (422, f"Consent.{ONE}.actor[0].reference")


@pytest.mark.parametrize("status", ["ended", "asked"])
def test_a_helper_who_is_not_one_now_is_not_let_in(alice, status):
    relation = factories.helps(factories.create_user("Eve"), alice, "FRND", status=status)
    resource = a_consent(alice, permit({"reference": f"RelatedPerson/{relation.pk}"}))

    assert refused(alice, resource) == (422, f"Consent.{ONE}.actor[0].reference")


def test_a_helper_of_somebody_else_is_not_let_in(alice):
    relation = factories.helps(factories.create_user("Eve"), factories.create_patient("Mallory"), "FRND")
    resource = a_consent(alice, permit({"reference": f"RelatedPerson/{relation.pk}"}))

    assert refused(alice, resource) == (422, f"Consent.{ONE}.actor[0].reference")


@pytest.mark.parametrize(
    ("codes", "provision", "field"),
    [
        (["everything"], {"type": "permit"}, "category[1]"),
        (["research", "payment"], {"type": "deny"}, "category[2]"),
        (["research"], {"type": "deny", "purpose": [TREAT]}, "provision.purpose"),
        (["research"], {"type": "deny"}, "provision.purpose"),
        (["treatment"], {"type": "deny", "purpose": [TREAT], "code": permit({})["code"]}, "provision.code"),
        (
            ["treatment"],
            {"type": "deny", "purpose": [TREAT], "provision": [permit(ORGANIZATION)]},
            "provision.provision",
        ),
    ],
)
def test_a_choice_is_made_whole_or_not_at_all(alice, codes, provision, field):
    category = [fhir.concept(fhir.DIRECTIVE, code) for code in codes]

    assert refused(alice, a_consent(alice, category=category, provision=provision)) == (
        422,
        f"Consent.{field}",
    )
