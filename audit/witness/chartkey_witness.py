#!/usr/bin/env python3
"""A witness for transparency logs (c2sp.org/tlog-witness, c2sp.org/tlog-cosignature), for a host of its own.

    python3 chartkey_witness.py key --key witness.key --name witness.example/w1
    python3 chartkey_witness.py serve --key witness.key --name witness.example/w1 --state state.json \\
        --log records.example/audit+1a2b3c4d+A... [--host 127.0.0.1] [--port 8090]
    python3 chartkey_witness.py forget --state state.json --origin records.example/audit

It keeps each log's last size and root, and cosigns a checkpoint only after a proof that the log grew from
what it was. It refuses forks and logs that shrink, whoever signed them. `forget` is for the day when a log
was restored from an older backup and people have agreed on it; what was forgotten stays in the state file.
One file; needs Python 3.9+ and the `cryptography` package.
"""

import argparse
import base64
import hashlib
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MOST_BYTES = 64 * 1024
MOST_PROOF = 63
LOG, COSIGNER = b"\x01", b"\x04"


class Refused(Exception):
    """A status and, for 409, the size."""

    def __init__(self, status, text=""):
        super().__init__(status)
        self.status, self.text = status, text


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def consistent(old_size, old_root, new_size, new_root, path):
    """RFC 9162, 2.1.4.2, for 0 < old_size < new_size."""
    if not path:
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


def key_id(name, algorithm, public_key):
    return hashlib.sha256(name.encode() + b"\n" + algorithm + public_key).digest()[:4]


def verifier_key(name, algorithm, public_key):
    encoded = base64.b64encode(algorithm + public_key).decode()
    return f"{name}+{key_id(name, algorithm, public_key).hex()}+{encoded}"


def load_key(path):
    """The seed (32 bytes, hexadecimal) in a file of mode 0600, made where there is none."""
    if not os.path.exists(path):
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(os.urandom(32).hex() + "\n")
    with open(path) as file:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(file.read().strip()))


class Witness:
    """What it has seen of each log, on disk before it answers."""

    def __init__(self, name, key, state, logs):
        self.name, self._key, self._path = name, key, state
        self._public = key.public_key().public_bytes_raw()
        self._lock = threading.Lock()
        self._logs: dict = {}
        for text in logs:
            origin, known, encoded = text.split("+", 2)
            raw = base64.b64decode(encoded)
            if raw[:1] != LOG or key_id(origin, LOG, raw[1:]).hex() != known:
                raise SystemExit(f"{origin} has no verifier key of a log")
            self._logs.setdefault(origin, []).append(raw[1:])

    def add(self, body):
        """Answer one add-checkpoint: the cosignature line. Raises Refused."""
        old, proof, note = self._parse(body)
        text, _, signatures = note.rpartition("\n\n")
        text += "\n"
        try:
            origin, size_line, root = text.split("\n")[:3]
            size, root = int(size_line), base64.b64decode(root, validate=True)
        except ValueError:
            raise Refused(400) from None
        if origin not in self._logs:
            raise Refused(404)
        if not self._is_signed(origin, text, signatures):
            raise Refused(403)
        if len(root) != 32 or str(size) != size_line or old > size:
            raise Refused(400)
        with self._lock:  # looking and keeping are one step: two requests cannot roll each other back
            seen = self._read()
            last = seen["logs"].get(origin, {"size": 0, "root": ""})
            if old != last["size"]:
                raise Refused(409, f"{last['size']}\n")
            if old == size and old and base64.b64decode(last["root"]) != root:
                raise Refused(409, f"{last['size']}\n")
            if old == 0 and proof:
                raise Refused(422)
            if 0 < old < size and not consistent(old, base64.b64decode(last["root"]), size, root, proof):
                raise Refused(422)
            line = self._cosigned(text)
            seen["logs"][origin] = {
                "size": size,
                "root": base64.b64encode(root).decode(),
                "note": note + line,
            }
            self._write(seen)
        return line

    def last(self, origin):
        """The last note that was cosigned, for whoever compares views."""
        return self._read()["logs"].get(origin, {}).get("note", "")

    def _parse(self, body):
        head, found, note = body.partition("\n\n")
        first, *lines = head.split("\n")
        word, _, number = first.partition(" ")
        if not found or word != "old" or not number.isdigit() or str(int(number)) != number:
            raise Refused(400)
        if len(lines) > MOST_PROOF:
            raise Refused(400)
        try:
            proof = [base64.b64decode(line, validate=True) for line in lines]
        except ValueError:
            raise Refused(400) from None
        if any(len(each) != 32 for each in proof):
            raise Refused(400)
        return int(number), proof, note

    def _is_signed(self, origin, text, signatures):
        for line in signatures.splitlines():
            try:
                dash, name, encoded = line.split(" ")
                raw = base64.b64decode(encoded, validate=True)
            except ValueError:
                raise Refused(400) from None
            for public in self._logs[origin]:
                if dash == "\u2014" and (name, raw[:4]) == (origin, key_id(origin, LOG, public)):
                    try:
                        Ed25519PublicKey.from_public_bytes(public).verify(raw[4:], text.encode())
                        return True
                    except InvalidSignature:
                        continue
        return False

    def _cosigned(self, text):
        at = int(time.time())
        signature = self._key.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
        raw = key_id(self.name, COSIGNER, self._public) + at.to_bytes(8, "big") + signature
        return f"\u2014 {self.name} {base64.b64encode(raw).decode()}\n"

    def _read(self):
        return read_state(self._path)

    def _write(self, seen):
        write_state(self._path, seen)


