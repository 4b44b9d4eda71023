"""OperationOutcome: how every refusal is said (FHIR R4, 2.30)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

JSON = "application/fhir+json; charset=utf-8"
_encode = msgspec.json.Encoder().encode

Answer = tuple[int, dict[str, str], bytes]


@dataclass(slots=True, eq=False)
class Refused(Exception):
    """A request that is answered with an OperationOutcome.

    `code` is from the IssueType value set; `expression` is a FHIRPath to the element at fault.
    `diagnostics` names parameters and elements, and never carries a body or a value out of a record.
    """

    status: int
    code: str
    diagnostics: str
    expression: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    position: int | None = None  # of the change at fault, where several were asked for at once

    def __str__(self) -> str:
        return f"{self.diagnostics} ({self.expression})" if self.expression else self.diagnostics

    def within(self, place: str) -> "Refused":
        """The same refusal, said of an element inside `place`, as `Bundle.entry[3]`."""
        expression = f"{place}: {self.expression}" if self.expression else place
        return Refused(self.status, self.code, self.diagnostics, expression, self.headers)

    def as_resource(self) -> dict[str, object]:
        return operation_outcome("error", self.code, self.diagnostics, self.expression)

    def answer(self) -> Answer:
        return self.status, {"Content-Type": JSON, **self.headers}, _encode(self.as_resource())


def operation_outcome(severity: str, code: str, diagnostics: str, expression: str = "") -> dict[str, object]:
    issue: dict[str, object] = {"severity": severity, "code": code, "diagnostics": diagnostics}
    if expression:
        issue["expression"] = [expression]
    return {"resourceType": "OperationOutcome", "issue": [issue]}
