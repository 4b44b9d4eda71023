"""python -m demo.glucotrack --port 8001 --fhir http://127.0.0.1:8000/fhir/r4 --client-id glucotrack"""

import argparse
import signal
import sys

from demo.glucotrack.site import Site


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.glucotrack", description=__doc__)
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--fhir", required=True, help="the clinic's FHIR base address")
    parser.add_argument("--client-id", required=True)
    parser.add_argument("--ca", default="", help="the authority that signed the clinic's certificate")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Site(arguments.port, arguments.fhir, arguments.client_id, arguments.ca) as site:
        print(f"GlucoTrack answers at http://{site.host}/", flush=True)
        site.serve_forever()


if __name__ == "__main__":
    main()
