"""Make one patient's record recognisable wherever it turns up."""

import base64
from typing import Any

from demo.population import pdf
from demo.population.coding import Resource

# Elements that hold words of people or names, and no code.
FREE_TEXT = frozenset(
    {
        "city",
        "comment",
        "conclusion",
        "contentString",
        "description",
        "family",
        "line",
        "lotNumber",
        "patientInstruction",
        "serialNumber",
        "subscriberId",
        "text",
        "title",
    }
)


def marked(resource: Resource, word: str) -> Resource:
    """A copy of the resource with `word` in each name part, free text, identifier and attachment.

    Codes, their displays and the names of clinic staff stay as they are.
    """
    copy = _marked(resource, "", word)
    if resource["resourceType"] == "Patient":
        copy["name"] = [
            name | {"given": [f"{given} {word}" for given in name["given"]]} for name in resource["name"]
        ]
        copy["name"][0]["family"] = f"{resource['name'][0]['family']} {word}"
    return copy


def _marked(value: Any, element: str, word: str) -> Any:
    if isinstance(value, dict):
        if value.get("contentType") and "data" in value:
            return {**value, **_marked_content(value, word)}
        return {
            name: _with_identifier(name, _marked(child, name, word), word) for name, child in value.items()
        }
    if isinstance(value, list):
        return [_marked(child, element, word) for child in value]
    if element in FREE_TEXT and isinstance(value, str):
        return f"{value} {word}"
    if element == "div":  # narrative: a word at the end of each element
        return value.replace("</", f" {word}</")
    return value


def _with_identifier(name: str, value: Any, word: str) -> Any:
    if name != "identifier" or not isinstance(value, list):
        return value
    return [{**each, "value": f"{each['value']}-{word}"} for each in value]


def _marked_content(value: Resource, word: str) -> Resource:
    if value["contentType"] == "application/pdf":
        data = pdf.letter(f"Riverside Clinic {word}", [f"This letter is about {word}."])
    else:
        data = base64.b64decode(value["data"]) + f" {word}".encode()
    changed: Resource = {"data": base64.b64encode(data).decode()}
    if "title" in value:
        changed["title"] = f"{value['title']} {word}"
    return changed
