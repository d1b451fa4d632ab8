"""Opening the store: look first, change only what is known to be ours and whole."""

import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from backend.errors import StoreError
from backend.store.agreement import Agreement
from backend.store.artifacts import Artifacts
from backend.store.assignments import Assignments
from backend.store.audit import Audit
from backend.store.batches import settle
from backend.store.bundles import Bundles
from backend.store.candidates import Candidates
from backend.store.classes import Classes
from backend.store.connection import Connections, explain
from backend.store.copying import copy_whole, unwritten
from backend.store.decisions import Decisions
from backend.store.doubles import Doubles
from backend.store.files import FileStore, sync_folder
from backend.store.fixes import Fixes
from backend.store.flags import Flags
from backend.store.images import Images
from backend.store.jobs import Jobs
from backend.store.leases import Leases
from backend.store.logins import Logins
from backend.store.runs import Runs
from backend.store.schema import APPLICATION_ID, SCHEMA_VERSION, migrations
from backend.store.snapshots import Snapshots
from backend.store.suggestions import Suggestions
from backend.store.tags import Tags
from backend.store.transfers import Transfers
from backend.store.users import Users

_MAGIC = b"SQLite format 3\x00"
# For how long a program waits while another one backs the database up and migrates it.
_UPGRADE_SECONDS = 60


@dataclass(frozen=True)
class Store:
    """The workspace's memory, one attribute a noun. Close it, or use it as a context."""

    path: Path
    read_only: bool
    connections: Connections
    files: FileStore
    classes: Classes
    images: Images
    tags: Tags
    suggestions: Suggestions
    runs: Runs
    artifacts: Artifacts
    candidates: Candidates
    decisions: Decisions
    fixes: Fixes
    flags: Flags
    snapshots: Snapshots
    jobs: Jobs
    leases: Leases
    assignments: Assignments
    agreement: Agreement
    audit: Audit
    users: Users
    logins: Logins
    transfers: Transfers
    doubles: Doubles
    bundles: Bundles

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes every connection."""
        self.connections.close()

    def backup(self, destination: Path) -> Path:
        """Copies the database, as of one moment, while others go on working; the new file.

        Written to a partial name, checked, synced and renamed. Raises StoreError where it cannot.
        """
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            with self.connections.read() as database:
                copy_whole(database.conn, self.path, destination)
        except OSError as error:
            raise unwritten(destination, error) from error
        return destination

    def check(self) -> list[str]:
        """What is wrong with the database, as sentences; empty where all is well.

        SQLite's own integrity check, foreign keys, and that the verdicts the queue reads are
        those of the log.
        """
        with self.connections.read() as database:
            wrong = [
                f"{row[0]}."
                for row in database.execute("PRAGMA integrity_check(5)")
                if row[0] != "ok"
            ]
            for table, rowid, parent, _ in database.execute("PRAGMA foreign_key_check"):
                wrong.append(f"Row {rowid} of {table} names a row of {parent} that is not there.")
            for id, said, read in database.execute(
                "SELECT c.id, ifnull(d.verdict, 'undecided'), c.verdict FROM candidates AS c"
                " LEFT JOIN current_decisions AS d ON d.candidate_id = c.id"
                " WHERE c.verdict IS NOT ifnull(d.verdict, 'undecided')"
                " OR c.decision_id IS NOT d.id LIMIT 5"
            ):
                wrong.append(f"Candidate {id} was decided {said}, but the queue says {read}.")
        return wrong


def create_store(path: Path, files_root: Path) -> Store:
    """Makes a new database with its tables; StoreError where one is there already."""
    path = Path(path)
    if path.exists():
        raise StoreError(f"There is a database at {path} already; open it instead.")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files_root.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(partial)
        try:
            with _upgrading(connection):
                _migrate(connection)
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.link(partial, path)
        sync_folder(path.parent)
    except FileExistsError as error:
        raise StoreError(f"There is a database at {path} already; open it instead.") from error
    except sqlite3.Error as error:
        raise StoreError(explain(error, path)) from error
    except OSError as error:
        raise StoreError(
            f"The database {path} cannot be made ({error.strerror or error}). Give this user "
            "permission to write there, or choose another folder."
        ) from error
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{partial}{suffix}").unlink(missing_ok=True)
    return open_store(path, files_root)


def open_store(path: Path, files_root: Path, read_only: bool = False) -> Store:
    """Opens a database that is there.

    Looks at it read-only first: one that is missing, damaged, newer than this program or not
    Tagmask's raises StoreError and is left byte for byte as it is. An older one is backed up
    beside itself, then migrated. `read_only` never writes.
    """
    path, files_root = Path(path), Path(files_root)
    version = inspect(path)
    if version < SCHEMA_VERSION and read_only:
        raise StoreError(
            f"The database {path} has the older format {version} and has to be brought to format "
            f"{SCHEMA_VERSION} first. Open the workspace once without --read-only."
        )
    if version < SCHEMA_VERSION:
        _upgrade(path)
    connections = Connections(path, read_only=read_only, version=SCHEMA_VERSION)
    files = FileStore(files_root, read_only=read_only)
    files.sweep()
    store = Store(
        path=path,
        read_only=read_only,
        connections=connections,
        files=files,
        classes=Classes(connections, files),
        images=Images(connections, files),
        tags=Tags(connections, files),
        suggestions=Suggestions(connections, files),
        runs=Runs(connections, files),
        artifacts=Artifacts(connections, files),
        candidates=Candidates(connections, files),
        decisions=Decisions(connections, files),
        fixes=Fixes(connections, files),
        flags=Flags(connections, files),
        snapshots=Snapshots(connections, files, path.parent / "snapshots"),
        jobs=Jobs(connections, files),
        leases=Leases(connections, files),
        assignments=Assignments(connections, files),
        agreement=Agreement(connections, files),
        audit=Audit(connections, files),
        users=Users(connections, files),
        logins=Logins(connections, files),
        transfers=Transfers(connections, files),
        doubles=Doubles(connections, files),
        bundles=Bundles(connections, files),
    )
    if not read_only:
        # What a killed program had begun counts already; here the rest of it is done.
        settle(connections)
        store.tags.finish()
        store.assignments.finish()
    return store


def inspect(path: Path) -> int:
    """The format of a database that is whole and ours, without changing a byte of anything."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError as error:
        raise StoreError(
            f"There is no database at {path}. Restore it from a backup, or make a new workspace in "
            "another folder with `python -m backend init`."
        ) from error
    except OSError as error:
        raise StoreError(f"The database {path} cannot be read: {error.strerror}.") from error
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise StoreError(
            f"The database {path} is damaged: it does not begin as an SQLite file does. Nothing "
            "was changed; restore the last backup made by `python -m backend backup`."
        )
    _accept(path, *struct.unpack(">i", header[60:64]), *struct.unpack(">i", header[68:72]))
    try:
        with _looking(path) as database:
            version = int(database.execute("PRAGMA user_version").fetchone()[0])
            _accept(path, version, database.execute("PRAGMA application_id").fetchone()[0])
            found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise StoreError(explain(error, path)) from error
    if found != "ok":
        said = " ".join(found.replace("*** in database main ***", "").split())
        raise StoreError(
            f"The database {path} is damaged ({said}). Nothing was changed; restore the "
            "last backup made by `python -m backend backup`."
        )
    return version


