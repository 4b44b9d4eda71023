"""FHIR Consents that come from outside, read strictly, and ours as they go out.

What is not understood is refused by its element and never dropped: whoever wrote it meant something.
Kept as they came are the elements of `fhir.SAID`, of which `provision` alone decides anything.
"""

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import ValidationError

from accounts.models import RelatedPerson
from consent import fhir
from consent.directives import directives
from consent.models import Consent, ConsentVersion
from consent.provisions import NOT_UNDERSTOOD, InvalidConsent, Row, compile_consent
from consent.vocabulary import codings
from smart.models import Client

if TYPE_CHECKING:
    from accounts.models import Patient

Kind = Consent.Kind
# Every version has these; we write them, and what was sent in them is looked at and not kept.
OURS = frozenset({"resourceType", "id", "meta", "status", "scope", "patient", "dateTime", "extension"})
META = frozenset({"versionId", "lastUpdated", "profile", "source"})
OF_PROVISION = re.compile(r"provision(\.provision\[\d+\])?")  # extensions here are the compiler's to judge
HELPING = (RelatedPerson.Status.CONFIRMED, RelatedPerson.Status.NARROWED)
ONE_RECIPIENT = "Name one recipient, the same in each provision. Make a consent for each recipient."
Whom = tuple[str, dict[str, Any]]


def check(resource: Mapping[str, Any], own: Collection[str]) -> None:
    """Raises InvalidConsent for what is no FHIR R4 Consent, or says what nobody here would heed.

    `own` are the references that mean the patient: nobody else consents here.
    """
    if unknown := set(resource) - OURS - set(fhir.SAID):
        raise InvalidConsent(min(unknown), NOT_UNDERSTOOD)
    try:
        fhir.validate(resource)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidConsent(_path(first["loc"]), f"This is no FHIR R4 Consent: {first['msg']}.") from None
    _refuse_strange(resource, "")
    if unknown := set(resource.get("meta", {})) - META:
        raise InvalidConsent(f"meta.{min(unknown)}", NOT_UNDERSTOOD)
    if list(codings(resource.get("scope"))) != [(fhir.CONSENT_SCOPE, "patient-privacy")]:
        raise InvalidConsent("scope", f"The scope is {fhir.CONSENT_SCOPE}|patient-privacy.")
    for i, performer in enumerate(resource.get("performer", [])):
        if performer.get("reference") not in own:
            raise InvalidConsent(f"performer[{i}]", "The patient consents, and nobody else.")


def _refuse_strange(value: object, at: str) -> None:
    """Extensions, whose meaning we do not know; a modifier may turn all around it."""
    if isinstance(value, list):
        for i, inner in enumerate(value):
            _refuse_strange(inner, f"{at}[{i}]")
    elif isinstance(value, dict):
        for name, inner in value.items():
            here = f"{at}.{name}" if at else name
            known = OF_PROVISION.fullmatch(at) or (at == "" and _is_pause(inner))
            if name.startswith("_") or name == "modifierExtension" or (name == "extension" and not known):
                raise InvalidConsent(here, NOT_UNDERSTOOD)
            _refuse_strange(inner, here)


def _is_pause(extensions: object) -> bool:
    """What we write ourselves on a consent that is paused; it comes back with an update."""
    return isinstance(extensions, list) and all(e.get("url") == fhir.PAUSED_SINCE for e in extensions)


def _path(parts: tuple[int | str, ...]) -> str:
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in parts).lstrip(".")


def whom(resource: Mapping[str, Any], patient: "Patient") -> Whom:
    """The kind of a consent, and the model's fields that say for whom it is. Raises InvalidConsent.

    A category in the system of `fhir.DIRECTIVE` makes it a preference or a restriction. Otherwise it is
    for the one recipient whom its permits name; where they name nobody, it is a restriction.
    """
    rows = compile_consent(resource, operational=True)
    concepts = enumerate(resource.get("category", []))
    chosen = [
        (i, code) for i, concept in concepts for system, code in codings(concept) if system == fhir.DIRECTIVE
    ]
    if len(chosen) > 1:
        raise InvalidConsent(f"category[{chosen[1][0]}]", "Make one choice in one consent.")
    for i, code in chosen:
        return (
            (Kind.RESTRICTION, {})
            if code == fhir.RESTRICTION
            else _preference(resource["provision"], i, code)
        )
    if not any(row.get("actors") for row in rows if row["type"] == "permit"):
        return Kind.RESTRICTION, {}
    return _recipient(rows, patient)


