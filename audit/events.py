"""What the log can say: its types of event, how each may end, and what each must name."""

from collections.abc import Mapping
from enum import StrEnum


class Outcome(StrEnum):
    """How it ended. Values are kept in the log: never rename one."""

    PERMIT = "permit"  # an access was allowed
    DENY = "deny"  # it was refused; `reasons` say why
    DONE = "done"  # a change was made
    FAILED = "failed"  # it was allowed, or needed no leave, and did not come about


class Role(StrEnum):
    """In what capacity the actor acted."""

    PATIENT = "patient"
    HELPER = "helper"
    CLINICIAN = "clinician"
    CLIENT = "client"
    BILLING = "billing"
    SUPPORT = "support"
    COMPLIANCE = "compliance"
    SYSTEM = "system"


class EventType(StrEnum):
    """Codes are `noun:verb`, kept in the log: never rename one."""

    SESSION_START = "session:start"
    SESSION_END = "session:end"
    SESSION_FAIL = "session:fail"
    DEVICE_NEW = "device:new"  # a sign-in in a browser that was not known
    ACTIVATION_ISSUE = "activation:issue"  # a code with which a patient can make their account
    ACTIVATION_USE = "activation:use"
    ACTIVATION_FAIL = "activation:fail"
    STEPUP_PASS = "stepup:pass"  # a person proved again that it is them, for one action
    STEPUP_FAIL = "stepup:fail"
    ACCOUNT_CHANGE = "account:change"  # how somebody signs in: `detail.change` says what
    TOKEN_ISSUE = "token:issue"
    TOKEN_REFRESH = "token:refresh"
    TOKEN_REFUSE = "token:refuse"
    TOKEN_REVOKE = "token:revoke"
    RECORD_READ = "record:read"
    RECORD_SEARCH = "record:search"
    RECORD_PREVIEW = "record:preview"  # a patient had counted what somebody could see
    RECORD_REFUSE = "record:refuse"  # turned away before it was known what, or whose, was asked for
    CONSENT_GRANT = "consent:grant"
    CONSENT_AMEND = "consent:amend"
    CONSENT_REVOKE = "consent:revoke"
    CONSENT_REFUSE = "consent:refuse"  # the person said no on the consent page
    CONSENT_RENEW = "consent:renew"
    CONSENT_PAUSE = "consent:pause"
    CONSENT_RESUME = "consent:resume"
    CONSENT_EXPIRE = "consent:expire"
    CONSENT_CHOOSE = "consent:choose"  # an opt-in or opt-out
    CONSENT_PROPOSE = "consent:propose"  # asked for, and holds only after an answer
    CONSENT_ANSWER = "consent:answer"
    CONSENT_CONSULT = "consent:consult"  # another system had decided what the patient's choices say
    EXPORT_KICKOFF = "export:kickoff"
    EXPORT_READ = "export:read"  # one page that the exporter took through the gate
    EXPORT_GIVE = "export:give"  # one patient's part of what a service exports of a group
    EXPORT_COMPLETE = "export:complete"
    EXPORT_DOWNLOAD = "export:download"
    EXPORT_PUSH = "export:push"  # a file of it is sent to its service's own destination
    EXPORT_EXPIRE = "export:expire"
    EXPORT_CANCEL = "export:cancel"
    LINK_OPEN = "link:open"  # somebody opened a SMART Health Link, or tried to
    WRITE_SUBMIT = "write:submit"
    WRITE_APPROVE = "write:approve"
    WRITE_REVIEW = "write:review"  # a clinician passed it on, or took it up to what the chart says now
    WRITE_SEND = "write:send"  # let go to the EHR: what let it in was looked at for the last time
    WRITE_APPLY = "write:apply"
    WRITE_REJECT = "write:reject"
    WRITE_BLOCK = "write:block"  # the consent ended before it was sent
    WRITE_EXTEND = "write:extend"  # the clinic takes 30 days more for a correction (45 CFR 164.526)
    WRITE_CANCEL = "write:cancel"  # its author took it back
    BUDGET_EXCEED = "budget:exceed"  # more was asked for than its window takes; one event for a window
    VALUESETS_CHANGE = "valuesets:change"  # which codes are sensitive, for everyone
    POLICY_CHANGE = "policy:change"  # the rules in files are others than those that were in force before
    FAULT_REPORT = "fault:report"  # a part that answers need did not work (failed), or works again (done)
    IDENTITY_FIND = "identity:find"  # an EHR was asked for a person's record
    IDENTITY_LINK = "identity:link"
    IDENTITY_UNLINK = "identity:unlink"
    PATIENT_MERGE = "patient:merge"  # two records here became one
    PATIENT_SPLIT = "patient:split"  # and were two again
    PATIENT_PROPOSE = "patient:propose"  # staff asks two accounts whether they are one person's
    PATIENT_ANSWER = "patient:answer"  # yes, no, or that it ended: `detail.why`
    PATIENT_LEGAL = "patient:legal"  # staff said whose law holds, or who is of age, or cannot decide
    PATIENT_FLAG = "patient:flag"  # an EHR says that they died: staff looks, and nothing closes by it
    PATIENT_DIE = "patient:die"  # the clinic recorded a death
    HELPER_INVITE = "helper:invite"  # the patient made a one-time code
    HELPER_ASK = "helper:ask"
    HELPER_CONFIRM = "helper:confirm"
    HELPER_DENY = "helper:deny"
    HELPER_NARROW = "helper:narrow"
    HELPER_WIDEN = "helper:widen"
    HELPER_RENEW = "helper:renew"
    HELPER_END = "helper:end"
    HELPER_EXPIRE = "helper:expire"
    HELPER_TRY = "helper:try"  # somebody entered a helper's code that let them in nowhere
    HELPER_ACT = "helper:act"  # somebody began, or tried, to act for a patient
    EVIDENCE_ADD = "evidence:add"  # who asks to help sent a paper
    EVIDENCE_VIEW = "evidence:view"  # staff looked at it
    EVIDENCE_DESTROY = "evidence:destroy"
    EMERGENCY_OPEN = "emergency:open"  # a clinician broke the glass, or tried to
    EMERGENCY_END = "emergency:end"  # before its time
    EMERGENCY_REVIEW = "emergency:review"
    REASON_OPEN = "reason:open"  # a clinician who treats the patient gave the reason that a record asks for
    REASON_END = "reason:end"  # before its time
    RECORD_WATCH = "watch:change"  # staff need a reason for a record from now on, or no longer
    SUPPORT_CODE = "support:code"  # a patient made a code to read out
    SUPPORT_FIND = "support:find"  # support looked at how an account stands
    SUPPORT_HELP = "support:help"
    ELEVATION_START = "elevation:start"  # staff may do more for some minutes
    ELEVATION_END = "elevation:end"  # before its time
    AUDIT_READ = "audit:read"
    AUDIT_RETAIN = "audit:retain"  # a month of events was let go, its time being over
    AUDIT_SHRED = "audit:shred"  # the erasable detail of somebody's events was erased
    AUDIT_KEY = "audit:key"  # the log is kept with other keys from now on
    AUDIT_ACKNOWLEDGE = (
        "audit:acknowledge"  # a log that was cut short, or changed, goes on by somebody's word
    )
    AUDIT_DOWNLOAD = "audit:download"  # the list of events was saved as a file
    INVESTIGATION_OPEN = "investigation:open"  # somebody asks about events, or looks into them
    INVESTIGATION_CHANGE = "investigation:change"
    INVESTIGATION_ANSWER = "investigation:answer"
    ALERT_RAISE = "alert:raise"  # the monitor found something odd in the log
    ALERT_CHANGE = "alert:change"
    DISCLOSURE_ASK = "disclosure:ask"  # for the accounting of disclosures, 45 CFR 164.528
    DISCLOSURE_ANSWER = "disclosure:answer"
    CLIENT_REGISTER = "client:register"  # an app, by a person or by itself (RFC 7591)
    CLIENT_CHANGE = "client:change"  # what it says of itself, or how it proves itself
    CLIENT_STATUS = "client:status"  # in a review, let in, suspended, blocked
    ADMIN_VIEW = "admin:view"
    ADMIN_CHANGE = "admin:change"


