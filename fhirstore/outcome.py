"""OperationOutcome: how every refusal is said (FHIR R4, 2.30)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

JSON = "application/fhir+json; charset=utf-8"
_encode = msgspec.json.Encoder().encode

Answer = tuple[int, dict[str, str], bytes]


ISSUES_IN_A_LINE = 3
_IN_ENTRY = re.compile(r"Bundle\.entry\[\d+\]", re.ASCII)


class Issue(NamedTuple):
    """One thing that is wrong: IssueType code, what to say of it, FHIRPath to the element."""

    code: str
    diagnostics: str
    expression: str = ""

    def within(self, place: str) -> "Issue":
        """The same issue, said of an element inside `place`, as `Bundle.entry[3]`."""
        inner = self.expression
        if inner and _IN_ENTRY.fullmatch(place):
            inner = "resource." + inner.partition(".")[2] if "." in inner else f"resource.{inner}"
        return self._replace(expression=".".join(filter(None, (place, inner))))


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
    more: Sequence[Issue] = ()  # further issues of the same request

    def __str__(self) -> str:
        told = [f"{each.expression}: {each.diagnostics}".removeprefix(": ") for each in self.issues]
        more = [f"and {len(told) - ISSUES_IN_A_LINE} more"] if len(told) > ISSUES_IN_A_LINE else []
        return " ".join([*told[:ISSUES_IN_A_LINE], *more])

    @property
    def issues(self) -> list[Issue]:
        return [Issue(self.code, self.diagnostics, self.expression), *self.more]

    def within(self, place: str) -> "Refused":
        """The same refusal, said of elements inside `place`, as `Bundle.entry[3]`."""
        first, *more = (each.within(place) for each in self.issues)
        return Refused(self.status, *first, headers=self.headers, more=more)

    def as_resource(self) -> dict[str, object]:
        return {
            "resourceType": "OperationOutcome",
            "issue": [_issue("error", *each) for each in self.issues],
        }

    def answer(self) -> Answer:
        return self.status, {"Content-Type": JSON, **self.headers}, _encode(self.as_resource())


def operation_outcome(severity: str, code: str, diagnostics: str, expression: str = "") -> dict[str, object]:
    return {
        "resourceType": "OperationOutcome",
        "issue": [_issue(severity, code, diagnostics, expression)],
    }


def _issue(severity: str, code: str, diagnostics: str, expression: str = "") -> dict[str, object]:
    issue: dict[str, object] = {"severity": severity, "code": code, "diagnostics": diagnostics}
    if expression:
        issue["expression"] = [expression]
    return issue
