"""Have witnesses cosign checkpoints (c2sp.org/tlog-witness): each keeps the last one it saw and refuses a
fork."""

import base64
from dataclasses import dataclass

import urllib3

from audit import notes, proofs
from audit.models import Checkpoint

TIMEOUT = urllib3.Timeout(connect=3, read=10)
_http = urllib3.PoolManager(retries=False)


class Refused(Exception):
    """The witness does not cosign: its status, and never its words."""


class Ahead(Exception):
    """The witness has seen a larger log than this one."""

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(f"the witness has seen {size} entries")


@dataclass(frozen=True)
class Witness:
    cosigner: notes.Cosigner
    address: str

    @classmethod
    def parse(cls, setting: str) -> "Witness":
        """Of "verifier key=address". Raises `ValueError`."""
        key, found, address = setting.rpartition("=http")
        if not found:
            raise ValueError("AUDIT_WITNESSES takes verifier key=address")
        return cls(notes.Cosigner.parse(key), f"http{address}".rstrip("/"))

    def take(self, checkpoint: Checkpoint, taken: int) -> str:
        """The checkpoint's note with the cosignature. Raises `Refused`, `Ahead` and OSError."""
        status, body = self._submit(checkpoint, taken)
        if status == 409:  # it has another size than we thought: it says which
            size = int(body) if body.strip().isdigit() else taken
            if size > checkpoint.size:
                raise Ahead(size)
            status, body = self._submit(checkpoint, size)
        if status != 200:
            raise Refused(f"status {status}")
        note = checkpoint.note + body
        try:
            if self.cosigner.cosigned_at(note) is None:
                raise Refused("another key cosigned")
        except (notes.InvalidNote, ValueError):
            raise Refused("its cosignature is wrong") from None
        return note

    def _submit(self, checkpoint: Checkpoint, old: int) -> tuple[int, str]:
        proof = proofs.consistency(old, checkpoint.size) if old else []
        lines = [f"old {old}", *(base64.b64encode(node).decode() for node in proof), "", checkpoint.note]
        try:
            answer = _http.request(
                "POST", f"{self.address}/add-checkpoint", body="\n".join(lines).encode(), timeout=TIMEOUT
            )
        except urllib3.exceptions.HTTPError as error:
            raise OSError(type(error).__name__) from error
        return answer.status, answer.data[:4096].decode(errors="replace")
