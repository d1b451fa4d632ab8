"""Who works on a transfer: a lock that ends with its process, however that ends."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from backend.errors import WorkspaceError

FOLDER = "transfers"


def place_of(root: Path, id: int) -> Path:
    """The folder of a transfer in a workspace: its upload, what it unpacked, what it writes."""
    return root / FOLDER / str(int(id))


@contextmanager
def held(root: Path, id: int) -> Iterator[Path]:
    """Holds a transfer and gives its folder; WorkspaceError where another process holds it."""
    place = place_of(root, id)
    try:
        place.mkdir(parents=True, exist_ok=True)
        with _lock(root, id).open("a") as file:
            _take(file, root, id)
            yield place
    except OSError as error:
        raise WorkspaceError(
            f"{place} cannot be used ({error.strerror or error}). Make room there, or give this "
            "user permission to write in the workspace."
        ) from error


def _take(file: TextIO, root: Path, id: int) -> None:
    for patience in (0.05, 0.1, 0.2, 0.0):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            # `is_held` of somebody who looks holds it for an instant.
            if not patience:
                raise WorkspaceError(
                    f"Another process works on transfer {id}. Wait for it, or stop it with "
                    f"`python -m backend transfers {root} --cancel {id}`."
                ) from error
            time.sleep(patience)


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
