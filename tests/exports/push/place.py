"""A destination of somebody else's: it keeps what is put, and answers as a test wants."""

import ssl
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from exports.models import Destination
from exports.push import destinations, sending
from smart.keys import spki_pin
from tests.smart.site import HOST, Site

TOKEN = "drop-token"


class Place(Site):
    """`status` and `headers` answer a PUT; `cut` hangs up in the midst of each, after so many bytes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.files: dict[str, bytes] = {}
        self.told: list[tuple[str, str, dict[str, str]]] = []
        self.status, self.headers, self.during = 201, {}, lambda: None
        self.answer = self._keep
        self.base = f"https://{HOST}:{self.server.server_port}"
        self.pin = spki_pin(ssl.PEM_cert_to_DER_cert(_certificate(self.certificate)))

    def _keep(self, handler: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.told.append((handler.command, handler.path, headers))
        if handler.command == "GET":
            body = self.files.get(handler.path)
            return self.send(handler, body or b"", 200 if body else 404)
        size = int(headers["content-length"])
        first = handler.rfile.read(min(size, 64))
        self.during()
        body = first + handler.rfile.read(size - len(first))
        if self.status in (200, 201) and len(body) == size:
            self.files[handler.path] = body
        return self.send(handler, b"", self.status, **self.headers)

    def proven(self, client, by, kind: str = "https", secret: str = TOKEN, **more) -> Destination:
        """As an administrator registers it and its owner shows that it is theirs."""
        made = destinations.register(
            client, kind=kind, url=f"{self.base}/in", pins=[self.pin], secret=secret, by=by, **more
        )
        where = sending.challenge_address(made).removeprefix(self.base)
        self.files[where] = made.challenge.encode() + b"\n"
        destinations.prove(made, by=by)
        made.refresh_from_db()
        return made

    def names(self) -> list[str]:
        """Of what was put, in order."""
        return [path.rpartition("/")[2] for command, path, _ in self.told if command == "PUT"]


def _certificate(path: Path) -> str:
    text = path.read_text()
    return text[text.index("-----BEGIN CERTIFICATE") :]
