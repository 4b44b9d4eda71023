"""What an error says stays out of the logs; where it happened goes in."""

import sys

from config.logging import traceback_without_messages


def test_A21_a_traceback_has_no_messages():
    try:
        try:
            raise ValueError("ZEBRAFISH is not a date")
        except ValueError as error:
            raise KeyError("ZEBRAFISH") from error
    except KeyError:
        told = traceback_without_messages(sys.exc_info())

    assert 'test_logs.py", line' in told
    assert "is not a date" not in told.replace('raise ValueError("ZEBRAFISH is not a date")', "")
    assert told.splitlines()[-1] == "builtins.KeyError"
    assert "builtins.ValueError" in told
