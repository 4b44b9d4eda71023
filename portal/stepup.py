"""Step-up on the portal's pages: the guard, and what each action is called before it happens."""

from collections.abc import Callable, Mapping
from functools import wraps

from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from accounts import stepup
from accounts.stepup import Action

View = Callable[..., HttpResponseBase]

ABOUT_TO: Mapping[Action, Promise] = {
    Action.EXPORT: pgettext_lazy("stepup.export", "You are about to save a copy from your records."),
    Action.SHARE: pgettext_lazy("stepup.share", "You are about to let others see more of your records."),
    Action.HELPER: pgettext_lazy("stepup.helper", "You are about to change who can help you."),
    Action.APP_PRIVATE: pgettext_lazy(
        "stepup.app-private", "You are about to share private topics with an app."
    ),
    Action.APP_WRITES: pgettext_lazy(
        "stepup.app-writes", "You are about to let an app send things to your clinic."
    ),
    Action.APP_BOTH: pgettext_lazy(
        "stepup.app-both",
        "You are about to share private topics with an app, and to let it send things to your clinic.",
    ),
    Action.CONTACT: pgettext_lazy("stepup.contact", "You are about to change how we reach you."),
    Action.SECURITY: pgettext_lazy("stepup.security", "You are about to change how you sign in."),
    Action.CLOSE: pgettext_lazy("stepup.close", "You are about to close your account."),
    Action.ACTING_FIRST: pgettext_lazy("stepup.acting-first", "You are about to act for someone else."),
    Action.ELEVATION: pgettext_lazy(
        "stepup.elevation", "You are about to see more than your work needs each day."
    ),
    Action.MERGE: pgettext_lazy("stepup.merge", "You are about to say that two accounts are one person's."),
    Action.LEGAL: pgettext_lazy(
        "stepup.legal-status", "You are about to change what decides who can act for a patient."
    ),
    Action.BREAK_GLASS: pgettext_lazy(
        "stepup.break-glass", "You are about to open a record in an emergency. The patient will be told."
    ),
}


def step_up(
    action: Action, *, methods: frozenset[str] = frozenset({"POST"}), is_file: bool = False
) -> Callable[[View], View]:
    """Prove again that it is you, before the view runs. Put it below the guard that says who may come.

    Where it depends on the form whether an action needs it, the view calls `accounts.stepup.require`.
    """

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if request.method in methods:
                stepup.require(request, action, is_file=is_file)
            return view(request, *args, **kwargs)

        return guarded

    return guard
