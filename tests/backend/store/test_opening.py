"""Opening what is whole, and leaving alone what is not."""

import os
import re
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.errors import StoreError
from backend.store import Store, create_store, open_store
from backend.store.schema import APPLICATION_ID, SCHEMA_VERSION

from .conftest import contents, refused, set_pragma


def test_what_was_stored_is_there_after_opening_again(closed: Path) -> None:
    with open_store(closed, closed.parent / "files") as store:
        assert store.images.count() == store.decisions.count() == 1
        assert store.check() == []


def test_a_closed_store_is_one_file(closed: Path) -> None:
    assert [path.name for path in closed.parent.glob("tagmask.db*")] == ["tagmask.db"]


def test_the_database_is_as_safe_as_it_should_be(store: Store) -> None:
    with store.connections.read() as database:

        def asked(name: str) -> object:
            return database.execute(f"PRAGMA {name}").fetchone()[0]

        assert asked("journal_mode") == "wal"
        assert asked("synchronous") == 2  # FULL
        assert asked("foreign_keys") == 1
        assert asked("busy_timeout") == 5000
        assert asked("user_version") == SCHEMA_VERSION
        assert asked("application_id") == APPLICATION_ID == int.from_bytes(b"TGMK")


def test_a_missing_database_is_explained_and_not_made(tmp_path: Path) -> None:
    refused(tmp_path / "tagmask.db", "There is no database at .*init")
    assert list(tmp_path.iterdir()) == []


def test_a_newer_database_is_left_alone(closed: Path) -> None:
    set_pragma(closed, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    refused(closed, "update Tagmask")
    refused(closed, "update Tagmask", read_only=True)


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "tagmask.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (address TEXT)")
    connection.close()
    refused(path, "another program")


@pytest.mark.parametrize("data", [b"", b"SQLite format 3\x00", b"not a database" * 1000])
def test_what_is_no_database_is_left_alone(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "tagmask.db").write_bytes(data)
    refused(tmp_path / "tagmask.db", "damaged.*Nothing was changed.*backup")


def overwritten(data: bytes) -> bytes:
    """Pages 2 to 4 are noise, the header is whole."""
    return data[:4096] + os.urandom(3 * 4096) + data[4 * 4096 :]


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2 + 100]


def no_application(data: bytes) -> bytes:
    return data[:68] + struct.pack(">i", 0) + data[72:]


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (overwritten, "damaged.*Nothing was changed"),
        (cut, "damaged.*Nothing was changed"),
        (no_application, "another program"),
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_a_damaged_database_is_left_alone(
    closed: Path, harm: Callable[[bytes], bytes], sentence: str, read_only: bool
) -> None:
    closed.write_bytes(harm(closed.read_bytes()))
    refused(closed, sentence, read_only=read_only)


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "tagmask.db").mkdir()
    with pytest.raises(StoreError, match="cannot be read"):
        open_store(tmp_path / "tagmask.db", tmp_path / "files")


def test_reading_only_leaves_no_trace(closed: Path) -> None:
    before = contents(closed.parent)
    with open_store(closed, closed.parent / "files", read_only=True) as store:
        assert store.candidates.queue(verdict="accept").total == 1
        assert store.check() == []
        assert contents(closed.parent) == before
    assert contents(closed.parent) == before


def test_reading_only_changes_nothing(closed: Path) -> None:
    before = contents(closed.parent)
    with open_store(closed, closed.parent / "files", read_only=True) as store:
        for change in (
            lambda: store.classes.add("cow"),
            lambda: store.images.set_tags(1, [2], "eve"),
            lambda: store.decisions.undo("ada", "s", "2"),
            lambda: store.snapshots.freeze("x", "eve"),
            lambda: store.jobs.submit("classify", [], by="eve"),
            lambda: store.jobs.claim("s"),
            lambda: store.runs.add("x", "y", "z"),
            lambda: store.files.put(b"x", ".png"),
        ):
            with pytest.raises(StoreError, match="reading only"):
                change()
    assert contents(closed.parent) == before


def test_a_reader_sees_what_a_writer_adds_meanwhile(closed: Path) -> None:
    files = closed.parent / "files"
    with open_store(closed, files, read_only=True) as reading:
        assert len(reading.classes.all()) == 3
        with open_store(closed, files) as writing:
            writing.classes.add("cow")
            assert len(reading.classes.all()) == 4
            writing.classes.add("sheep")
            assert len(reading.classes.all()) == 5
        assert len(reading.classes.all()) == 5
        with open_store(closed, files) as writing:
            writing.classes.add("horse")
        assert len(reading.classes.all()) == 6


def test_a_store_is_made_once(store: Store) -> None:
    before = store.path.read_bytes()
    with pytest.raises(StoreError, match="There is a database"):
        create_store(store.path, store.files.root)
    assert store.path.read_bytes() == before


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    with pytest.raises(StoreError, match="has been closed"):
        store.classes.all()


def test_a_backup_is_a_whole_store(store: Store, candidate: int, tmp_path: Path) -> None:
    kept = store.backup(tmp_path / "kept" / "backup.db")
    store.classes.add("cow")
    with open_store(kept, store.files.root, read_only=True) as backup:
        assert backup.candidates.get(candidate) == store.candidates.get(candidate)
        assert len(backup.classes.all()) == 3
        assert backup.check() == []
    assert [path.name for path in kept.parent.iterdir()] == ["backup.db"]


def test_a_backup_that_cannot_be_written_is_explained(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="could not be written"):
        store.backup(tmp_path / "file" / "backup.db")


def test_foreign_keys_hold(store: Store) -> None:
    with (
        pytest.raises(StoreError, match=re.escape("FOREIGN KEY constraint failed")),
        store.connections.write() as database,
    ):
        database.execute("INSERT INTO image_tags VALUES (99, 1)")
