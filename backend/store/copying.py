"""A whole copy of a database: written to a partial name, checked, synced and renamed."""

import os
import sqlite3
from pathlib import Path

from backend.errors import StoreError
from backend.store.files import sync_folder


def copy_whole(connection: sqlite3.Connection, path: Path, destination: Path) -> None:
    """Copies the database at `path` to a partial name, checks and syncs it, and renames it."""
    partial = destination.with_name(f".{destination.name}.{os.getpid()}.partial")
    try:
        copy = sqlite3.connect(partial)
        try:
            connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
        finally:
            copy.close()
        if found != "ok":
            raise StoreError(f"The backup of {path} is not whole ({found}); none is kept.")
        # What is kept from the machine's other accounts is kept from them in the copy, too.
        partial.chmod(path.stat().st_mode & 0o777)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(destination)
        sync_folder(destination.parent)
    finally:
        partial.unlink(missing_ok=True)


def unwritten(destination: Path, error: OSError) -> StoreError:
    """What to raise where a copy cannot be written."""
    return StoreError(
        f"The backup {destination} could not be written ({error.strerror or error}). Make room "
        "there or choose another place."
    )
