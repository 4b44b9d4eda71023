#!/usr/bin/env python3
"""Check a list of audit events, two checkpoints, or a file of records, without trusting who made them.
Python 3.9+, nothing else.

    python3 chartkey_verify.py list activity.ndjson --key records.example/audit+1a2b3c4d+A...
    python3 chartkey_verify.py consistency old.txt new.txt --proof proof.txt --key ...
    python3 chartkey_verify.py manifest chartkey-records.zip --keys jwks.json

The list is one JSON object a line: first the checkpoint, then events, each with its proof. The key is the
log's verifier key (name+id+base64). Get it, once, from elsewhere than the list. Each --witness KEY
demands that this witness has cosigned. The keys of a manifest are the site's /.well-known/jwks.json: get them
from there, and not with the file. Exit code 0: all is right. 1: something is not. 2: it cannot be read.

Standards: RFC 9162 (Merkle trees), RFC 8032 (Ed25519), C2SP signed-note, tlog-checkpoint, tlog-cosignature;
RFC 7515 (JWS), RFC 7518 (RS256), RFC 8785 (canonical JSON).
"""

import argparse
import base64
import hashlib
import json
import sys
import time
import zipfile

WRONG, UNREADABLE = 1, 2

# Ed25519, RFC 8032, section 5.1. Only public values are worked on, so it need not be constant in time.
P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


class Wrong(Exception):
    """What was claimed does not hold."""


class Unreadable(Exception):
    """What was given is no list, note or key."""


def _add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(factor, point):
    result = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            result = _add(result, point)
        point, factor = _add(point, point), factor >> 1
    return result


def _equal(p, q):
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


def _point(encoded):
    """The point of 32 bytes (5.1.3); None where there is none."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = _point(bytes([0x58]) + bytes([0x66]) * 31)


def signed(public_key, message, signature):
    """Whether this Ed25519 key signed this message (5.1.7)."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key, r = _point(public_key), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if key is None or r is None or s >= Q:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % Q
    return _equal(_times(s, BASE), _add(r, _times(h, key)))


# Merkle trees, RFC 9162, section 2.1
def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def includes(leaf, index, size, path, root):
    """2.1.3.2"""
    if not 0 <= index < size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def consistent(old_size, old_root, new_size, new_root, path):
    """2.1.4.2"""
    if old_size == new_size:
        return not path and old_root == new_root
    if not 0 < old_size < new_size or not path:
        return False
    if old_size & (old_size - 1) == 0:
        path = [old_root, *path]
    fn, sn = old_size - 1, new_size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old_root and sr == new_root


# Signed notes
def read_key(text):
    """(name, key id, algorithm, public key) of a verifier key."""
    try:
        name, key_id, encoded = text.strip().split("+", 2)
        raw = base64.b64decode(encoded, validate=True)
        found = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    except ValueError:
        raise Unreadable("The key is not a verifier key (name+id+base64).") from None
    if found.hex() != key_id or len(raw) != 33 or raw[0] not in (1, 4):
        raise Unreadable("The key is not a verifier key: its id does not fit it.")
    return name, found, raw[0], raw[1:]


def open_checkpoint(note, key, witnesses=()):
    """(size, root) of a checkpoint that this key has signed, and all witnesses cosigned."""
    name = key[0]
    text, found, lines = note.rpartition("\n\n")
    text += "\n"
    try:
        origin, size, root = text.split("\n")[:3]
        size, root = int(size), base64.b64decode(root, validate=True)
        signatures = [line.split(" ") for line in lines.splitlines()]
        signatures = [
            (n, base64.b64decode(s, validate=True)) for dash, n, s in signatures if dash == "\u2014"
        ]
    except ValueError:
        raise Unreadable("The checkpoint is not a signed note.") from None
    if not found or size < 0 or len(root) != 32:
        raise Unreadable("The checkpoint is not a signed note.")
    if origin != name:
        raise Wrong(f"The checkpoint is of another log: {origin[:100]!r}.")
    if not any(_has_signed(key, text, each) for each in signatures):
        raise Wrong("The checkpoint's signature is wrong, or of another key.")
    for witness in witnesses:
        if not any(_has_signed(witness, text, each) for each in signatures):
            raise Wrong(
                f"The witness {witness[0]} did not cosign the checkpoint, or its cosignature is wrong."
            )
    return size, root


def _has_signed(key, text, line):
    name, key_id, algorithm, public_key = key
    if (line[0], line[1][:4]) != (name, key_id):
        return False
    if algorithm == 1:
        return signed(public_key, text.encode(), line[1][4:])
    at = int.from_bytes(line[1][4:12], "big")
    return signed(public_key, f"cosignature/v1\ntime {at}\n{text}".encode(), line[1][12:])


