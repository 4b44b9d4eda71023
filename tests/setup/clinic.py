"""A clinic's FHIR and token endpoints, small and scripted, for the demo app's tests."""

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"given": ["Alice"], "family": "Moreno"}]}
HBA1C = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "code": {"text": "Hemoglobin A1c"},
    "effectiveDateTime": "2026-09-02T08:30:00Z",
    "valueQuantity": {"value": 6.1, "unit": "%"},
    "referenceRange": [{"high": {"value": 5.7, "unit": "%"}}],
}
TOKENS = {"access_token": "a1", "refresh_token": "r1", "token_type": "Bearer", "patient": "p1"}


@dataclass
class Clinic:
    """`answers` maps a path's first word to (status, body); tests change it as they go."""

    url: str
    answers: dict[str, tuple[int, dict]] = field(default_factory=dict)
    forms: list[dict[str, list[str]]] = field(default_factory=list)  # what the token endpoint was sent

    def reset(self) -> None:
        endpoints = {"authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token"}
        bundle = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": HBA1C}]}
        self.answers = {
            ".well-known": (200, endpoints),
            "token": (200, TOKENS),
            "Patient": (200, PATIENT),
            "Observation": (200, bundle),
        }


@contextmanager
def clinic():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.clinic = Clinic(f"http://127.0.0.1:{server.server_port}")
    server.clinic.reset()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.clinic
    server.shutdown()
    thread.join()
    server.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.clinic.forms.append(parse_qs(body))
        self._answer()

    def _answer(self) -> None:
        word = self.path.strip("/").partition("/")[0].partition("?")[0]
        status, body = self.server.clinic.answers[word]
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass
