"""One event as a FHIR R4 AuditEvent by IHE BALP 1.1.4 (basic audit log patterns). Pure: no database.

Every type of event has one pattern here, and so one profile; where the event names no patient, BALP's
profile without one is used.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from audit.events import EventType, Outcome, Role
from audit.sentences import Event

PROFILES = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
DCM = "http://dicom.nema.org/resources/ontology/DCM"
REST = "http://terminology.hl7.org/CodeSystem/audit-event-type"
INTERACTION = "http://hl7.org/fhir/restful-interaction"
AUTHZ = "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType"
LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
ENTITY = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ENTITY_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
ROLE_CLASS = "http://terminology.hl7.org/CodeSystem/v3-RoleClass"
SECURITY_ROLE = "http://terminology.hl7.org/CodeSystem/extra-security-role-type"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"
# Our own: the codes of `EventType`, of reasons and of data categories, and references as the log keeps them.
OURS = "https://chartkey.example/fhir/"  # an identifier, not an address
EVENT_TYPE, CATEGORY, REFERENCE = f"{OURS}event-type", f"{OURS}category", f"{OURS}reference"

SOURCE, DESTINATION, PROGRAM = (DCM, "110153"), (DCM, "110152"), (DCM, "110150")
CUSTODIAN = ("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "custodian")
OAUTH_USER = ("https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes", "UserOauthAgent")
OPAQUE = "OAUTHaccessTokenUse.Opaque"  # our tokens say nothing of themselves
AUTH_SERVER = (SECURITY_ROLE, "authserver")

OUTCOMES: Mapping[str, str] = {  # audit-event-outcome
    Outcome.PERMIT: "0",
    Outcome.DONE: "0",
    Outcome.FAILED: "4",
    Outcome.DENY: "8",
}
ROLES: Mapping[str, tuple[str, str]] = {  # in what capacity the person acted
    Role.PATIENT: (ROLE_CLASS, "PAT"),
    Role.HELPER: (ROLE_CLASS, "PRS"),
    Role.CLINICIAN: (ROLE_CLASS, "PROV"),
    Role.BILLING: (ROLE_CLASS, "EMP"),
    Role.SUPPORT: (ROLE_CLASS, "EMP"),
    Role.COMPLIANCE: (ROLE_CLASS, "EMP"),
}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A profile of BALP: its name, and the codes that it fixes."""

    profile: str  # after "IHE.BasicAudit."; "{}" is "Patient" where the event names one
    action: str
    subtype: tuple[str, str]
    client: tuple[str, str]  # what it and the server were: where data came from, or where it went
    server: tuple[str, str]
    user: str = "AUT"
    type: tuple[str, str] = (REST, "rest")


READ = Pattern("{}Read", "R", (INTERACTION, "read"), DESTINATION, SOURCE, "IRCP")
QUERY = Pattern("{}Query", "E", (INTERACTION, "search-type"), SOURCE, DESTINATION, "IRCP")
CREATE = Pattern("{}Create", "C", (INTERACTION, "create"), SOURCE, DESTINATION)
UPDATE = Pattern("{}Update", "U", (INTERACTION, "update"), SOURCE, DESTINATION)
DELETE = Pattern("{}Delete", "D", (INTERACTION, "delete"), PROGRAM, CUSTODIAN)
CONSENT = Pattern(
    "AuthZconsent", "E", (AUTHZ, "AuthZ-Consent"), PROGRAM, AUTH_SERVER, "IRCP", (DCM, "110113")
)
DISCLOSURE = Pattern(
    "PrivacyDisclosure.Source", "R", (LIFECYCLE, "disclose"), DESTINATION, SOURCE, "IRCP", (DCM, "110106")
)