_RECORD = frozenset({"patient", "interaction", "purpose"})
_CONSENT = frozenset({"patient", "consent", "consent_number"})
_TARGET = frozenset({"patient", "target"})

# Fields that an entry of this type must fill, besides type, outcome and actor, which all must.
# A denial must also give its reasons.
REQUIRED: Mapping[EventType, frozenset[str]] = {
    EventType.SESSION_START: frozenset(),
    EventType.SESSION_END: frozenset(),
    EventType.SESSION_FAIL: frozenset(),
    EventType.DEVICE_NEW: frozenset(),
    EventType.ACTIVATION_ISSUE: _TARGET,
    EventType.ACTIVATION_USE: _TARGET,
    EventType.ACTIVATION_FAIL: frozenset(),
    EventType.STEPUP_PASS: frozenset(),
    EventType.STEPUP_FAIL: frozenset(),
    EventType.ACCOUNT_CHANGE: frozenset({"target"}),
    EventType.TOKEN_ISSUE: frozenset({"client"}),
    EventType.TOKEN_REFRESH: frozenset({"client"}),
    EventType.TOKEN_REFUSE: frozenset({"reasons"}),
    EventType.TOKEN_REVOKE: frozenset({"client"}),
    EventType.RECORD_READ: _RECORD,
    EventType.RECORD_SEARCH: _RECORD,
    EventType.RECORD_PREVIEW: _RECORD,
    EventType.RECORD_REFUSE: frozenset({"reasons"}),
    EventType.CONSENT_GRANT: _CONSENT,
    EventType.CONSENT_AMEND: _CONSENT,
    EventType.CONSENT_REVOKE: _CONSENT,
    EventType.CONSENT_REFUSE: frozenset({"patient", "client"}),
    **dict.fromkeys(
        (
            EventType.CONSENT_RENEW,
            EventType.CONSENT_PAUSE,
            EventType.CONSENT_RESUME,
            EventType.CONSENT_EXPIRE,
            EventType.CONSENT_CHOOSE,
            EventType.CONSENT_PROPOSE,
            EventType.CONSENT_ANSWER,
        ),
        _CONSENT,
    ),
    EventType.CONSENT_CONSULT: frozenset({"interaction", "purpose"}),
    **dict.fromkeys(  # a client's is of many patients
        (
            EventType.EXPORT_KICKOFF,
            EventType.EXPORT_COMPLETE,
            EventType.EXPORT_DOWNLOAD,
            EventType.EXPORT_PUSH,
            EventType.EXPORT_EXPIRE,
            EventType.EXPORT_CANCEL,
        ),
        frozenset({"target"}),
    ),
    EventType.EXPORT_READ: _RECORD,
    EventType.EXPORT_GIVE: _RECORD | {"target"},
    EventType.LINK_OPEN: frozenset({"purpose"}),
    EventType.WRITE_SUBMIT: _TARGET,
    EventType.WRITE_APPROVE: _TARGET,
    EventType.WRITE_REVIEW: _TARGET | {"reasons"},
    EventType.WRITE_SEND: _TARGET,
    EventType.WRITE_APPLY: _TARGET,
    EventType.WRITE_REJECT: _TARGET,
    EventType.WRITE_BLOCK: _TARGET | {"reasons"},
    EventType.WRITE_EXTEND: _TARGET | {"reasons"},
    EventType.WRITE_CANCEL: _TARGET,
    EventType.BUDGET_EXCEED: frozenset({"reasons"}),
    EventType.VALUESETS_CHANGE: frozenset({"target"}),
    EventType.POLICY_CHANGE: frozenset({"target", "detail"}),
    EventType.FAULT_REPORT: frozenset({"target", "reasons"}),
    **dict.fromkeys(
        (EventType.IDENTITY_FIND, EventType.IDENTITY_LINK, EventType.IDENTITY_UNLINK),
        _TARGET,
    ),
    EventType.PATIENT_MERGE: _TARGET,
    EventType.PATIENT_SPLIT: _TARGET,
    EventType.PATIENT_PROPOSE: _TARGET,
    EventType.PATIENT_ANSWER: _TARGET,
    EventType.PATIENT_LEGAL: _TARGET,
    EventType.PATIENT_FLAG: _TARGET,
    EventType.PATIENT_DIE: frozenset({"patient"}),
    **dict.fromkeys((t for t in EventType if t.startswith("helper:")), _TARGET),
    EventType.HELPER_TRY: frozenset({"target"}),  # whose code it would be, nobody knows
    **dict.fromkeys((t for t in EventType if t.startswith("evidence:")), _TARGET),
    EventType.EMERGENCY_OPEN: frozenset({"purpose"}),
    EventType.EMERGENCY_END: _TARGET,
    EventType.EMERGENCY_REVIEW: _TARGET,
    EventType.REASON_OPEN: _TARGET | {"purpose"},
    EventType.REASON_END: _TARGET,
    EventType.RECORD_WATCH: frozenset({"patient", "detail"}),
    EventType.SUPPORT_CODE: _TARGET,
    EventType.SUPPORT_FIND: frozenset(),
    EventType.SUPPORT_HELP: frozenset({"patient"}),
    EventType.ELEVATION_START: frozenset(),
    EventType.ELEVATION_END: frozenset({"target"}),
    EventType.AUDIT_READ: frozenset(),
    EventType.AUDIT_RETAIN: frozenset({"target", "count"}),
    EventType.AUDIT_SHRED: frozenset({"target", "count"}),
    EventType.AUDIT_KEY: frozenset({"target"}),
    EventType.AUDIT_ACKNOWLEDGE: frozenset({"target"}),
    EventType.AUDIT_DOWNLOAD: frozenset(),
    **dict.fromkeys(
        (
            EventType.INVESTIGATION_OPEN,
            EventType.INVESTIGATION_CHANGE,
            EventType.INVESTIGATION_ANSWER,
            EventType.ALERT_RAISE,
            EventType.ALERT_CHANGE,
            EventType.DISCLOSURE_ASK,
            EventType.DISCLOSURE_ANSWER,
        ),
        frozenset({"target"}),
    ),
    **dict.fromkeys(
        (EventType.CLIENT_REGISTER, EventType.CLIENT_CHANGE, EventType.CLIENT_STATUS),
        frozenset({"client", "target"}),
    ),
    EventType.ADMIN_VIEW: frozenset({"target"}),
    EventType.ADMIN_CHANGE: frozenset({"target"}),
}
