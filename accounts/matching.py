"""Whether a FHIR Patient at another EHR is our patient. Pure: no Django, no clock, no I/O.

Never a score: a verdict, with the fields that agreed and those that did not. Only what leaves no doubt
is a match; a person looks at the rest. A wrong link shows one person the record of another, a missing
one costs a look.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
OF_A_FAMILY = frozenset({"MB", "SN", "SNO", "GN"})  # identifier types that several people have (v2-0203)
NOT_A_NAME = frozenset({"nickname", "anonymous", "temp"})  # HumanName.use
PHONE_DIGITS = 10  # the last of a number: with or without the country, it is the same telephone


class Verdict(StrEnum):
    """Values are kept with each match: never rename one."""

    MATCH = "match"
    AMBIGUOUS = "ambiguous"  # two or more records could be theirs
    PERSON = "needs-a-person"
    NONE = "no-match"


class Field(StrEnum):
    """What was held against what. Values are kept with each match: never rename one."""

    IDENTIFIER = "identifier"
    NAME = "name"
    NAME_PART = "name-part"  # a given or a family name, and not the whole
    BIRTH_DATE = "birth-date"
    GENDER = "gender"
    ADDRESS = "address"
    PHONE = "phone"
    EMAIL = "email"


ONE_MORE = frozenset({Field.IDENTIFIER, Field.ADDRESS, Field.PHONE, Field.EMAIL})
NEVER_DIFFER = frozenset({Field.NAME, Field.BIRTH_DATE, Field.GENDER, Field.IDENTIFIER})


@dataclass(frozen=True, slots=True)
class Demographics:
    """What is known of a person, normalised. Several values of a kind are all true of them."""

    names: frozenset[str] = frozenset()  # whole, given names first
    parts: frozenset[str] = frozenset()
    birth_dates: frozenset[str] = frozenset()  # whole days only
    genders: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()  # street and city
    phones: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    identifiers: frozenset[tuple[str, str]] = frozenset()  # (assigner's system, value)

    def and_also(self, other: "Demographics") -> "Demographics":
        """The same person as two records know them."""
        return Demographics(*(getattr(self, n) | getattr(other, n) for n in self.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class Candidate:
    fhir_id: str
    known: Demographics
    active: bool = True
    replaced_by: str = ""  # the surviving Patient's id, where the EHR merged this one away


@dataclass(frozen=True, slots=True)
class Comparison:
    candidate: Candidate
    verdict: Verdict
    agreed: frozenset[Field] = field(default_factory=frozenset)
    differed: frozenset[Field] = field(default_factory=frozenset)


def of_person(name: str, birth_date: str, *, email: str = "") -> Demographics:
    """What our own row says. `birth_date` is ISO 8601."""
    whole = plain(name)
    return Demographics(
        names=_some(whole),
        parts=frozenset(whole.split()),
        birth_dates=_some(birth_date),
        emails=_some(email.strip().casefold()),
    )


def of_resource(resource: Mapping[str, Any]) -> Candidate:
    """A FHIR R4 Patient. What is not as FHIR has it counts as not there."""
    names = [name for name in _dicts(resource, "name") if name.get("use") not in NOT_A_NAME]
    birth_date = str(resource.get("birthDate", ""))
    gender = str(resource.get("gender", ""))
    return Candidate(
        fhir_id=str(resource.get("id", "")),
        known=Demographics(
            names=frozenset(filter(None, map(_whole, names))),
            parts=frozenset(part for name in _dicts(resource, "name") for part in _whole(name).split()),
            birth_dates=_some(birth_date if len(birth_date) == len("2026-01-01") else ""),
            genders=_some(gender if gender in ("male", "female", "other") else ""),
            addresses=frozenset(filter(None, map(_address, _dicts(resource, "address")))),
            phones=frozenset(filter(None, (_digits(v) for v in _telecom(resource, "phone")))),
            emails=frozenset(v.strip().casefold() for v in _telecom(resource, "email")),
            identifiers=frozenset(_identifiers(resource)),
        ),
        active=resource.get("active") is not False,
        replaced_by=_replaced_by(resource),
    )


def judge(ours: Demographics, candidates: Iterable[Candidate]) -> tuple[Verdict, tuple[Comparison, ...]]:
    """One verdict for all candidates of a source, and what was found of each, by id.

    A candidate that could be theirs as well as another makes both ambiguous, whatever else agrees.
    """
    unique = sorted(set(candidates), key=lambda c: (c.fhir_id, repr(c.known)))
    compared = tuple(_compare(ours, candidate) for candidate in unique)
    rivals = [c for c in compared if _could_be(c)]
    if len(rivals) > 1:
        compared = tuple(
            Comparison(c.candidate, Verdict.AMBIGUOUS, c.agreed, c.differed) if c in rivals else c
            for c in compared
        )
    found = {c.verdict for c in compared}
    order = (Verdict.AMBIGUOUS, Verdict.MATCH, Verdict.PERSON)
    return next((v for v in order if v in found), Verdict.NONE), compared


def plain(text: str) -> str:
    """Without case, accents and punctuation, and with one blank between words."""
    # Twice: a letter that is made up of others, such as a mathematical A, has its case only then.
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = "".join(c for c in apart if not unicodedata.combining(c) and c not in "'\u2019.")
    return " ".join(re.sub(r"[\W_]+", " ", kept).split())


def _compare(ours: Demographics, candidate: Candidate) -> Comparison:
    theirs = candidate.known
    pairs = {
        Field.NAME: (ours.names, theirs.names),
        Field.BIRTH_DATE: (ours.birth_dates, theirs.birth_dates),
        Field.GENDER: (ours.genders, theirs.genders),
        Field.ADDRESS: (ours.addresses, theirs.addresses),
        Field.PHONE: (ours.phones, theirs.phones),
        Field.EMAIL: (ours.emails, theirs.emails),
    }
    agreed = {name for name, (a, b) in pairs.items() if a & b}
    differed = {name for name, (a, b) in pairs.items() if a and b and not a & b}
    # Two records that do not agree with each other on it leave a doubt that one of them cannot settle.
    differed |= {Field.BIRTH_DATE} if len(ours.birth_dates | theirs.birth_dates) > 1 else set()
    if ours.identifiers & theirs.identifiers:
        agreed.add(Field.IDENTIFIER)
    elif {system for system, _ in ours.identifiers} & {system for system, _ in theirs.identifiers}:
        differed.add(Field.IDENTIFIER)
    if Field.NAME not in agreed and ours.parts & theirs.parts:
        agreed.add(Field.NAME_PART)
    return Comparison(
        candidate, _verdict(agreed, differed, candidate), frozenset(agreed), frozenset(differed)
    )


def _verdict(agreed: Collection[Field], differed: Collection[Field], candidate: Candidate) -> Verdict:
    sure = {Field.NAME, Field.BIRTH_DATE} <= set(agreed) and ONE_MORE & set(agreed)
    if sure and not NEVER_DIFFER & set(differed) and candidate.active and not candidate.replaced_by:
        return Verdict.MATCH
    name = {Field.NAME, Field.NAME_PART} & set(agreed)
    likely = name and (Field.BIRTH_DATE in agreed or (Field.NAME in agreed and ONE_MORE & set(agreed)))
    return Verdict.PERSON if likely or Field.IDENTIFIER in agreed else Verdict.NONE


def _could_be(compared: Comparison) -> bool:
    """Whether a person who looked could take it for theirs without a second thought."""
    if compared.candidate.replaced_by:
        return False  # the EHR itself says that it is nobody's any more
    named = {Field.NAME, Field.BIRTH_DATE} <= compared.agreed
    return compared.verdict is Verdict.MATCH or named or Field.IDENTIFIER in compared.agreed


def _whole(name: Mapping[str, Any]) -> str:
    given, suffix = _strings(name, "given"), _strings(name, "suffix")
    family = str(name.get("family", ""))
    return plain(" ".join([*given, family, *suffix])) if family else plain(str(name.get("text", "")))


def _address(address: Mapping[str, Any]) -> str:
    street, city = plain(" ".join(_strings(address, "line"))), plain(str(address.get("city", "")))
    return f"{street}, {city}" if street and city else ""


def _digits(number: str) -> str:
    digits = re.sub(r"\D", "", number)
    return digits[-PHONE_DIGITS:] if len(digits) >= PHONE_DIGITS else ""


def _telecom(resource: Mapping[str, Any], system: str) -> Iterator[str]:
    for contact in _dicts(resource, "telecom"):
        if contact.get("system") == system and contact.get("use") != "old" and contact.get("value"):
            yield str(contact["value"])


def _identifiers(resource: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Those that one assigner gave to one person."""
    for identifier in _dicts(resource, "identifier"):
        kind = identifier.get("type")
        codes = {str(c.get("code")) for c in _dicts(kind if isinstance(kind, dict) else {}, "coding")}
        system, value = str(identifier.get("system", "")), str(identifier.get("value", "")).strip()
        if ":" in system and value and identifier.get("use") != "old" and not codes & OF_A_FAMILY:
            yield system, value


def _replaced_by(resource: Mapping[str, Any]) -> str:
    """Patient.link of the type replaced-by (FHIR R4, Patient, 8.1.10)."""
    for link in _dicts(resource, "link"):
        other = link.get("other")
        reference = str(other.get("reference", "")) if isinstance(other, dict) else ""
        if link.get("type") == "replaced-by" and "Patient/" in reference:
            return reference.rpartition("Patient/")[2].partition("/")[0]
    return ""


def _dicts(holder: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    values = holder.get(name)
    return [v for v in values if isinstance(v, dict)] if isinstance(values, list) else []


def _strings(holder: Mapping[str, Any], name: str) -> list[str]:
    values = holder.get(name)
    return [v for v in values if isinstance(v, str)] if isinstance(values, list) else []


def _some(value: str) -> frozenset[str]:
    return frozenset({value}) if value else frozenset()
