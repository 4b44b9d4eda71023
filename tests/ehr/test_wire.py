"""What an EHR says on the wire, byte by byte: an answer belongs to one request, and none breaks us."""

import io
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from config.logging import NoArguments
from fhirproxy import upstream
from fhirproxy.messages import FhirRequest, Trouble, UpstreamUnavailable
from fhirproxy.models import Source

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b'{"resourceType":"Patient","id":"ID"}'


class Wire:
    """A server that writes given bytes to each request; a number among them is a pause.

    `ID` in them is the id that was asked for. The last of the answers is that to all that follow.
    """

    def __init__(self) -> None:
        self.answers: list[list[bytes | float]] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self.socket.getsockname()[1]}/fhir"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as asked:  # clients hang up
            while line := asked.readline():
                while asked.readline().strip():
                    pass
                wanted = line.split()[1].rpartition(b"/")[2]
                for part in self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]:
                    if isinstance(part, float):
                        time.sleep(part)
                    else:
                        connection.sendall(part.replace(b"ID", wanted))


@pytest.fixture
def wire() -> Iterator[Wire]:
    upstream.forget()
    made = Wire()
    yield made
    upstream.forget()
    made.socket.close()


def ok(body: bytes = BODY, head: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), head, body)


def source(wire: Wire) -> Source:
    return Source(slug="far", name="Far Clinic", kind="http", base_url=wire.base, read_timeout=5, deadline=10)


def send(wire: Wire, wanted: str = "01") -> str | Trouble:
    """The id of the answer, or why there is none. Ids have two characters, as `ID` has."""
    try:
        answer = upstream.of(source(wire)).send(FhirRequest("GET", f"Patient/{wanted}"))
        return str(json.loads(answer.body)["id"])
    except UpstreamUnavailable as error:
        return error.trouble


@pytest.mark.parametrize("status", [b"102 Processing", b"103 Early Hints"])
def test_F10_an_answer_after_a_word_before_it_is_not_the_answer_to_the_next(wire, status):
    wire.answers = [[b"HTTP/1.1 %s\r\n\r\n" % status, 0.3, ok()], [ok()]]

    assert [send(wire, "01"), send(wire, "02")] == ["01", "02"]


@pytest.mark.parametrize("status", [b"102 Processing", b"103 Early Hints"])
def test_a_word_before_every_answer_is_no_answer(wire, status):
    wire.answers = [[b"HTTP/1.1 %s\r\n\r\n" % status, 0.3, ok()]]

    assert [send(wire, "01"), send(wire, "02")] == [Trouble.CUT_OFF] * 2


def test_F10_a_length_of_too_many_digits_is_no_answer(wire):
    wire.answers = [[b"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n" % (b"9" * 5000)]]

    assert send(wire) in Trouble


@pytest.mark.parametrize("size", [b"-5", b"0x", b"5_", b""])
def test_F10_a_chunk_of_an_odd_length_is_no_answer(wire, size):
    wire.answers = [[CHUNKED, size + b"\r\n"]]

    assert send(wire) in Trouble


def test_F10_a_chunk_of_a_length_below_nothing_is_not_read_to_its_end(wire):
    """http.client would: all that comes, whatever may be read at most."""
    wire.answers = [[CHUNKED, b"-1\r\n", *[b" " * 64 * 1024] * 100, BODY]]

    assert send(wire) is Trouble.CUT_OFF


def test_A21_headers_that_cannot_be_read_put_no_address_into_the_log(wire):
    """urllib3 warns of them, with the address."""
    wire.answers = [[ok(head=b"no colon here\r\n")]]
    [handler] = [h for h in logging.getLogger().handlers if any(type(f) is NoArguments for f in h.filters)]
    written = io.StringIO()
    before = handler.setStream(written)

    found = send(wire)

    handler.setStream(before)
    assert found == "01"
    assert "Patient" not in written.getvalue()
