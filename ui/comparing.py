"""Comparing the masks of many images in the background, one thread at a time."""

import threading
from typing import TYPE_CHECKING, Any

from backend.errors import TagmaskError

if TYPE_CHECKING:
    from backend.store import Store


class Comparing:
    """What `candidates.compare` does, begun by the page and looked at while it goes on."""

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._done = self._total = 0
        self._said: list[str] = []

    def state(self) -> dict[str, Any]:
        """`running` with `done` of `total` images; `waiting` so many where it rests; `said` what
        could not be read in the last run.
        """
        running = self._thread is not None and self._thread.is_alive()
        waiting = 0 if running else self._store.candidates.uncompared()
        return {
            "running": running,
            "done": self._done,
            "total": self._total,
            "waiting": waiting,
            "said": self._said[:3],
        }

    def start(self) -> None:
        """Begins, unless it is under way."""
        self._store.connections.require_writable()
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return
            self._done = self._total = 0
            self._said = []
            self._thread = threading.Thread(target=self._run, name="comparing", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            self._said = self._store.candidates.compare(self._tell).unread
        except TagmaskError as error:
            self._said = [str(error)]

    def _tell(self, done: int, total: int) -> None:
        self._done, self._total = done, total
