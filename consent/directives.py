"""Opt-in and opt-out: what holds for an operational use where the patient chose nothing.

Data, in `directives.toml`; the setting DIRECTIVE_DEFAULTS says where a site decides otherwise. A directive
that permits by default adds a permit for everyone whom the organisation's rules let act; the patient's
opt-out is a denial, their opt-in a permit (45 CFR 164.506 and 164.508; CMS-0057-F has one of each).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from consent.decision import Provision, ProvisionType
from consent.files import BadFile, line_of, read_toml
from consent.vocabulary import Purpose

FILE = Path(__file__).parent / "directives.toml"


@dataclass(frozen=True, slots=True)
class Directive:
    code: str
    default: ProvisionType
    purposes: frozenset[Purpose]


@cache
def directives(file: Path = FILE) -> Mapping[str, Directive]:
    """By code, with the site's own defaults. Raises BadFile, ImproperlyConfigured."""
    found = {row["code"]: _directive(file, row) for row in read_toml(file).get("directive", [])}
    try:
        own = {code: ProvisionType(said) for code, said in settings.DIRECTIVE_DEFAULTS.items()}
    except ValueError:
        raise ImproperlyConfigured("DIRECTIVE_DEFAULTS takes permit or deny.") from None
    if unknown := set(own) - set(found):
        raise ImproperlyConfigured(f"DIRECTIVE_DEFAULTS names {', '.join(sorted(unknown))}; see {file.name}.")
    return found | {code: replace(found[code], default=said) for code, said in own.items()}


def _directive(file: Path, row: Mapping[str, Any]) -> Directive:
    try:
        purposes = frozenset(map(Purpose, row["purposes"]))
        return Directive(row["code"], ProvisionType(row["default"]), purposes)
    except (KeyError, ValueError, TypeError) as error:
        at = line_of(file, f'"{row.get("code", "")}"')
        raise BadFile(file, f"the directive {row.get('code', '')!r} cannot be read: {error}", at) from error


@cache
def defaults(purpose: str) -> tuple[Provision, ...]:
    """The permits that hold for a purpose before the patient chose."""
    return tuple(
        Provision(f"default-{d.code}", ProvisionType.PERMIT, purposes=frozenset(d.purposes))
        for d in directives().values()
        if d.default is ProvisionType.PERMIT and purpose in d.purposes
    )