PATTERNS: Mapping[EventType, Pattern] = {
    EventType.SESSION_START: CREATE,
    EventType.SESSION_END: DELETE,
    EventType.SESSION_FAIL: CREATE,
    EventType.DEVICE_NEW: CREATE,
    EventType.ACTIVATION_ISSUE: CREATE,
    EventType.ACTIVATION_USE: UPDATE,
    EventType.ACTIVATION_FAIL: UPDATE,
    EventType.STEPUP_PASS: UPDATE,
    EventType.STEPUP_FAIL: UPDATE,
    EventType.ACCOUNT_CHANGE: UPDATE,
    EventType.TOKEN_ISSUE: CREATE,
    EventType.TOKEN_REFRESH: UPDATE,
    EventType.TOKEN_REFUSE: CREATE,
    EventType.TOKEN_REVOKE: DELETE,
    EventType.RECORD_READ: READ,
    EventType.RECORD_SEARCH: QUERY,
    EventType.RECORD_PREVIEW: QUERY,
    EventType.RECORD_REFUSE: READ,
    **dict.fromkeys(
        (t for t in EventType if t.startswith("consent:") and t is not EventType.CONSENT_CONSULT), UPDATE
    ),
    EventType.CONSENT_GRANT: CREATE,
    EventType.CONSENT_PROPOSE: CREATE,
    EventType.CONSENT_CONSULT: CONSENT,
    EventType.EXPORT_KICKOFF: CREATE,
    EventType.EXPORT_READ: QUERY,
    EventType.EXPORT_GIVE: QUERY,
    EventType.EXPORT_COMPLETE: UPDATE,
    EventType.EXPORT_DOWNLOAD: DISCLOSURE,
    EventType.EXPORT_PUSH: DISCLOSURE,
    EventType.EXPORT_EXPIRE: DELETE,
    EventType.EXPORT_CANCEL: DELETE,
    EventType.LINK_OPEN: DISCLOSURE,
    EventType.WRITE_SUBMIT: CREATE,
    EventType.WRITE_APPROVE: UPDATE,
    EventType.WRITE_REVIEW: UPDATE,
    EventType.WRITE_SEND: CREATE,
    EventType.WRITE_APPLY: CREATE,
    EventType.WRITE_REJECT: UPDATE,
    EventType.WRITE_BLOCK: UPDATE,
    EventType.WRITE_EXTEND: UPDATE,
    EventType.WRITE_CANCEL: UPDATE,
    EventType.BUDGET_EXCEED: READ,
    EventType.VALUESETS_CHANGE: UPDATE,
    EventType.POLICY_CHANGE: UPDATE,
    EventType.FAULT_REPORT: UPDATE,
    EventType.IDENTITY_FIND: QUERY,
    EventType.IDENTITY_LINK: UPDATE,
    EventType.IDENTITY_UNLINK: UPDATE,
    EventType.PATIENT_MERGE: UPDATE,
    EventType.PATIENT_SPLIT: UPDATE,
    EventType.PATIENT_PROPOSE: CREATE,
    EventType.PATIENT_ANSWER: UPDATE,
    EventType.PATIENT_LEGAL: UPDATE,
    EventType.PATIENT_FLAG: UPDATE,
    EventType.PATIENT_DIE: UPDATE,
    **dict.fromkeys((t for t in EventType if t.startswith("audit:")), UPDATE),
    **dict.fromkeys((t for t in EventType if t.startswith("helper:")), UPDATE),
    **dict.fromkeys((t for t in EventType if t.startswith(("emergency:", "elevation:", "support:"))), UPDATE),
    **dict.fromkeys((EventType.REASON_END, EventType.RECORD_WATCH), UPDATE),
    EventType.EMERGENCY_OPEN: CREATE,
    EventType.REASON_OPEN: CREATE,
    EventType.ELEVATION_START: CREATE,
    EventType.SUPPORT_CODE: CREATE,
    EventType.SUPPORT_FIND: READ,
    EventType.EVIDENCE_ADD: CREATE,
    EventType.EVIDENCE_VIEW: READ,
    EventType.EVIDENCE_DESTROY: DELETE,
    EventType.HELPER_INVITE: CREATE,
    EventType.HELPER_ASK: CREATE,
    EventType.HELPER_TRY: READ,
    EventType.HELPER_ACT: READ,
    EventType.AUDIT_READ: QUERY,
    EventType.AUDIT_DOWNLOAD: DISCLOSURE,
    EventType.INVESTIGATION_OPEN: CREATE,
    EventType.INVESTIGATION_CHANGE: UPDATE,
    EventType.INVESTIGATION_ANSWER: UPDATE,
    EventType.ALERT_RAISE: CREATE,
    EventType.ALERT_CHANGE: UPDATE,
    EventType.DISCLOSURE_ASK: CREATE,
    EventType.DISCLOSURE_ANSWER: UPDATE,
    EventType.CLIENT_REGISTER: CREATE,
    EventType.CLIENT_CHANGE: UPDATE,
    EventType.CLIENT_STATUS: UPDATE,
    EventType.ADMIN_VIEW: READ,
    EventType.ADMIN_CHANGE: UPDATE,
}


def pattern_of(event: Event) -> Pattern:
    """Its profile. A read whose interaction was a search is a Query, and the other way round."""
    pattern = PATTERNS[EventType(event.type)]
    if pattern in (READ, QUERY) and event.interaction:
        return QUERY if event.interaction == "search-type" else READ
    return pattern


