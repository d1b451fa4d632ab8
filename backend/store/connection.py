"""Connections to the workspace's database: one a thread, one writer at a time."""

import os
import sqlite3
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlite_utils import Database

from backend.errors import StoreError, StoreUnavailable, TagmaskError

BUSY_SECONDS = 5.0

Result = TypeVar("Result")


class _Connection(sqlite3.Connection):
    """A connection that can be remembered weakly: it goes when its thread goes."""


class _Act:
    """Something to be written, and what came of it."""

    def __init__(self, act: Callable[[Database], Any]) -> None:
        self._act = act
        self.result: Any = None
        self.error: Exception | None = None
        self.done = False

    def attempt(self, database: Database) -> None:
        """Does it in a savepoint of its own; a refusal stays here, a broken database does not."""
        try:
            with database.atomic():
                self.result = self._act(database)
        except TagmaskError as error:
            self.error = error


class Connections:
    """A connection per thread; reads run freely, every write is one immediate transaction.

    `version`: the format of the database that this program knows; it writes to no other. None:
    nobody has asked.
    """

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        busy: float = BUSY_SECONDS,
        version: int | None = None,
    ) -> None:
        self.path = path
        self.read_only = read_only
        self.busy = busy
        self.version = version
        self.closed = False
        self._wal = f"{path}-wal"
        self._threads = threading.local()
        self._open: weakref.WeakSet[_Connection] = weakref.WeakSet()
        self._opening = threading.Lock()
        self._writing = threading.RLock()
        self._waiting: deque[_Act] = deque()

    @contextmanager
    def read(self) -> Iterator[Database]:
        """The calling thread's connection, for queries; inside `write` it sees what was written."""
        try:
            yield self._connection()
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def look(self) -> Database:
        """The connection as SQLite gives it, its errors not yet turned into sentences."""
        return self._connection()

    @contextmanager
    def write(self) -> Iterator[Database]:
        """One immediate transaction: all of the block is stored durably, or none of it."""
        self.require_writable()
        with self._writing:
            try:
                database = self._connection()
                if database.conn.in_transaction:
                    with database.atomic():
                        yield database
                    return
                database.execute("BEGIN IMMEDIATE")
                try:
                    self._require_version(database)
                    yield database
                    database.execute("COMMIT")
                except BaseException:
                    database.rollback()
                    raise
            except sqlite3.Error as error:
                raise self._explained(error) from error

    def require_writable(self) -> None:
        """Raises StoreError where the store was opened for reading only."""
        if self.read_only:
            raise StoreError(
                f"The workspace at {self.path.parent} is open for reading only, so nothing can be "
                "changed. Open it without --read-only to work in it."
            )

    def _require_version(self, database: Database) -> None:
        """Raises StoreError where another program has brought the database to a format that this
        one does not know, since it opened it: what it wrote might lack what that format needs.
        """
        if self.version is None:
            return
        found = int(database.execute("PRAGMA user_version").fetchone()[0])
        if found != self.version:
            raise StoreError(
                f"The database {self.path} was brought to format {found} by a newer Tagmask while "
                f"this one, which knows format {self.version}, had it open. Nothing was changed; "
                "end this program and start the newer one."
            )

    def write_together(self, act: Callable[[Database], Result]) -> Result:
        """What `act` answers, done in a transaction that other threads' acts may share.

        While one transaction is synced to disk the acts that come meanwhile wait; the next one
        takes them all, each for itself (one that fails leaves the others alone), with one sync.
        When this returns, what was done is on disk.
        """
        self.require_writable()
        if self._connection().conn.in_transaction:
            with self.write() as database:
                return act(database)
        mine = _Act(act)
        self._waiting.append(mine)
        with self._writing:
            if not mine.done:
                acts = [self._waiting.popleft() for _ in range(len(self._waiting))]
                self._carry_out(acts)
        if mine.error is not None:
            raise mine.error
        return mine.result

    def _carry_out(self, acts: "list[_Act]") -> None:
        try:
            with self.write() as database:
                for each in acts:
                    each.attempt(database)
        except Exception as error:
            for each in acts:
                # An exception carries the trace of the thread that raises it: one for each.
                kind = type(error) if isinstance(error, StoreError) else StoreError
                each.error = each.error or kind(str(error))
        except BaseException:
            for each in acts:
                stopped = StoreUnavailable("The program was stopped; nothing changed.")
                each.error = each.error or stopped
            raise
        finally:
            for each in acts:
                each.done = True

    def close(self) -> None:
        """Closes every thread's connection; the last one out folds the log into the database."""
        with self._opening:
            self.closed = True
            for connection in list(self._open):
                connection.close()

    def _connection(self) -> Database:
        if self.closed:
            raise StoreUnavailable(f"The workspace at {self.path.parent} has been closed.")
        current: Database | None = getattr(self._threads, "database", None)
        if current is not None and not self._outdated():
            return current
        with self._opening:
            connection = self._connect()
            self._open.add(connection)
        database = Database(connection)
        self._threads.database = database
        return database

    def _connect(self) -> _Connection:
        if not self.read_only:
            connection = self._connected("mode=rw")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            return connection
        # Even a read-only connection leaves -wal and -shm files beside a database in WAL mode. With
        # no log there is nobody to share with, and `immutable` reads without leaving a trace.
        self._threads.seen = self._seen()
        alone = self._threads.seen[0]
        return self._connected("mode=ro&immutable=1" if alone else "mode=ro")

    def _connected(self, how: str) -> _Connection:
        return sqlite3.connect(
            f"{self.path.resolve().as_uri()}?{how}",
            uri=True,
            timeout=self.busy,
            check_same_thread=False,
            factory=_Connection,
        )

    def _seen(self) -> tuple[bool, int, int]:
        alone = not os.path.exists(self._wal)  # noqa: PTH110  asked before every read
        about = os.stat(self.path)  # noqa: PTH116
        return alone, about.st_mtime_ns if alone else 0, about.st_size if alone else 0

    def _outdated(self) -> bool:
        """True where a read-only, immutable connection missed that somebody began to write."""
        return self.read_only and self._threads.seen != self._seen()

    def _explained(self, error: sqlite3.Error) -> StoreError:
        wrong = isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError)
        return (StoreError if wrong else StoreUnavailable)(explain(error, self.path))


def explain(error: sqlite3.Error, path: Path) -> str:
    """What SQLite's error means for a person and what to do about it, in two sentences."""
    text = str(error)
    lower = text.lower()
    if "locked" in lower or "busy" in lower:
        return (
            f"The database {path} is in use by another program and stayed locked. Nothing was "
            "changed; try again, and end the other program if it hangs."
        )
    if "disk is full" in lower or "disk i/o error" in lower:
        return (
            f"The disk that holds {path.parent} is full or failing ({text}), so nothing was "
            "stored. Make room and try again; what was stored before is safe."
        )
    if "readonly" in lower or "read-only" in lower:
        return (
            f"The database {path} cannot be written. Give this user permission to write in "
            f"{path.parent}, or open the workspace with --read-only."
        )
    if "malformed" in lower or "not a database" in lower:
        return (
            f"The database {path} is damaged ({text}). Nothing was changed; restore the last "
            "backup made by `python -m backend backup`."
        )
    if "unable to open" in lower:
        return f"The database {path} cannot be opened ({text}). Check that the folder is there."
    return f"The database {path} refused the change: {text}."
