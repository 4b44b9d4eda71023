"""Ways to ask for a record, generated from the tables: types, interactions, parameters, spellings."""

import json
from collections.abc import Iterator

from consent.vocabulary import FOLLOWING
from demo.population import CANARY
from fhirproxy.served import COMMON, SERVED, SHAPING
from fhirstore.definitions import PARAMETERS
from smart.resource_types import R4
from tests.fhirproxy.proof.app import FHIR_JSON, Case
from tests.fhirproxy.proof.records import ACTIVE, TARGET, id_of

OWNED = tuple(sorted(kind for kind, rule in SERVED.items() if rule.searchable))
REACHED = ("Binary", "Medication", "Provenance")
OURS = frozenset({"AuditEvent", "Consent"})  # kept here and not in the EHR
UNSERVED = tuple(sorted(R4 - set(SERVED) - OURS))
BASE = "http://testserver/fhir/r4"
# Parameters of FHIR R4 for every type, and what others add, none of which is served.
SPECIAL = (
    "_at=ge2020",
    "_contained=both",
    "_content=ZEBRAFISH",
    "_cursor=x",
    "_filter=name eq ZEBRAFISH",
    "_getpages=1",
    "_has:Observation:patient:code=x",
    "_has:Observation:subject:_id={key}-observation",
    "_ID={key}-patient",
    "_include=*",
    "_include:iterate=Observation:patient",
    "_list={key}-list",
    "_list=$current-allergies",
    "_profile=x",
    "_query=everything",
    "_security=x",
    "_since=2000",
    "_source=x",
    "_tag=ZEBRAFISH",
    "_text=ZEBRAFISH",
    "_type=Observation",
    "_revinclude=Observation:subject",
    "_revinclude=AuditEvent:entity",
    "_revinclude:iterate=Provenance:target",
    "_summary=count",
    "_summary=data",
    "_summary=text",
    "_summary=true",
    "_total=accurate",
    "_total=estimate",
    "_sort=_score",
    "_sort=name,ZEBRAFISH",
    "_sort=",
    "_count=0",
    "_count=-1",
    "_count=99999",
    "_elements=a;b",
    "_elements=Patient.name",
    "__proto__=x",
    "identifier=ZEBRAFISH-{key}",
    "identifier=urn:example|ZEBRAFISH-{key}-patient",
    "near=0|0",
    "patient[]={key}-patient",
    "patient[$ne]=x",
    "Patient={key}-patient",
    "subject:Patient.name=ZEBRAFISH",
    "patient.name=ZEBRAFISH",
    "patient.identifier=x",
    "patient:Patient.birthdate=ge1900",
    "patient:identifier=urn:example|x",
    "encounter.subject={key}-patient",
    "%00=x",
    "=x",
)
MODIFIERS = (
    *("not", "missing", "identifier", "exact", "contains", "in", "not-in", "above", "below", "text"),
    *("of-type", "Patient", "iterate"),
)


def reads(kind: str, key: str) -> Iterator[Case]:
    """One resource by its id, and by what might be taken for it."""
    one = f"{kind}/{id_of(kind, key)}"
    yield Case(one, 404)
    yield Case(f"{one}/", 404)
    yield Case(f"/{one}", 404)
    yield Case(f"{one}?_elements=id,text", 404)
    yield Case(f"{one}?_format=json", 404)
    yield Case(f"{one}/_history/1", 404)
    yield Case(f"{one}/_history/2", 404)
    yield Case(f"{one}/_history/1?_elements=text", 404)
    yield Case(f"{one}/_history", 404)
    for path in spelled(kind, key):
        yield Case(path, 404)
    for query in ("patient={key}-patient", "_summary=text", "_id={key}", "_count=1"):
        yield Case(f"{one}?{query.format(key=key)}", 400)
    for name, value in (
        ("if-none-match", 'W/"1"'),
        ("if-none-match", "*"),
        ("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT"),
        ("accept", "*/*"),
        ("prefer", "return=representation"),
        ("x-http-method-override", "GET"),
        ("x-forwarded-for", "127.0.0.1"),
    ):
        yield Case(one, 404, headers={name: value})


