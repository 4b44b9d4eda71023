"""A FHIR server over HTTP that knows a few resources and takes its time: `held` says for how many just now.

It runs as a process of its own and is told in one line of JSON: {"Observation/1": [seconds, resource], …}.
"""

import contextlib
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from config.supervisor.children import ROOT
from tests.bench.load import HOST, PATIENCE

Resources = Mapping[str, tuple[float, Mapping[str, object]]]


@dataclass(frozen=True, slots=True)
class Ehr:
    base_url: str
    port: int

    def held(self) -> int:
        """How many requests wait for their answer."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=PATIENCE)
        connection.request("GET", "/held")
        count = int(connection.getresponse().read())
        connection.close()
        return count


@contextlib.contextmanager
def started(resources: Resources) -> Iterator[Ehr]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.ehr"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(json.dumps(resources) + "\n")
        process.stdin.flush()
        port = int(process.stdout.readline())
        yield Ehr(f"http://{HOST}:{port}/r4", port)
    finally:
        process.kill()
        process.communicate()


class Held:
    def __init__(self) -> None:
        self.lock, self.count = threading.Lock(), 0

    @contextlib.contextmanager
    def one_more(self) -> Iterator[None]:
        with self.lock:
            self.count += 1
        try:
            yield
        finally:
            with self.lock:
                self.count -= 1


def serve(resources: Resources) -> None:
    """Tell the port on standard output, and answer until killed."""
    held = Held()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.removeprefix("/r4/").partition("?")[0]
            if path == "/held":
                self._answer(200, str(held.count).encode())
            elif path in resources:
                seconds, resource = resources[path]
                with held.one_more():
                    time.sleep(seconds)
                self._answer(200, json.dumps(resource).encode())
            else:
                self._answer(404, b'{"resourceType":"OperationOutcome"}')

        def _answer(self, status: int, body: bytes) -> None:
            with contextlib.suppress(OSError):  # whoever asked has given up
                self.send_response(status)
                self.send_header("Content-Type", "application/fhir+json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(json.loads(sys.stdin.readline()))
