"""The copy catalogue: every patient-facing text, its id, and its Spanish.

Plain gettext files, read and written with Babel, so that no gettext tools are needed. A text's
context is its id; English is the msgid itself, Spanish stands in `locale/es/LC_MESSAGES/django.po`.
Pieces in `locale/parts/*.po` are merged into it by `update`, and win over what is there.
"""

import io
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract, extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from config.env import ROOT

LANGUAGE = "es"
PO = ROOT / "locale" / LANGUAGE / "LC_MESSAGES" / "django.po"
MO = PO.with_suffix(".mo")
PARTS = ROOT / "locale" / "parts"
ROOMS = [
    "demo",
    "portal",
    "compliance",
    "exports",
    "fhirproxy",
    "consent",
    "smart",
    "accounts",
    "notices",
    "audit",
    "config",
]
NOT_OURS = (ROOT / "demo" / "glucotrack",)  # an independent client, with words of its own

_PLAIN, _PLURAL, _CONTEXT, _BOTH = (1,), (1, 2), ((1, "c"), 2), ((1, "c"), 2, 3)
KEYWORDS = {
    name + suffix: positions
    for name, positions in {
        "gettext": _PLAIN,
        "ngettext": _PLURAL,
        "pgettext": _CONTEXT,
        "npgettext": _BOTH,
    }.items()
    for suffix in ("", "_lazy")
} | {"_": _PLAIN}

PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|\{(\w*)\}")
# Times and blanks in a .po header that would only make diffs.
EMPTY_WORDS = re.compile(
    rb'^"(Project-Id-Version|Report-Msgid-Bugs-To|POT-Creation-Date|PO-Revision-Date|Last-Translator'
    rb"|Language-Team|Generated-By):.*\n",
    re.MULTILINE,
)

Key = tuple[str | None, str]


def extract_template(source: IO[bytes], keywords: Any, tags: Any, options: Any) -> Iterator[Any]:
    """Babel's extraction method for Django templates. Django turns a template into Python-like
    text, of which only the gettext calls are Python; without indents it can be tokenized."""
    text = templatize(source.read().decode())
    flat = "\n".join(line.strip() for line in text.splitlines())
    yield from extract_python(io.BytesIO(flat.encode()), keywords, tags, {"encoding": "utf-8"})


def sources() -> Iterator[tuple[Path, Callable[..., Any]]]:
    """Files that may hold texts, each with the method that reads it."""
    for folder in [ROOT / "templates", *(ROOT / room for room in ROOMS)]:
        for path in sorted(folder.rglob("*")):
            if any(path.is_relative_to(other) for other in NOT_OURS) or "migrations" in path.parts:
                continue
            if path.suffix == ".py":
                yield path, extract_python
            elif path.suffix in {".html", ".txt"} and "templates" in path.parts:
                yield path, extract_template


def extracted() -> Catalog:
    """All texts of code and templates, with the files they stand in."""
    catalog = Catalog(locale=LANGUAGE, fuzzy=False)
    for path, method in sources():
        with path.open("rb") as file:
            for line, msgid, _, context in extract(method, file, KEYWORDS):
                place = [(path.relative_to(ROOT).as_posix(), line)]
                empty = "" if isinstance(msgid, str) else ("",) * catalog.num_plurals
                catalog.add(msgid, empty, place, context=context)
    return catalog


def read(path: Path) -> Catalog:
    """A .po file; empty where there is none. A part needs no header."""
    if not path.exists():
        return Catalog(locale=LANGUAGE, fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=LANGUAGE, charset="utf-8", abort_invalid=True)


def texts(catalog: Catalog) -> Iterator[Message]:
    return (message for message in catalog if message.id)


def key(message: Message) -> Key:
    return message.context, message.id if isinstance(message.id, str) else message.id[0]


def forms(text: str | Iterable[str] | None) -> tuple[str, ...]:
    """The singular and, where there is one, the plural."""
    return (text or "",) if text is None or isinstance(text, str) else tuple(text)


def is_translated(message: Message) -> bool:
    return all(forms(message.string))


