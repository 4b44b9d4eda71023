"""What the demo's supervisor runs, and how it knows that each of them answers."""

import http.client
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from config.certificates import Tls
from config.supervisor.children import Program

CELERY = "-m celery -A config.celery"


def programs(
    environment: Mapping[str, str], *, port: int, client_port: int, tls: Tls | None = None
) -> list[Program]:
    """In the order in which they are started and shown."""
    lean = {**environment, "DATABASE_POOL": "0"}  # only the web server has many threads to serve
    return [
        Program(
            name="web",
            title="The portal",
            argv=_python(
                f"-m granian --interface wsgi --no-ws --host 127.0.0.1 --port {port} --workers 1 "
                "--blocking-threads 16 --workers-kill-timeout 5 config.wsgi:application"
            )
            + _certificate(tls),
            environment=environment,
            answers=lambda: _status(port, "/healthz", tls) == 200,
        ),
        Program(
            name="worker",
            title="The worker",
            argv=_python(
                f"{CELERY} worker --pool threads --concurrency 2 --loglevel INFO "
                "--without-gossip --without-mingle --without-heartbeat"
            ),
            environment=lean,
            answers=lambda: _worker_answers(environment["CELERY_BROKER_URL"]),
        ),
        Program(
            name="beat",
            title="The scheduler",
            argv=_python(f"{CELERY} beat --loglevel INFO --pidfile="),
            environment=lean,
            says="beat: Starting...",
        ),
        Program(
            name="sequencer",
            title="The audit sequencer",
            argv=_python("manage.py audit_sequence"),
            environment=lean,
            says="audit_sequence is ready",
        ),
        Program(
            name="glucotrack",
            title="The demo app",
            argv=_python(
                f"-m demo.glucotrack --port {client_port} "
                f"--fhir {environment['BASE_URL']}/fhir/r4 --client-id glucotrack"
            )
            + (["--ca", str(tls.authority)] if tls else []),
            environment=environment,
            answers=lambda: _status(client_port, "/") == 200,
        ),
    ]


def second_ehr(environment: Mapping[str, str], day: str) -> Program:
    """Lakeside Hospital, whose records count from the day on which the population was made (ISO 8601)."""
    ehr_port = int(urlsplit(environment["LAKESIDE_URL"]).port or 0)
    return Program(
        name="lakeside",
        title="A second hospital",
        argv=_python(f"-m demo.lakeside --port {ehr_port} --today {day}"),
        environment=environment,
        answers=lambda: _status(ehr_port, "/lakeside/fhir/metadata") == 200,
    )


def _python(arguments: str) -> list[str]:
    return [sys.executable, *arguments.split()]


def _certificate(tls: Tls | None) -> list[str]:
    """Paths may hold blanks, so they are no part of a command line that is split."""
    if tls is None:
        return []
    files = ["--ssl-certificate", str(tls.certificate), "--ssl-keyfile", str(tls.key)]
    return [*files, "--ssl-protocol-min", "tls1.2"]


def wait_until(answers: Callable[[], bool], *, seconds: float, given_up: Callable[[], bool]) -> bool:
    """Ask every quarter of a second; False when the time is over or `given_up` says so."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not given_up():
        if answers():
            return True
        time.sleep(0.25)
    return False


def _status(port: int, path: str, tls: Tls | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    if tls:
        trusted = ssl.create_default_context(cafile=str(tls.authority))
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=trusted)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _worker_answers(broker_url: str) -> bool:
    from celery import Celery  # a bare one, without Django and our tasks

    with Celery(broker=broker_url) as app:
        return bool(app.control.ping(timeout=1.0))
