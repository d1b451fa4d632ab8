"""One process at a time in a folder, by a lock that the system releases when its holder dies."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from training.errors import TrainingError

PAUSE = 0.5


@contextlib.contextmanager
def held(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[int]:
    """Holds the lock of a file, which is made; `waiting` is called now and then while another
    process has it, and may raise. Gives the file's number: a child that inherits it holds the lock,
    too.

    Without `waiting`, TrainingError where another process has it. Raises TrainingError on file
    systems without locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if waiting is None:
                    raise TrainingError(
                        f"Another pipeline is at work in {path.parent}. Wait for it, stop it, or "
                        "choose another --out."
                    ) from None
                waiting()
                time.sleep(PAUSE)
            except OSError as problem:
                raise TrainingError(
                    f"The file system of {path.parent} has no file locks ({problem.strerror}). "
                    "Choose a folder on a local disk."
                ) from None
        yield file
    finally:
        os.close(file)
