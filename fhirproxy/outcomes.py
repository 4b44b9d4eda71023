"""OperationOutcome (FHIR R4, 2.29), and the refusal that becomes one."""

import json

from fhirproxy.upstream import FHIR_JSON, FhirResponse

CODE_OF_STATUS = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    409: "conflict",
    413: "too-long",
    415: "not-supported",
    412: "conflict",
    422: "processing",
    428: "required",
    429: "throttled",
    502: "transient",
    503: "transient",
    504: "timeout",
}


class Refusal(Exception):
    """A request that the gate does not serve. `diagnostics` is for the caller: it names the cure,
    and nothing that the caller may not know."""

    def __init__(self, status: int, diagnostics: str, headers: dict[str, str] | None = None):
        super().__init__(diagnostics)
        self.status = status
        self.diagnostics = diagnostics
        self.headers = headers or {}

    def response(self) -> FhirResponse:
        return outcome(self.status, self.diagnostics, self.headers)


class EhrFailure(Refusal):
    """The access was allowed, and the EHR did not give what was asked for."""


def outcome(status: int, diagnostics: str, headers: dict[str, str] | None = None) -> FhirResponse:
    issue = {
        "severity": "error" if status < 500 else "fatal",
        "code": CODE_OF_STATUS.get(status, "exception"),
        "diagnostics": diagnostics,
    }
    body = json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode()
    return FhirResponse(status, {"Content-Type": FHIR_JSON, **(headers or {})}, body)


NOT_FOUND = "There is no such resource, or it is not yours to see."
EHR_DOWN = "The health record system did not answer. Try again in a few minutes."
LOG_DOWN = "The access could not be recorded, so nothing was sent. Try again in a few minutes."
