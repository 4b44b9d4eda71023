"""64-bit hashes of what is searched by equality.

A term stands for "this parameter has this value". A hash is a quarter of the text in size, and a
false match needs two values of the same parameter with one hash: with a million values, a chance
below one in ten million.
"""

import hashlib
from functools import lru_cache

_SEPARATOR = "\x1f"


@lru_cache(maxsize=131072)
def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), signed=True)


def _term(param: str, *parts: str) -> int:
    return _hash(_SEPARATOR.join((param, *parts)))


def present(param: str) -> int:
    """`param` has a value at all (for `:missing`)."""
    return _term(param, "present")


def code(param: str, value: str) -> int:
    """Any system: `code=1234`."""
    return _term(param, "code", value)


def coding(param: str, system: str, value: str) -> int:
    """This system, where "" stands for none: `code=http://loinc.org|1234` and `code=|1234`."""
    return _term(param, "coding", system, value)


def system(param: str, value: str) -> int:
    """Any code of this system: `code=http://loinc.org|`."""
    return _term(param, "system", value)


def reference(param: str, target: str) -> int:
    """`target` is `Type/id`, a bare id, or an absolute URL."""
    return _term(param, "reference", target)


def text(param: str, value: str) -> int:
    """Exactly this text (uri, and string with `:exact`)."""
    return _term(param, "text", value)


def compartment(patient: str) -> int:
    """Within the compartment of the Patient with this id, whatever the type."""
    return _term("Patient", "compartment", patient)


def of_type(param: str, system: str, code: str, value: str) -> int:
    """An identifier of this type with this value: `identifier:of-type=http://…/v2-0203|MR|446053`."""
    return _term(param, "of-type", system, code, value)


def pair(first: int, second: int) -> int:
    """Two terms that are true of one and the same part of a resource."""
    return _term("pair", str(first), str(second))
