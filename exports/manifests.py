"""What a package holds and lacks, by whose leave, and as of which log; signed, so that nobody can change it.

The words are those of a Bulk Data manifest where it has one; the rest stands in `extension`, as it asks.
The signature is a JWS (RFC 7515) over the manifest in canonical JSON (RFC 8785), without its payload
(appendix F), by a key of /.well-known/jwks.json. `chartkey_verify.py manifest` checks it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785
from django.conf import settings
from jwcrypto.jws import JWS

from audit.models import Checkpoint
from exports.models import ExportFile, ExportJob
from smart import identity

ALGORITHM = "RS256"


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a package. `output`: of resources of one type."""

    name: str
    size: int
    sha256: str
    output: ExportFile | None = None


def of(
    job: ExportJob,
    items: Sequence[Item],
    *,
    is_private: bool,
    left_out: Sequence[dict[str, str]],
    consent: dict[str, str | int],
    expires_at: datetime,
) -> dict[str, Any]:
    """The manifest of one package."""
    return {
        "transactionTime": job.created_at.isoformat(),
        "request": f"{settings.BASE_URL}/downloads/{job.id}/",
        "requiresAccessToken": True,
        "output": [_output(item, item.output) for item in items if item.output],
        "error": [],
        "extension": {
            "files": [
                {"name": item.name, "size": item.size, "sha256": item.sha256}
                for item in items
                if not item.output
            ],
            "private_topics": is_private,
            "chosen": {
                "categories": list(job.categories),
                "formats": list(job.formats),
                "since": job.since.isoformat() if job.since else "",
                "until": job.until.isoformat() if job.until else "",
            },
            "left_out": list(left_out),
            "consent": consent,
            "expires": expires_at.isoformat(),
            "log": checkpoint(),
        },
    }


def _output(item: Item, file: ExportFile) -> dict[str, Any]:
    said = {"sha256": item.sha256, "size": item.size}
    return {"type": file.resource_type, "url": item.name, "count": file.count, "extension": said}


def checkpoint() -> str:
    """The newest signed head of the log, a note: what was recorded before it cannot be denied later."""
    newest = Checkpoint.objects.order_by("-size").first()
    return newest.note if newest else ""


def sign(manifest: dict[str, Any]) -> str:
    """A detached JWS of this manifest."""
    key = identity.signing_key(ALGORITHM)
    jws = JWS(rfc8785.dumps(manifest))
    header = {"alg": ALGORITHM, "kid": key.thumbprint(), "typ": "JOSE"}
    jws.add_signature(key, protected=json.dumps(header))
    protected, _, signature = jws.serialize(compact=True).split(".")
    return f"{protected}..{signature}"
