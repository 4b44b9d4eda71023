"""A FHIR REST server over HTTP: bounded in time and size, tried again where safe, left alone when ill."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

import structlog

from fhirproxy.adapters import Adapter
from fhirproxy.messages import FHIR_JSON, FhirRequest, FhirResponse, Trouble, UpstreamUnavailable
from fhirproxy.upstream import bodies, wire
from fhirproxy.upstream.credentials import Credentials
from fhirproxy.upstream.exchange import Bounds, Server, within
from fhirproxy.upstream.guard import Guard

SAFE = frozenset({"GET", "HEAD"})
TRIES = 3
PASSING = frozenset({429, 502, 503, 504})  # statuses that may be others in a moment
LOST = frozenset({Trouble.CONNECT, Trouble.CUT_OFF})
# What is at one address, and says nothing of others: who asks for it closes the EHR to nobody.
OF_ONE_ADDRESS = frozenset({Trouble.TOO_LARGE, Trouble.NOT_FHIR, Trouble.REDIRECT})
FIRST_PAUSE = 0.1  # seconds; doubled each time, and half of it by chance
LONGEST_PAUSE = 5  # seconds that an EHR may make us wait within a request
LONGEST_WAIT = 3600  # and tell others to wait
log = structlog.get_logger("chartkey.upstream")


@dataclass(frozen=True, slots=True)
class Http:
    """One EHR. Shared by all threads of this process."""

    slug: str
    server: Server
    bounds: Bounds
    credentials: Credentials
    adapter: Adapter
    guard: Guard
    sleep: Callable[[float], None] = time.sleep

    def send(self, request: FhirRequest) -> FhirResponse:
        """Raises UpstreamUnavailable. Redirects are not followed: they could lead anywhere."""
        try:
            with self.guard.turn(), within(self.bounds.deadline):
                answer = self._judged(self.adapter.asked(request))
        except UpstreamUnavailable as error:
            log.warning("upstream gave no answer", source=self.slug, reason=error.trouble.value)
            raise
        return self.adapter.told(answer)

    def _judged(self, request: FhirRequest) -> FhirResponse:
        """The answer, which counts for the EHR or against it; not where it hardly had time for one."""
        had_time = wire.left() >= min(self.bounds.connect, self.bounds.deadline / 2)
        try:
            answer = self._patiently(request)
            _check(answer)
        except UpstreamUnavailable as error:
            if error.trouble not in OF_ONE_ADDRESS and (had_time or error.trouble is not Trouble.TIMEOUT):
                self.guard.failed()
            raise
        if answer.status >= 500 or answer.status == 429:
            self.guard.failed()
        else:
            self.guard.succeeded()
        return answer

    def _patiently(self, request: FhirRequest) -> FhirResponse:
        """Reads are tried again where that may help, as long as there is time; nothing else ever is."""
        last = TRIES if request.method in SAFE else 1
        for attempt in range(1, last + 1):
            pause = FIRST_PAUSE * 2**attempt * random.uniform(0.5, 1)  # noqa: S311 (no secret)
            try:
                answer = self._authorized(request)
            except UpstreamUnavailable as error:
                if attempt == last or error.trouble not in LOST or pause >= wire.left():
                    raise
            else:
                pause = max(pause, wait_of(answer))
                hopeless = pause > LONGEST_PAUSE or pause >= wire.left()
                if attempt == last or answer.status not in PASSING or hopeless:
                    return answer
            self.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _authorized(self, request: FhirRequest) -> FhirResponse:
        """A token that was ended early is renewed, once: a 401 says that nothing was done."""
        answer = self._once(request, self.credentials.header())
        if answer.status == 401 and self.credentials.renewable:
            answer = self._once(request, self.credentials.header(fresh=True))
        if answer.status == 401:
            raise UpstreamUnavailable("our credentials were not taken", Trouble.CREDENTIALS)
        return answer

    def _once(self, request: FhirRequest, authorization: str) -> FhirResponse:
        headers = {"Accept": FHIR_JSON, **_correlation(), **request.headers}
        if request.method in SAFE and request.query:
            headers.setdefault("Prefer", "handling=strict")  # a parameter passed over widens a search
        if authorization:
            headers["Authorization"] = authorization
        path = f"{self.server.path}/{request.path}" if request.path else self.server.path or "/"
        query = f"?{urlencode(request.query)}" if request.query else ""
        return self.server.exchange(request.method, path + query, headers, request.body)


def wait_of(answer: FhirResponse) -> int:
    """Seconds that the EHR asks us to wait (RFC 9110, 10.2.3); 0 where it does not, or gives a date."""
    said = answer.headers.get("retry-after", "")
    return min(int(said), LONGEST_WAIT) if said.isdecimal() and len(said) < 10 else 0


def _check(answer: FhirResponse) -> None:
    """What is passed on as a success is JSON, and one that has one meaning."""
    if not 200 <= answer.status < 300 or not answer.body:
        return
    try:
        bodies.check(answer.body)
    except bodies.BadBody as error:
        raise UpstreamUnavailable(str(error), Trouble.NOT_FHIR) from error


def _correlation() -> dict[str, str]:
    known = structlog.contextvars.get_contextvars().get("correlation_id")
    return {"X-Request-Id": str(known)} if known else {}
