"""A run's evaluation/ as the trainer writes it: a JSON file and a table for each thing measured."""

import json
from pathlib import Path
from typing import Any, NoReturn

FOLDER = "evaluation"
FORMAT = "tagmask-evaluation/1"
# In the order in which a person wants to see them.
PARTS = ("predictions", "labels", "maps")
LARGEST = 32 << 20


def parts_of(folder: Path) -> list[str]:
    """What a run measured, by name, unread."""
    return [name for name in PARTS if _file(folder, f"{name}.json") is not None]


def read_parts(folder: Path) -> dict[str, dict[str, Any]]:
    """What a run measured, by name; a file that is not whole or of another format is left out."""
    found = {}
    for name in parts_of(folder):
        told = _read(folder / FOLDER / f"{name}.json")
        if told is not None:
            found[name] = told
    return found


def table_file(folder: Path, name: str) -> Path | None:
    """The table of a part; None where there is none."""
    return _file(folder, f"{name}.csv") if name in PARTS else None


def _file(folder: Path, name: str) -> Path | None:
    own = folder.resolve() / FOLDER
    path = (own / name).resolve()
    # A link in the folder may lead anywhere.
    return path if path.parent == own and path.is_file() else None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        if path.stat().st_size > LARGEST:
            return None
        told = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) and told.get("format") == FORMAT else None


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number that JSON has.")
