"""The words of the activity list: whole sentences, by type of event and voice.

Placeholders: {who} acted, {app} is the client, {what} the kinds of record, {date} a day.
{who} stands first in a sentence only, so that it can be "An app" where no name is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from audit.events import EventType, Outcome


@dataclass(frozen=True, slots=True)
class Phrase:
    """What an event says when the reader did it, and when another did; then the same as an attempt."""

    you: Promise
    other: Promise
    you_tried: Promise
    other_tried: Promise


def _only(you: Promise, other: Promise) -> Phrase:
    """For what is an attempt in itself."""
    return Phrase(you, other, you, other)


_LOOKED = Phrase(
    you=pgettext_lazy("activity.record-read.you", "You looked at {what}."),
    other=pgettext_lazy("activity.record-read.other", "{who} saw {what}."),
    you_tried=pgettext_lazy("activity.record-read.you-tried", "You tried to see {what}."),
    other_tried=pgettext_lazy("activity.record-read.other-tried", "{who} tried to see {what}."),
)

PHRASES: Mapping[EventType, Phrase] = {
    EventType.SESSION_START: Phrase(
        you=pgettext_lazy("activity.session-start.you", "You signed in."),
        other=pgettext_lazy("activity.session-start.other", "{who} signed in."),
        you_tried=pgettext_lazy("activity.session-start.you-tried", "You tried to sign in."),
        other_tried=pgettext_lazy("activity.session-start.other-tried", "{who} tried to sign in."),
    ),
    EventType.SESSION_END: Phrase(
        you=pgettext_lazy("activity.session-end.you", "You signed out."),
        other=pgettext_lazy("activity.session-end.other", "{who} signed out."),
        you_tried=pgettext_lazy("activity.session-end.you-tried", "You tried to sign out."),
        other_tried=pgettext_lazy("activity.session-end.other-tried", "{who} tried to sign out."),
    ),
    EventType.SESSION_FAIL: _only(
        pgettext_lazy("activity.session-fail.you", "You tried to sign in."),
        pgettext_lazy("activity.session-fail.other", "Someone tried to sign in as you."),
    ),
    EventType.DEVICE_NEW: _only(
        pgettext_lazy("activity.device-new.you", "You signed in on a new device."),
        pgettext_lazy("activity.device-new.other", "{who} signed in on a new device."),
    ),
    EventType.ACTIVATION_ISSUE: _only(
        pgettext_lazy("activity.activation-issue.you", "You made a code for a new account."),
        pgettext_lazy("activity.activation-issue.other", "Your clinic made a code for your account."),
    ),
    EventType.ACTIVATION_USE: _only(
        pgettext_lazy("activity.activation-use.you", "You made your account."),
        pgettext_lazy("activity.activation-use.other", "{who} made your account."),
    ),
    EventType.ACTIVATION_FAIL: _only(
        pgettext_lazy("activity.activation-fail.you", "You tried to make an account."),
        pgettext_lazy("activity.activation-fail.other", "Someone tried to make your account with a code."),
    ),
    EventType.STEPUP_PASS: Phrase(
        you=pgettext_lazy("activity.stepup-pass.you", "You proved again that it was you."),
        other=pgettext_lazy("activity.stepup-pass.other", "{who} proved again who they are."),
        you_tried=pgettext_lazy("activity.stepup-fail.you", "You were asked to prove that it was you."),
        other_tried=pgettext_lazy("activity.stepup-fail.other", "{who} was asked to prove who they are."),
    ),
    EventType.STEPUP_FAIL: _only(
        pgettext_lazy("activity.stepup-fail.you", "You were asked to prove that it was you."),
        pgettext_lazy("activity.stepup-fail.other", "{who} was asked to prove who they are."),
    ),
    EventType.ACCOUNT_CHANGE: Phrase(
        you=pgettext_lazy("activity.account-change.you", "You changed how you sign in."),
        other=pgettext_lazy("activity.account-change.other", "{who} changed how you sign in."),
        you_tried=pgettext_lazy("activity.account-change.you-tried", "You tried to change how you sign in."),
        other_tried=pgettext_lazy(
            "activity.account-change.other-tried", "{who} tried to change how you sign in."
        ),
    ),
    EventType.TOKEN_ISSUE: Phrase(
        you=pgettext_lazy("activity.token-issue.you", "You connected {app} to your records."),
        other=pgettext_lazy("activity.token-issue.other", "{who} was connected to your records."),
        you_tried=pgettext_lazy(
            "activity.token-issue.you-tried", "You tried to connect {app} to your records."
        ),
        other_tried=pgettext_lazy(
            "activity.token-issue.other-tried", "{who} tried to connect to your records."
        ),
    ),
    EventType.TOKEN_REFRESH: Phrase(
        you=pgettext_lazy("activity.token-refresh.you", "You renewed the access of {app} to your records."),
        other=pgettext_lazy("activity.token-refresh.other", "{who} renewed its access to your records."),
        you_tried=pgettext_lazy(
            "activity.token-refresh.you-tried", "You tried to renew the access of {app}."
        ),
        other_tried=pgettext_lazy(
            "activity.token-refresh.other-tried", "{who} tried to renew its access to your records."
        ),
    ),
    EventType.TOKEN_REFUSE: _only(
        pgettext_lazy("activity.token-refuse.you", "You asked to connect {app} to your records."),
        pgettext_lazy("activity.token-refuse.other", "{who} asked for access to your records."),
    ),
    EventType.TOKEN_REVOKE: Phrase(
        you=pgettext_lazy("activity.token-revoke.you", "You ended the access of {app} to your records."),
        other=pgettext_lazy("activity.token-revoke.other", "Access to your records ended for {app}."),
        you_tried=pgettext_lazy("activity.token-revoke.you-tried", "You tried to end the access of {app}."),
        other_tried=pgettext_lazy(
            "activity.token-revoke.other-tried", "{who} tried to end the access of {app}."
        ),
    ),
    EventType.RECORD_READ: _LOOKED,
    EventType.RECORD_SEARCH: _LOOKED,
    EventType.RECORD_PREVIEW: Phrase(
        you=pgettext_lazy("activity.record-preview.you", "You checked what an app can see in your records."),
        other=pgettext_lazy(
            "activity.record-preview.other", "{who} checked what an app can see in your records."
        ),
        you_tried=pgettext_lazy(
            "activity.record-preview.you-tried", "You tried to check what an app can see in your records."
        ),
        other_tried=pgettext_lazy(
            "activity.record-preview.other-tried",
            "{who} tried to check what an app can see in your records.",
        ),
    ),
    EventType.RECORD_REFUSE: _only(
        pgettext_lazy("activity.record-refuse.you", "You asked for something in your records."),
        pgettext_lazy("activity.record-refuse.other", "{who} asked for something in your records."),
    ),
    EventType.CONSENT_GRANT: Phrase(
        you=pgettext_lazy("activity.consent-grant.you", "You shared {what} with {app}."),
        other=pgettext_lazy("activity.consent-grant.other", "{who} shared {what} with {app}."),
        you_tried=pgettext_lazy("activity.consent-grant.you-tried", "You tried to share {what} with {app}."),
        other_tried=pgettext_lazy(
            "activity.consent-grant.other-tried", "{who} tried to share {what} with {app}."
        ),
    ),
    EventType.CONSENT_AMEND: Phrase(
        you=pgettext_lazy(
            "activity.consent-amend.you", "You changed what {app} can see. Now it can see {what}."
        ),
        other=pgettext_lazy(
            "activity.consent-amend.other", "{who} changed what {app} can see. Now it can see {what}."
        ),
        you_tried=pgettext_lazy(
            "activity.consent-amend.you-tried", "You tried to change what {app} can see."
        ),
        other_tried=pgettext_lazy(
            "activity.consent-amend.other-tried", "{who} tried to change what {app} can see."
        ),
    ),
    EventType.CONSENT_REVOKE: Phrase(
        you=pgettext_lazy("activity.consent-revoke.you", "You stopped sharing with {app}."),
        other=pgettext_lazy("activity.consent-revoke.other", "{who} stopped sharing with {app}."),
        you_tried=pgettext_lazy("activity.consent-revoke.you-tried", "You tried to stop sharing with {app}."),
        other_tried=pgettext_lazy(
            "activity.consent-revoke.other-tried", "{who} tried to stop sharing with {app}."
        ),
    ),
    EventType.CONSENT_REFUSE: _only(
        pgettext_lazy("activity.consent-refuse.you", "You chose not to share with {app}."),
        pgettext_lazy("activity.consent-refuse.other", "{who} chose not to share with {app}."),
    ),
    EventType.CONSENT_RENEW: Phrase(
        you=pgettext_lazy("activity.consent-renew.you", "You let {app} see your records for longer."),
        other=pgettext_lazy("activity.consent-renew.other", "{who} let {app} see your records for longer."),
        you_tried=pgettext_lazy(
            "activity.consent-renew.you-tried", "You tried to let {app} see your records for longer."
        ),
        other_tried=pgettext_lazy(
            "activity.consent-renew.other-tried", "{who} tried to let {app} see your records for longer."
        ),
    ),
    EventType.CONSENT_PAUSE: Phrase(
        you=pgettext_lazy("activity.consent-pause.you", "You put sharing with {app} on hold."),
        other=pgettext_lazy("activity.consent-pause.other", "{who} put sharing with {app} on hold."),
        you_tried=pgettext_lazy(
            "activity.consent-pause.you-tried", "You tried to put sharing with {app} on hold."
        ),
        other_tried=pgettext_lazy(
            "activity.consent-pause.other-tried", "{who} tried to put sharing with {app} on hold."
        ),
    ),
    EventType.CONSENT_RESUME: Phrase(
        you=pgettext_lazy("activity.consent-resume.you", "You started sharing with {app} again."),
        other=pgettext_lazy("activity.consent-resume.other", "{who} started sharing with {app} again."),
        you_tried=pgettext_lazy(
            "activity.consent-resume.you-tried", "You tried to start sharing with {app} again."
        ),
        other_tried=pgettext_lazy(
            "activity.consent-resume.other-tried", "{who} tried to start sharing with {app} again."
        ),
    ),
    EventType.CONSENT_EXPIRE: Phrase(
        you=pgettext_lazy(
            "activity.consent-expire.you", "The time you chose for {app} is over. Sharing ended."
        ),
        other=pgettext_lazy(
            "activity.consent-expire.other", "The time you chose for {app} is over. Sharing ended."
        ),
        you_tried=pgettext_lazy("activity.consent-expire.you-tried", "The time you chose for {app} is over."),
        other_tried=pgettext_lazy(
            "activity.consent-expire.other-tried", "The time you chose for {app} is over."
        ),
    ),
    EventType.CONSENT_CHOOSE: Phrase(
        you=pgettext_lazy(
            "activity.consent-choose.you", "You made a choice about how your records are used."
        ),
        other=pgettext_lazy(
            "activity.consent-choose.other", "{who} made a choice about how your records are used."
        ),
        you_tried=pgettext_lazy(
            "activity.consent-choose.you-tried", "You tried to choose how your records are used."
        ),
        other_tried=pgettext_lazy(
            "activity.consent-choose.other-tried", "{who} tried to choose how your records are used."
        ),
    ),
    EventType.CONSENT_PROPOSE: Phrase(
        you=pgettext_lazy(
            "activity.consent-propose.you", "You asked for a change in how your records are used."
        ),
        other=pgettext_lazy(
            "activity.consent-propose.other", "{who} asked for a change in how your records are used."
        ),
        you_tried=pgettext_lazy(
            "activity.consent-propose.you-tried",
            "You tried to ask for a change in how your records are used.",
        ),
        other_tried=pgettext_lazy(
            "activity.consent-propose.other-tried",
            "{who} tried to ask for a change in how your records are used.",
        ),
    ),
    EventType.CONSENT_ANSWER: Phrase(
        you=pgettext_lazy(
            "activity.consent-answer.you", "You answered a request about how your records are used."
        ),
        other=pgettext_lazy(
            "activity.consent-answer.other", "{who} answered a request about how your records are used."
        ),
        you_tried=pgettext_lazy(
            "activity.consent-answer.you-tried",
            "You tried to answer a request about how your records are used.",
        ),
        other_tried=pgettext_lazy(
            "activity.consent-answer.other-tried",
            "{who} tried to answer a request about how your records are used.",
        ),
    ),
    EventType.CONSENT_CONSULT: Phrase(
        you=pgettext_lazy("activity.consent-consult.you", "You checked what your choices allow others."),
        other=pgettext_lazy(
            "activity.consent-consult.other", "{who} checked if your choices let others see your records."
        ),
        you_tried=pgettext_lazy(
            "activity.consent-consult.you-tried", "You tried to check what your choices allow others."
        ),
        other_tried=pgettext_lazy(
            "activity.consent-consult.other-tried",
            "{who} tried to check if your choices let others see your records.",
        ),
    ),
    EventType.EXPORT_KICKOFF: Phrase(
        you=pgettext_lazy("activity.export-kickoff.you", "You asked for a copy of your records."),
        other=pgettext_lazy("activity.export-kickoff.other", "{who} asked for a copy of your records."),
        you_tried=pgettext_lazy(
            "activity.export-kickoff.you-tried", "You tried to ask for a copy of your records."
        ),
        other_tried=pgettext_lazy(
            "activity.export-kickoff.other-tried", "{who} tried to ask for a copy of your records."
        ),
    ),
    EventType.EXPORT_READ: Phrase(
        you=pgettext_lazy("activity.export-read.you", "You put {what} into a copy of your records."),
        other=pgettext_lazy("activity.export-read.other", "We put {what} into a copy of your records."),
        you_tried=pgettext_lazy(
            "activity.export-read.you-tried", "You tried to put {what} into a copy of your records."
        ),
        other_tried=pgettext_lazy(
            "activity.export-read.other-tried", "We tried to put {what} into a copy of your records."
        ),
    ),
    EventType.EXPORT_GIVE: Phrase(
        you=pgettext_lazy("activity.export-give.you", "You took {what} with the records of others."),
        other=pgettext_lazy("activity.export-give.other", "{who} took {what} with the records of others."),
        you_tried=pgettext_lazy(
            "activity.export-give.you-tried", "You tried to take {what} with the records of others."
        ),
        other_tried=pgettext_lazy(
            "activity.export-give.other-tried", "{who} tried to take {what} with the records of others."
        ),
    ),
    EventType.EXPORT_COMPLETE: Phrase(
        you=pgettext_lazy("activity.export-complete.you", "You made a copy of your records. It is ready."),
        other=pgettext_lazy("activity.export-complete.other", "The copy of your records is ready."),
        you_tried=pgettext_lazy(
            "activity.export-complete.you-tried", "You tried to make a copy of your records."
        ),
        other_tried=pgettext_lazy(
            "activity.export-complete.other-tried", "We tried to make a copy of your records."
        ),
    ),
    EventType.EXPORT_DOWNLOAD: Phrase(
        you=pgettext_lazy("activity.export-download.you", "You saved a copy of your records."),
        other=pgettext_lazy("activity.export-download.other", "{who} saved a copy of your records."),
        you_tried=pgettext_lazy(
            "activity.export-download.you-tried", "You tried to save a copy of your records."
        ),
        other_tried=pgettext_lazy(
            "activity.export-download.other-tried", "{who} tried to save a copy of your records."
        ),
    ),
    EventType.EXPORT_PUSH: Phrase(
        you=pgettext_lazy("activity.export-push.you", "You let a copy of records be sent."),
        other=pgettext_lazy("activity.export-push.other", "We sent a copy of records to {app}."),
        you_tried=pgettext_lazy("activity.export-push.you-tried", "You tried to send a copy of records."),
        other_tried=pgettext_lazy(
            "activity.export-push.other-tried", "We tried to send a copy of records to {app}."
        ),
    ),
    EventType.EXPORT_EXPIRE: Phrase(
        you=pgettext_lazy(
            "activity.export-expire.you", "You kept a copy here until its time was over. We deleted it."
        ),
        other=pgettext_lazy(
            "activity.export-expire.other", "The time of a copy of your records was over. We deleted it."
        ),
        you_tried=pgettext_lazy(
            "activity.export-expire.you-tried", "You tried to delete an old copy of your records."
        ),
        other_tried=pgettext_lazy(
            "activity.export-expire.other-tried", "We tried to delete an old copy of your records."
        ),
    ),
    EventType.EXPORT_CANCEL: Phrase(
        you=pgettext_lazy("activity.export-cancel.you", "You stopped a copy of your records. We deleted it."),
        other=pgettext_lazy(
            "activity.export-cancel.other", "A copy of your records was stopped. We deleted it."
        ),
        you_tried=pgettext_lazy(
            "activity.export-cancel.you-tried", "You tried to stop a copy of your records."
        ),
        other_tried=pgettext_lazy(
            "activity.export-cancel.other-tried", "{who} tried to stop a copy of your records."
        ),
    ),
    EventType.LINK_OPEN: Phrase(
        you=pgettext_lazy("activity.link-open.you", "You opened a link to your records."),
        other=pgettext_lazy(
            "activity.link-open.other",
            "Someone opened your link. They say they are {name}, and we cannot check that.",
        ),
        you_tried=pgettext_lazy("activity.link-open.you-tried", "You tried to open a link to your records."),
        other_tried=pgettext_lazy(
            "activity.link-open.other-tried", "Someone tried to open your link. They say they are {name}."
        ),
    ),
    EventType.WRITE_SUBMIT: Phrase(
        you=pgettext_lazy(
            "activity.write-submit.you", "You sent something new to your clinic. Your clinic checks it first."
        ),
        other=pgettext_lazy(
            "activity.write-submit.other",
            "{who} sent something new to your clinic. Your clinic checks it first.",
        ),
        you_tried=pgettext_lazy(
            "activity.write-submit.you-tried", "You tried to send something new to your clinic."
        ),
        other_tried=pgettext_lazy(
            "activity.write-submit.other-tried", "{who} tried to send something new to your clinic."
        ),
    ),
    EventType.WRITE_APPROVE: Phrase(
        you=pgettext_lazy("activity.write-approve.you", "You accepted what was sent for your record."),
        other=pgettext_lazy("activity.write-approve.other", "{who} accepted what you sent."),
        you_tried=pgettext_lazy(
            "activity.write-approve.you-tried", "You tried to check something new for your record."
        ),
        other_tried=pgettext_lazy(
            "activity.write-approve.other-tried", "{who} tried to check something new for your record."
        ),
    ),
    EventType.WRITE_REVIEW: _only(
        pgettext_lazy("activity.write-review.you", "You worked on something new for your record."),
        pgettext_lazy("activity.write-review.other", "{who} worked on what was sent for your record."),
    ),
    EventType.WRITE_APPLY: Phrase(
        you=pgettext_lazy("activity.write-apply.you", "You added something new to your record."),
        other=pgettext_lazy("activity.write-apply.other", "Your clinic added something new to your record."),
        you_tried=pgettext_lazy(
            "activity.write-apply.you-tried", "You tried to add something new to your record."
        ),
        other_tried=pgettext_lazy(
            "activity.write-apply.other-tried", "Your clinic tried to add something new to your record."
        ),
    ),
    EventType.WRITE_REJECT: _only(
        pgettext_lazy(
            "activity.write-reject.you", "You checked something new for your record and did not add it."
        ),
        pgettext_lazy(
            "activity.write-reject.other", "{who} checked something new for your record and did not add it."
        ),
    ),
    EventType.WRITE_BLOCK: _only(
        pgettext_lazy(
            "activity.write-block.you", "Something new that you sent was not added to your record."
        ),
        pgettext_lazy("activity.write-block.other", "Something new from {app} was not added to your record."),
    ),
    EventType.WRITE_SEND: _only(
        pgettext_lazy("activity.write-send.you", "You sent something new to the clinic system."),
        pgettext_lazy("activity.write-send.other", "We sent something new to the clinic system."),
    ),
    EventType.WRITE_EXTEND: _only(
        pgettext_lazy("activity.write-extend.you", "You took more time to answer about a correction."),
        pgettext_lazy(
            "activity.write-extend.other", "Your clinic needs more time to answer about a correction."
        ),
    ),
    EventType.WRITE_CANCEL: _only(
        pgettext_lazy("activity.write-cancel.you", "You took back what you sent to your clinic."),
        pgettext_lazy("activity.write-cancel.other", "{who} took back what was sent to your clinic."),
    ),
    EventType.BUDGET_EXCEED: _only(
        pgettext_lazy("activity.budget-exceed.you", "You asked for very much in a short time."),
        pgettext_lazy("activity.budget-exceed.other", "{who} asked for very much in a short time."),
    ),
    EventType.VALUESETS_CHANGE: Phrase(
        you=pgettext_lazy("activity.valuesets-change.you", "You changed which records count as private."),
        other=pgettext_lazy(
            "activity.valuesets-change.other", "{who} changed which records count as private."
        ),
        you_tried=pgettext_lazy(
            "activity.valuesets-change.you-tried", "You tried to change which records count as private."
        ),
        other_tried=pgettext_lazy(
            "activity.valuesets-change.other-tried", "{who} tried to change which records count as private."
        ),
    ),
    EventType.POLICY_CHANGE: Phrase(
        you=pgettext_lazy("activity.policy-change.you", "You changed the rules for all records."),
        other=pgettext_lazy("activity.policy-change.other", "The rules for all records changed."),
        you_tried=pgettext_lazy(
            "activity.policy-change.you-tried", "You tried to change the rules for all records."
        ),
        other_tried=pgettext_lazy(
            "activity.policy-change.other-tried", "{who} tried to change the rules for all records."
        ),
    ),
    EventType.FAULT_REPORT: Phrase(
        you=pgettext_lazy("activity.fault-report.you", "You found that a part of our system works again."),
        other=pgettext_lazy("activity.fault-report.other", "A part of our system works again."),
        you_tried=pgettext_lazy(
            "activity.fault-report.you-tried", "You found a part of our system that did not work."
        ),
        other_tried=pgettext_lazy("activity.fault-report.other-tried", "A part of our system did not work."),
    ),
    EventType.HELPER_INVITE: _only(
        pgettext_lazy("activity.helper-invite.you", "You made a code for a new helper."),
        pgettext_lazy("activity.helper-invite.other", "{who} made a code for a new helper."),
    ),
    EventType.HELPER_ASK: _only(
        pgettext_lazy("activity.helper-ask.you", "You asked to be a helper."),
        pgettext_lazy("activity.helper-ask.other", "There is a request to be a helper from {app}."),
    ),
    EventType.EVIDENCE_ADD: Phrase(
        you=pgettext_lazy("activity.evidence-add.you", "You sent a paper with a request to help."),
        other=pgettext_lazy(
            "activity.evidence-add.other", "There is a paper from {app}, who asks to help you."
        ),
        you_tried=pgettext_lazy(
            "activity.evidence-add.you-tried", "You tried to send a paper with a request to help."
        ),
        other_tried=pgettext_lazy(
            "activity.evidence-add.other-tried", "There was a paper from {app} that we did not take."
        ),
    ),
    EventType.EVIDENCE_VIEW: Phrase(
        you=pgettext_lazy("activity.evidence-view.you", "You looked at a paper of {app}."),
        other=pgettext_lazy("activity.evidence-view.other", "{who} looked at a paper of {app}."),
        you_tried=pgettext_lazy("activity.evidence-view.you-tried", "You tried to see a paper of {app}."),
        other_tried=pgettext_lazy(
            "activity.evidence-view.other-tried", "{who} tried to see a paper of {app}."
        ),
    ),
    EventType.EVIDENCE_DESTROY: _only(
        pgettext_lazy("activity.evidence-destroy.you", "You took a paper back. It was destroyed."),
        pgettext_lazy("activity.evidence-destroy.other", "We destroyed a paper of {app}."),
    ),
    EventType.HELPER_CONFIRM: Phrase(
        you=pgettext_lazy("activity.helper-confirm.you", "There is a new helper: {app}."),
        other=pgettext_lazy("activity.helper-confirm.other", "There is a new helper: {app}."),
        you_tried=pgettext_lazy("activity.helper-confirm.you-tried", "You tried to add a helper."),
        other_tried=pgettext_lazy("activity.helper-confirm.other-tried", "{who} tried to become a helper."),
    ),
    EventType.HELPER_DENY: _only(
        pgettext_lazy("activity.helper-deny.you", "You said no to {app} as a helper."),
        pgettext_lazy("activity.helper-deny.other", "{who} said no to {app} as a helper."),
    ),
    EventType.HELPER_NARROW: _only(
        pgettext_lazy("activity.helper-narrow.you", "You let {app} see less."),
        pgettext_lazy("activity.helper-narrow.other", "{who} let {app} see less."),
    ),
    EventType.HELPER_WIDEN: _only(
        pgettext_lazy("activity.helper-widen.you", "You let {app} see more."),
        pgettext_lazy("activity.helper-widen.other", "{who} let {app} see more."),
    ),
    EventType.HELPER_RENEW: _only(
        pgettext_lazy("activity.helper-renew.you", "You let {app} help for longer."),
        pgettext_lazy("activity.helper-renew.other", "{who} let {app} help for longer."),
    ),
    EventType.HELPER_END: _only(
        pgettext_lazy("activity.helper-end.you", "You ended the help of {app}."),
        pgettext_lazy("activity.helper-end.other", "{who} ended the help of {app}."),
    ),
    EventType.HELPER_EXPIRE: _only(
        pgettext_lazy("activity.helper-expire.you", "The time of {app} as a helper is over."),
        pgettext_lazy("activity.helper-expire.other", "The time of {app} as a helper is over."),
    ),
    EventType.HELPER_TRY: Phrase(
        you=pgettext_lazy("activity.helper-try.you", "You entered a code to help somebody."),
        other=pgettext_lazy("activity.helper-try.other", "{who} entered a code to help somebody."),
        you_tried=pgettext_lazy(
            "activity.helper-try.you-tried", "You entered a helper's code that does not work."
        ),
        other_tried=pgettext_lazy(
            "activity.helper-try.other-tried", "{who} entered a helper's code that does not work."
        ),
    ),
    EventType.HELPER_ACT: Phrase(
        you=pgettext_lazy("activity.helper-act.you", "You started to act for this person."),
        other=pgettext_lazy("activity.helper-act.other", "{who} started to act for you."),
        you_tried=pgettext_lazy("activity.helper-act.you-tried", "You tried to act for this person."),
        other_tried=pgettext_lazy("activity.helper-act.other-tried", "{who} tried to act for you."),
    ),
    EventType.AUDIT_RETAIN: Phrase(
        you=pgettext_lazy("activity.audit-retain.you", "You removed old entries of the access log."),
        other=pgettext_lazy("activity.audit-retain.other", "{who} removed old entries of the access log."),
        you_tried=pgettext_lazy(
            "activity.audit-retain.you-tried", "You tried to remove old entries of the access log."
        ),
        other_tried=pgettext_lazy(
            "activity.audit-retain.other-tried", "{who} tried to remove old entries of the access log."
        ),
    ),
    EventType.AUDIT_SHRED: Phrase(
        you=pgettext_lazy("activity.audit-shred.you", "You erased where visits to your record came from."),
        other=pgettext_lazy(
            "activity.audit-shred.other", "{who} erased where visits to your record came from."
        ),
        you_tried=pgettext_lazy(
            "activity.audit-shred.you-tried", "You tried to erase where visits to your record came from."
        ),
        other_tried=pgettext_lazy(
            "activity.audit-shred.other-tried", "{who} tried to erase where visits to your record came from."
        ),
    ),
    EventType.AUDIT_KEY: Phrase(
        you=pgettext_lazy("activity.audit-key.you", "You changed the keys of the access log."),
        other=pgettext_lazy("activity.audit-key.other", "{who} changed the keys of the access log."),
        you_tried=pgettext_lazy(
            "activity.audit-key.you-tried", "You tried to change the keys of the access log."
        ),
        other_tried=pgettext_lazy(
            "activity.audit-key.other-tried", "{who} tried to change the keys of the access log."
        ),
    ),
    EventType.AUDIT_ACKNOWLEDGE: Phrase(
        you=pgettext_lazy("activity.audit-acknowledge.you", "You confirmed a repair of the access log."),
        other=pgettext_lazy(
            "activity.audit-acknowledge.other", "{who} confirmed a repair of the access log."
        ),
        you_tried=pgettext_lazy(
            "activity.audit-acknowledge.you-tried", "You tried to confirm a repair of the access log."
        ),
        other_tried=pgettext_lazy(
            "activity.audit-acknowledge.other-tried", "{who} tried to confirm a repair of the access log."
        ),
    ),
    EventType.AUDIT_READ: Phrase(
        you=pgettext_lazy("activity.audit-read.you", "You looked at the list of who used your records."),
        other=pgettext_lazy(
            "activity.audit-read.other", "{who} looked at the list of who used your records."
        ),
        you_tried=pgettext_lazy(
            "activity.audit-read.you-tried", "You tried to see the list of who used your records."
        ),
        other_tried=pgettext_lazy(
            "activity.audit-read.other-tried", "{who} tried to see the list of who used your records."
        ),
    ),
    EventType.AUDIT_DOWNLOAD: Phrase(
        you=pgettext_lazy("activity.audit-download.you", "You saved the list of who used your records."),
        other=pgettext_lazy(
            "activity.audit-download.other", "{who} saved the list of who used your records."
        ),
        you_tried=pgettext_lazy(
            "activity.audit-download.you-tried", "You tried to save the list of who used your records."
        ),
        other_tried=pgettext_lazy(
            "activity.audit-download.other-tried", "{who} tried to save the list of who used your records."
        ),
    ),
    EventType.EMERGENCY_OPEN: Phrase(
        you=pgettext_lazy("activity.emergency-open.you", "You opened this record in an emergency."),
        other=pgettext_lazy(
            "activity.emergency-open.other",
            "A doctor opened your record in an emergency. The clinic checks each time this happens.",
        ),
        you_tried=pgettext_lazy(
            "activity.emergency-open.you-tried", "You tried to open this record in an emergency."
        ),
        other_tried=pgettext_lazy(
            "activity.emergency-open.other-tried", "{who} tried to open your record in an emergency."
        ),
    ),
    EventType.EMERGENCY_END: _only(
        pgettext_lazy("activity.emergency-end.you", "You closed a record after an emergency."),
        pgettext_lazy("activity.emergency-end.other", "{who} closed your record after an emergency."),
    ),
    EventType.EMERGENCY_REVIEW: _only(
        pgettext_lazy(
            "activity.emergency-review.you", "You checked why a record was opened in an emergency."
        ),
        pgettext_lazy(
            "activity.emergency-review.other", "{who} checked why your record was opened in an emergency."
        ),
    ),
    EventType.REASON_OPEN: Phrase(
        you=pgettext_lazy("activity.reason-open.you", "You gave a reason and opened this record."),
        other=pgettext_lazy(
            "activity.reason-open.other",
            "A doctor who treats you opened your record and said why. The clinic checks each time.",
        ),
        you_tried=pgettext_lazy("activity.reason-open.you-tried", "You tried to open this record."),
        other_tried=pgettext_lazy("activity.reason-open.other-tried", "{who} tried to open your record."),
    ),
    EventType.REASON_END: _only(
        pgettext_lazy("activity.reason-end.you", "You closed this record again."),
        pgettext_lazy("activity.reason-end.other", "{who} closed your record again."),
    ),
    EventType.RECORD_WATCH: Phrase(
        you=pgettext_lazy("activity.watch.you", "You changed whether staff need a reason for this record."),
        other=pgettext_lazy(
            "activity.watch.other", "{who} changed whether staff must give a reason to open your record."
        ),
        you_tried=pgettext_lazy(
            "activity.watch.you-tried", "You tried to change whether staff need a reason for this record."
        ),
        other_tried=pgettext_lazy(
            "activity.watch.other-tried", "{who} tried to change whether staff need a reason for your record."
        ),
    ),
    EventType.SUPPORT_CODE: _only(
        pgettext_lazy("activity.support-code.you", "You made a code for support."),
        pgettext_lazy("activity.support-code.other", "{who} made a code for support."),
    ),
    EventType.SUPPORT_FIND: Phrase(
        you=pgettext_lazy("activity.support-find.you", "You looked at how an account stands."),
        other=pgettext_lazy(
            "activity.support-find.other",
            "Support staff saw your sign-in status to help you. They did not see your health records.",
        ),
        you_tried=pgettext_lazy("activity.support-find.you-tried", "You tried to look at an account."),
        other_tried=pgettext_lazy(
            "activity.support-find.other-tried", "{who} tried to look at your account."
        ),
    ),
    EventType.SUPPORT_HELP: _only(
        pgettext_lazy("activity.support-help.you", "You helped with an account."),
        pgettext_lazy("activity.support-help.other", "{who} sent you a link for a new password."),
    ),
    EventType.ELEVATION_START: Phrase(
        you=pgettext_lazy(
            "activity.elevation-start.you", "You asked to see more than your work needs each day."
        ),
        other=pgettext_lazy(
            "activity.elevation-start.other",
            "{who} asked to see more of your account. They did not see your health records.",
        ),
        you_tried=pgettext_lazy(
            "activity.elevation-start.you-tried", "You tried to see more than your work needs each day."
        ),
        other_tried=pgettext_lazy(
            "activity.elevation-start.other-tried", "{who} tried to see more of your account."
        ),
    ),
    EventType.ELEVATION_END: _only(
        pgettext_lazy("activity.elevation-end.you", "You stopped seeing more than your work needs each day."),
        pgettext_lazy("activity.elevation-end.other", "{who} stopped seeing more of your account."),
    ),
    EventType.INVESTIGATION_OPEN: _only(
        pgettext_lazy("activity.investigation-open.you", "You asked us to check a line of this list."),
        pgettext_lazy("activity.investigation-open.other", "{who} started to check who used your records."),
    ),
    EventType.INVESTIGATION_CHANGE: Phrase(
        pgettext_lazy("activity.investigation-change.you", "You worked on a check of this list."),
        pgettext_lazy(
            "activity.investigation-change.other", "{who} worked on a check of who used your records."
        ),
        pgettext_lazy("activity.investigation-change.you-tried", "You tried to check what you did yourself."),
        pgettext_lazy(
            "activity.investigation-change.other-tried",
            "{who} tried to check what they did with your records themselves.",
        ),
    ),
    EventType.INVESTIGATION_ANSWER: _only(
        pgettext_lazy("activity.investigation-answer.you", "You answered a question about this list."),
        pgettext_lazy("activity.investigation-answer.other", "{who} answered your question about this list."),
    ),
    EventType.ALERT_RAISE: _only(
        pgettext_lazy("activity.alert-raise.you", "You reported an unusual use of records."),
        pgettext_lazy("activity.alert-raise.other", "{who} found an unusual use of records."),
    ),
    EventType.ALERT_CHANGE: Phrase(
        pgettext_lazy("activity.alert-change.you", "You checked an unusual use of records."),
        pgettext_lazy("activity.alert-change.other", "{who} checked an unusual use of your records."),
        pgettext_lazy("activity.alert-change.you-tried", "You tried to check what you did yourself."),
        pgettext_lazy("activity.alert-change.other-tried", "{who} tried to check what they did themselves."),
    ),
    EventType.DISCLOSURE_ASK: _only(
        pgettext_lazy(
            "activity.disclosure-ask.you", "You asked for a list of who got your records from the clinic."
        ),
        pgettext_lazy(
            "activity.disclosure-ask.other",
            "{who} asked for a list of who got your records from the clinic.",
        ),
    ),
    EventType.DISCLOSURE_ANSWER: _only(
        pgettext_lazy(
            "activity.disclosure-answer.you", "You made a list of who got records from the clinic."
        ),
        pgettext_lazy(
            "activity.disclosure-answer.other",
            "{who} made the list of who got your records from the clinic.",
        ),
    ),
    EventType.CLIENT_REGISTER: Phrase(
        you=pgettext_lazy("activity.client-register.you", "You registered an app."),
        other=pgettext_lazy("activity.client-register.other", "{who} registered an app."),
        you_tried=pgettext_lazy("activity.client-register.you-tried", "You tried to register an app."),
        other_tried=pgettext_lazy("activity.client-register.other-tried", "{who} tried to register an app."),
    ),
    EventType.CLIENT_CHANGE: Phrase(
        you=pgettext_lazy("activity.client-change.you", "You changed an app's registration."),
        other=pgettext_lazy("activity.client-change.other", "{who} changed an app's registration."),
        you_tried=pgettext_lazy(
            "activity.client-change.you-tried", "You tried to change an app's registration."
        ),
        other_tried=pgettext_lazy(
            "activity.client-change.other-tried", "{who} tried to change an app's registration."
        ),
    ),
    EventType.CLIENT_STATUS: Phrase(
        you=pgettext_lazy("activity.client-status.you", "You changed if an app may work here."),
        other=pgettext_lazy("activity.client-status.other", "{who} changed if an app may work here."),
        you_tried=pgettext_lazy(
            "activity.client-status.you-tried", "You tried to change if an app may work here."
        ),
        other_tried=pgettext_lazy(
            "activity.client-status.other-tried", "{who} tried to change if an app may work here."
        ),
    ),
    EventType.ADMIN_VIEW: Phrase(
        you=pgettext_lazy("activity.admin-view.you", "You looked at details of your account."),
        other=pgettext_lazy("activity.admin-view.other", "{who} saw details of your account."),
        you_tried=pgettext_lazy("activity.admin-view.you-tried", "You tried to see details of your account."),
        other_tried=pgettext_lazy(
            "activity.admin-view.other-tried", "{who} tried to see details of your account."
        ),
    ),
    EventType.ADMIN_CHANGE: Phrase(
        you=pgettext_lazy("activity.admin-change.you", "You changed details of your account."),
        other=pgettext_lazy("activity.admin-change.other", "{who} changed details of your account."),
        you_tried=pgettext_lazy(
            "activity.admin-change.you-tried", "You tried to change details of your account."
        ),
        other_tried=pgettext_lazy(
            "activity.admin-change.other-tried", "{who} tried to change details of your account."
        ),
    ),
    EventType.IDENTITY_FIND: Phrase(
        you=pgettext_lazy("activity.identity-find.you", "You looked for your record at another clinic."),
        other=pgettext_lazy(
            "activity.identity-find.other", "{who} looked for your record at another clinic."
        ),
        you_tried=pgettext_lazy(
            "activity.identity-find.you-tried", "You tried to find your record at another clinic."
        ),
        other_tried=pgettext_lazy(
            "activity.identity-find.other-tried", "{who} tried to find your record at another clinic."
        ),
    ),
    EventType.IDENTITY_LINK: Phrase(
        you=pgettext_lazy("activity.identity-link.you", "You joined a clinic record to yours."),
        other=pgettext_lazy("activity.identity-link.other", "{who} joined a clinic record to yours."),
        you_tried=pgettext_lazy(
            "activity.identity-link.you-tried", "You tried to join a clinic record to yours."
        ),
        other_tried=pgettext_lazy(
            "activity.identity-link.other-tried", "{who} tried to join a clinic record to yours."
        ),
    ),
    EventType.IDENTITY_UNLINK: Phrase(
        you=pgettext_lazy("activity.identity-unlink.you", "You took a clinic record out of yours."),
        other=pgettext_lazy("activity.identity-unlink.other", "{who} took a clinic record out of yours."),
        you_tried=pgettext_lazy(
            "activity.identity-unlink.you-tried", "You tried to take a clinic record out of yours."
        ),
        other_tried=pgettext_lazy(
            "activity.identity-unlink.other-tried", "{who} tried to take a clinic record out of yours."
        ),
    ),
    EventType.PATIENT_MERGE: Phrase(
        you=pgettext_lazy("activity.patient-merge.you", "You made one record out of two of yours."),
        other=pgettext_lazy("activity.patient-merge.other", "{who} made one record out of two of yours."),
        you_tried=pgettext_lazy(
            "activity.patient-merge.you-tried", "You tried to make one record out of two of yours."
        ),
        other_tried=pgettext_lazy(
            "activity.patient-merge.other-tried", "{who} tried to make one record out of two of yours."
        ),
    ),
    EventType.PATIENT_PROPOSE: Phrase(
        you=pgettext_lazy("activity.patient-propose.you", "You asked if two accounts are one person's."),
        other=pgettext_lazy("activity.patient-propose.other", "{who} asked if two accounts are yours."),
        you_tried=pgettext_lazy(
            "activity.patient-propose.you-tried", "You tried to ask if two accounts are one person's."
        ),
        other_tried=pgettext_lazy(
            "activity.patient-propose.other-tried", "{who} tried to ask if two accounts are yours."
        ),
    ),
    EventType.PATIENT_ANSWER: Phrase(
        you=pgettext_lazy("activity.patient-answer.you", "You answered if two accounts are one person's."),
        other=pgettext_lazy("activity.patient-answer.other", "{who} answered if two accounts are yours."),
        you_tried=pgettext_lazy(
            "activity.patient-answer.you-tried", "You tried to answer if two accounts are one person's."
        ),
        other_tried=pgettext_lazy(
            "activity.patient-answer.other-tried", "{who} tried to answer if two accounts are yours."
        ),
    ),
    EventType.PATIENT_LEGAL: Phrase(
        you=pgettext_lazy("activity.patient-legal.you", "You noted who can act for somebody, by law."),
        other=pgettext_lazy("activity.patient-legal.other", "{who} noted who can act for you, by law."),
        you_tried=pgettext_lazy(
            "activity.patient-legal.you-tried", "You tried to note who can act for somebody, by law."
        ),
        other_tried=pgettext_lazy(
            "activity.patient-legal.other-tried",
            "{who} tried to note who can act for you, by law.",
        ),
    ),
    EventType.PATIENT_FLAG: _only(
        pgettext_lazy("activity.patient-flag.you", "You told us that a person has died."),
        pgettext_lazy(
            "activity.patient-flag.other", "A health record says that this person has died. We check it."
        ),
    ),
    EventType.PATIENT_DIE: _only(
        pgettext_lazy("activity.patient-die.you", "You noted that a person has died."),
        pgettext_lazy("activity.patient-die.other", "{who} noted that this person has died."),
    ),
    EventType.PATIENT_SPLIT: Phrase(
        you=pgettext_lazy("activity.patient-split.you", "You made two records out of yours again."),
        other=pgettext_lazy("activity.patient-split.other", "{who} made two records out of yours again."),
        you_tried=pgettext_lazy(
            "activity.patient-split.you-tried", "You tried to make two records out of yours again."
        ),
        other_tried=pgettext_lazy(
            "activity.patient-split.other-tried", "{who} tried to make two records out of yours again."
        ),
    ),
}

# Types that end in one way whatever outcome they carry.
ALWAYS: Mapping[EventType, Outcome] = {
    EventType.SESSION_FAIL: Outcome.FAILED,
    EventType.STEPUP_FAIL: Outcome.FAILED,
    EventType.ACTIVATION_FAIL: Outcome.FAILED,
    EventType.TOKEN_REFUSE: Outcome.DENY,
    EventType.RECORD_REFUSE: Outcome.DENY,
    EventType.CONSENT_REFUSE: Outcome.DONE,
    EventType.WRITE_REJECT: Outcome.DONE,
    EventType.WRITE_BLOCK: Outcome.DENY,
    EventType.BUDGET_EXCEED: Outcome.DENY,
}
