"""What can be told: each kind of notice, its words, and the names it takes.

E-mail is read by others and on locked screens, so its subject and body name no app, no
person and no fact of health; they say where to look. `line` is what the portal shows after
sign-in, and may name an app or a helper.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from notices.topics import Topic


@dataclass(frozen=True, slots=True)
class Kind:
    """Words of one kind; `names` are the keys of a notice's context, exactly."""

    subject: Promise
    body: Promise
    line: Promise
    names: tuple[str, ...] = ()
    path: str = "/"  # the page of the portal that tells more
    topic: Topic = Topic.SAFETY  # what is not said to be another goes out at once


KINDS = {
    "app_connected": Kind(
        pgettext_lazy("notice.app_connected.subject", "An app can now see your records"),
        pgettext_lazy(
            "notice.app_connected.body",
            "You let an app see some of your records. You can see what it does, or stop it, on any day.",
        ),
        pgettext_lazy("notice.app_connected.line", "%(app)s can now see some of your records."),
        names=("app",),
        path="/apps/",
    ),
    "app_stopped": Kind(
        pgettext_lazy("notice.app_stopped.subject", "You stopped sharing with an app"),
        pgettext_lazy(
            "notice.app_stopped.body",
            "The app cannot get anything new. This does not delete what it already has.",
        ),
        pgettext_lazy("notice.app_stopped.line", "%(app)s can no longer get anything new."),
        names=("app",),
        path="/apps/",
        topic=Topic.SHARING,
    ),
    "sharing_paused": Kind(
        pgettext_lazy("notice.sharing_paused.subject", "You paused all sharing"),
        pgettext_lazy(
            "notice.sharing_paused.body",
            "Nobody you share with sees anything new until you start again. You can do that on any day.",
        ),
        pgettext_lazy("notice.sharing_paused.line", "All sharing is paused."),
        path="/sharing/",
        topic=Topic.SHARING,
    ),
    "sharing_resumed": Kind(
        pgettext_lazy("notice.sharing_resumed.subject", "Sharing is on again"),
        pgettext_lazy(
            "notice.sharing_resumed.body",
            "All that you paused is on again, as it was before. You can see it, or stop it, on any day.",
        ),
        pgettext_lazy("notice.sharing_resumed.line", "Sharing is on again, as it was before."),
        path="/sharing/",
        topic=Topic.SHARING,
    ),
    "records_joined": Kind(
        pgettext_lazy("notice.records_joined.subject", "More records are with yours now"),
        pgettext_lazy(
            "notice.records_joined.body",
            "Records of yours at one more clinic are now with the others. Sign in to see them. "
            "If they are not yours, call your clinic.",
        ),
        pgettext_lazy(
            "notice.records_joined.line", "Your records at one more clinic are now with the others."
        ),
    ),
    "sharing_waits": Kind(
        pgettext_lazy("notice.sharing_waits.subject", "We paused your sharing"),
        pgettext_lazy(
            "notice.sharing_waits.body",
            "More records are with yours now. So we paused your sharing until you look at it. "
            "Sign in to start it again.",
        ),
        pgettext_lazy(
            "notice.sharing_waits.line",
            "More records are with yours now. We paused your sharing until you start it again.",
        ),
        path="/sharing/",
    ),
    "sharing_asked": Kind(
        pgettext_lazy("notice.sharing_asked.subject", "A request waits for your answer"),
        pgettext_lazy(
            "notice.sharing_asked.body",
            "You are asked about sharing. Nothing is shared until you agree. Sign in to see it.",
        ),
        pgettext_lazy("notice.sharing_asked.line", "A request to share waits for your answer."),
        path="/sharing/",
        topic=Topic.SHARING,
    ),
    "limit_answered": Kind(
        pgettext_lazy("notice.limit_answered.subject", "Your clinic answered you"),
        pgettext_lazy(
            "notice.limit_answered.body",
            "Your clinic answered a request of yours. Sign in to see what they say.",
        ),
        pgettext_lazy("notice.limit_answered.line", "Your clinic answered the limit that you asked for."),
        path="/sharing/",
        topic=Topic.ANSWERS,
    ),
    "client_decided": Kind(
        pgettext_lazy("notice.client_decided.subject", "The clinic decided about an app of yours"),
        pgettext_lazy(
            "notice.client_decided.body",
            "The clinic looked at an app that you registered. Sign in to see what it decided, and why.",
        ),
        pgettext_lazy("notice.client_decided.line", "The clinic decided about your app %(app)s."),
        names=("app",),
        path="/developers/",
    ),
    "question_answered": Kind(
        pgettext_lazy("notice.question_answered.subject", "Your clinic answered you"),
        pgettext_lazy(
            "notice.question_answered.body",
            "There is an answer to a question of yours. Sign in to see what it says.",
        ),
        pgettext_lazy(
            "notice.question_answered.line", "There is an answer to your question about your activity."
        ),
        path="/activity/questions/",
        topic=Topic.ANSWERS,
    ),
    "use_checked": Kind(
        pgettext_lazy("notice.use_checked.subject", "We are looking at who used your record"),
        pgettext_lazy(
            "notice.use_checked.body",
            "We saw something unusual and are checking it. You do not have to do anything. "
            "Sign in to see who used your record.",
        ),
        pgettext_lazy(
            "notice.use_checked.line", "We are checking an unusual use of your record. See your activity."
        ),
        path="/activity/",
    ),
    "log_alarm": Kind(
        pgettext_lazy("notice.log_alarm.subject", "The audit log needs you now"),
        pgettext_lazy(
            "notice.log_alarm.body",
            "A check found that the audit log was changed or cut short. A case is open in the console. "
            "Sign in now to see what was found.",
        ),
        pgettext_lazy("notice.log_alarm.line", "The audit log was changed or cut short. A case is open."),
        path="/admin/cases/",
    ),
    "emergency_opened": Kind(
        pgettext_lazy("notice.emergency_opened.subject", "Your record was opened"),
        pgettext_lazy(
            "notice.emergency_opened.body",
            "Someone opened your record in a way that we check each time. Sign in to see more. "
            "If you have a question, call your clinic.",
        ),
        pgettext_lazy(
            "notice.emergency_opened.line",
            "A doctor opened your record in an emergency. The clinic checks each time this happens.",
        ),
        path="/activity/",
    ),
    "emergency_opened_helper": Kind(
        pgettext_lazy("notice.emergency_opened_helper.subject", "A record was opened"),
        pgettext_lazy(
            "notice.emergency_opened_helper.body",
            "Someone opened the record of a person you help in a way that we check each time. "
            "Sign in to see more. If you have a question, call your clinic.",
        ),
        pgettext_lazy(
            "notice.emergency_opened_helper.line",
            "A doctor opened the record of %(patient)s in an emergency. The clinic checks each time.",
        ),
        names=("patient",),
        path="/acting/",
    ),
    "reason_opened": Kind(
        pgettext_lazy("notice.emergency_opened.subject", "Your record was opened"),
        pgettext_lazy(
            "notice.emergency_opened.body",
            "Someone opened your record in a way that we check each time. Sign in to see more. "
            "If you have a question, call your clinic.",
        ),
        pgettext_lazy(
            "notice.reason_opened.line",
            "A doctor who treats you opened your record and said why. The clinic checks each time.",
        ),
        path="/activity/",
    ),
    "reason_opened_helper": Kind(
        pgettext_lazy("notice.emergency_opened_helper.subject", "A record was opened"),
        pgettext_lazy(
            "notice.emergency_opened_helper.body",
            "Someone opened the record of a person you help in a way that we check each time. "
            "Sign in to see more. If you have a question, call your clinic.",
        ),
        pgettext_lazy(
            "notice.reason_opened_helper.line",
            "A doctor who treats %(patient)s opened their record and said why. The clinic checks each time.",
        ),
        names=("patient",),
        path="/acting/",
    ),
    "watched_opened": Kind(
        pgettext_lazy("notice.watched_opened.subject", "A record that is watched was opened"),
        pgettext_lazy(
            "notice.watched_opened.body",
            "Someone opened a record that is watched closely. They said why. Check it within 24 hours.",
        ),
        pgettext_lazy("notice.watched_opened.line", "Someone opened a record that is watched closely."),
        path="/admin/emergencies/",
    ),
    "staff_elevated": Kind(
        pgettext_lazy("notice.staff_elevated.subject", "Support looked at your account"),
        pgettext_lazy(
            "notice.staff_elevated.body",
            "Support staff can see your name and address for some minutes, to help you. "
            "They do not see your health records. If you did not ask for help, call your clinic.",
        ),
        pgettext_lazy(
            "notice.staff_elevated.line",
            "Support staff saw your name and address to help you. They did not see your health records.",
        ),
        path="/activity/",
    ),
    "support_helped": Kind(
        pgettext_lazy("notice.support_helped.subject", "Support helped with your account"),
        pgettext_lazy(
            "notice.support_helped.body",
            "Support staff sent you a link for a new password. If you did not ask for it, call your clinic.",
        ),
        pgettext_lazy("notice.support_helped.line", "Support staff sent you a link for a new password."),
        path="/activity/",
    ),
    "export_ready": Kind(
        pgettext_lazy("notice.export_ready.subject", "Your file is ready"),
        pgettext_lazy(
            "notice.export_ready.body",
            "The file you asked for is ready. You must sign in to get it. We delete it after a few days.",
        ),
        pgettext_lazy("notice.export_ready.line", "Your file is ready. You can get it in Downloads."),
        path="/downloads/",
        topic=Topic.FILES,
    ),
    "write_added": Kind(
        pgettext_lazy("notice.write_added.subject", "Your clinic added what you sent"),
        pgettext_lazy(
            "notice.write_added.body",
            "Your clinic checked what you sent and added it to your record.",
        ),
        pgettext_lazy("notice.write_added.line", "Your clinic added what you sent to your record."),
        topic=Topic.ANSWERS,
    ),
    "write_sent_back": Kind(
        pgettext_lazy("notice.write_sent_back.subject", "Your clinic sent something back to you"),
        pgettext_lazy(
            "notice.write_sent_back.body",
            "Your clinic looked at what you sent and did not add it yet. Sign in to see why.",
        ),
        pgettext_lazy(
            "notice.write_sent_back.line", "Your clinic did not add what you sent. You can see why."
        ),
        topic=Topic.ANSWERS,
    ),
    "contact_asked": Kind(
        pgettext_lazy("notice.contact_asked.subject", "Your clinic was asked to change how it reaches you"),
        pgettext_lazy(
            "notice.contact_asked.body",
            "Somebody signed in and asked to change your contact details at your clinic. "
            "If it was not you or your helper, call your clinic.",
        ),
        pgettext_lazy("notice.contact_asked.line", "Your clinic was asked to change how it reaches you."),
        path="/add/",
    ),
    "write_extended": Kind(
        pgettext_lazy("notice.write_extended.subject", "Your clinic needs more time"),
        pgettext_lazy(
            "notice.write_extended.body",
            "Your clinic needs more time to answer something that you sent. Sign in to see why.",
        ),
        pgettext_lazy(
            "notice.write_extended.line", "Your clinic needs up to 30 days more for your correction."
        ),
        path="/add/",
        topic=Topic.ANSWERS,
    ),
    "write_blocked": Kind(
        pgettext_lazy("notice.write_blocked.subject", "Something was not sent to your clinic"),
        pgettext_lazy(
            "notice.write_blocked.body",
            "Something new waited to be added to your record. We did not send it. Sign in to see why.",
        ),
        pgettext_lazy(
            "notice.write_blocked.line",
            "Something new was not sent to your clinic because what allowed it has ended.",
        ),
        topic=Topic.ANSWERS,
    ),
    "new_sign_in": Kind(
        pgettext_lazy("notice.new_sign_in.subject", "New sign-in to your account"),
        pgettext_lazy(
            "notice.new_sign_in.body",
            "Someone signed in to your account on a new device. "
            "If it was not you, change your password and call your clinic.",
        ),
        pgettext_lazy("notice.new_sign_in.line", "Your account was used on a new device."),
    ),
    "email_changed": Kind(
        pgettext_lazy("notice.email_changed.subject", "The email of your account changed"),
        pgettext_lazy(
            "notice.email_changed.body",
            "Your account has another email now. If you did not do this, call your clinic at once.",
        ),
        pgettext_lazy("notice.email_changed.line", "Your account has another email now."),
        path="/settings/security/",
    ),
    "sign_in_changed": Kind(
        pgettext_lazy("notice.sign_in_changed.subject", "How you sign in has changed"),
        pgettext_lazy(
            "notice.sign_in_changed.body",
            "The password, a passkey or the codes of your account changed. "
            "If you did not do this, call your clinic at once.",
        ),
        pgettext_lazy(
            "notice.sign_in_changed.line", "The password, a passkey or the codes of your account changed."
        ),
        path="/settings/security/",
    ),
    "account_closes": Kind(
        pgettext_lazy("notice.account_closes.subject", "Your account closes in 7 days"),
        pgettext_lazy(
            "notice.account_closes.body",
            "You asked us to close your account. Until then all your sharing is on hold. "
            "Sign in to keep your account. If you did not ask for this, call your clinic at once.",
        ),
        pgettext_lazy("notice.account_closes.line", "Your account closes in 7 days, as you asked."),
        path="/settings/closing/",
    ),
    "account_closed": Kind(
        pgettext_lazy("notice.account_closed.subject", "Your account is closed"),
        pgettext_lazy(
            "notice.account_closed.body",
            "Nobody can sign in with it any more. Your clinic keeps your records. "
            "If you did not ask for this, call your clinic.",
        ),
        pgettext_lazy("notice.account_closed.line", "Your account is closed."),
    ),
    "provider_changed": Kind(
        pgettext_lazy("notice.sign_in_changed.subject", "How you sign in has changed"),
        pgettext_lazy(
            "notice.provider_changed.body",
            "A sign-in from somewhere else was linked to your account, or taken off it. "
            "If you did not do this, call your clinic at once.",
        ),
        pgettext_lazy(
            "notice.provider_changed.line",
            "A sign-in from somewhere else was linked to your account, or taken off it.",
        ),
        path="/settings/security/",
    ),
    "accounts_one": Kind(
        pgettext_lazy("notice.accounts_one.subject", "Do you have two accounts?"),
        pgettext_lazy(
            "notice.accounts_one.body",
            "Your clinic thinks that you have two accounts. Sign in to say yes or no. "
            "Nothing changes until both accounts say yes.",
        ),
        pgettext_lazy(
            "notice.accounts_one.line", "Your clinic thinks that you have two accounts. Say yes or no."
        ),
        path="/settings/one-account/",
    ),
    "accounts_one_soon": Kind(
        pgettext_lazy("notice.accounts_one_soon.subject", "Two accounts become one in 3 days"),
        pgettext_lazy(
            "notice.accounts_one_soon.body",
            "It was said that two accounts are yours. In 3 days they become one. "
            "If this is wrong, sign in and stop it.",
        ),
        pgettext_lazy(
            "notice.accounts_one_soon.line", "Two accounts become one in 3 days. If this is wrong, stop it."
        ),
        path="/settings/one-account/",
    ),
    "accounts_one_over": Kind(
        pgettext_lazy("notice.accounts_one_over.subject", "Two accounts stay two"),
        pgettext_lazy(
            "notice.accounts_one_over.body",
            "Your clinic asked if you have two accounts. It was not agreed. Nothing changed.",
        ),
        pgettext_lazy(
            "notice.accounts_one_over.line", "Your clinic asked about two accounts. Nothing changed."
        ),
        path="/activity/",
    ),
    "legal_changed": Kind(
        pgettext_lazy("notice.legal_changed.subject", "A change to who can act for you"),
        pgettext_lazy(
            "notice.legal_changed.body",
            "Your clinic noted a fact that decides who can act for you. "
            "Sign in to see your helpers. If it is wrong, call your clinic.",
        ),
        pgettext_lazy(
            "notice.legal_changed.line",
            "Your clinic noted a fact that decides who can act for you. If it is wrong, call your clinic.",
        ),
        path="/helpers/",
    ),
    "helper_changed": Kind(
        pgettext_lazy("notice.helper_changed.subject", "A change to who can help you"),
        pgettext_lazy(
            "notice.helper_changed.body",
            "What a helper can see or do for you changed. If you did not ask for this, call your clinic.",
        ),
        pgettext_lazy("notice.helper_changed.line", "What %(helper)s can see or do for you changed."),
        names=("helper",),
        path="/helpers/",
    ),
    "helper_added": Kind(
        pgettext_lazy("notice.helper_added.subject", "You have a new helper"),
        pgettext_lazy(
            "notice.helper_added.body",
            "Somebody can act for you now. Sign in to see who it is. You can stop it on any day.",
        ),
        pgettext_lazy(
            "notice.helper_added.line",
            "%(helper)s is your helper now. If this is not who you meant, stop it now.",
        ),
        names=("helper",),
        path="/helpers/",
    ),
    "helper_asked": Kind(
        pgettext_lazy("notice.helper_asked.subject", "Somebody asks to help you"),
        pgettext_lazy(
            "notice.helper_asked.body",
            "Somebody asks to act for you. Your clinic checks it first. You can sign in and say no.",
        ),
        pgettext_lazy(
            "notice.helper_asked.line", "%(helper)s asks to be your helper. Your clinic checks it first."
        ),
        names=("helper",),
        path="/helpers/",
        topic=Topic.HELPERS,
    ),
    "helper_stopped": Kind(
        pgettext_lazy("notice.helper_stopped.subject", "Help has ended"),
        pgettext_lazy(
            "notice.helper_stopped.body",
            "Somebody can no longer act for you. You can see who it was when you sign in.",
        ),
        pgettext_lazy("notice.helper_stopped.line", "%(helper)s is no longer your helper."),
        names=("helper",),
        path="/helpers/",
        topic=Topic.HELPERS,
    ),
    "helping_changed": Kind(
        pgettext_lazy("notice.helping_changed.subject", "A change to whom you help"),
        pgettext_lazy(
            "notice.helping_changed.body",
            "What you can see or do for another person changed. Sign in to see it.",
        ),
        pgettext_lazy("notice.helping_changed.line", "What you can see or do for %(patient)s changed."),
        names=("patient",),
        path="/acting/",
        topic=Topic.HELPERS,
    ),
    "teen_soon": Kind(
        pgettext_lazy("notice.teen_soon.subject", "Your privacy changes soon"),
        pgettext_lazy(
            "notice.teen_soon.body",
            "On your birthday, your helpers will see less of your records. Sign in to see more.",
        ),
        pgettext_lazy(
            "notice.teen_soon.line", "On your birthday, your helpers will see less of your records."
        ),
        names=(),
        path="/helpers/",
        topic=Topic.HELPERS,
    ),
    "teen_soon_helper": Kind(
        pgettext_lazy("notice.teen_soon_helper.subject", "A birthday changes what you see"),
        pgettext_lazy(
            "notice.teen_soon_helper.body",
            "Somebody you help has a birthday soon. Then you will see less.",
        ),
        pgettext_lazy(
            "notice.teen_soon_helper.line", "%(patient)s has a birthday soon. Then you will see less."
        ),
        names=("patient",),
        path="/acting/",
        topic=Topic.HELPERS,
    ),
    "of_age_soon": Kind(
        pgettext_lazy("notice.of_age_soon.subject", "You will be an adult soon"),
        pgettext_lazy(
            "notice.of_age_soon.body",
            "On your birthday, your parents stop seeing your records. You can choose them as helpers.",
        ),
        pgettext_lazy("notice.of_age_soon.line", "On your birthday, your parents stop seeing your records."),
        names=(),
        path="/helpers/",
        topic=Topic.HELPERS,
    ),
    "of_age_soon_helper": Kind(
        pgettext_lazy("notice.of_age_soon_helper.subject", "Your help ends on a birthday"),
        pgettext_lazy(
            "notice.of_age_soon_helper.body",
            "Somebody you help will be an adult soon. Then you see their records only if they choose you.",
        ),
        pgettext_lazy(
            "notice.of_age_soon_helper.line", "%(patient)s will be an adult soon. Then your help ends."
        ),
        names=("patient",),
        path="/acting/",
        topic=Topic.HELPERS,
    ),
}
