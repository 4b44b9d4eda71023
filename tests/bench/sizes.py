"""How much of everything: for a report, and for the few seconds of a test."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    rounds: int  # interleaved; the least of them counts
    seconds: float  # of load in one measurement
    settle: float  # seconds after it that are measured too
    patients: int  # with a consent and a token each, for reads
    results: int  # that a search answers with
    consents: int  # over a tenth as many patients, and as many again on one patient
    few: int  # consents in the small database
    many: int  # and in the large one
    authorities: int  # different tokens that decisions are taken for
    calls: int  # of one function in one measurement
    readers: int  # threads that read all the time
    revokes: int  # while they read
    pause: float  # seconds between two revokes
    writers: int  # connections that insert events
    events: int  # that are recorded, sealed and verified
    resources: int  # that are imported into the embedded EHR
    exported: int  # resources of a bulk export
    attachment: int  # bytes
    slow: float  # seconds until an EHR answers
    hung: float


FULL = Sizes(
    rounds=3,
    seconds=2.0,
    settle=0.6,
    patients=20,
    results=50,
    consents=10_000,
    few=100,
    many=1_000_000,
    authorities=200,
    calls=20_000,
    readers=200,
    revokes=20,
    pause=0.1,
    writers=32,
    events=50_000,
    resources=20_000,
    exported=50_000,
    attachment=50 * 2**20,
    slow=5.0,
    hung=30.0,
)
SMOKE = Sizes(
    rounds=1,
    seconds=0.2,
    settle=0.1,
    patients=3,
    results=5,
    consents=40,
    few=10,
    many=100,
    authorities=5,
    calls=50,
    readers=12,
    revokes=3,
    pause=0.02,
    writers=4,
    events=600,
    resources=300,
    exported=600,
    attachment=2**20,
    slow=3.0,
    hung=5.0,
)