def read_state(path):
    if not os.path.exists(path):
        return {"logs": {}, "forgotten": []}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def write_state(path, seen):
    """Whole or not at all, and on the disk before anybody hears of it."""
    part = f"{path}.part"
    with open(part, "w", encoding="utf-8") as file:
        json.dump(seen, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def handler(witness):
    class Handler(BaseHTTPRequestHandler):
        timeout = 30

        def do_POST(self):
            length = self.headers.get("Content-Length", "")
            if self.path != "/add-checkpoint" or not length.isdigit() or int(length) > MOST_BYTES:
                self._answer(404 if self.path != "/add-checkpoint" else 400, "")
                return
            try:
                self._answer(200, witness.add(self.rfile.read(int(length)).decode()))
            except UnicodeDecodeError:
                self._answer(400, "")
            except Refused as refused:
                kind = "text/x.tlog.size" if refused.status == 409 else "text/plain"
                self._answer(refused.status, refused.text, kind)

        def do_GET(self):
            note = (
                witness.last(self.path[len("/checkpoint/") :]) if self.path.startswith("/checkpoint/") else ""
            )
            self._answer(200 if note else 404, note)

        def _answer(self, status, text, kind="text/plain; charset=utf-8"):
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, form, *values):
            print(f"{self.log_date_time_string()} {form % values}", flush=True)

    return Handler


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    key, serve, forget = (commands.add_parser(name) for name in ("key", "serve", "forget"))
    for each in (key, serve):
        each.add_argument("--key", required=True)
        each.add_argument("--name", required=True)
    for each in (serve, forget):
        each.add_argument("--state", required=True)
    serve.add_argument("--log", action="append", required=True, help="verifier key of a log")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8090)
    forget.add_argument("--origin", required=True)
    options = parser.parse_args(arguments)
    if options.command == "forget":
        seen = read_state(options.state)
        last = seen["logs"].pop(options.origin, None)
        seen["forgotten"].append({"origin": options.origin, "at": int(time.time()), "last": last})
        write_state(options.state, seen)
        print("Forgotten. It starts anew with the next checkpoint; stop the server before, start it after.")
        return 0
    secret = load_key(options.key)
    if options.command == "key":
        print(verifier_key(options.name, COSIGNER, secret.public_key().public_bytes_raw()))
        return 0
    witness = Witness(options.name, secret, options.state, options.log)
    server = ThreadingHTTPServer((options.host, options.port), handler(witness))
    print(f"witness {options.name} listens on http://{options.host}:{server.server_address[1]}", flush=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