def spelled(kind: str, key: str) -> Iterator[str]:
    """Addresses that lead to the resource only if somebody takes them for others than they are."""
    patient, one = f"{key}-patient", id_of(kind, key)
    yield from (f"{kind}/{one.upper()}", f"{kind.lower()}/{one}", f"{kind}s/{one}", f"{kind}/{one}%20")
    yield from (f"{kind}//{one}", f"{kind}/./{one}", f"{kind}/x/../{one}", f"{kind}/%2e%2e/{kind}/{one}")
    yield from (f"{kind}%2f{one}%2f", f"{kind}/%252e%252e/{one}", f"{kind}/{one}%00")
    yield from (f"{kind}/{one};v=1", f"{kind}/{one}.json", f"{kind}/{one}#x", f"{kind}/{one}|1")
    yield from (f"{kind}/{one}/{kind}", f"{kind}/{one}/$everything", f"{kind}/{one}/$meta")
    yield from (f"{kind}/{one}/$graphql", f"{kind}/{one}/$document", f"{kind}/{one}/_search")
    yield from (f"{kind}/{one}/_history/1/", f"{kind}/{one}/_history//1", f"{kind}/{one}/_history/..")
    yield from (f"Patient/{patient}/{kind}", f"Patient/{patient}/{kind}/{one}", f"Patient/{patient}/*")
    yield from (f"{kind}/$graphql", f"{kind}/$match", f"{kind}/$lastn", f"{kind}/_history", "_history")
    yield from (f"{kind}/{one},{one}x", f"{BASE}/{kind}/{one}", f"../r4/{kind}/{one}", f"r4/{kind}/{one}")


def foreign_searches(kind: str, key: str, own: str) -> Iterator[Case]:
    """Searches that name another patient, alone or beside one's own: as for one who is not there."""
    rule = SERVED[kind]
    patient, mine = f"{key}-patient", f"{own}-patient"
    for name in sorted({rule.patient_param, *rule.owner_paths[:1]} - {"id"}):
        for value in (
            *(patient, f"Patient/{patient}", f"{BASE}/Patient/{patient}", f"{mine},{patient}"),
            *(f"{patient},{mine}", f"Patient/{patient}/_history/1", f"Patient/{mine},Patient/{patient}"),
            *(f"patient/{patient}", f" {patient}", f"Group/{patient}", f"https://x/Patient/{patient}"),
            *(f"{BASE}/../Patient/{patient}", f"|{patient}", f"urn:uuid:{patient}"),
        ):
            yield Case(f"{kind}?{name}={value}", 200, empty=True)
        yield Case(f"{kind}?{name}={mine}&{name}={patient}", 200, empty=True)
        yield Case(f"{kind}?{name}={patient}&{name}={mine}", 200, empty=True)
        yield Case(f"{kind}?%{ord(name[0]):02x}{name[1:]}={patient}", 200, empty=True)
    for form in (f"{rule.patient_param}={patient}", f"{rule.patient_param}={mine},{patient}"):
        yield Case(f"{kind}/_search", 200, "POST", form, empty=True)
        yield Case(f"{kind}/_search?{rule.patient_param}={mine}", 200, "POST", form, empty=True)


def own_searches(kind: str, key: str) -> Iterator[Case]:
    """Searches of one's own record by what is somebody else's: by every parameter that is served."""
    rule, one = SERVED[kind], id_of(kind, key)
    if kind != "Patient":
        for value in (one, f"{one},{one}x", f"{kind}/{one}", f"{BASE}/{kind}/{one}"):
            yield Case(f"{kind}?_id={value}", 200)
        yield Case(f"{kind}?_id={one}&_id={one}", 200)
        yield Case(f"{kind}/_search", 200, "POST", f"_id={one}")
    for param in sorted(rule.search_params):
        if param in TARGET:
            there = f"{TARGET[param]}/{id_of(TARGET[param], key)}"
            for value in (there, f"{BASE}/{there}", there.partition("/")[2], f"{there},{there}x"):
                yield Case(f"{kind}?{param}={value}", 200)
        yield Case(f"{kind}?{param}={value_of(kind, param, key)}", 200)
        if is_date(kind, param):
            yield Case(f"{kind}?_sort=-{param}", 200)
    for param in sorted(rule.includes):
        yield Case(f"{kind}?_include={kind}:{param}", 200)
    yield Case(f"{kind}?_revinclude=Provenance:target", 200)
    for query in (
        "_elements=text",
        "_total=none",
        "_summary=false",
        "_sort=_lastUpdated",
        "_lastUpdated=ge2000",
    ):
        yield Case(f"{kind}?{query}", 200)


