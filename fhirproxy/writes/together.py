"""Several new resources that go to the chart together, or not at all (FHIR R4, 3.1.0.11.2).

The first is the command's own; what comes with it is kept beside it, and is decided on, reviewed and sent
with it. They refer to each other by `urn:uuid:` addresses that the sender makes.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid5

from fhirproxy.models import WriteCommand
from fhirproxy.writes import bodies, kinds
from fhirproxy.writes.proposals import IDENTIFIER, InvalidResource, Wrong

MOST = 10
URN = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Entry = Mapping[str, Any]  # fullUrl (may be empty), resource


def check(full_url: str, also: Sequence[Entry], resources: Sequence[bodies.Resource]) -> None:
    """`resources` are all of them, the first included. Raises InvalidResource."""
    urls = [url for url in (full_url, *(str(each.get("fullUrl", "")) for each in also)) if url]
    if len(also) > MOST:
        raise InvalidResource(Wrong("too-costly", f"At most {MOST} can come with it."))
    if len(set(urls)) != len(urls) or not all(map(URN.fullmatch, urls)):
        raise InvalidResource(Wrong("invalid", "A fullUrl is urn:uuid: with a UUID, each its own."))
    for resource in resources:
        for path, node in bodies.walk(resource, str(resource.get("resourceType", ""))):
            said = node.get("reference")
            if isinstance(said, str) and said.startswith("urn:") and said not in urls:
                raise InvalidResource(
                    Wrong("not-found", "Nothing that is sent has this.", f"{path}.reference")
                )


def kept(full_url: str, also: Sequence[tuple[Entry, bodies.Resource]]) -> str:
    """As a command keeps it; empty where it comes alone."""
    if not also and not full_url:
        return ""
    entries = [{"fullUrl": entry.get("fullUrl", ""), "resource": resource} for entry, resource in also]
    return bodies.dump({"fullUrl": full_url, "entry": entries}).decode()


def entries(command: WriteCommand) -> list[Entry]:
    """What comes with a command."""
    return list(bodies.read(command.also)["entry"]) if command.also else []


def full_url(command: WriteCommand) -> str:
    """By which the others refer to the command's own resource; may be empty."""
    return str(bodies.read(command.also)["fullUrl"]) if command.also else ""


def identifier(command: WriteCommand, number: int) -> str:
    """Of the resource at a place, its own first (0): the command's id, made of its key."""
    return f"{command.id}.{number}" if number else str(command.id)


def made(command: WriteCommand) -> list[bodies.Resource]:
    """Entries of the transaction for what comes with the first."""
    found = []
    for number, entry in enumerate(entries(command), 1):
        resource, value = dict(entry["resource"]), identifier(command, number)
        ours = {"system": IDENTIFIER, "value": value}
        kind = kinds.of(resource)
        alone = kind is not None and kind.one_identifier
        resource["identifier"] = ours if alone else [*resource.get("identifier", []), ours]
        where = {"method": "POST", "url": resource["resourceType"]}
        where["ifNoneExist"] = f"identifier={IDENTIFIER}|{value}"
        found.append(
            {
                "fullUrl": entry["fullUrl"] or f"urn:uuid:{uuid5(command.id, str(number))}",
                "resource": resource,
                "request": where,
            }
        )
    return found
