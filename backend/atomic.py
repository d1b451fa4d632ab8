"""Files that are either there in full or not there at all."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from backend.errors import DataError


def write_whole(path: str | Path, data: bytes, *, sync: bool = False) -> Path:
    """Write bytes under a partial name beside `path`, then rename; parents are made.

    With `sync` the bytes reach the disk before the name does. Raises DataError where the disk is
    full or the folder is not writable; the file that was there before is then untouched.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name[:80]}.{secrets.token_hex(6)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    except OSError as problem:
        raise DataError(unwritable(path, problem)) from problem
    finally:
        # Gone after the rename; where even its folder is none, there is nothing to take away.
        with suppress(OSError):
            partial.unlink()
    return path


def unwritable(path: Path, problem: OSError) -> str:
    """The sentence for a file that could not be written, with the system's reason."""
    reason = problem.strerror or str(problem)
    return f"{path} could not be written: {reason}. Free some space or choose another folder."
