"""The words that go into the sentences of the activity list, and the reasons that follow them.

Codes are kept in the log and in consents: never rename one.
"""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from audit.events import Role

OUR_NO = pgettext_lazy("reason.no", "We said no.")
NOT_DONE = pgettext_lazy("reason.not-done", "It did not work.")
AN_APP = pgettext_lazy("activity.who.an-app", "an app")
AN_ORGANIZATION = pgettext_lazy("activity.who.an-organization", "an organization")
A_PERSON = pgettext_lazy("activity.who.a-person", "A person")
THIS_PERSON = pgettext_lazy("activity.who.this-person", "this person")
YOUR_HELPER = pgettext_lazy("activity.who.your-helper", "{name}, your helper,")
LISTED = pgettext_lazy("activity.list", "{first} and {last}")
MANY = pgettext_lazy("activity.what.many", "{count} kinds of records")
NAMES = pgettext_lazy("activity.what.names", "names of people and places in your record")
YOUR_RECORDS = pgettext_lazy("activity.what.records", "your records")

ACTORS: Mapping[Role, Promise] = {
    Role.PATIENT: pgettext_lazy("activity.who.patient", "The patient"),
    Role.HELPER: pgettext_lazy("activity.who.helper", "A helper"),
    Role.CLINICIAN: pgettext_lazy("activity.who.clinician", "A clinician"),
    Role.CLIENT: pgettext_lazy("activity.who.client", "An app"),
    Role.BILLING: pgettext_lazy("activity.who.billing", "Billing staff"),
    Role.SUPPORT: pgettext_lazy("activity.who.support", "Support staff"),
    Role.COMPLIANCE: pgettext_lazy("activity.who.compliance", "Privacy staff"),
    Role.SYSTEM: pgettext_lazy("activity.who.system", "The portal"),
}

# By the codes of data categories, which are kept in consents and never renamed.
CATEGORIES: Mapping[str, Promise] = {
    "test-results": pgettext_lazy("activity.what.test-results", "your test results"),
    "vital-signs": pgettext_lazy("activity.what.vital-signs", "your vital signs"),
    "medicines": pgettext_lazy("activity.what.medicines", "your medicines"),
    "allergies": pgettext_lazy("activity.what.allergies", "your allergies"),
    "conditions": pgettext_lazy("activity.what.conditions", "your health conditions"),
    "vaccines": pgettext_lazy("activity.what.vaccines", "your vaccines"),
    "visits": pgettext_lazy("activity.what.visits", "your visits"),
    "notes": pgettext_lazy("activity.what.notes", "your visit notes"),
    "imaging": pgettext_lazy("activity.what.imaging", "your scans"),
    "procedures": pgettext_lazy("activity.what.procedures", "your procedures"),
    "care-plans": pgettext_lazy("activity.what.care-plans", "your care plans"),
    "care-team": pgettext_lazy("activity.what.care-team", "your care team"),
    "social-history": pgettext_lazy("activity.what.social-history", "facts about your daily life"),
    "surveys": pgettext_lazy("activity.what.surveys", "your answers to questions"),
    "devices": pgettext_lazy("activity.what.devices", "your medical devices"),
    "family-history": pgettext_lazy("activity.what.family-history", "your family history"),
    "insurance": pgettext_lazy("activity.what.insurance", "your insurance"),
    "demographics": pgettext_lazy("activity.what.demographics", "your name and age"),
    "contact": pgettext_lazy("activity.what.contact", "your address and phone"),
    "appointments": pgettext_lazy("activity.what.appointments", "your appointments"),
    "messages": pgettext_lazy("activity.what.messages", "your messages"),
    "privacy": pgettext_lazy("activity.what.privacy", "your sharing choices and access log"),
    "other": pgettext_lazy("activity.what.other", "other parts of your record"),
}

