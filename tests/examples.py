"""How many examples hypothesis makes up: a tenth in the suite, which runs at each change and meets others
each time; all of them by `make test EXAMPLES=10`, for a night and for whoever changes what they try.
"""

import os

from hypothesis import settings

SHARE = float(os.environ.get("EXAMPLES") or 1) / 10
LEAST = 20


def examples(number: int) -> settings:
    """Settings for a test of so many examples in a full run; the suite makes 20 of them at least."""
    return settings(max_examples=max(round(number * SHARE), min(number, LEAST)), deadline=None)


settings.register_profile("suite", examples(300))
settings.load_profile("suite")
