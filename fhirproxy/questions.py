"""A question of `patient-consent-consult`, read strictly: what was ignored would make the answer wider."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from consent import fhir, provisions
from consent.vocabulary import Category, Purpose
from fhirproxy import views
from fhirproxy.consents import json_object
from fhirproxy.outcomes import Refusal
from smart.resource_types import R4

HOOK = "patient-consent-consult"
LARGEST = 1024 * 1024  # bytes of a question with records
MOST = 10  # identifiers, of a patient or of actors
MOST_RECORDS = 500
CONTEXT = frozenset({"patientId", "actor", "purposeOfUse", "scope", "category", "class", "content"})
PRIVACY = "patient-privacy"
OTHER_SCOPES = frozenset({"adr", "research", "treatment"})  # FHIR's, of which nothing is kept here
IDENTIFIER = re.compile(r"[^\s|,$\\\x00]{1,255}")  # without what divides search values


@dataclass(frozen=True, slots=True)
class Question:
    patients: list[tuple[str, str]]  # identifiers of one patient: system and value
    actors: list[tuple[str, str]]  # of those who would see the records; under the system "", a reference
    purpose: Purpose
    scope: str
    categories: frozenset[Category]
    types: frozenset[str]  # all where it is empty
    records: list[Mapping[str, Any]] | None  # where records came along, instead of kinds of them


def question_of(request: HttpRequest) -> Question:
    """Raises Refusal (400) with the field that cannot be."""
    body = json_object(views.json_of(request), LARGEST)
    if body.get("hook") != HOOK:
        raise Refusal(400, f"hook: this is {HOOK}.")
    if not isinstance(body.get("hookInstance"), str) or not body["hookInstance"]:
        raise Refusal(400, "hookInstance: give this call an id, a UUID.")
    context = body.get("context")
    if not isinstance(context, dict) or set(context) - CONTEXT:
        raise Refusal(400, f"context: it takes {', '.join(sorted(CONTEXT))}.")
    if "content" in context and {"category", "class"} & set(context):
        raise Refusal(400, "context.content: send records, or name kinds of them.")
    categories = _codes(context, "category", fhir.DATA_CATEGORY, set(Category))
    return Question(
        patients=[_identifier(one, at) for one, at in _several(context, "patientId")],
        actors=[_actor(one, at) for one, at in _several(context, "actor")],
        purpose=Purpose(_one_of(context, "purposeOfUse", set(Purpose))),
        scope=_one_of(context, "scope", {PRIVACY, *OTHER_SCOPES}, PRIVACY),
        categories=frozenset(map(Category, categories)) or frozenset(Category),
        types=frozenset(_codes(context, "class", fhir.RESOURCE_TYPES, R4)),
        records=_records(context["content"]) if "content" in context else None,
    )


def _several(context: Mapping[str, Any], name: str) -> list[tuple[Any, str]]:
    """One value or a list of them, with the path of each."""
    found = context.get(name)
    values = found if isinstance(found, list) else [found]
    if not 0 < len(values) <= MOST:
        raise Refusal(400, f"context.{name}: name from 1 to {MOST}.")
    return [(value, f"context.{name}[{i}]") for i, value in enumerate(values)]


def _identifier(value: object, at: str) -> tuple[str, str]:
    parts = [value.get("system"), value.get("value")] if isinstance(value, dict) else []
    match parts:
        case [str(system), str(number)] if IDENTIFIER.fullmatch(system) and IDENTIFIER.fullmatch(number):
            return system, number
    raise Refusal(400, f"{at}: give a system and a value.")


def _actor(value: object, at: str) -> tuple[str, str]:
    """A FHIR reference under the system "", or an identifier."""
    text = value.get("reference") if isinstance(value, dict) else value
    system, number = ("", text) if isinstance(text, str) else _identifier(value, at)
    if system not in ("", settings.FHIR_BASE_URL):
        return system, number
    reference = number.removeprefix(f"{settings.FHIR_BASE_URL}/")
    kind, _, rest = reference.partition("/")
    if kind not in provisions.RECIPIENTS or not provisions.FHIR_ID.fullmatch(rest):
        raise Refusal(400, f"{at}: refer to one of {', '.join(provisions.RECIPIENTS)}.")
    return "", reference


def _one_of(context: Mapping[str, Any], name: str, known: Collection[str], default: str = "") -> str:
    found = context.get(name, default)
    found = found[0] if isinstance(found, list) and len(found) == 1 else found
    if not isinstance(found, str) or found not in known:
        raise Refusal(400, f"context.{name}: give one of {', '.join(sorted(known))}.")
    return found


def _codes(context: Mapping[str, Any], name: str, system: str, known: Collection[str]) -> list[str]:
    """Codes of one system, as codes or as codings."""
    if name not in context:
        return []
    values = context[name] if isinstance(context[name], list) else []
    said = [v.get("code") if isinstance(v, dict) and v.get("system") == system else v for v in values]
    codes = [code for code in said if isinstance(code, str) and code in known]
    if not codes or len(codes) < len(said):
        raise Refusal(400, f"context.{name}: give a list of codes of {system}.")
    return codes


def _records(bundle: object) -> list[Mapping[str, Any]]:
    entries = bundle.get("entry") if isinstance(bundle, dict) else None
    entries = entries if isinstance(entries, list) else []
    records = [entry["resource"] for entry in entries if _has_record(entry)]
    if len(records) < len(entries) or not 0 < len(records) <= MOST_RECORDS:
        raise Refusal(400, f"context.content: a Bundle of 1 to {MOST_RECORDS} entries, each with a resource.")
    return records


def _has_record(entry: object) -> bool:
    """Of what is no type of R4 nobody could say which kind of record it is."""
    resource = entry.get("resource") if isinstance(entry, dict) else None
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    return isinstance(kind, str) and kind in R4
