"""python -m demo.lakeside --port 8002 --today 2026-03-09"""

import argparse
import signal
import sys
from datetime import date

from demo.lakeside.records import records
from demo.lakeside.site import Site


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.lakeside", description=__doc__)
    parser.add_argument("--port", type=int, default=8002)
    parser.add_argument("--today", type=date.fromisoformat, default=date.today())
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Site(arguments.port, records(arguments.today)) as site:
        print(f"Lakeside Hospital answers at {site.base}", flush=True)
        site.serve_forever()


if __name__ == "__main__":
    main()
