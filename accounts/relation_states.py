"""The life of a relationship, as one table. The picture in docs/helpers.md is made from it."""

from collections.abc import Mapping
from enum import StrEnum

from accounts.models import RelatedPerson

S = RelatedPerson.Status


class Why(StrEnum):
    """Why a relationship became what it is. Values are kept: never rename one."""

    REQUESTED = "requested"  # the helper asked, and staff looks at it
    CODE_TAKEN = "code-taken"  # the patient's one-time code was entered
    MORE_EVIDENCE = "more-evidence"  # staff asked for something more
    EVIDENCE_SEEN = "evidence-seen"
    EVIDENCE_REFUSED = "evidence-refused"
    WITHDRAWN = "withdrawn"  # by the helper, before an answer
    NOT_ANSWERED = "not-answered"
    PATIENT_NARROWED = "patient-narrowed"
    PATIENT_WIDENED = "patient-widened"
    TEEN_ASSENT = "teen-assent"  # a teen gave back some of what their age took
    TEEN_AGE = "teen-age"  # written down; the rule itself holds by the clock
    RENEWED = "renewed"
    PATIENT_STOPPED = "patient-stopped"
    STAFF_STOPPED = "staff-stopped"
    HELPER_STOPPED = "helper-stopped"
    OF_AGE = "of-age"
    EMANCIPATED = "emancipated"
    MERGED = "merged"  # it goes on at the record that was kept
    TIME_OVER = "time-over"
    PATIENT_DIED = "patient-died"
    CAN_DECIDE = "can-decide"  # the patient decides for themself again
    HELPER_LEFT = "helper-left"  # their account was closed


# From a state, for a reason, to a state. What is not here cannot happen.
ENDS = {
    Why.PATIENT_STOPPED: S.REVOKED,
    Why.STAFF_STOPPED: S.REVOKED,
    Why.HELPER_STOPPED: S.ENDED,
    Why.OF_AGE: S.ENDED,
    Why.EMANCIPATED: S.ENDED,
    Why.MERGED: S.ENDED,
    Why.TIME_OVER: S.EXPIRED,
    Why.PATIENT_DIED: S.ENDED,
    Why.CAN_DECIDE: S.ENDED,
    Why.HELPER_LEFT: S.ENDED,
}
TRANSITIONS: Mapping[S, Mapping[Why, S]] = {
    S.ASKED: {
        Why.MORE_EVIDENCE: S.ASKED,
        Why.EVIDENCE_SEEN: S.CONFIRMED,
        Why.EVIDENCE_REFUSED: S.DENIED,
        Why.PATIENT_STOPPED: S.DENIED,
        Why.WITHDRAWN: S.ENDED,
        Why.MERGED: S.ENDED,
        Why.OF_AGE: S.ENDED,
        Why.PATIENT_DIED: S.ENDED,
        Why.HELPER_LEFT: S.ENDED,
        Why.NOT_ANSWERED: S.EXPIRED,
    },
    S.CONFIRMED: {
        Why.PATIENT_NARROWED: S.NARROWED,
        Why.TEEN_AGE: S.NARROWED,
        Why.PATIENT_WIDENED: S.CONFIRMED,
        Why.RENEWED: S.CONFIRMED,
        **ENDS,
    },
    S.NARROWED: {
        Why.PATIENT_NARROWED: S.NARROWED,
        Why.TEEN_AGE: S.NARROWED,
        Why.TEEN_ASSENT: S.NARROWED,
        Why.PATIENT_WIDENED: S.CONFIRMED,
        Why.RENEWED: S.NARROWED,
        **ENDS,
    },
    S.DENIED: {},
    S.ENDED: {},
    S.EXPIRED: {},
    S.REVOKED: {},
}
STARTS: Mapping[Why, S] = {Why.REQUESTED: S.ASKED, Why.CODE_TAKEN: S.CONFIRMED}
LIVING = frozenset({S.ASKED, S.CONFIRMED, S.NARROWED})
HELPING = frozenset({S.CONFIRMED, S.NARROWED})


def diagram() -> str:
    """The table as a Mermaid state diagram, for docs/helpers.md."""
    lines = ["stateDiagram-v2", *(f"    [*] --> {then}: {why}" for why, then in STARTS.items())]
    for now, following in TRANSITIONS.items():
        for then in sorted(set(following.values())):
            reasons = ", ".join(sorted(why for why, state in following.items() if state == then))
            lines.append(f"    {now} --> {then}: {reasons}")
        if not following:
            lines.append(f"    {now} --> [*]")
    return "\n".join(lines)
