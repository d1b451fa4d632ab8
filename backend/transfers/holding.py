"""Who works on a transfer: a lock that ends with its process, however that ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from backend.errors import WorkspaceError

FOLDER = "transfers"


def place_of(root: Path, id: int) -> Path:
    """The folder of a transfer in a workspace: its upload, what it unpacked, what it writes."""
    return root / FOLDER / str(int(id))


@contextmanager
def held(root: Path, id: int) -> Iterator[Path]:
    """Holds a transfer and gives its folder; WorkspaceError where another process holds it.

    A folder that is empty at the end goes, and the lock with it.
    """
    place = place_of(root, id)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        file = _taken(root, id)
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise WorkspaceError(
            f"{place} cannot be used ({error.strerror or error}). Make room there, or give this "
            "user permission to write in the workspace."
        ) from error
    with file:
        try:
            yield place
        finally:
            tidy(root, id)


def tidy(root: Path, id: int) -> None:
    """Takes away what a transfer that keeps nothing for a next attempt would leave."""
    place = place_of(root, id)
    with suppress(OSError):
        place.rmdir()
    if not place.exists():
        with suppress(OSError):
            _lock(root, id).unlink()


def _taken(root: Path, id: int) -> TextIO:
    """The lock, taken; its file is open."""
    for patience in (0.05, 0.1, 0.2, 0.0):
        file = _lock(root, id).open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it may have taken it away at its end: then another file is the lock now.
            if _is_the_lock(file, root, id):
                return file
        except BlockingIOError as error:
            # `is_held` of somebody who looks holds it for an instant.
            if not patience:
                file.close()
                raise WorkspaceError(
                    f"Another process works on transfer {id}. Wait for it, or stop it with "
                    f"`python -m backend transfers {root} --cancel {id}`."
                ) from error
        file.close()
        time.sleep(patience)
    raise WorkspaceError(f"Transfer {id} was just ended by another process. Look at it again.")


def _is_the_lock(file: TextIO, root: Path, id: int) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), _lock(root, id).stat())
    except FileNotFoundError:
        return False


def is_held(root: Path, id: int) -> bool:
    """Whether a process works on a transfer now."""
    try:
        with _lock(root, id).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    except OSError:
        return False
    return False


def _lock(root: Path, id: int) -> Path:
    return root / FOLDER / f"{int(id)}.lock"
