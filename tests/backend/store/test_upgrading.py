"""Bringing an older database up: backed up whole, migrated once, or left as it is."""

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlite_utils import Database

from backend.errors import StoreError
from backend.store import Store, open_store
from backend.store import schema as schema_module
from backend.store.schema import APPLICATION_ID, SCHEMA_VERSION

from .conftest import refused, set_pragma


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A database of the first format, which has three images."""
    path = tmp_path / "older" / "tagmask.db"
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    schema_module.migrations.apply(Database(connection), stop_before="m002_scores")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executemany(
        "INSERT INTO images (name, digest, width, height, source, added)"
        " VALUES (?, ?, 4, 4, 't', 0)",
        [(f"image {number}", f"{number}" * 64) for number in range(3)],
    )
    connection.commit()
    connection.close()
    return path


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def whole_backup(kept: Path) -> bool:
    """Whether a backup is a database of the first format with the three images."""
    connection = sqlite3.connect(f"{kept.as_uri()}?mode=ro", uri=True)
    try:
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (images,) = connection.execute("SELECT count(*) FROM images").fetchone()
    finally:
        connection.close()
    return (version, images) == (1, 3)


def test_an_upgrade_that_is_killed_in_its_backup_begins_it_again(older: Path) -> None:
    """The kernel ends the process once it has written the first part of the backup."""
    killed = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from backend.store import open_store\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "open_store(Path(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    files = older.parent / "files"
    assert older.stat().st_size > 65536
    ended = subprocess.run([sys.executable, "-c", killed, str(older), str(files)], check=False)
    assert ended.returncode == -signal.SIGXFSZ
    assert any(".format-1" in name for name in names_in(older.parent))
    open_store(older, files).close()
    assert names_in(older.parent) == {"tagmask.db", "tagmask.db.format-1"}
    assert whole_backup(older.with_name("tagmask.db.format-1"))


def test_a_torn_backup_of_before_is_made_again_and_a_whole_one_stays(older: Path) -> None:
    kept = older.with_name("tagmask.db.format-1")
    content = older.read_bytes()
    kept.write_bytes(content[: len(content) // 2])
    kept.with_name(f"{kept.name}-journal").write_bytes(b"torn")
    open_store(older, older.parent / "files").close()
    assert names_in(older.parent) == {"tagmask.db", "tagmask.db.format-1"}
    assert whole_backup(kept)
    first = kept.read_bytes()
    older.write_bytes(content)
    set_pragma(older, "PRAGMA user_version = 1")
    set_pragma(older, "DELETE FROM images WHERE id = 3")
    open_store(older, older.parent / "files").close()
    assert kept.read_bytes() == first


def test_of_two_programs_that_open_an_older_database_one_migrates_it(
    older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.store import opening

    migrations = schema_module.Migrations("tagmask")
    migrations._migrations = [*schema_module.migrations._migrations]

    @migrations()
    def m_next_slow(database: Database) -> None:
        time.sleep(0.5)
        database.execute("ALTER TABLE candidates ADD COLUMN flagged INTEGER NOT NULL DEFAULT 0")

    monkeypatch.setattr(opening, "migrations", migrations)
    monkeypatch.setattr(opening, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    together = threading.Barrier(3)

    def opened(_: int) -> int:
        together.wait(timeout=30)
        with open_store(older, older.parent / "files") as store:
            return store.images.count()

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(opened, range(3))) == [3, 3, 3]
    assert whole_backup(older.with_name("tagmask.db.format-1"))
    connection = sqlite3.connect(older)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 1,)
    connection.close()


def test_a_store_whose_format_has_changed_since_it_was_opened_is_not_written(
    store: Store, candidate: int
) -> None:
    """An older supervisor that goes on beside a newer server could leave out what that needs."""
    store.classes.add("cow")
    set_pragma(store.path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    digest = store.candidates.get(candidate).digest
    for change in (
        lambda: store.classes.add("sheep"),
        lambda: store.decisions.record(
            candidate, digest, "accept", reviewer="ada", session="s", action_id="1"
        ),
    ):
        with pytest.raises(StoreError, match=f"to format {SCHEMA_VERSION + 1} by a newer Tagmask"):
            change()
    assert len(store.classes.all()) == 4
    assert store.decisions.count() == 0
    set_pragma(store.path, f"PRAGMA user_version = {SCHEMA_VERSION}")
    store.classes.add("sheep")


def test_an_older_database_is_backed_up_and_brought_up(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.store import opening

    older = closed.read_bytes()
    migrations = schema_module.Migrations("tagmask")
    migrations._migrations = [*schema_module.migrations._migrations]

    @migrations()
    def m_next_flags(database: Database) -> None:
        database.execute("ALTER TABLE candidates ADD COLUMN flagged INTEGER NOT NULL DEFAULT 0")

    monkeypatch.setattr(opening, "migrations", migrations)
    monkeypatch.setattr(opening, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    refused(closed, "Open the workspace once without --read-only", read_only=True)
    with open_store(closed, closed.parent / "files") as store:
        assert store.decisions.count() == 1
        with store.connections.read() as database:
            assert database.execute("SELECT flagged FROM candidates").fetchone() == (0,)
            assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 1,)
    kept = closed.with_name(f"tagmask.db.format-{SCHEMA_VERSION}")
    monkeypatch.undo()
    with open_store(kept, closed.parent / "files", read_only=True) as store:
        assert store.decisions.count() == 1
    closed.write_bytes(older)
    with open_store(closed, closed.parent / "files") as store:
        assert store.decisions.count() == 1


def test_a_migration_that_fails_changes_nothing(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.store import opening

    migrations = schema_module.Migrations("tagmask")
    migrations._migrations = [*schema_module.migrations._migrations]

    @migrations()
    def m_next_broken(database: Database) -> None:
        database.execute("ALTER TABLE candidates ADD COLUMN flagged INTEGER")
        database.execute("UPDATE decisions SET verdict = 'reject'")

    monkeypatch.setattr(opening, "migrations", migrations)
    monkeypatch.setattr(opening, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    with pytest.raises(StoreError, match="only added to"):
        open_store(closed, closed.parent / "files")
    monkeypatch.undo()
    with open_store(closed, closed.parent / "files") as store:
        assert store.candidates.get(1).verdict == "accept"
        with store.connections.read() as database:
            columns = [row[1] for row in database.execute("PRAGMA table_info(candidates)")]
    assert "flagged" not in columns