def is_date(kind: str, param: str) -> bool:
    return PARAMETERS[kind][param].kind == "date"


def value_of(kind: str, param: str, key: str, word: str = CANARY) -> str:
    """One that the patient's resource of the type has."""
    if (kind, param) == ("QuestionnaireResponse", "questionnaire"):
        return "http://example.org/q"
    if param in TARGET:
        return f"{TARGET[param]}/{id_of(TARGET[param], key)}"
    return "ge2020-01-01" if is_date(kind, param) else {"name": word}.get(param, ACTIVE)


def refused_searches(kind: str, key: str) -> Iterator[Case]:
    """Parameters and modifiers that are not served: 400, and never left out."""
    rule = SERVED[kind]
    served = COMMON | SHAPING | rule.search_params | {rule.patient_param, *rule.owner_paths[:1]}
    for query in SPECIAL:
        yield Case(f"{kind}?{query.format(key=key)}", 400)
    for param in sorted(set(PARAMETERS[kind]) - served):
        yield Case(f"{kind}?{param}=x", 400)
    for param in sorted(rule.search_params | {rule.patient_param}):
        for modifier in MODIFIERS:
            yield Case(f"{kind}?{param}:{modifier}={key}-patient", 400)
        yield Case(f"{kind}?{param}.name=ZEBRAFISH", 400)
    for other in OWNED:
        for param in SERVED[other].includes:
            if other != kind:
                yield Case(f"{kind}?_include={other}:{param}", 400)
    yield Case(f"{kind}/_search", 400, "POST", f"subject:Patient.name=ZEBRAFISH&_id={key}")
    yield Case(f"{kind}/_search?_has:Observation:patient:code=x", 400, "POST", "_count=1")


def everything(key: str) -> Iterator[Case]:
    whole = f"Patient/{key}-patient/$everything"
    for query in ("", "?_count=1", "?_type=Observation", "?_since=2000-01-01", "?_type=Patient,Observation"):
        yield Case(f"{whole}{query}", 404)
    yield Case(f"{whole}/", 404)
    for query in ("start=2000", "_type=AuditEvent", "_type=*", "_elements=id", "patient=x"):
        yield Case(f"{whole}?{query}", 400)
    yield Case(whole, 405, "POST", "{}", FHIR_JSON)


def unserved(kind: str, key: str) -> Iterator[Case]:
    """A type that nobody declared: there is no way to it."""
    one = f"{kind}/{key}-{kind.lower()}"
    for path in (kind, one, f"{one}/_history", f"{one}/_history/1", f"{one}/$everything"):
        yield Case(path, 404)
    yield Case(f"{kind}?patient={key}-patient", 404)
    yield Case(f"{kind}?_id={key}-{kind.lower()}", 404)
    yield Case(f"{kind}/_search", 404, "POST", f"patient={key}-patient")
    yield Case(one, 404, "PUT", "{}", FHIR_JSON)


def writes(kind: str, key: str, own: str) -> Iterator[Case]:
    """Changes, by an app that may make none, whosever record they name (A10)."""
    one = f"{kind}/{id_of(kind, key)}"
    proposed = 405 if kind in FOLLOWING else 403  # create and update are served: the scope does not reach
    body = json.dumps({"resourceType": kind, "id": id_of(kind, key), "subject": f"Patient/{own}-patient"})
    for method, path in (
        *(("PATCH", one), ("DELETE", one), ("POST", one), ("HEAD", one)),
        *(("PUT", f"{kind}?_id={id_of(kind, key)}"), ("DELETE", f"{kind}?patient={key}-patient")),
        *(("PUT", f"{kind}/_search"), ("OPTIONS", one), ("TRACE", one)),
    ):
        yield Case(path, 405, method, body, FHIR_JSON)
    yield Case(one, proposed, "PUT", body, FHIR_JSON)
    yield Case(kind, proposed, "POST", body, FHIR_JSON)
    yield Case(kind, proposed, "POST", body, FHIR_JSON, {"if-none-exist": f"_id={id_of(kind, key)}"})
    yield Case(one, 405, "PATCH", '[{"op":"replace"}]', "application/json-patch+json")
