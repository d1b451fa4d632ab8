"""One supervisor a workspace: a lock that the system releases when its holder dies."""

import contextlib
import fcntl
import os
import time
from pathlib import Path

from backend.errors import JobError

LOCK = "supervisor.lock"
_TRIES = 20
_PAUSE = 0.05


class WorkspaceLock:
    """DIR/supervisor.lock, held for as long as the supervisor lives; its pid is inside."""

    def __init__(self, root: Path) -> None:
        self.path = root / LOCK
        self._file: int | None = None

    def take(self) -> None:
        """Takes the lock; JobError, naming the holder, if another process keeps it for 1 s."""
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise JobError(
                f"The lock file {self.path} cannot be opened ({error.strerror}). The workspace "
                "must be a folder that this user may write in."
            ) from None
        # Whoever asks `held` has a shared lock for an instant, so one refusal says little.
        for _ in range(_TRIES):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_PAUSE)
            except OSError as error:
                os.close(file)
                raise JobError(
                    f"The file system of {self.path.parent} has no file locks "
                    f"({error.strerror}). Keep the workspace on a local disk."
                ) from None
        else:
            os.close(file)
            raise JobError(
                f"Another supervisor{_holder(self.path)} already runs the jobs of "
                f"{self.path.parent}. One is enough; this one does nothing."
            )
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def intact(self) -> bool:
        """False once the workspace was moved, deleted or replaced under the holder's feet."""
        if self._file is None:
            return False
        try:
            here, there = os.fstat(self._file), self.path.stat()
        except OSError:
            return False
        return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def held(root: Path) -> bool:
    """Is a supervisor alive for this workspace? Microseconds; writes nothing."""
    try:
        file = os.open(root / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(file)
    return False


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return f" (process {int(path.read_text())})"
    return ""
