"""How far a transfer came, kept often enough to go on from and seldom enough not to slow it."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from backend.errors import DataError, TagmaskError

if TYPE_CHECKING:
    from backend.store import Store, Transfer

_KEPT_EVERY = 0.4
MOST_SAID = 40

Tell = Callable[[int, int], None]


class Stopped(TagmaskError):
    """Somebody cancelled the transfer."""


def in_words(error: TagmaskError | OSError, path: str) -> TagmaskError:
    """What stopped a transfer of a path, as a sentence to a person."""
    if isinstance(error, TagmaskError):
        return error
    return DataError(
        f"{error.filename or path} could not be read or written ({error.strerror or error}). Give "
        "this user permission there, or make room; then give the same command again."
    )


class Report:
    """Progress of one transfer: told to who watches, kept in its row; raises Stopped."""

    def __init__(self, store: "Store", transfer: "Transfer", tell: Tell | None = None) -> None:
        self._store, self.id, self._tell = store, transfer.id, tell
        self.done, self.total = transfer.done, transfer.total
        self.counts = dict(transfer.counts)
        self.said = list(transfer.said)
        self._kept_at = 0.0

    def say(self, sentence: str) -> None:
        """A sentence for people, once; the first forty are kept."""
        if sentence not in self.said and len(self.said) < MOST_SAID:
            self.said.append(sentence)

    def fail(self, sentence: str) -> None:
        """Why it cannot go on: said last, however much was said before."""
        before = [each for each in self.said if each != sentence]
        self.said = [*before[: MOST_SAID - 1], sentence]

    def __call__(self, done: int, total: int) -> None:
        """Tells of progress, and keeps it where the last time is a while ago, or it was the last:
        a cancel is heeded up to the very end.
        """
        self.done, self.total = done, total
        if self._tell:
            self._tell(done, total)
        if done >= total or time.monotonic() - self._kept_at > _KEPT_EVERY:
            self.keep()

    def keep(self) -> None:
        """Keeps the progress in the row; raises Stopped where it has been cancelled."""
        self._kept_at = time.monotonic()
        state = self._store.transfers.advance(self.id, self.done, self.counts, self.said)
        if state == "cancelled":
            raise Stopped(f"Transfer {self.id} was cancelled. What came in before that stays.")

    def unpacked(self, members: int, of: int) -> None:
        """Tells how much of an archive is unpacked, before it is known what it holds."""
        self.counts |= {"unpacked": members, "members": of}
        if time.monotonic() - self._kept_at > _KEPT_EVERY:
            self.keep()
