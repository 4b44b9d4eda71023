"""Files that hold rules. One that does not parse stops the start with its line; a rule is never skipped."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class BadFile(SystemExit):
    """Ends the process with the file, the line and the reason as its last words."""

    def __init__(self, path: Path, reason: str, line: int = 0) -> None:
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        super().__init__(f"Chartkey does not start: {name}{f', line {line}' if line else ''}: {reason}")


def read_text(path: Path) -> str:
    """Raises BadFile for what is not there, or is no UTF-8."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(path, f"it cannot be read ({type(error).__name__})") from error


def read_toml(path: Path) -> dict[str, Any]:
    """Raises BadFile, which names the line, for what is no TOML."""
    text = read_text(path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)  # "Expected '=' after a key (at line 3, column 5)", or "(at end of document)"
        at = message.rpartition("(at line ")[2].partition(",")[0]
        line = int(at) if at.isdigit() else len(text.splitlines())
        raise BadFile(path, message.partition(" (at ")[0], line) from error


def line_of(path: Path, word: str) -> int:
    """The first line that has this word in it; 0 where none has."""
    lines = enumerate(read_text(path).splitlines(), 1)
    return next((number for number, line in lines if word in line), 0)
