"""Checkpoints as C2SP signed notes (c2sp.org/signed-note, c2sp.org/tlog-checkpoint), which tlog tools read.

<origin>
<size>
<base64 of the root>
                                    an empty line, then U+2014 and the signature:
— <origin> <base64 of key id || Ed25519 signature of the three lines>
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

ED25519 = b"\x01"
COSIGNATURE = b"\x04"  # c2sp.org/tlog-cosignature
DASH = "\u2014"
MOST_BYTES = 64 * 1024


class InvalidNote(ValueError):
    """A note that is not a checkpoint of this log, or that its key did not sign."""


@dataclass(frozen=True, slots=True)
class TreeHead:
    size: int
    root: bytes


@dataclass(frozen=True)
class Verifier:
    """A log's name and its public key (32 bytes, RFC 8032)."""

    name: str
    public_key: bytes

    @cached_property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:4]

    def __str__(self) -> str:
        """The verifier key as `note` tools take it: name+id+base64."""
        key = base64.b64encode(ED25519 + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    def open(self, note: str) -> str:
        """The text of a signed note. Raises `InvalidNote`; signatures of other keys are passed over."""
        text, found, signatures = note.rpartition("\n\n")
        if not found or len(note) > MOST_BYTES:
            raise InvalidNote("it has no signature")
        text += "\n"
        signed = [s for line in signatures.splitlines() if (s := self._signature(line)) is not None]
        if not signed:
            raise InvalidNote(f"{self.name} did not sign it")
        try:
            for signature in signed:
                Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text.encode())
        except InvalidSignature:
            raise InvalidNote("the signature is wrong") from None
        return text

    def _signature(self, line: str) -> bytes | None:
        try:
            dash, name, encoded = line.split(" ")
            signature = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error):
            raise InvalidNote("it has a line that is no signature") from None
        if dash != DASH or (name, signature[:4]) != (self.name, self.key_id):
            return None
        return signature[4:]


@dataclass(frozen=True)
class Signer:
    """A log's name and its Ed25519 seed (32 bytes)."""

    name: str
    seed: bytes

    @cached_property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @cached_property
    def verifier(self) -> Verifier:
        return Verifier(self.name, self._key.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """The signed note of a text, which ends in a newline."""
        signature = self.verifier.key_id + self._key.sign(text.encode())
        return f"{text}\n{DASH} {self.name} {base64.b64encode(signature).decode()}\n"


@dataclass(frozen=True)
class Cosigner:
    """A witness's name and its public key (32 bytes); `parse` reads what its operator hands out."""

    name: str
    public_key: bytes

    @classmethod
    def parse(cls, key: str) -> "Cosigner":
        """Of a verifier key, name+id+base64. Raises `ValueError`."""
        name, key_id, encoded = key.split("+", 2)
        raw = base64.b64decode(encoded, validate=True)
        found = cls(name, raw[1:])
        if raw[:1] != COSIGNATURE or len(raw) != 33 or found.key_id.hex() != key_id:
            raise ValueError(f"{name} has no key of a witness")
        return found

    @cached_property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + COSIGNATURE + self.public_key).digest()[:4]

    def cosigned_at(self, note: str) -> int | None:
        """When (seconds since 1970) this witness cosigned a note; None where it did not. Raises
        `InvalidNote`."""
        text, _, signatures = note.rpartition("\n\n")
        for line in signatures.splitlines():
            dash, name, encoded = line.split(" ")
            raw = base64.b64decode(encoded)
            if (dash, name, raw[:4]) != (DASH, self.name, self.key_id) or len(raw) != 76:
                continue
            at = int.from_bytes(raw[4:12])
            signed = f"cosignature/v1\ntime {at}\n{text}\n".encode()
            try:
                Ed25519PublicKey.from_public_bytes(self.public_key).verify(raw[12:], signed)
            except InvalidSignature:
                raise InvalidNote(f"the cosignature of {name} is wrong") from None
            return at
        return None


def signer() -> Signer:
    """This log's own, from the settings."""
    return Signer(settings.AUDIT_ORIGIN, settings.AUDIT_SIGNING_KEY)


def checkpoint(head: TreeHead, by: Signer) -> str:
    """The signed checkpoint of a tree head."""
    return by.sign(f"{by.name}\n{head.size}\n{base64.b64encode(head.root).decode()}\n")


def open_checkpoint(note: str, verifier: Verifier) -> TreeHead:
    """Verify a checkpoint and read it. Raises `InvalidNote`."""
    lines = verifier.open(note).split("\n")
    try:
        origin, size, root, _ = lines
        head = TreeHead(int(size), base64.b64decode(root, validate=True))
    except ValueError:  # binascii.Error is one too
        raise InvalidNote("it is not a checkpoint") from None
    if origin != verifier.name or str(head.size) != size or len(head.root) != 32:
        raise InvalidNote("it is not a checkpoint of this log")
    return head
