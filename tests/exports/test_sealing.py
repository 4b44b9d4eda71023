"""A23: files at rest. What is on a disk or in a store is noise, in order, whole, and for one place only."""

import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import pytest

from exports import bucket, commands, files, reading, sealing
from exports.models import ExportFile, ExportJob
from exports.sealing import SEALED, SEGMENT, Destroyed
from exports.writing import Lost, Writer
from tests import factories
from tests.exports.making import contents, hashes, kickoff, made

pytestmark = pytest.mark.django_db
SIZES = (0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 5 * SEGMENT, 5 * SEGMENT + 77)


@pytest.fixture(autouse=True)
def _folder(settings, tmp_path):
    settings.EXPORT_FOLDER = tmp_path


@pytest.fixture
def job() -> ExportJob:
    job = kickoff(factories.alice())
    job.wrapped_key = sealing.new_key(job.id)
    job.save()
    files.make_folder(job.id)
    return job


def sealed(job: ExportJob, content: bytes, number: int = 1) -> ExportFile:
    file = ExportFile(job=job, resource_type="Patient", number=number)
    with Writer(file, job.wrapped_key) as writer:
        for start in range(0, len(content), 10_000):
            writer.write(content[start : start + 10_000])
        writer.end()
    file.save()
    return file


def read(job: ExportJob, file: ExportFile) -> bytes:
    with reading.opened(file, job) as there:
        return there.read()


@pytest.mark.parametrize("size", SIZES)
def test_what_went_in_comes_out(job, size):
    content = os.urandom(size)
    file = sealed(job, content)

    assert read(job, file) == content
    assert (file.size, file.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert files.path(file).stat().st_size == sealing.sealed_size(size)


def test_any_part_can_be_had_by_itself(job):
    content = os.urandom(3 * SEGMENT + 500)
    with reading.opened(sealed(job, content), job) as there:
        for start in (0, 1, SEGMENT - 1, SEGMENT, 3 * SEGMENT + 499, len(content), len(content) + 9):
            there.seek(start)
            assert there.read(SEGMENT + 3) == content[start : start + SEGMENT + 3]


@pytest.mark.parametrize("begun", SIZES)
def test_a_file_goes_on_where_its_row_says_that_it_stood(job, begun):
    """Whatever a killed run wrote after that."""
    first, lost, then = os.urandom(begun), os.urandom(3 * SEGMENT), os.urandom(2 * SEGMENT + 5)
    file = ExportFile(job=job, resource_type="Patient")
    killed = Writer(file, job.wrapped_key)
    killed.write(first)
    killed.mark()
    file.save()
    killed.write(lost)
    killed.close()

    file.refresh_from_db()
    with Writer(file, job.wrapped_key) as writer:
        writer.write(then)
        writer.end()

    assert read(job, file) == first + then
    assert file.sha256 == hashlib.sha256(first + then).hexdigest()


def test_what_the_row_tells_of_and_is_not_there_is_noticed(job):
    file = ExportFile(job=job, resource_type="Patient")
    with Writer(file, job.wrapped_key) as writer:
        writer.write(os.urandom(2 * SEGMENT))
        writer.mark()
    files.path(file).unlink()

    with pytest.raises(Lost):
        Writer(file, job.wrapped_key)


@pytest.mark.parametrize("act", ["flip", "swap", "shorten", "begin elsewhere", "another's"])
def test_A23_what_was_changed_on_disk_is_not_given_out(job, act):
    file, other = sealed(job, os.urandom(3 * SEGMENT)), sealed(job, os.urandom(3 * SEGMENT), 2)
    raw = bytearray(files.path(file).read_bytes())
    if act == "flip":
        raw[SEALED + 100] ^= 1
    if act == "swap":
        raw[:SEALED], raw[SEALED : 2 * SEALED] = raw[SEALED : 2 * SEALED], raw[:SEALED]
    if act == "shorten":
        file.size = SEGMENT - 1
    if act == "begin elsewhere":
        del raw[:SEALED]
    if act == "another's":
        raw = files.path(other).read_bytes()
    files.path(file).write_bytes(raw)

    with pytest.raises(Destroyed):
        read(job, file)


def test_A23_without_its_key_a_file_is_noise(job, settings):
    content = b"Moreno" * 50_000
    file = sealed(job, content)
    assert b"Moreno" not in files.path(file).read_bytes()
    kept = files.path(file).read_bytes()

    commands.cancel(job, by=job.requested_by)
    job.refresh_from_db()
    files.path(file).write_bytes(kept)  # out of a backup
    with pytest.raises(Destroyed):
        read(job, file)


def test_a_key_is_wrapped_for_its_job_alone(job, settings):
    with pytest.raises(Destroyed):
        sealing.box(job.wrapped_key, uuid4(), uuid4())
    settings.FIELD_KEY = bytes(32)
    with pytest.raises(Destroyed):
        sealing.box(job.wrapped_key, job.id, uuid4())


class Store(BaseHTTPRequestHandler):
    """As much of S3 as is asked of it."""

    kept: dict[str, bytes] = {}
    asked: list[tuple[str, str]] = []
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, body: bytes = b"") -> None:
        Store.asked.append((self.command, self.headers.get("Range", "")))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        right = hashlib.sha256(body).hexdigest() == self.headers["x-amz-content-sha256"]
        if right:
            Store.kept[self.path] = body
        self.answer(200 if right and self.headers["Authorization"] else 400)

    def do_GET(self) -> None:
        first, last = self.headers["Range"].removeprefix("bytes=").split("-")
        self.answer(206, Store.kept[self.path][int(first) : int(last) + 1])

    def do_DELETE(self) -> None:
        self.answer(204 if Store.kept.pop(self.path, None) else 404)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def store(settings):
    Store.kept, Store.asked = {}, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings.EXPORT_BUCKET = f"http://127.0.0.1:{server.server_address[1]}/exports"
    settings.EXPORT_BUCKET_KEY = "access:secret"
    yield Store
    bucket._http.clear()
    server.shutdown()
    thread.join()
    server.server_close()


def test_files_that_are_ready_stand_in_the_store_and_are_read_from_there(
    store, settings, django_capture_on_commit_callbacks
):
    alice = factories.alice()
    job = made(kickoff(alice))

    [(path, content)] = store.kept.items()
    assert path == f"/exports/{job.id}/{job.files.get(kind='package').id}"
    assert b"Moreno" not in content
    assert [p.name for p in files.folder(job.id).iterdir()] == [files.LOCK]
    assert len(contents(job)["Observation"]) == 1
    with django_capture_on_commit_callbacks(execute=True):
        commands.cancel(job, by=alice.user)
    assert store.kept == {}


def test_a_store_that_does_not_answer_ends_the_job_by_name(settings):
    settings.EXPORT_BUCKET = "http://127.0.0.1:9/exports"
    settings.EXPORT_BUCKET_KEY = "access:secret"
    job = made(kickoff(factories.alice()))

    assert (job.status, job.reason) == ("failed", "export.storage")
    assert hashes(job)
