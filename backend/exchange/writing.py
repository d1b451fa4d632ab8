"""An export on disk: all of it or nothing under its name, and no work lost when it is killed.

What is written goes to a partial folder or zip beside the destination. With a `key` that stays when
the process dies, and the same export with the same key goes on from there.
"""

import json
import os
import secrets
import shutil
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from backend.atomic import unwritable, write_whole
from backend.errors import DataError
from backend.exchange.entries import Entry
from backend.images import SUFFIXES

Tell = Callable[[int], None]
"""Told how many images are done; may raise to stop."""

_KEPT_EVERY = 200
_KEPT_BYTES = 64_000_000


def write_folder(
    entries: Iterable[Entry], destination: Path, *, key: str | None = None, tell: Tell | None = None
) -> Path:
    """Writes the files of an export as a folder; raises DataError where it is there already."""

    def fill(partial: Path) -> None:
        for entry in entries:
            file = partial / entry.path
            if not file.exists():
                # Under another name until it is whole: a file that is there is never half of one.
                file.parent.mkdir(parents=True, exist_ok=True)
                torn = file.with_name(f".{file.name[:80]}.torn")
                torn.write_bytes(entry.read())
                torn.rename(file)
            if tell:
                tell(entry.images)
        for torn in partial.rglob(".*.torn"):
            torn.unlink()

    return _whole(destination, key, fill)


def write_zip(
    entries: Iterable[Entry], destination: Path, *, key: str | None = None, tell: Tell | None = None
) -> Path:
    """Writes the files of an export as a zip, in one folder named as the zip.

    The same files give the same bytes, also where an earlier attempt was killed.
    """

    def fill(partial: Path) -> None:
        archive = _Archive(partial, resumable=key is not None)
        try:
            for entry in entries:
                archive.add(f"{destination.stem}/{entry.path}", entry)
                if tell:
                    tell(entry.images)
        finally:
            archive.close()

    return _whole(destination, key, fill)


class _Archive:
    """A zip that is written on after its writer was killed.

    A zip's directory stands at its end and is lost with its writer. Every so often a copy of it is
    put into a file beside, with the length that the zip had without it.
    """

    def __init__(self, path: Path, *, resumable: bool) -> None:
        self.path, self.resumable = path, resumable
        self.kept = _directory_of(path)
        if resumable and self.kept.is_file() and path.is_file():
            told = json.loads(self.kept.read_bytes())
            with path.open("r+b") as file:
                file.truncate(told["length"])
                file.seek(0, os.SEEK_END)
                file.write(bytes.fromhex(told["directory"]))
        else:
            path.unlink(missing_ok=True)
        self.zip = zipfile.ZipFile(path, "a")
        self.names = set(self.zip.namelist())
        self.since, self.bytes_since = 0, 0

    def add(self, name: str, entry: Entry) -> None:
        if name in self.names:
            return
        # A fixed date, so that the same source gives the same zip.
        info = zipfile.ZipInfo(name)
        info.external_attr = 0o644 << 16
        packed = Path(name).suffix.lower() not in SUFFIXES
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        data = entry.read()
        self.zip.writestr(info, data)
        self.names.add(name)
        self.since, self.bytes_since = self.since + 1, self.bytes_since + len(data)
        if self.resumable and (self.since >= _KEPT_EVERY or self.bytes_since >= _KEPT_BYTES):
            self._keep()

    def close(self) -> None:
        self.zip.close()

    def _keep(self) -> None:
        length = self.zip.start_dir
        self.zip.close()
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
            file.seek(length)
            told = {"length": length, "directory": file.read().hex()}
        write_whole(self.kept, json.dumps(told).encode(), sync=True)
        self.zip = zipfile.ZipFile(self.path, "a")
        self.since, self.bytes_since = 0, 0


def partial_path(destination: Path, key: str) -> Path:
    """Where an export with this key is written until it is whole."""
    return destination.with_name(f".{destination.name[:80]}.{key}.partial")


def discard(destination: Path, key: str) -> None:
    """Takes away what an export that is given up has written so far."""
    partial = partial_path(destination, key)
    _directory_of(partial).unlink(missing_ok=True)
    if partial.is_dir():
        shutil.rmtree(partial, ignore_errors=True)
    else:
        partial.unlink(missing_ok=True)


def _directory_of(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.directory")


def _whole(destination: Path, key: str | None, fill: Callable[[Path], None]) -> Path:
    """Fill a partial file or folder beside the destination, then rename it there.

    An exception is an answer, so nothing is kept for a next attempt; a kill leaves what there is.
    """
    if destination.exists():
        raise DataError(f"{destination} is there already. Name another place, or remove it first.")
    used = key or secrets.token_hex(6)
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        fill(partial_path(destination, used))
        partial_path(destination, used).rename(destination)
        _directory_of(partial_path(destination, used)).unlink(missing_ok=True)
    except OSError as problem:
        discard(destination, used)
        raise DataError(unwritable(destination, problem)) from problem
    except BaseException:
        discard(destination, used)
        raise
    return destination