# Why we said no.
REASONS: Mapping[str, Promise] = {
    "consent.none": pgettext_lazy("reason.consent.none", "We said no because you did not share with {app}."),
    "consent.category": pgettext_lazy(
        "reason.consent.category", "We said no because you did not share {what} with {app}."
    ),
    "consent.revoked": pgettext_lazy("reason.consent.revoked", "We said no because you stopped sharing."),
    "consent.expired": pgettext_lazy("reason.consent.expired", "We said no because your sharing ended."),
    "consent.paused": pgettext_lazy(
        "reason.consent.paused", "We said no because you put all sharing on hold."
    ),
    "consent.proposed": pgettext_lazy(
        "reason.consent.proposed", "We said no because you did not agree to this yet."
    ),
    "consent.changed": pgettext_lazy(
        "reason.consent.changed", "We said no because your choices changed at that moment."
    ),
    "teen.private": pgettext_lazy(
        "reason.teen.private", "We said no because some records are private for teens."
    ),
    "helper.of-age": pgettext_lazy(
        "reason.helper.of-age", "We said no because an adult chooses their own helpers."
    ),
    **dict.fromkeys(
        ("helper.code", "helper.attempts"),
        pgettext_lazy("reason.helper.code", "We said no because the code was not right."),
    ),
    **dict.fromkeys(
        (
            *("helper.duplicate", "helper.self", "helper.circular", "helper.staff", "helper.age"),
            *("helper.basis", "helper.past", "helper.many", "helper.changed", "helper.state", "helper.over"),
            *("helper.law",),
        ),
        pgettext_lazy("reason.helper.rules", "We said no because the rules for helpers do not allow it."),
    ),
    **dict.fromkeys(
        ("legal.value", "legal.reason"),
        pgettext_lazy("reason.legal", "We said no because something was missing or did not fit."),
    ),
    **dict.fromkeys(
        ("merge.state", "merge.second", "merge.open", "merge.reason"),
        pgettext_lazy("reason.merge", "We said no because two accounts cannot become one in this way."),
    ),
    "evidence.type": pgettext_lazy(
        "reason.evidence.type", "We said no because the file was not a PDF, JPEG or PNG."
    ),
    "evidence.size": pgettext_lazy("reason.evidence.size", "We said no because the file was too big."),
    "evidence.count": pgettext_lazy("reason.evidence.count", "We said no because there were too many files."),
    **dict.fromkeys(
        ("evidence.state", "evidence.gone"),
        pgettext_lazy("reason.evidence.state", "We said no because the request was answered."),
    ),
    "consent.purpose": pgettext_lazy(
        "reason.consent.purpose", "We said no because {app} asked for a reason you did not allow."
    ),
    "consent.write": pgettext_lazy(
        "reason.consent.write", "We said no because you did not allow {app} to send new things."
    ),
    "consent.denied": pgettext_lazy(
        "reason.consent.denied", "We said no because you chose to keep this part to yourself."
    ),
    "scope.not-granted": pgettext_lazy(
        "reason.scope.not-granted", "We said no because you did not share {what} with {app}."
    ),
    "sensitive.optin": pgettext_lazy(
        "reason.sensitive.optin", "We said no because this part is private and needs a clear yes from you."
    ),
    "helper.level": pgettext_lazy(
        "reason.helper.level", "We said no because {name} is allowed to see visits only."
    ),
    "auth.stepup": pgettext_lazy(
        "reason.auth.stepup", "We said no because we could not check that it was you."
    ),
    "app.on-trial": pgettext_lazy(
        "reason.app.on-trial", "We said no because nobody here has checked this app yet."
    ),
    "app.suspended": pgettext_lazy("reason.app.suspended", "We said no because we are checking this app."),
    "account.closed": pgettext_lazy("reason.account.closed", "We said no because the account is closed."),
    "role.not-allowed": pgettext_lazy(
        "reason.role.not-allowed", "We said no because this is not part of their work."
    ),
    "role.minimum": pgettext_lazy(
        "reason.role.minimum", "We said no because their work does not need this kind of record."
    ),
    "emergency.treating": pgettext_lazy(
        "reason.emergency.treating", "We said no because we do not know them as someone who treats you."
    ),
    "emergency.own": pgettext_lazy(
        "reason.emergency.own", "We said no because nobody opens their own record in that way."
    ),
    "emergency.reason": pgettext_lazy("reason.emergency.reason", "We said no because no reason was given."),
    "elevation.own": pgettext_lazy(
        "reason.elevation.own", "We said no because nobody does this for their own account."
    ),
    "elevation.reason": pgettext_lazy("reason.elevation.reason", "We said no because no reason was given."),
    "elevation.running": pgettext_lazy(
        "reason.elevation.running", "We said no because they see more already, for another reason."
    ),
    "support.own": pgettext_lazy(
        "reason.support.own", "We said no because nobody does this for their own account."
    ),
    **dict.fromkeys(
        ("support.code", "support.attempts"),
        pgettext_lazy("reason.helper.code", "We said no because the code was not right."),
    ),
    "emergency.reviewed": pgettext_lazy(
        "reason.emergency.reviewed", "We said no because somebody else had checked it first."
    ),
    "record.close": pgettext_lazy(
        "reason.record.close",
        "We said no because staff need a reason for the record of someone close to them.",
    ),
    "record.watched": pgettext_lazy(
        "reason.record.watched", "We said no because staff need a reason for this record, and gave none."
    ),
    "record.not-yours": pgettext_lazy(
        "reason.record.not-yours", "We said no because this is not in your record."
    ),
    "record.not-found": pgettext_lazy(
        "reason.record.not-found", "We said no because there is no such thing in your record."
    ),
    "token.expired": pgettext_lazy("reason.token.expired", "We said no because the access had ended."),
    "sign-in.too-old": pgettext_lazy(
        "reason.sign-in.too-old", "We said no until you sign in to it again, to be sure that it is you."
    ),
    "token.raced": pgettext_lazy(
        "reason.token.raced", "We said no because the same key was used two times at once."
    ),
    "token.replayed": pgettext_lazy(
        "reason.token.replayed",
        "We said no because an old key was used again. To be safe, we ended the access.",
    ),
    "link.ended": pgettext_lazy("reason.link.ended", "We said no because the link had ended."),
    "link.passcode": pgettext_lazy("reason.link.passcode", "We said no because the passcode was not right."),
    "link.unknown": pgettext_lazy("reason.link.unknown", "We said no because there is no such link."),
    "budget.requests": pgettext_lazy(
        "reason.budget.requests", "We said no for a minute, so that everyone gets an answer."
    ),
    "budget.refusals": pgettext_lazy(
        "reason.budget.refusals",
        "We said no for a minute because it kept asking for things it is not allowed to see.",
    ),
    "budget.resources": pgettext_lazy(
        "reason.budget.resources", "We said no for up to an hour because it had got so many records."
    ),
    "budget.writes": pgettext_lazy(
        "reason.budget.writes", "We said no for up to an hour because too many new things came at once."
    ),
    "clinic.hold": pgettext_lazy(
        "reason.clinic.hold", "We said no for now. Your clinic must check this first."
    ),
    "identity.ambiguous": pgettext_lazy(
        "reason.identity.ambiguous", "We said no because two clinic records could be yours."
    ),
    "identity.evidence": pgettext_lazy(
        "reason.identity.evidence", "We said no because we are not sure that the clinic record is yours."
    ),
    "identity.taken": pgettext_lazy(
        "reason.identity.taken", "We said no because another record is joined there."
    ),
    **dict.fromkeys(
        (
            *("request.400", "request.404", "request.405", "request.406", "request.413", "request.415"),
            *("request.422", "request.429"),
        ),
        pgettext_lazy("reason.request", "We said no because nobody can ask for it in that way."),
    ),
    "request.403": pgettext_lazy("reason.request.403", "We said no because the request was not safe."),
    "request.428": pgettext_lazy(
        "reason.request.428", "We said no because it did not say what it wanted to change."
    ),
    **dict.fromkeys(
        ("request.409", "request.412"),
        pgettext_lazy("reason.request.412", "We said no because the record had changed in the meantime."),
    ),
    "token.unknown": pgettext_lazy("reason.token.unknown", "We said no because we do not know the key."),
    "cursor.invalid": pgettext_lazy(
        "reason.cursor.invalid", "We said no because the link to the page was too old."
    ),
    "ehr.busy": pgettext_lazy("reason.ehr.busy", "The clinic system had too much to do."),
    "ehr.error": pgettext_lazy("reason.ehr.error", "The clinic system had a problem."),
    "ehr.not-found": pgettext_lazy("reason.ehr.not-found", "The clinic system did not find it."),
    "ehr.not-sent": pgettext_lazy(
        "reason.ehr.not-sent", "We could not send it yet. We try again in a few minutes."
    ),
    "ehr.conflict": pgettext_lazy(
        "reason.ehr.conflict", "Your record changed in the meantime. Your clinic looks at it again."
    ),
    "ehr.refused": pgettext_lazy("reason.ehr.refused", "The clinic system did not take the request."),
    "ehr.no-answer": pgettext_lazy("reason.ehr.no-answer", "The clinic system did not answer."),
    "log.late": pgettext_lazy("reason.log.late", "The access log was late."),
    "log.truncated": pgettext_lazy("reason.log.truncated", "A part of the access log was missing."),
    "log.broken": pgettext_lazy("reason.log.broken", "The access log was changed by someone."),
    "queue.down": pgettext_lazy("reason.queue.down", "The work in the background had stopped."),
    "export.disk-full": pgettext_lazy("reason.export.disk-full", "We had no room left for the file."),
    "export.storage": pgettext_lazy("reason.export.storage", "We could not store the file."),
    "export.worker": pgettext_lazy("reason.export.worker", "We tried some times, and it did not work."),
    "push.redirect": pgettext_lazy("reason.push.redirect", "The address for the files led elsewhere."),
    "push.not-public": pgettext_lazy("reason.push.not-public", "The address for the files was not safe."),
    "push.key": pgettext_lazy("reason.push.key", "The address for the files had another key."),
    "push.refused": pgettext_lazy("reason.push.refused", "The other side did not take the files."),
    "push.no-answer": pgettext_lazy("reason.push.no-answer", "The other side did not answer."),
    "push.not-allowed": pgettext_lazy(
        "reason.push.not-allowed", "We do not send files to this address any more."
    ),
    "push.ended": pgettext_lazy("reason.push.ended", "What allowed the files to be sent has ended."),
    "policy.down": pgettext_lazy(
        "reason.policy.down", "We could not check the rules just now, so we said no to be safe."
    ),
}
# Where the day is known (`detail.on`, ISO 8601).
DATED: Mapping[str, Promise] = {
    "consent.revoked": pgettext_lazy(
        "reason.consent.revoked.dated", "We said no because you stopped sharing on {date}."
    ),
    "consent.expired": pgettext_lazy(
        "reason.consent.expired.dated", "We said no because your sharing ended on {date}."
    ),
    "clinic.hold": pgettext_lazy(
        "reason.clinic.hold.dated", "Your clinic must check this first. We will tell you by {date}."
    ),
}
