"""SMART scopes (SMART App Launch 2.2.0, "Scopes and Launch Context"), versions 1 and 2.

`Scope` is one clinical scope as a value. It can become narrower and never wider; what
it does not know it does not allow.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Any

from oauth2_provider.scopes import BaseScopes

from smart.resource_types import R4

# Not about records; each with what it is for.
SPECIAL = {
    "openid": "who signed in",
    "fhirUser": "who signed in, as a FHIR resource",
    "profile": "who signed in, by name",
    "launch": "the context of a launch from inside the EHR",
    "launch/patient": "which patient, when launched from outside",
    "launch/encounter": "which visit",
    "offline_access": "a refresh token that works while nobody is signed in",
    "online_access": "a refresh token that works while the person is signed in",
}
OFFERED = frozenset(SPECIAL)
LEVELS = frozenset({"patient", "user"})  # that people grant; system/ is for clients without a person
# Of these the person, or where the app was opened, decides whether there is anything to tell.
LAUNCH, ENCOUNTER = "launch", "launch/encounter"

LETTERS = "cruds"  # in this order and no other
VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}
LETTER_OF = {  # FHIR restful-interaction → permission
    "create": "c",
    "read": "r",
    "vread": "r",
    "history-instance": "r",
    "update": "u",
    "patch": "u",
    "delete": "d",
    "search-type": "s",
    "history-type": "s",
}
GRAMMAR = re.compile(
    r"(?P<level>patient|user|system)/(?P<type>\*|[A-Za-z]+)"
    r"\.(?P<permissions>read|write|\*|[cruds]+)(?:\?(?P<params>\S+))?"
)
# The characters of an OAuth scope token (RFC 6749, appendix A.4) without our own separators.
PARAMETER = re.compile(r"(?P<name>category)=(?P<value>[\x21\x23-\x25\x27-\x3C\x3E\x3F-\x5B\x5D-\x7E]+)")


class UnknownScope(ValueError):
    """Not a clinical scope of SMART, or one whose parameters we cannot enforce."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One clinical scope. `params` hold together: a resource must satisfy each of them.

    The one parameter is `category`, whose value is a FHIR token search: `system|code`,
    `|code`, `code`, and several of them joined by commas for "any of these".
    """

    level: str  # patient, user, system
    resource_type: str  # FHIR R4, or *
    permissions: str  # letters of "cruds", in that order
    params: tuple[tuple[str, str], ...] = ()  # sorted

    @classmethod
    def parse(cls, text: str) -> "Scope":
        """Raises UnknownScope for all that is not exactly one clinical scope."""
        return _parse(text)

    @classmethod
    def parse_all(cls, text: str) -> Iterator["Scope"]:
        """The clinical scopes of a space-separated list; all else in it is passed over."""
        for part in text.split():
            try:
                yield _parse(part)
            except UnknownScope:
                continue

    def __str__(self) -> str:
        params = "&".join(f"{name}={value}" for name, value in self.params)
        return f"{self.level}/{self.resource_type}.{self.permissions}{'?' if params else ''}{params}"

    def allows(self, interaction: str, resource_type: str, codings: Collection[str] | None) -> bool:
        """Whether it reaches this interaction on a resource with these category codings.

        `codings` are `system|code`. None stands for "not known yet" and asks whether it
        could be allowed for any resource of the type.
        """
        letter = LETTER_OF.get(interaction)
        return (
            letter is not None
            and letter in self.permissions
            and self.resource_type in ("*", resource_type)
            and (codings is None or self.admits(codings))
        )

    def admits(self, codings: Collection[str]) -> bool:
        """Whether a resource with these category codings satisfies every parameter."""
        return all(_matches(value, codings) for _, value in self.params)

    def intersect(self, other: "Scope") -> "Scope | None":
        """What both allow; None if that is nothing."""
        permissions = "".join(letter for letter in self.permissions if letter in other.permissions)
        types = {self.resource_type, other.resource_type} - {"*"}
        if self.level != other.level or not permissions or len(types) > 1:
            return None
        params = tuple(sorted({*self.params, *other.params}))
        return Scope(self.level, next(iter(types), "*"), permissions, params)

    def covers(self, other: "Scope") -> bool:
        """Whether all that the other allows is allowed by this one."""
        return is_covered(other, [self])

    def parts(self) -> Iterator["Scope"]:
        """The scope as a union of scopes with one letter, and one value for each parameter."""
        names = [[(name, token) for token in value.split(",")] for name, value in self.params]
        for letter in self.permissions:
            for params in product(*names):
                yield replace(self, permissions=letter, params=tuple(sorted(set(params))))

    @property
    def writes(self) -> bool:
        return any(letter in self.permissions for letter in "cud")

    def without_writes(self) -> "Scope | None":
        return self.intersect(Scope(self.level, "*", "rs"))


@lru_cache(maxsize=4096)
def _parse(text: str) -> Scope:
    match = GRAMMAR.fullmatch(text)
    if match is None or (match["type"] != "*" and match["type"] not in R4):
        raise UnknownScope(text)
    permissions = VERSION_1.get(match["permissions"], match["permissions"])
    if permissions != "".join(letter for letter in LETTERS if letter in permissions):
        raise UnknownScope(text)
    params = []
    for pair in match["params"].split("&") if match["params"] else ():
        parameter = PARAMETER.fullmatch(pair)
        if parameter is None or not all(part.strip("|") for part in parameter["value"].split(",")):
            raise UnknownScope(text)  # an empty part would match everything
        params.append((parameter["name"], parameter["value"]))
    return Scope(match["level"], match["type"], permissions, tuple(sorted(set(params))))


def _matches(wanted: str, codings: Collection[str]) -> bool:
    """A FHIR token search (R4, search.html#token) over `system|code` values."""
    return any(_matches_one(token, coding) for token in wanted.split(",") for coding in codings)


def _matches_one(token: str, coding: str) -> bool:
    system, _, code = coding.rpartition("|")
    wanted_system, wanted_bar, wanted_code = token.rpartition("|")
    return (wanted_code == "" or wanted_code == code) and (not wanted_bar or wanted_system == system)


def is_covered(scope: Scope, limits: Iterable[Scope]) -> bool:
    """Whether all that a scope allows is allowed by these together: each part of it by one of them."""
    limits = list(limits)
    return all(any(_holds(limit, part) for limit in limits) for part in scope.parts())


def _holds(limit: Scope, part: Scope) -> bool:
    return (
        limit.level == part.level
        and part.permissions in limit.permissions
        and limit.resource_type in ("*", part.resource_type)
        and all(any(_implies(own, wanted) for _, own in part.params) for _, wanted in limit.params)
    )


def _implies(token: str, wanted: str) -> bool:
    """Whether every coding that matches the one token matches one of the wanted."""
    system, bar, code = token.rpartition("|")
    for each in wanted.split(","):
        wanted_system, wanted_bar, wanted_code = each.rpartition("|")
        same_system = not wanted_bar or (bool(bar) and wanted_system == system)
        if same_system and wanted_code in ("", code):
            return True
    return False


def requestable(scopes: Iterable[str], *, most: str) -> list[str]:
    """What of a request can be put before a person: known, offered, for people to grant, and
    within `most`, the client's own limit (empty: none). Unknown parts drop out (SMART 2.2)."""
    limits = list(Scope.parse_all(most))
    kept: list[str] = []
    for text in scopes:
        if text in OFFERED:
            kept += [text] if not most or text in most.split() else []
        else:
            kept += [part for scope in Scope.parse_all(text) for part in _within(scope, text, most, limits)]
    return list(dict.fromkeys(kept))


def _within(scope: Scope, text: str, most: str, limits: Iterable[Scope]) -> list[str]:
    if scope.level not in LEVELS:
        return []
    if not most or is_covered(scope, limits):
        return [text]  # as the app wrote it, version 1 or 2
    return [str(part) for limit in limits if (part := limit.intersect(scope))]


def of_system(scopes: Iterable[str], *, most: str) -> list[str]:
    """What a backend service gets of what it asks for: system scopes within `most`, which must name them."""
    limits = [limit for limit in Scope.parse_all(most) if limit.level == "system"]
    kept: list[str] = []
    for scope in Scope.parse_all(" ".join(scopes)):
        if scope.level == "system":
            covered = any(limit.covers(scope) for limit in limits)
            kept += [str(scope)] if covered else [str(p) for x in limits if (p := x.intersect(scope))]
    return list(dict.fromkeys(kept))


def is_within(scopes: Iterable[str], granted: Iterable[str]) -> bool:
    """Whether every scope asked for at a refresh is the same as, or narrower than, one granted."""
    granted = list(granted)
    limits = list(Scope.parse_all(" ".join(granted)))
    return all(text in granted or _is_covered(text, limits) for text in scopes)


def _is_covered(text: str, limits: Iterable[Scope]) -> bool:
    try:
        scope = Scope.parse(text)
    except UnknownScope:
        return False
    return is_covered(scope, limits)


class AnyScope(dict[str, str]):
    """Scopes have a grammar, so they cannot be listed: each one describes itself."""

    def __missing__(self, key: str) -> str:
        return key


class ScopesBackend(BaseScopes):
    """The toolkit's view of scopes: what discovery names as examples, and no default."""

    def get_all_scopes(self) -> dict[str, str]:
        return AnyScope(SPECIAL)

    def get_available_scopes(self, *args: Any, **kwargs: Any) -> list[str]:
        return [*sorted(OFFERED), "patient/*.rs", "patient/*.cruds", "user/*.rs", "user/*.cruds"]

    def get_default_scopes(self, *args: Any, **kwargs: Any) -> list[str]:
        return []
