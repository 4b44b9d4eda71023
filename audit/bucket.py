"""Checkpoints into an S3-compatible bucket with object lock: nobody, its owner included, deletes them early.

One PUT with AWS Signature Version 4; the clients that speak all of S3 bring tens of megabytes for it.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import urllib3
from django.conf import settings

from audit.models import Checkpoint

LOCKED = timedelta(days=6 * 366)
TIMEOUT = urllib3.Timeout(connect=3, read=10)
_http = urllib3.PoolManager(retries=False)


class Refused(Exception):
    """The bucket did not take it: its status."""


def take(checkpoint: Checkpoint, taken: int) -> str:
    """Put the note under its size. Raises `Refused` and OSError."""
    now = datetime.now(UTC)
    body = checkpoint.note.encode()
    address = f"{settings.AUDIT_BUCKET.rstrip('/')}/{quote(settings.AUDIT_ORIGIN)}/{checkpoint.size:020}.txt"
    headers = {
        "host": urlsplit(address).netloc,
        "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}",
        "x-amz-object-lock-mode": "COMPLIANCE",
        "x-amz-object-lock-retain-until-date": f"{now + LOCKED:%Y-%m-%dT%H:%M:%SZ}",
    }
    access, _, secret = settings.AUDIT_BUCKET_KEY.partition(":")
    headers["authorization"] = authorization(
        "PUT", address, headers, access=access, secret=secret, region=settings.AUDIT_BUCKET_REGION
    )
    try:
        answer = _http.request("PUT", address, body=body, headers=headers, timeout=TIMEOUT)
    except urllib3.exceptions.HTTPError as error:
        raise OSError(type(error).__name__) from error
    if answer.status != 200:
        raise Refused(f"status {answer.status}")
    return checkpoint.note


def authorization(
    method: str, address: str, headers: Mapping[str, str], *, access: str, secret: str, region: str
) -> str:
    """The Authorization header of Signature Version 4 over all the headers given, for service s3.

    `headers` has lower-case names, among them host, x-amz-date and x-amz-content-sha256; no query.
    """
    at = headers["x-amz-date"]
    names = ";".join(sorted(headers))
    told = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    canonical = "\n".join([method, urlsplit(address).path, "", told, names, headers["x-amz-content-sha256"]])
    scope = f"{at[:8]}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    return f"AWS4-HMAC-SHA256 Credential={access}/{scope},SignedHeaders={names},Signature={signature}"
