"""`python -m tests.bench [--smoke] [P1 P3 P4 P5 P6 P7 P8 P9 P11 P12 P13 P14 S1]`.

The exit code is 1 where a count or an invariant is broken, or a ratio is over its bar by half.
"""

import argparse
import importlib
import os
import sys
from pathlib import Path

import django

from tests.bench import stack
from tests.bench.report import about_this_run
from tests.bench.sizes import FULL, SMOKE, Sizes

PARTS = {
    "P1": "read_cost",
    "P3": "counts",
    "P6": "revocation",
    "P14": "write_back",
    "P9": "exports",  # and P10
    "P5": "decisions",
    "P4": "bearer_cost",
    "P12": "token_cost",
    "P13": "stranger_cost",
    "S1": "store",
    "P7": "audit_writes",
    "P8": "audit_seal",
    "P11": "activity",
}  # in this order


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all without one")
    parser.add_argument("--smoke", action="store_true", help="little of everything; judges counts alone")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    var, sizes = (stack.VAR / "smoke", SMOKE) if arguments.smoke else (stack.VAR, FULL)
    wanted = [part for part in PARTS if part in (arguments.parts or PARTS)]
    with stack.started(var) as servers:
        failed = [part for part in wanted if not _holds(part, servers, sizes, var)]
    print(f"\nFAILED: {', '.join(failed)}" if failed else "\nNothing failed.")
    return 1 if failed else 0


def _holds(part: str, servers: stack.Stack, sizes: Sizes, var: Path) -> bool:
    os.environ.update(
        servers.environment | {"DATABASE_POOL": "0", "DJANGO_SETTINGS_MODULE": "config.settings"}
    )
    django.setup()
    about = about_this_run(sizes)
    report = importlib.import_module(f"tests.bench.{PARTS[part]}").run(servers, sizes)
    print(report.text(), flush=True)
    print(f"  {about['machine']}, load {about['load_average']:.1f}, {about['at']}, {about['commit']}")
    print(f"  {report.save(var, about)}", flush=True)
    return not report.failed(counts_only=sizes is SMOKE)


if __name__ == "__main__":
    sys.exit(main())