def parts() -> Iterator[tuple[str, Message]]:
    """Every text of every part that is translated, with the part's file name."""
    for path in sorted(PARTS.glob("*.po")):
        yield from ((path.name, message) for message in texts(read(path)) if is_translated(message))


def translations() -> dict[Key, Message]:
    """What is translated so far: the catalogue, and over it the parts. Of two parts the first one wins,
    and `problems` names both."""
    known = {key(message): message for message in texts(read(PO))}
    return known | {key(message): message for _, message in reversed(list(parts()))}


def merged() -> Catalog:
    """The texts there are now, by id, each with the Spanish that is known for it."""
    catalog, known = Catalog(locale=LANGUAGE, fuzzy=False), translations()
    for message in sorted(texts(extracted()), key=lambda message: (message.context or "", key(message)[1])):
        spanish = known.get(key(message), message)
        if len(forms(spanish.string)) != len(forms(message.string)):  # it got, or lost, a plural
            spanish = message
        catalog.add(
            message.id,
            spanish.string,
            message.locations,
            user_comments=spanish.user_comments,  # reviewer and date
            context=message.context,
        )
    return catalog


def update() -> Catalog:
    """Write the merged catalogue without times, so that a diff shows words only."""
    catalog, out = merged(), io.BytesIO()
    catalog.header_comment = "# The copy catalogue in Spanish. Written by: manage.py catalogue update"
    write_po(out, catalog, width=110, include_lineno=False)
    PO.parent.mkdir(parents=True, exist_ok=True)
    PO.write_bytes(EMPTY_WORDS.sub(b"", out.getvalue()))
    return catalog


def compile_catalogue() -> Path:
    """Write the .mo that Django reads. Safe to run in several processes at once."""
    out = io.BytesIO()
    write_mo(out, read(PO))
    part = MO.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(out.getvalue())
    return part.replace(MO)


def compile_if_stale() -> None:
    if not MO.exists() or MO.stat().st_mtime <= PO.stat().st_mtime:
        compile_catalogue()


def placeholders(text: str) -> set[str]:
    return {named or braced for named, braced in PLACEHOLDER.findall(text)}


def has_same_placeholders(message: Message) -> bool:
    """A singular may leave its count out ("1 hour", "una hora"); it may name nothing else."""
    originals, translated = forms(message.id), forms(message.string)
    allowed = set().union(*map(placeholders, originals))
    return placeholders(translated[-1]) == placeholders(originals[-1]) and all(
        placeholders(text) <= allowed for text in translated
    )


def problems() -> list[str]:
    """What stands between the catalogue and its rules, one sentence each; empty when all is well."""
    now, committed = extracted(), read(PO)
    found = [*_problems_of_ids(now), *_conflicts()]
    found += [f"{message.context}: fuzzy" for message in texts(committed) if message.fuzzy]
    translated = {key(message): message for message in texts(committed)}
    for message in texts(now):
        spanish = translated.pop(key(message), None)
        if spanish is None or not is_translated(spanish):
            found.append(f"{message.context}: no Spanish for {key(message)[1]!r}")
        elif not has_same_placeholders(spanish):
            found.append(f"{message.context}: the Spanish names other placeholders than {key(message)[1]!r}")
    found += [f"{context}: no longer used: {msgid!r}" for context, msgid in translated]
    found += [f"{msgid!r}: obsolete" for msgid in committed.obsolete]
    return found


def _problems_of_ids(catalog: Catalog) -> Iterator[str]:
    by_id = defaultdict(list)
    for message in texts(catalog):
        if message.context:
            by_id[message.context].append(key(message)[1])
        else:
            places = ", ".join(sorted({place for place, _ in message.locations}))
            yield f"{key(message)[1]!r} has no context, which is its id ({places})"
    for context, msgids in by_id.items():
        if len(msgids) > 1:
            yield f"{context}: one id for {len(msgids)} texts: {msgids}"


def _conflicts() -> Iterator[str]:
    first: dict[Key, tuple[str, Message]] = {}
    for name, message in parts():
        other, text = first.setdefault(key(message), (name, message))
        if text.string != message.string:
            yield f"{message.context}: {other} and {name} differ"