def audit_event(event: Event, *, patient: str, site: str, whole: bool) -> dict[str, Any]:
    """The resource. `patient` is the reference as the reader knows it ("Patient/<FHIR id>"), `site` our name.

    `whole` is for the patient and for auditors. To anyone else it stays unsaid why something was refused,
    of which kind it was and which thing it was: that would tell of what is hidden from them.
    """
    pattern = pattern_of(event)
    resource: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": str(event.id),
        "meta": {"profile": [PROFILES + pattern.profile.format("Patient" if patient else "")]},
        "type": _coding(*pattern.type),
        "subtype": _subtypes(event, pattern),
        "action": pattern.action,
        "recorded": event.recorded_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "outcome": OUTCOMES[event.outcome],
        "agent": _agents(event, pattern, site),
        "source": {
            "site": site,
            "observer": {"display": site},
            "type": [_coding(SOURCE_TYPE, "4")],  # application server
        },
        "entity": _entities(event, pattern, patient, whole),
    }
    if whole and event.client and (token := getattr(event, "context", {}).get("token")):
        _add_token(resource, str(token))
    if whole and event.reasons:
        resource["outcomeDesc"] = ", ".join(event.reasons)
    if event.purpose:
        resource["purposeOfEvent"] = [_concept(ACT_REASON, event.purpose)]
    return resource


def _subtypes(event: Event, pattern: Pattern) -> list[dict[str, str]]:
    codes = [pattern.subtype]
    if pattern.type[1] == "rest" and event.interaction and pattern in (READ, QUERY):
        codes = [(INTERACTION, event.interaction)]
    return [_coding(*code) for code in (*codes, (EVENT_TYPE, event.type))]


def _agents(event: Event, pattern: Pattern, site: str) -> list[dict[str, Any]]:
    """The client (or, for what was done on our own pages, this site), this server, and the person."""
    program = _who(event.client) if event.client else {"display": site}
    client: dict[str, Any] = {"type": _concept(*pattern.client), "who": program, "requestor": False}
    server = {"type": _concept(*pattern.server), "who": {"display": site}, "requestor": False}
    network = getattr(event, "context", {}).get("network", "")
    if network not in ("", "unknown"):
        client["network"] = {"address": str(network), "type": "2"}
    user: dict[str, Any] = {
        "type": _concept(PARTICIPATION, pattern.user),
        "who": _who(event.actor),
        "altId": event.actor,
        "requestor": True,
    }
    if event.role in ROLES:
        user["role"] = [_concept(*ROLES[event.role])]
    if event.purpose:
        user["purposeOfUse"] = [_concept(ACT_REASON, event.purpose)]
    agents = [client, server, user]
    if event.on_behalf_of:
        for_whom = {"type": _concept(PARTICIPATION, "RESP"), "who": _who(event.on_behalf_of)}
        agents.append({**for_whom, "requestor": False})
    return agents


def _add_token(resource: dict[str, Any], token: str) -> None:
    """BALP's profile for the use of an opaque OAuth token, besides the event's own."""
    resource["meta"]["profile"].append(PROFILES + OPAQUE)
    (user,) = [agent for agent in resource["agent"] if agent["requestor"]]
    user["type"]["coding"].append(_coding(*OAUTH_USER))
    user["policy"] = [token]


def _entities(event: Event, pattern: Pattern, patient: str, whole: bool) -> list[dict[str, Any]]:
    entities: list[dict[str, Any]] = []
    if patient:
        entities.append({**_kind("1", "1"), "what": {"reference": patient}})
    if event.correlation_id:
        entities.append(
            {"type": _coding(ENTITY, "XrequestId"), "what": {"identifier": {"value": event.correlation_id}}}
        )
    if event.consent:
        entities.append({"type": _coding(RESOURCE_TYPES, "Consent"), "what": {"reference": event.consent}})
    if pattern.profile.endswith("Query"):
        entities.append({**_kind("2", "24"), "query": _query(event)})
    elif whole and event.target:
        entities.append({**_kind("2", "4" if pattern is not DISCLOSURE else "3"), "what": _who(event.target)})
    elif pattern is not CONSENT:
        what = {"identifier": {"system": REFERENCE, "value": f"AuditEvent/{event.id}"}}
        entities.append({**_kind("2", "3" if pattern is DISCLOSURE else "4"), "what": what})
    if whole and event.categories:
        details = [{"type": CATEGORY, "valueString": code} for code in event.categories]
        entities.append({**_kind("2", "13"), "detail": details})  # 13: a security resource
    return entities


def _query(event: Event) -> str:
    """What was asked for, base64. Values of a search are in no log of ours: the types alone are said."""
    return base64.b64encode("&".join(event.resource_types).encode()).decode()


def _who(reference: str) -> dict[str, Any]:
    """People and clients are no FHIR resources here: they are named by what the log calls them."""
    return {"identifier": {"system": REFERENCE, "value": reference}}


def _kind(type_code: str, role: str) -> dict[str, Any]:
    return {"type": _coding(ENTITY_TYPE, type_code), "role": _coding(ENTITY_ROLE, role)}


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [_coding(system, code)]}


def _coding(system: str, code: str) -> dict[str, str]:
    return {"system": system, "code": code}
