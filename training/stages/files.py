"""Digests of files, worked out once: a file of the same size and time is not read again."""

import contextlib
import hashlib
import json
from pathlib import Path

from backend.atomic import write_whole
from backend.errors import DataError

CACHE = "files.json"
FORMAT = "tagmask-files/1"


class FileDigests:
    """sha256 of files, kept with their size and time in `cache`; anything wrong with that file
    costs only that they are read again.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self.cache = cache
        self._known: dict[str, list[object]] = {}
        self._new = False
        if cache is not None:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                told = json.loads(cache.read_bytes())
                if told["format"] == FORMAT:
                    self._known = dict(told["files"])

    def of(self, path: Path) -> str:
        """The digest of a file; DataError where it cannot be read."""
        try:
            about = path.stat()
            now: list[object] = [about.st_size, about.st_mtime_ns]
            known = self._known.get(str(path))
            if isinstance(known, list) and known[:2] == now and len(known) == 3:
                return str(known[2])
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as problem:
            raise DataError(f"{path} could not be read: {problem.strerror or problem}.") from None
        self._known[str(path)] = [*now, digest]
        self._new = True
        return digest

    def save(self) -> None:
        """Keeps what is known for the next time."""
        if self.cache is not None and self._new:
            told = {"format": FORMAT, "files": self._known}
            write_whole(self.cache, json.dumps(told).encode())
            self._new = False