# What a person asks for
def check_list(lines, key, witnesses=()):
    """Check a list line by line; return (events, size of the log, events still waiting for their place)."""
    first = _json(next(lines, ""), 1)
    size, root = open_checkpoint(_of(first, "checkpoint", str, 1), key, witnesses)
    count = waiting = 0
    seen = set()
    for number, line in enumerate(lines, 2):
        event = _json(line, number)
        payload = _of(event, "payload", str, number)
        said = _json(payload, number)
        if said.get("id") in seen:
            raise Wrong(f"Line {number}: the same event again.")
        seen.add(said.get("id"))
        if event.get("proof") is None:
            waiting += 1
            continue
        index = _of(event, "index", int, number)
        path = _hashes(_of(event, "proof", list, number), number)
        if not includes(leaf_hash(payload.encode()), index, size, path, root):
            raise Wrong(
                f"Line {number}: event {said.get('id')} is not in the log as it was signed. "
                "It was changed, or never there."
            )
        _must_agree(event, said, number)
        count += 1
    return count, size, waiting


def _must_agree(event, said, number):
    """What a list shows beside the payload must be what the payload says."""
    for name, value in event.get("event", {}).items():
        if said.get(name) != value:
            raise Wrong(f"Line {number}: its {name[:40]} is shown otherwise than it was recorded.")


def _json(line, number):
    try:
        found = json.loads(line)
    except ValueError:
        raise Unreadable(f"Line {number} is not JSON.") from None
    if not isinstance(found, dict):
        raise Unreadable(f"Line {number} is not a JSON object.")
    return found


def _of(found, name, kind, number):
    if not isinstance(found.get(name), kind):
        raise Unreadable(f"Line {number} has no {name}.")
    return found[name]


def _hashes(texts, number):
    try:
        hashes = [base64.b64decode(text, validate=True) for text in texts]
    except (ValueError, TypeError):
        raise Unreadable(f"Line {number}: its proof cannot be read.") from None
    if len(hashes) > 64 or any(len(each) != 32 for each in hashes):
        raise Unreadable(f"Line {number}: its proof cannot be read.")
    return hashes


def check_consistency(old, new, proof, key, witnesses=()):
    """Whether the log of one note is the start of the other's; return both sizes."""
    (old_size, old_root), (new_size, new_root) = (
        open_checkpoint(old, key),
        open_checkpoint(new, key, witnesses),
    )
    if old_size > new_size:
        raise Wrong(f"The log shrank, from {old_size} to {new_size} entries.")
    path = _hashes(proof.split(), 1)
    if old_size and not consistent(old_size, old_root, new_size, new_root, path):
        raise Wrong(
            f"The log of {new_size} entries does not begin with the log of {old_size}: one was rewritten. "
            "Keep both files, they are the evidence."
        )
    return old_size, new_size


# A file of records: what its signed manifest says, held against what is in it
RS256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")  # of SHA-256 (RFC 8017, 9.2)


def rs256(key, message, signature):
    """Whether this RSA key (a JWK) signed this message: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2.2)."""
    modulus, exponent = (int.from_bytes(_b64url(key.get(name)), "big") for name in ("n", "e"))
    size = (modulus.bit_length() + 7) // 8
    number = int.from_bytes(signature, "big")
    if size < 256 or len(signature) != size or number >= modulus:
        return False
    told = RS256_PREFIX + hashlib.sha256(message).digest()
    padded = b"\x00\x01" + b"\xff" * (size - len(told) - 3) + b"\x00" + told
    return pow(number, exponent, modulus).to_bytes(size, "big") == padded


