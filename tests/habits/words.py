"""The texts that patients read, with their ids."""

from functools import cache

from config import catalogue

# Read by staff, auditors or developers, who need the exact terms.
STAFF_IDS = ("auditor.", "console.", "developer.", "review.")


def _is_for_patients(text_id: str | None) -> bool:
    return not (text_id or "").startswith(STAFF_IDS)


@cache  # two files have a test for each of them
def english_texts() -> list[tuple[str | None, str]]:
    messages = catalogue.texts(catalogue.extracted())
    return [
        (message.context, text)
        for message in messages
        if _is_for_patients(message.context)
        for text in catalogue.forms(message.id)
    ]


@cache
def spanish_texts() -> list[tuple[str | None, str]]:
    messages = catalogue.texts(catalogue.read(catalogue.PO))
    return [
        (message.context, text)
        for message in messages
        if _is_for_patients(message.context)
        for text in catalogue.forms(message.string)
        if text
    ]
