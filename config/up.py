"""`make demo`: everything on this machine under one supervisor, with one Ctrl-C.

Runs without Django: it starts the embedded servers, prepares the database, seeds it on the
first run, starts the programs of `config.supervisor.programs`, waits until each answers and
keeps them up.
"""

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from config import certificates
from config.embedded import OWNER, psql_program, start_postgres, start_valkey, stop_postgres, stop_valkey
from config.supervisor import children, demo_env, stamps
from config.supervisor.children import Child, Program
from config.supervisor.programs import programs, second_ehr, wait_until
from config.supervisor.terminal import Signals, Stopped, Trouble, say, step

ROOT = Path(__file__).resolve().parent.parent
VAR = Path(os.environ.get("CHARTKEY_VAR") or ROOT / "var").resolve()
LAST_PORT = 65535
PATIENCE = 120.0  # seconds for one program to answer
OF_THE_DEMO = [
    *("postgres", "valkey", "demo.env", "oidc.pem", "seeded.json", "stamps.json", "people.txt"),
    *("tls", "exports", "audit", "mail", "static", "log", "celerybeat-schedule*"),
]


def up(arguments: argparse.Namespace, signals: Signals) -> None:
    data = _checked_data(arguments.data)
    with only_one():
        if left := children.end_left_over(VAR / "run"):
            say(f"The last run was killed; ended what it left: {', '.join(left)}.")
        _check_ports(arguments.port, arguments.app_port)
        with servers(arguments.port, arguments.app_port, tls=arguments.tls) as environment:
            signals.raise_if_arrived()
            prepare(environment, data, signals)
            run(environment, arguments, signals)


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """One supervisor for one var/. The lock goes with the process, however that ends."""
    (VAR / "run").mkdir(parents=True, exist_ok=True)
    with (VAR / "run" / "supervisor.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            address = demo_env.read(VAR / "demo.env").get("BASE_URL", "")
            raise Trouble(f"Chartkey is running already: {address} (Ctrl-C in its window stops it)") from None
        yield


@contextlib.contextmanager
def servers(port: int, client_port: int, *, tls: bool = False) -> Iterator[dict[str, str]]:
    """PostgreSQL and Valkey, for as long as the block runs, and the environment that names them."""
    with step("PostgreSQL and Valkey"):
        postgres, valkey = start_postgres(VAR / "postgres"), start_valkey(VAR / "valkey")
    try:
        values = demo_env.write(
            VAR,
            postgres=postgres,
            valkey=valkey,
            port=port,
            client_port=client_port,
            ehr_port=_ehr_port(port, client_port),
            tls=tls,
        )
        # the demo's own values win: a DATABASE_URL in the shell may be a real one
        yield {**os.environ, **values, "CHARTKEY_ENV_FILE": str(VAR / "demo.env"), "PYTHONUNBUFFERED": "1"}
    finally:
        valkey.stop()
        postgres.stop()


def prepare(environment: Mapping[str, str], data: Path | None, signals: Signals) -> None:
    as_owner = {**environment, "DATABASE_URL": environment["OWNER_DATABASE_URL"]}
    for name, title, run_as, command in (
        ("migrate", "Database tables", as_owner, ["migrate", "--verbosity", "0"]),
        ("catalogue", "Words in English and Spanish", environment, ["catalogue", "compile"]),
        ("static", "Static files", environment, ["collectstatic", "--noinput", "--verbosity", "0"]),
    ):
        if stamps.is_stale(VAR / "stamps.json", name):
            with step(title):
                manage(command, run_as, signals)
            stamps.renew(VAR / "stamps.json", name)
    seed(environment, data, signals)


def seed(environment: Mapping[str, str], data: Path | None, signals: Signals) -> None:
    """Load the demo population, or the user's own bundles, once for this var/."""
    marker, wanted = VAR / "seeded.json", str(data) if data else "demo"
    if marker.exists():
        if data and json.loads(marker.read_text())["from"] != wanted:
            raise Trouble(
                f"var/ holds records already. To start over: make demo-reset && make demo DATA={data}"
            )
        _follow_addresses(environment, signals)
        return
    with step("Your records" if data else "Demo population"):
        options = ["--data", wanted] if data else []
        printed = manage(["demo_seed", *options], environment, signals, shown=bool(data))
    _, _, people = printed.partition("Log-ins")
    (VAR / "people.txt").write_text(f"Log-ins{people.partition('Done in')[0]}")
    made = {"from": wanted, "day": f"{date.today()}", "ehr": environment["LAKESIDE_URL"]}
    marker.write_text(json.dumps(made))


def _follow_addresses(environment: Mapping[str, str], signals: Signals) -> None:
    """Where the second EHR has another port than last time, its source is told."""
    marker = VAR / "seeded.json"
    made = json.loads(marker.read_text())
    if made["from"] == "demo" and made.get("ehr") != environment["LAKESIDE_URL"]:
        manage(["demo_seed", "--addresses"], environment, signals)
        marker.write_text(json.dumps({**made, "ehr": environment["LAKESIDE_URL"]}))


def manage(
    command: Sequence[str], environment: Mapping[str, str], signals: Signals, *, shown: bool = False
) -> str:
    """Run one manage.py command to its end and return what it printed; `shown` prints it here too.
    Raises Trouble with its last lines when it fails."""
    program = Program(
        name="setup",
        title=f"manage.py {command[0]}",
        argv=[sys.executable, "manage.py", *command],
        environment={**environment, "DATABASE_POOL": "0"},
    )
    child, printed = Child(program, VAR), 0
    child.start()
    while running := child.is_alive():
        if signals.arrived.wait(0.05):
            break
        printed += _show(child.output()[printed:]) if shown else 0
    children.stop([child], hurry=signals.in_a_hurry)
    if running:
        raise Stopped
    if child.process.returncode and shown:
        _show(child.output()[printed:])
        raise Trouble(f"manage.py {command[0]} failed; why is said above.")
    if child.process.returncode:
        raise Trouble(f"manage.py {' '.join(command)} failed:\n{child.last_lines()}")
    return child.output()


def _show(text: str) -> int:
    print(text, end="", flush=True)
    return len(text)


def run(environment: Mapping[str, str], arguments: argparse.Namespace, signals: Signals) -> None:
    tls = certificates.ensure(VAR / "tls") if arguments.tls else None
    wanted = programs(environment, port=arguments.port, client_port=arguments.app_port, tls=tls)
    made = json.loads((VAR / "seeded.json").read_text())
    if made["from"] == "demo":
        wanted.append(second_ehr(environment, made.get("day") or f"{date.today()}"))
    running: list[Child] = []
    try:
        for program in wanted:
            child = Child(program, VAR)
            child.start()
            running.append(child)
        for child in running:
            with step(child.program.title):
                _wait_for(child, signals)
        _show_addresses(environment)
        _keep_up(running, signals)
    finally:
        say("Stopping ...")
        # the sequencer goes last, so that it takes in what the others wrote at the end
        last = [child for child in running if child.program.name == "sequencer"]
        children.stop([child for child in running if child not in last], hurry=signals.in_a_hurry)
        children.stop(last, hurry=signals.in_a_hurry)


def _wait_for(child: Child, signals: Signals) -> None:
    def given_up() -> bool:
        return bool(signals.count) or not child.is_alive()

    if wait_until(child.answers, seconds=PATIENCE, given_up=given_up):
        return
    signals.raise_if_arrived()
    how = "does not answer" if child.is_alive() else "ended while starting"
    raise Trouble(_last_words(child, how))


def _last_words(child: Child, how: str) -> str:
    return f"{child.program.title} {how}. The end of {child.log}:\n{child.last_lines()}"


def _keep_up(running: Sequence[Child], signals: Signals) -> None:
    while not signals.arrived.wait(0.5):
        for child in running:
            if news := child.watch():
                say(news)
            if child.failures > children.MOST_FAILURES:
                raise Trouble(_last_words(child, "fails again and again"))


def _show_addresses(environment: Mapping[str, str]) -> None:
    say(f"""
Chartkey is running.

  Portal     {environment["BASE_URL"]}/
  Demo app   {environment["DEMO_CLIENT_URL"]}/   GlucoTrack, a separate app that asks for records
  FHIR API   {environment["BASE_URL"]}/fhir/r4/metadata
  Lakeside   {environment["LAKESIDE_URL"]}   a second hospital, where Alice has records too
  E-mail     {VAR / "mail"}   nothing leaves this machine
  Logs       {VAR / "log"}
""")
    if environment["BASE_URL"].startswith("https"):
        say(f"  Its certificate is signed by {VAR / 'tls' / 'ca.pem'}: for curl --cacert, or a browser.")
    people = VAR / "people.txt"
    if people.exists():
        say(people.read_text().rstrip() + "\n")
    say("Ctrl-C stops everything.")


def _checked_data(given: str) -> Path | None:
    if not given:
        return None
    path = Path(given).expanduser().resolve()
    if not path.exists():
        raise Trouble(f"There is nothing at {path}. DATA takes a FHIR file, or a folder of them.")
    return path


def _check_ports(port: int, client_port: int) -> None:
    if port == client_port:
        raise Trouble("PORT and APP_PORT are the same. Try: make demo PORT=8010 APP_PORT=8011")
    for number in (port, client_port):
        if not _is_free(number):
            free = next(n for n in range(8010, 65000, 10) if _is_free(n) and _is_free(n + 1))
            raise Trouble(f"Port {number} is taken. Try: make demo PORT={free} APP_PORT={free + 1}")


def _ehr_port(port: int, client_port: int) -> int:
    """For the second EHR: the port that it had, or the next one that is free."""
    kept = urlsplit(demo_env.read(VAR / "demo.env").get("LAKESIDE_URL", "")).port
    wanted = [*([kept] if kept else []), *range(8002, 9000)]
    return next(n for n in wanted if n not in (port, client_port) and _is_free(n))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def reset() -> None:
    """Remove the demo's data, and nothing else that is in var/."""
    with only_one():
        children.end_left_over(VAR / "run")
        stop_valkey(VAR / "valkey")
        stop_postgres(VAR / "postgres")
        for pattern in OF_THE_DEMO:
            for path in VAR.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    say(f"The demo's data in {VAR} are gone. make demo starts over.")


@contextlib.contextmanager
def _running(arguments: argparse.Namespace) -> Iterator[dict[str, str]]:
    """The environment of the demo that runs, or of servers started for one command."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(only_one())
        except Trouble:
            values = demo_env.read(VAR / "demo.env")
            environment = {**os.environ, **values, "CHARTKEY_ENV_FILE": str(VAR / "demo.env")}
        else:
            environment = stack.enter_context(servers(arguments.port, arguments.app_port))
        yield environment


def psql_only(arguments: argparse.Namespace) -> int:
    """SQL on the demo's database as its superuser, whom no right stops: to try to cheat the log."""
    with _running(arguments) as environment:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # psql's: it cancels a statement
        superuser = environment["OWNER_DATABASE_URL"].replace(f"//{OWNER}@", "//postgres@", 1)
        return subprocess.run([psql_program(), superuser], cwd=ROOT, check=False).returncode


def manage_only(command: Sequence[str], arguments: argparse.Namespace) -> int:
    """Run manage.py on the demo's database: the running one, or one started for the command."""
    with _running(arguments) as environment:
        if command[:1] == ["migrate"]:
            environment["DATABASE_URL"] = environment["OWNER_DATABASE_URL"]
        environment["DATABASE_POOL"] = "0"
        return subprocess.run(
            [sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=False
        ).returncode


def _port(text: str) -> int:
    """Raises Trouble: argparse would print its usage, which is not what people typed."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= LAST_PORT:
        raise Trouble(
            f"{text!r} is no port: a number from 1 to {LAST_PORT}. Try: make demo PORT=8010 APP_PORT=8011"
        )
    return int(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m config.up", description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=_port, default=8000, help="of the portal")
    parser.add_argument("--app-port", type=_port, default=8001, help="of the demo app")
    parser.add_argument("--tls", action="store_true", help="serve the portal by https, self-signed")
    parser.add_argument("--data", default="", help="FHIR bundles to load instead of the demo population")
    parser.add_argument("--psql", action="store_true", help="SQL on the demo's database, as its superuser")
    parser.add_argument("--reset", action="store_true", help="remove the demo's data")
    parser.add_argument("manage", nargs=argparse.REMAINDER, metavar="manage", help="one manage.py command")
    return parser.parse_args()


def main() -> int:
    signals = Signals()
    began = time.monotonic()
    try:
        arguments = _arguments()
        if arguments.reset:
            reset()
        elif arguments.psql:
            return psql_only(arguments)
        elif arguments.manage:
            return manage_only(arguments.manage[1:], arguments)
        else:
            signals.install()
            up(arguments, signals)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    except Stopped:
        pass
    if not arguments.reset:
        say(f"Stopped. It ran {time.monotonic() - began:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