def canonical(value):
    """JSON as RFC 8785 has it, of what stands in a manifest: no fractions, and names in ASCII."""
    if isinstance(value, float) or (isinstance(value, dict) and not all(name.isascii() for name in value)):
        raise Unreadable("The manifest holds what no manifest holds.")
    if isinstance(value, dict):
        return "{" + ",".join(f"{canonical(k)}:{canonical(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def check_manifest(archive, keys):
    """Check a file of records; return (files, resources, when it was made)."""
    try:
        names = archive.namelist()
        manifest = _json(archive.read("manifest.json").decode(), 1)
        protected, payload, signature = archive.read("manifest.jws").decode().split(".")
    except (KeyError, ValueError):
        raise Unreadable("There is no signed manifest in the file.") from None
    if payload:
        raise Unreadable("The signature brings a manifest of its own.")
    header = _json(_b64url(protected).decode(), 1)
    if header.get("alg") != "RS256" or "crit" in header:
        raise Unreadable("The signature is of a kind that is not known here.")
    body = base64.urlsafe_b64encode(canonical(manifest).encode()).rstrip(b"=")
    message = protected.encode() + b"." + body
    ours = [key for key in keys if key.get("kty") == "RSA" and key.get("kid") == header.get("kid")]
    if not any(rs256(key, message, _b64url(signature)) for key in ours):
        raise Wrong("The manifest's signature is wrong, or of another key: the manifest was changed.")
    told = {o["url"]: (o["extension"]["sha256"], o.get("count")) for o in manifest["output"]}
    told.update({file["name"]: (file["sha256"], None) for file in manifest["extension"]["files"]})
    extra = set(names) - set(told) - {"manifest.json", "manifest.jws"}
    if extra or len(names) != len(set(names)):
        raise Wrong(f"Something was put into the file: {sorted(extra)[:1]}.")
    for name, (digest, count) in told.items():
        _check_part(archive, names, name, digest, count)
    return len(told), sum(count or 0 for _, count in told.values()), manifest.get("transactionTime")


def _check_part(archive, names, name, digest, count):
    if name not in names:
        raise Wrong(f"{name} is missing.")
    found, lines = hashlib.sha256(), 0
    with archive.open(name) as part:
        for piece in iter(lambda: part.read(1 << 20), b""):
            found.update(piece)
            lines += piece.count(b"\n")
    if found.hexdigest() != digest or count not in (None, lines):
        raise Wrong(f"{name} was changed.")


def _b64url(text):
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, TypeError):
        raise Unreadable("The signature, or a key, cannot be read.") from None


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="check a downloaded list of events")
    listing.add_argument("file")
    two = commands.add_parser("consistency", help="check that one checkpoint continues another")
    two.add_argument("old")
    two.add_argument("new")
    two.add_argument("--proof", help="file with the proof, one base64 hash a line")
    records = commands.add_parser("manifest", help="check a downloaded file of records")
    records.add_argument("file")
    records.add_argument("--keys", required=True, help="the site's published keys, /.well-known/jwks.json")
    for each in (listing, two):
        each.add_argument("--key", required=True, help="the log's verifier key")
        each.add_argument("--witness", action="append", default=[], help="verifier key of a witness")
    options = parser.parse_args(arguments)
    try:
        print(COMMANDS[options.command](options))
    except Wrong as error:
        print(f"NOT RIGHT. {error}")
        return WRONG
    except (Unreadable, OSError, UnicodeDecodeError, zipfile.BadZipFile) as error:
        print(f"It could not be checked. {error}")
        return UNREADABLE
    return 0


def _keys(options):
    return read_key(options.key), [read_key(each) for each in options.witness]


def _list(options):
    key, witnesses = _keys(options)
    began = time.monotonic()
    with open(options.file, encoding="utf-8") as file:
        count, size, waiting = check_list((line for line in file if line.strip()), key, witnesses)
    told = (
        f"All is right. {count} events are in the log {key[0]} of {size} entries, word for word as they were "
        f"recorded. The checkpoint is signed with the key you gave"
    )
    told += f", and cosigned by {', '.join(w[0] for w in witnesses)}." if witnesses else "."
    if waiting:
        told += f" {waiting} newer events had no place in the log yet: nothing can be said of them."
    return f"{told} ({time.monotonic() - began:.1f} s)"


def _two(options):
    key, witnesses = _keys(options)
    texts = []
    for path in (options.old, options.new, options.proof):
        with open(path or "/dev/null", encoding="utf-8") as file:
            texts.append(file.read())
    old, new = check_consistency(texts[0], texts[1], texts[2], key, witnesses)
    return f"All is right. The log of {new} entries begins with the log of {old} entries, unchanged."


def _manifest(options):
    with open(options.keys, encoding="utf-8") as file:
        keys = _of(_json(file.read(), 1), "keys", list, 1)
    with zipfile.ZipFile(options.file) as archive:
        count, resources, made_at = check_manifest(archive, [key for key in keys if isinstance(key, dict)])
    return (
        f"All is right. {count} files with {resources} records are as they were signed; they were asked for "
        f"at {made_at}. The manifest is signed with one of the keys you gave."
    )


COMMANDS = {"list": _list, "consistency": _two, "manifest": _manifest}


if __name__ == "__main__":
    sys.exit(main())
