"""P14: one Idempotency-Key sent fifty times at once is one change in the EHR and fifty equal answers; and
what a key costs. Over HTTP, to the web server as it is served."""

import http.client
import json
import secrets
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from consent.models import Consent
from consent.vocabulary import Category
from fhirstore.models import Resource
from smart import tokens
from smart.models import AccessToken
from tests import factories
from tests.bench import people
from tests.bench.load import HOST, PATIENCE
from tests.bench.report import Kind, Report
from tests.bench.site import TALLY
from tests.bench.sizes import Sizes
from tests.bench.stack import Stack

AT_ONCE = 50
OVERHEAD = 2  # SQL statements that a key may cost
TRIES = 5


@dataclass(frozen=True, slots=True)
class Sender:
    token: str
    fhir_id: str
    port: int

    def post(
        self, resource: dict[str, Any], key: str = "", *, tally: bool = False
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """(status, headers, body); told to come again, it does."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/fhir+json"}
        headers |= {"Idempotency-Key": key} if key else {}
        headers |= {TALLY: "1"} if tally else {}
        while True:
            connection = http.client.HTTPConnection(HOST, self.port, timeout=PATIENCE)
            path = f"/fhir/r4/{resource['resourceType']}"
            connection.request("POST", path, json.dumps(resource).encode(), headers)
            answer = connection.getresponse()
            found = answer.status, answer.headers, answer.read()
            connection.close()
            if answer.status != 409:
                return found
            time.sleep(float(answer.headers["Retry-After"]) / 10)

    def form(self) -> dict[str, Any]:
        """Nobody has to look at it: it is in the EHR at once."""
        return {
            "resourceType": "QuestionnaireResponse",
            "status": "completed",
            "subject": {"reference": f"Patient/{self.fhir_id}"},
            "authored": timezone.now().isoformat(timespec="seconds"),
            "item": [{"linkId": secrets.token_hex(4)}],
        }


def run(stack: Stack, sizes: Sizes) -> Report:
    report = Report("P14", f"one key, {AT_ONCE} sends at once, over HTTP")
    stack.start("web")
    sender = _sender(stack.port)
    sender.post(sender.form())  # what a process reads once, it has read from here on
    form, key = sender.form(), secrets.token_urlsafe(16)
    there = _in_the_ehr(sender)
    start = threading.Barrier(AT_ONCE)

    def send(_: int) -> tuple[int, str, bytes]:
        start.wait(PATIENCE)
        status, headers, body = sender.post(form, key)
        return status, headers.get("Location", ""), body

    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = Counter(pool.map(send, range(AT_ONCE)))
    took = time.monotonic() - began
    made = _in_the_ehr(sender) - there
    statuses = " ".join(f"{status}: {count}" for (status, _, _), count in answers.items())
    report.rows.append({"what": f"{AT_ONCE} sends", "answers": statuses, "in the EHR": made, "s": took})
    report.check("changes in the EHR, besides one", abs(made - 1), 0, Kind.COUNT)
    report.check("different answers, besides one", len(answers) - 1, 0, Kind.COUNT)
    report.check("answers that are no 201", AT_ONCE - answers.total() + _others(answers), 0, Kind.COUNT)
    _overhead(report, sender)
    return report


def _others(answers: Counter[tuple[int, str, bytes]]) -> int:
    return sum(count for (status, _, _), count in answers.items() if status != 201)


def _overhead(report: Report, sender: Sender) -> None:
    """The least of some tries: a process reads its EHR's address each minute."""
    without = min(_statements(sender, "") for _ in range(TRIES))
    with_key = min(_statements(sender, secrets.token_urlsafe(16)) for _ in range(TRIES))
    report.rows.append({"what": "SQL of one send", "without a key": without, "with one": with_key})
    report.check("SQL statements that a key costs", with_key - without, OVERHEAD, Kind.COUNT)


def _statements(sender: Sender, key: str) -> int:
    """Besides the EHR's own."""
    status, headers, body = sender.post(sender.form(), key, tally=True)
    assert status == 201, body
    return int(json.loads(headers[TALLY])["sql"])


def _in_the_ehr(sender: Sender) -> int:
    return Resource.objects.filter(type="QuestionnaireResponse", body__contains=sender.fhir_id).count()


def _sender(port: int) -> Sender:
    patient = factories.create_patient("Writing Patient")
    factories.load_records(factories.patient_record(patient))
    categories = [category for category in Category if category != Category.PRIVACY]
    consent = factories.create_consent(patient, categories=categories, can_write=True)
    return Sender(_token(consent), factories.fhir_id(patient), port)


def _token(consent: Consent) -> str:
    value = people.issue(consent)
    AccessToken.objects.filter(token_checksum=tokens.checksum(value)).update(scope="patient/*.cruds")
    return value
