"""A bucket with object lock takes each newest checkpoint; a fake one stands at the edge."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from audit import anchors, bucket
from audit.log import record
from audit.models import Anchor, Checkpoint
from tests.audit.cast import entry, tick

EMPTY = hashlib.sha256(b"").hexdigest()


def test_a_signature_is_that_of_the_published_example():
    """Amazon S3 API reference, "Signature Calculations for the Authorization Header", GET Object."""
    headers = {
        "host": "examplebucket.s3.amazonaws.com",
        "range": "bytes=0-9",
        "x-amz-content-sha256": EMPTY,
        "x-amz-date": "20130524T000000Z",
    }

    made = bucket.authorization(
        "GET",
        "https://examplebucket.s3.amazonaws.com/test.txt",
        headers,
        access="AKIAIOSFODNN7EXAMPLE",
        secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        region="us-east-1",
    )

    assert made == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


@pytest.fixture
def store(settings):
    """What was put, and the status that puts are answered with."""

    class Store(BaseHTTPRequestHandler):
        status, kept = 200, {}

        def do_PUT(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            Store.kept[self.path] = (body.decode(), dict(self.headers))
            self.send_response(Store.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Store)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings.AUDIT_BUCKET = f"http://127.0.0.1:{server.server_address[1]}/anchors"
    settings.AUDIT_BUCKET_KEY = "access:secret"
    yield Store
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.django_db(transaction=True, available_apps=["audit"])
def test_the_newest_checkpoint_is_put_under_lock_once(store):
    record(entry())
    tick()

    assert (anchors.send(), anchors.send()) == ({}, {})

    (path, (body, headers)), note = next(iter(store.kept.items())), Checkpoint.objects.get().note
    assert path == f"/anchors/chartkey.example/audit/{1:020}.txt"
    assert body == note
    assert headers["x-amz-object-lock-mode"] == "COMPLIANCE"
    assert headers["x-amz-content-sha256"] == hashlib.sha256(note.encode()).hexdigest()
    assert Anchor.objects.get().size == 1


@pytest.mark.django_db(transaction=True, available_apps=["audit"])
def test_a_bucket_that_refuses_is_tried_again(store):
    store.status = 403
    record(entry())
    tick()
    assert "status 403" in next(iter(anchors.send().values()))

    store.status = 200

    assert anchors.send() == {}
