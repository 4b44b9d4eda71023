"""GlucoTrack's web site: a few addresses, sessions in memory, one cookie."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from fhirclient.client import FHIRClient

from demo.glucotrack import pages, records
from demo.glucotrack.records import AccessEnded, Problem, Reading

COOKIE = "glucotrack"
MOST_SESSIONS = 200


@dataclass
class Session:
    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    client: FHIRClient | None = None
    connected: bool = False
    reading: Reading | None = None
    message: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def forget(self, message: str) -> None:
        self.client, self.connected, self.reading, self.message = None, False, None, message


class Site(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, fhir: str, client_id: str, ca: str = "") -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.fhir, self.client_id, self.ca = fhir.rstrip("/"), client_id, ca
        self.host = f"127.0.0.1:{port}"
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()

    def session(self, given: str) -> Session:
        """The session that the cookie names, or a new one; the oldest make room."""
        with self._lock:
            session = self._sessions.get(given) or Session()
            self._sessions[session.id] = session
            self._sessions.move_to_end(session.id)
            while len(self._sessions) > MOST_SESSIONS:
                self._sessions.popitem(last=False)
            return session


class Handler(BaseHTTPRequestHandler):
    server: Site
    timeout = 60

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if self.headers.get("Host") != self.server.host:  # the cookie and the callback know one name
            self._redirect(f"http://{self.server.host}{self.path}")
        elif path == "/":
            self._home()
        elif path == "/style.css":
            self._send(200, pages.STYLE, "text/css")
        elif path == "/callback":
            self._act(self._finish)
        elif path == "/launch":
            self._act(self._launch)
        else:
            self._send(404, pages.page(message="There is no such page."))

    def do_POST(self) -> None:
        actions = {"/connect": self._connect, "/read": self._read, "/forget": self._forget}
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if action := actions.get(self.path):
            self._act(action)
        else:
            self._send(404, pages.page(message="There is no such page."))

    def _home(self) -> None:
        session = self._session()
        message, session.message = session.message, ""
        body = pages.page(message=message, reading=session.reading, connected=session.connected)
        self._send(200, body, session=session)

    def _act(self, action: Callable[[Session], str | None]) -> None:
        """Do it, keep what it says for the home page, and go there (or to the clinic)."""
        session = self._session()
        with session.lock:
            try:
                target = action(session) or "/"
            except AccessEnded as ended:
                session.forget(str(ended))
                target = "/"
            except Problem as problem:
                session.message, target = str(problem), "/"
        self._redirect(target, session)

    def _connect(self, session: Session) -> str:
        redirect_uri = f"http://{self.server.host}/callback"
        session.client = records.prepare(
            self.server.fhir, self.server.client_id, redirect_uri, ca=self.server.ca
        )
        return session.client.authorize_url

    def _launch(self, session: Session) -> str:
        """The clinic opens us (SMART App Launch 2.2, EHR launch); no other clinic is known here."""
        asked = parse_qs(urlsplit(self.path).query)
        if asked.get("iss") != [self.server.fhir] or "launch" not in asked:
            raise Problem("GlucoTrack does not know this clinic.")
        redirect_uri = f"http://{self.server.host}/callback"
        session.client = records.prepare(
            self.server.fhir, self.server.client_id, redirect_uri, asked["launch"][0], ca=self.server.ca
        )
        return session.client.authorize_url

    def _finish(self, session: Session) -> None:
        if session.client is None:
            raise Problem("This answer belongs to another connection. Please start again.")
        records.finish(session.client, self.path)
        session.connected = True
        session.reading = records.read(session.client)

    def _read(self, session: Session) -> None:
        if not session.connected:
            raise Problem("This app is not connected.")
        session.reading = records.read(session.client)

    def _forget(self, session: Session) -> None:
        session.forget("GlucoTrack forgot your records. The clinic still lists it under your apps.")

    def _session(self) -> Session:
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        return self.server.session(cookie.value if cookie else "")

    def _redirect(self, target: str, session: Session | None = None) -> None:
        self._send(303, "", session=session, location=target)

    def _send(
        self,
        status: int,
        body: str,
        kind: str = "text/html",
        *,
        session: Session | None = None,
        location: str = "",
    ) -> None:
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:")
        if location:
            self.send_header("Location", location)
        if session:
            self.send_header("Set-Cookie", f"{COOKIE}={session.id}; Path=/; HttpOnly; SameSite=Lax")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the request line of a callback holds a code."""