@contextmanager
def _looking(path: Path) -> Iterator[Database]:
    connections = Connections(path, read_only=True)
    try:
        yield connections.look()
    finally:
        connections.close()


def _accept(path: Path, version: int, application: int) -> None:
    if application != APPLICATION_ID:
        raise StoreError(
            f"The database {path} was made by another program, not by Tagmask. Nothing was "
            "changed; choose another folder for the workspace."
        )
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"The database {path} has format {version}, this program knows formats up to "
            f"{SCHEMA_VERSION}. Nothing was changed; update Tagmask to open this workspace."
        )


def _upgrade(path: Path) -> None:
    """Backs an older database up beside itself, then runs the migrations it lacks.

    Of several programs that open it at once the first one does; the others wait for it.
    """
    try:
        connection = sqlite3.connect(path, timeout=_UPGRADE_SECONDS)
        try:
            with _upgrading(connection):
                version = int(connection.execute("PRAGMA user_version").fetchone()[0])
                if version < SCHEMA_VERSION:
                    _keep(path, path.with_name(f"{path.name}.format-{version}"))
                    _migrate(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(explain(error, path)) from error


@contextmanager
def _upgrading(connection: sqlite3.Connection) -> Iterator[None]:
    """One immediate transaction: what a database lacks is asked and made good under its lock."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _keep(path: Path, kept: Path) -> None:
    """Copies a database, whose lock is held, to `kept`, whole or not at all.

    A backup that is there stays, unless it is torn, as an older Tagmask left it that was killed.
    """
    torn = list(kept.parent.glob(f".{kept.name}.*.partial*"))
    if kept.exists():
        try:
            inspect(kept)
            return
        except StoreError:
            # A journal that stays beside it would be played back into the new one.
            torn += [Path(f"{kept}{suffix}") for suffix in ("-journal", "-wal", "-shm")]
    for each in torn:
        each.unlink(missing_ok=True)
    # The connection that holds the lock cannot be copied from, another one can.
    reading = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        copy_whole(reading, path, kept)
    except OSError as error:
        raise unwritten(kept, error) from error
    finally:
        reading.close()


def _migrate(connection: sqlite3.Connection) -> None:
    """Runs what a database lacks, within a transaction that is open already."""
    migrations.apply(Database(connection))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
