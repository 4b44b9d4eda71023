"""Skip at the next start what would only find nothing to do: a stamp is a digest of the inputs."""

import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
INPUTS = {
    "migrate": ["*/migrations/*.py", "config/settings.py", "requirements.txt"],
    "static": ["static/**/*", "*/static/**/*", "config/settings.py", "requirements.txt"],
    "catalogue": ["locale/**/*.po", "config/catalogue.py"],
}


def is_stale(file: Path, name: str) -> bool:
    return _read(file).get(name) != _digest(name)


def renew(file: Path, name: str) -> None:
    file.write_text(json.dumps({**_read(file), name: _digest(name)}, indent=1))


def _read(file: Path) -> dict[str, str]:
    try:
        return dict(json.loads(file.read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def _digest(name: str) -> str:
    """Names, sizes and times of the files, and the folder itself: a moved checkout counts as new."""
    digest = hashlib.sha256(str(ROOT).encode())
    for pattern in INPUTS[name]:
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file():
                status = path.stat()
                digest.update(f"{path.relative_to(ROOT)}\n{status.st_size}\n{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
