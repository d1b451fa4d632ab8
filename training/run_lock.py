"""One process at a time in a run's folder, by a lock that the system releases with its holder."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from training.errors import TrainingError

RUN_LOCK = ".run.lock"


class _Taken(Exception):
    """Another process has the lock."""


@contextlib.contextmanager
def alone(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Keeps other runs out of a folder that is there; its file is taken away at the end.

    Raises TrainingError where another process has it. Where nothing can be locked, `tell` hears so
    and the run goes on.
    """
    path = folder / RUN_LOCK
    try:
        file = _locked(path)
    except _Taken:
        raise TrainingError(
            f"Another process is at work on the run in {folder}. Wait for it, stop it, or choose "
            "another --out."
        ) from None
    except OSError as problem:
        tell(
            f"{folder} cannot be locked ({problem.strerror or problem}), so nothing keeps a second "
            "process out of it: start no other one there."
        )
        yield
        return
    try:
        yield
    finally:
        # Before it is released, or it might be another's by then.
        with contextlib.suppress(OSError):
            if _is_at(file, path):
                path.unlink()
        os.close(file)


def _locked(path: Path) -> int:
    """The number of the file once it is locked; _Taken, or OSError where nothing can be locked.

    A record lock is not passed on to processes that are forked, such as those that read images: one
    that outlives a killed run keeps nobody out.
    """
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            os.close(file)
            if problem.errno in (errno.EAGAIN, errno.EACCES):
                raise _Taken from None
            raise
        if _is_at(file, path):
            return file
        # Its holder has ended and taken it away in between.
        os.close(file)


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except OSError:
        return False