def _preference(provision: Mapping[str, Any], i: int, code: str) -> Whom:
    """A choice is made whole: what it leaves out would be a limit, and to that the clinic must agree."""
    if code not in directives():
        known = ", ".join(sorted({*directives(), fhir.RESTRICTION}))
        raise InvalidConsent(f"category[{i}]", f"Choose one of {known}.")
    if unknown := set(provision) - {"type", "purpose", "period"}:
        raise InvalidConsent(f"provision.{min(unknown)}", "A choice has a type and its purposes, no more.")
    purposes = directives()[code].purposes
    if {purpose["code"] for purpose in provision.get("purpose", [])} != purposes:
        raise InvalidConsent("provision.purpose", f"This choice is about {', '.join(sorted(purposes))}.")
    return Kind.PREFERENCE, {"directive": code}


def _recipient(rows: list[Row], patient: "Patient") -> Whom:
    root, *nested = [
        (row, f"provision.provision[{i}]" if i >= 0 else "provision") for i, row in enumerate(rows, -1)
    ]
    speaking = [root, *nested] if root[0]["type"] == "permit" else nested
    if root[0]["type"] == "deny" and root[0].get("actors"):
        raise InvalidConsent("provision.actor", "Name whom it is for in what it permits.")
    found = speaking[0][0].get("actors", [])
    for row, at in speaking:
        if len(set(row.get("actors", []))) != 1 or row["actors"] != found:
            raise InvalidConsent(f"{at}.actor", ONE_RECIPIENT)
    kind, _, identity = found[0].partition("/")
    at = speaking[0][1]
    if kind == "Client":
        _check_shown(speaking)
        return Kind.APP, {"client": _client(identity, at)}
    if kind == "RelatedPerson":
        _check_shown(speaking)
        return Kind.HELPER, {"helper": _helper(identity, patient, at)}
    return Kind.SHARE, {"recipient": found[0]}


def _check_shown(speaking: list[tuple[Row, str]]) -> None:
    """People see of an app or a helper what they can see, and until when: one permit that says both."""
    permits = [(row, at) for row, at in speaking if row["type"] == "permit"]
    for _, at in permits[1:]:
        raise InvalidConsent(f"{at}.type", "For an app or a helper, permit everything in one provision.")
    for row, at in permits:
        if "categories" not in row:
            raise InvalidConsent(f"{at}.code", f"Name kinds of record, as codes of {fhir.DATA_CATEGORY}.")
        if "period_end" not in row:
            raise InvalidConsent(f"{at}.period", "Say when it ends.")


def _client(client_id: str, at: str) -> Client:
    client = Client.objects.filter(client_id=client_id).first()
    if client is None or not client.is_usable(None):
        raise InvalidConsent(f"{at}.actor[0].reference", "There is no such app here, or it may not be used.")
    return client


def _helper(helper_id: str, patient: "Patient", at: str) -> RelatedPerson:
    try:
        return patient.helpers.get(pk=UUID(helper_id), status__in=HELPING)
    except (ValueError, RelatedPerson.DoesNotExist):
        raise InvalidConsent(f"{at}.actor[0].reference", "The patient has no such helper.") from None


def changed(resource: Mapping[str, Any], version: ConsentVersion) -> str:
    """The first element in which a resource says something else than a version; empty where none does.

    What it leaves out is left as it is.
    """
    kept = version.as_fhir()
    return next((name for name in fhir.SAID if name in resource and resource[name] != kept.get(name)), "")


def out(version: ConsentVersion, patient: str) -> dict[str, Any]:
    """A version as the FHIR resource that others see; `patient` is the reference by which they know them."""
    return version.as_fhir() | {"patient": {"reference": patient}}
