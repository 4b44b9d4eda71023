"""A fake EHR in a process of its own, scripted request by request.

    python -m tests.ehr.fake [--cert file.pem]      prints its port, and serves until it is killed

Below /{shape}/fhir it serves what it was given, in the ways of a make of EHR (`tests.ehr.shapes`). A
script makes it misbehave, see `Rule`. What it was asked, and how often, it tells at /_control/seen.
"""

import argparse
import json
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.ehr.mischief import BODIES
from tests.ehr.serving import Answer, Store
from tests.ehr.shapes import SHAPES

CHUNK = 64 * 1024


@dataclass
class Rule:
    """What happens to requests whose "METHOD path" contains `match`, so many times (0: always).

    do: status, headers, body; `send`, a name of `tests.ehr.mischief`; `delay`, seconds before the answer;
    `drip`, seconds before each byte of the body, or with `drip_headers` of all; `hang`, no answer for so
    long; `lose`, do what was asked and hang up; `cut`, hang up after so many bytes, with `reset` by a RST,
    with `chunked` in the middle of a chunk; `refuse`, hang up.
    """

    match: str = ""
    times: int = 1
    do: dict[str, Any] = field(default_factory=dict)


@dataclass
class State:
    lock: threading.Lock = field(default_factory=threading.Lock)
    rules: list[Rule] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    stores: dict[str, Store] = field(default_factory=dict)
    authorization: str = ""  # what every request below /fhir must show
    token: dict[str, Any] = field(default_factory=dict)  # what the token endpoint answers

    def rule_for(self, asked: str) -> dict[str, Any]:
        with self.lock:
            for rule in self.rules:
                if rule.match in asked:
                    if rule.times:
                        rule.times -= 1
                        if not rule.times:
                            self.rules.remove(rule)
                    return rule.do
        return {}


class Ehr(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, cert: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.state = State()
        self.base = f"{'https' if cert else 'http'}://127.0.0.1:{self.server_port}"
        if cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: object, client_address: object) -> None:
        """Quiet: that clients hang up is what is tested."""


class Handler(BaseHTTPRequestHandler):
    server: Ehr
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_GET

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = urlsplit(self.path)
        if target.path.startswith("/_control/"):
            return self._send(*self._control(target.path.removeprefix("/_control/"), body))
        state = self.server.state
        with state.lock:
            state.seen.append(
                {"method": self.command, "path": target.path, "query": parse_qsl(target.query)}
                | {"headers": {k.lower(): v for k, v in self.headers.items()}, "body": body.decode()}
            )
        do = state.rule_for(f"{self.command} {self.path}")
        time.sleep(do.get("delay", 0))
        if "hang" in do:
            time.sleep(do["hang"])
            return self._hang_up()
        if do.get("refuse"):
            return self._hang_up()
        answer = self._answer(target.path, target.query, body)
        if do.get("lose"):
            return self._hang_up()
        return self._misbehave(answer, do)

    def _control(self, command: str, body: bytes) -> Answer:
        state = self.server.state
        said = json.loads(body) if body else None
        with state.lock:
            if command == "reset":
                state.rules, state.seen, state.stores = [], [], {}
                state.authorization, state.token = "", {}
            elif command == "script":
                state.rules = [Rule(**rule) for rule in said]
            elif command == "authorize":
                state.authorization, state.token = said["authorization"], said.get("token", {})
            elif command == "load":
                store = state.stores.setdefault(said["shape"], self._store(said["shape"]))
                store.load(said["resources"])
                store.exports = said.get("exports", False)
            elif command == "seen":
                return 200, {}, json.dumps(state.seen).encode()
        return 200, {}, b"{}"

    def _store(self, shape: str) -> Store:
        return Store(SHAPES[shape], f"{self.server.base}/{shape}/fhir")

    def _answer(self, path: str, query: str, body: bytes) -> Answer:
        state = self.server.state
        if path == "/token":
            return state.token.get("status", 200), {}, json.dumps(state.token).encode()
        shape, _, below = path.strip("/").partition("/fhir")
        if shape not in SHAPES:
            return 404, {}, b"{}"
        if state.authorization and self.headers.get("Authorization") != state.authorization:
            return 401, {"WWW-Authenticate": "Bearer"}, b"{}"
        with state.lock:
            store = state.stores.setdefault(shape, self._store(shape))
            return store.answer(self.command, below.strip("/"), parse_qsl(query), self.headers, body)

    def _misbehave(self, answer: Answer, do: dict[str, Any]) -> None:
        status, headers, body = answer
        base = self.server.base + "/" + self.path.split("/")[1] + "/fhir"
        content: bytes | Iterable[bytes] = do["body"].encode() if "body" in do else body
        if "send" in do:
            status, content = 200, BODIES[do["send"]](base, self.server.base + self.path)
        status = do.get("status", status)
        self._send(status, headers | do.get("headers", {}), content, do)

    def _send(
        self,
        status: int,
        headers: dict[str, str],
        content: bytes | Iterable[bytes],
        do: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        whole = isinstance(content, bytes)
        ends = {"Content-Length": str(len(content))} if whole else {"Connection": "close"}
        if do.get("chunked"):
            ends, content = (
                {"Transfer-Encoding": "chunked"},
                b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content),
            )
        headers = {"Content-Type": "application/fhir+json", **ends, **headers}
        if not whole:
            self.close_connection = True
        lines = [f"HTTP/1.1 {status} -", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        head = "\r\n".join(lines).encode()
        if do.get("drip_headers"):
            return self._drip(head, do["drip_headers"])
        self.wfile.write(head)
        if "drip" in do:
            return self._drip(b" " + content if whole else b"", do["drip"])
        if "cut" in do:
            self.wfile.write(content[: do["cut"]] if whole else b"")
            return self._hang_up(reset=bool(do.get("reset")))
        for part in _parts(content):
            self.wfile.write(part)
        return None

    def _drip(self, content: bytes, pause: float) -> None:
        for byte in content:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(pause)

    def _hang_up(self, *, reset: bool = False) -> None:
        self.close_connection = True
        self.wfile.flush()
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return os.close(self.connection.detach())
        return self.connection.shutdown(socket.SHUT_RDWR)


def _parts(content: bytes | Iterable[bytes]) -> Iterator[bytes]:
    if not isinstance(content, bytes):
        yield from content
        return
    for start in range(0, len(content), CHUNK):
        yield content[start : start + CHUNK]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cert", default="")
    server = Ehr(parser.parse_args().cert)
    print(server.server_port, flush=True)
    server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
