"""Lines of an error file: OperationOutcomes, which say nothing of anybody's record."""

import json

from exports.models import ExportJob


def of(job: ExportJob) -> list[bytes]:
    """What a lenient client asked for and did not get, and that the EHR did not give all."""
    said = [_outcome("information", "not-supported", words) for words in job.ignored]
    if missing := job.position.get("missing", 0):
        words = f"The records of {missing} patients could not be had. Export them again later."
        said.append(_outcome("error", "transient", words))
    return said


def _outcome(severity: str, code: str, diagnostics: str) -> bytes:
    issue = {"severity": severity, "code": code, "diagnostics": diagnostics}
    return json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode()
