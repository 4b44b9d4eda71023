"""The rules that lie in files are whole, or nothing starts: not the site, not a worker, not `manage.py`.

Looked at once, when Django is set up. A rule that cannot be read is never left out.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import cedarpy
from django.conf import settings

from consent import jurisdictions
from consent.directives import FILE as DIRECTIVES
from consent.directives import directives
from consent.emergency_rules import FILE as EMERGENCY
from consent.emergency_rules import rules as emergency_rules
from consent.files import BadFile, line_of, read_text
from consent.labels import VALUE_SETS, starter_codes
from consent.organisation import POLICIES, SCHEMA
from consent.sign_in_rules import FILE as SIGN_IN
from consent.sign_in_rules import rules as sign_in_rules
from consent.vocabulary import JURISDICTIONS

T = TypeVar("T")


def refuse_broken_rules() -> None:
    """Raises BadFile, with file and line, for value sets, jurisdictions,
    policies, directives, or what emergencies and sign-ins open, that are not whole."""
    check_jurisdictions(JURISDICTIONS)
    check_value_sets(VALUE_SETS)
    check_policies(POLICIES, SCHEMA)
    check_directives(DIRECTIVES)
    emergency_rules(EMERGENCY)
    sign_in_rules(SIGN_IN)


def check_directives(path: Path) -> None:
    if not directives(path):
        raise BadFile(path, "it holds no directive")


def check_jurisdictions(path: Path) -> None:
    table = jurisdictions.table(path)
    if settings.JURISDICTION not in table:
        known = ", ".join(sorted(table))
        raise BadFile(path, f"JURISDICTION is {settings.JURISDICTION!r}, and it knows only {known}")


def check_value_sets(folder: Path) -> None:
    if not starter_codes(settings.JURISDICTION, folder):
        raise BadFile(folder, "it holds no value set")


def check_policies(policies: Path, schema: Path) -> None:
    """Cedar's own messages name no line; the line here is where the statement begins that it speaks of."""
    parsed = _parsed(schema, cedarpy.Schema.from_str)
    _parsed(policies, cedarpy.PolicySet.from_str)
    for error in cedarpy.validate_policies(read_text(policies), parsed).errors:
        raise BadFile(policies, str(error), _line_of_policy(policies, error.policy_id))


def _parsed(path: Path, parse: Callable[[str], T]) -> T:
    text = read_text(path)
    try:
        return parse(text)
    except ValueError as error:
        named = str(error).rpartition(": ")[2] if "resolve" in str(error) else ""
        raise BadFile(path, str(error), line_of(path, named) if named else _bad_line(text, parse)) from error


def _bad_line(text: str, parse: Callable[[str], object]) -> int:
    """The line on which the first statement begins that does not parse; statements end in a semicolon."""
    lines, begin = text.splitlines(), 0
    for end, line in enumerate(lines, 1):
        if not line.partition("//")[0].rstrip().endswith(";"):
            continue
        try:
            parse("\n".join(lines[:end]))
        except ValueError as error:
            if "resolve" not in str(error):
                break
        begin = end
    rest = enumerate(lines[begin:], begin + 1)
    return next((n for n, line in rest if line.strip() and not line.startswith("//")), len(lines))


def _line_of_policy(path: Path, policy_id: str) -> int:
    """Cedar counts the policies of a file: "policy0" is the first."""
    starts = [n for n, line in enumerate(read_text(path).splitlines(), 1) if line.startswith("@id(")]
    number = policy_id.removeprefix("policy")
    return starts[int(number)] if number.isdigit() and int(number) < len(starts) else 0
