"""Erasable detail: encrypted into the payload under a key of the patient's, so that the hash outlives it.

A key is HMAC(FIELD_KEY, salt). Salts stand in `audit_key`, several for a patient: each process makes its own
at its first event of that patient, in the statement that inserts the event, so that a read costs no further
one. Whoever deletes a patient's salts has erased the detail for good; backups keep them until they run out.
"""

import base64
import hmac
import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from audit.models import AuditEvent, DetailKey

MOST_KEYS = 2_000  # that a process remembers


@dataclass(frozen=True, slots=True)
class Key:
    id: UUID
    subject: str
    salt: bytes

    def box(self) -> AESGCM:
        return AESGCM(hmac.digest(settings.FIELD_KEY, b"audit detail" + self.salt, "sha256"))


_known: OrderedDict[str, Key] = OrderedDict()
_lock = threading.Lock()


def key_for(subject: str) -> tuple[Key, bool]:
    """A key of that subject, and whether it is new: then the caller keeps it in its own statement."""
    with _lock:
        if key := _known.get(subject):
            _known.move_to_end(subject)
            return key, False
    return Key(uuid4(), subject, secrets.token_bytes(32)), True


def remember(key: Key) -> None:
    """After the commit that kept it."""
    with _lock:
        _known[key.subject] = key
        while len(_known) > MOST_KEYS:
            _known.popitem(last=False)


def forget(subject: str | None = None) -> None:
    """In this process; None: all."""
    with _lock:
        _known.clear() if subject is None else _known.pop(subject, None)


def seal(key: Key, event_id: UUID, detail: Mapping[str, str]) -> str:
    """ "<key id>.<base64 of nonce and AES-256-GCM>", bound to its event."""
    nonce = secrets.token_bytes(12)
    sealed = nonce + key.box().encrypt(nonce, json.dumps(detail).encode(), event_id.bytes)
    return f"{key.id}.{base64.b64encode(sealed).decode()}"


def opened(event: AuditEvent) -> dict[str, str] | None:
    """The exact network address and user agent, for an auditor; None where there is none, or it was
    erased."""
    key_id, _, sealed = json.loads(event.payload).get("sealed", "").partition(".")
    kept = DetailKey.objects.filter(id=key_id).first() if key_id else None
    if kept is None:
        return None
    key, raw = Key(kept.id, kept.subject, bytes(kept.salt)), base64.b64decode(sealed)
    try:
        return json.loads(key.box().decrypt(raw[:12], raw[12:], event.id.bytes))
    except InvalidTag:
        return None  # FIELD_KEY is another one by now
