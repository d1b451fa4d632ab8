"""What every noun shares: the handle on database and files, and a page of rows."""

import json
import time
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from backend.store.connection import Connections
from backend.store.files import FileStore

Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a longer list; `total` counts all that match, `offset` where these begin."""

    rows: list[Row]
    total: int
    offset: int


class Noun:
    """One table's worth of the store."""

    def __init__(self, connections: Connections, files: FileStore) -> None:
        self._connections = connections
        self._files = files


def now() -> float:
    """Seconds since 1970, for people to read; nothing is ordered by it, clocks are set back."""
    return time.time()


def dumps(value: Any) -> str:
    """JSON for a column: compact, keys sorted, NaN refused (ValueError)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def marks(count: int) -> str:
    """`?, ?, ?` for an IN list."""
    return ", ".join("?" * count)


def like(text: str) -> str:
    """A LIKE pattern (ESCAPE '!') that finds the text anywhere, wildcards taken literally."""
    escaped = text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"
