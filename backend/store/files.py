"""Files named by the SHA-256 of their content, so that a name can never mean two things."""

import ctypes
import hashlib
import os
import re
import secrets
import threading
import time
from pathlib import Path

from backend.atomic import write_whole
from backend.errors import StoreError, StoreUnavailable

SUFFIXES = (".png", ".jpg", ".webp", ".bmp", ".gif", ".tif", ".json", ".npz", ".bin")
"""Endings a stored file may have, for people's sake; the digest alone is its name."""

_ALIASES = {".jpeg": ".jpg", ".jpe": ".jpg", ".tiff": ".tif"}
# Python has os.sync, which waits for every disk of the machine; syncfs waits for one.
_SYNCFS = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
_DAY = 86400.0
_CHUNK = 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")


class FileStore:
    """A folder of files `ab/abcd....png`: put once, never changed, found by digest."""

    def __init__(self, root: Path, *, read_only: bool = False) -> None:
        self.root = root
        self.read_only = read_only

    def put(self, data: bytes, suffix: str, digest: str | None = None) -> str:
        """Stores bytes durably (partial name, sync, rename, sync of the folder); their digest,
        which somebody who knows it may give."""
        digest = digest or hashlib.sha256(data).hexdigest()
        if self.has(digest):
            return digest
        self._writable()
        partial = self._partial()
        try:
            with partial.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            self._settle(partial, digest, suffix)
        except OSError as error:
            raise self._explained(error) from error
        finally:
            partial.unlink(missing_ok=True)
        return digest

    def put_file(self, path: Path) -> str:
        """Stores a copy of a file of any size, read once in pieces; its digest."""
        self._writable()
        digest = hashlib.sha256()
        partial = self._partial()
        try:
            with Path(path).open("rb") as source, partial.open("xb") as file:
                while piece := source.read(_CHUNK):
                    digest.update(piece)
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            if not self.has(digest.hexdigest()):
                self._settle(partial, digest.hexdigest(), Path(path).suffix)
        except OSError as error:
            raise self._explained(error) from error
        finally:
            partial.unlink(missing_ok=True)
        return digest.hexdigest()

    def path(self, digest: str) -> Path:
        """Where the file is; StoreError where there is none or the name is no digest."""
        found = self._find(digest)
        if found is None:
            raise StoreError(
                f"The workspace holds no file {digest[:12]}…. It was removed by hand or belongs "
                "to another workspace; restore it from a backup."
            )
        return found

    def read(self, digest: str) -> bytes:
        """The content of a stored file."""
        return self.path(digest).read_bytes()

    def has(self, digest: str) -> bool:
        """Whether a file of this digest is stored."""
        return self._find(digest) is not None

    def intact(self, digest: str) -> bool:
        """Whether the stored bytes still have the digest they are named by (reads all of it)."""
        found = self._find(digest)
        if found is None:
            return False
        with found.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest

    def sweep(self) -> None:
        """Removes what processes that were killed left half-written, a day ago or earlier."""
        if self.read_only:
            return
        for path in (self.root / "partial").glob("*"):
            try:
                if time.time() - path.stat().st_mtime > _DAY:
                    path.unlink()
            except FileNotFoundError:
                continue  # it was not forgotten after all: its process renamed it just now

    def _find(self, digest: str) -> Path | None:
        if not _DIGEST.fullmatch(digest):
            raise StoreError(
                f"{digest[:80]!r} is not a file's digest; 64 hexadecimal digits are expected."
            )
        base = f"{self.root}/{digest[:2]}/{digest}"
        for suffix in SUFFIXES:
            found = base + suffix
            # A link is nothing that was stored: it leads out of the workspace.
            if os.path.isfile(found) and not os.path.islink(found):  # noqa: PTH113, PTH114  hot
                return Path(found)
        return None

    def batch(self) -> "FileBatch":
        """Many files at once; see FileBatch."""
        return FileBatch(self)

    def _settle_all(self, waiting: dict[str, tuple[Path, str]]) -> None:
        try:
            sync_disk(self.root)
            for digest, (partial, suffix) in waiting.items():
                target = self._target(digest, suffix)
                if not target.parent.is_dir():
                    target.parent.mkdir(exist_ok=True)
                partial.replace(target)
            sync_disk(self.root)
        except OSError as error:
            raise self._explained(error) from error

    def _settle(self, partial: Path, digest: str, suffix: str) -> None:
        target = self._target(digest, suffix)
        if not target.parent.is_dir():
            target.parent.mkdir(exist_ok=True)
            sync_folder(self.root)
        partial.replace(target)
        sync_folder(target.parent)

    def _target(self, digest: str, suffix: str) -> Path:
        suffix = _ALIASES.get(suffix.lower(), suffix.lower())
        return self.root / digest[:2] / f"{digest}{suffix if suffix in SUFFIXES else '.bin'}"

    def _partial(self) -> Path:
        folder = self.root / "partial"
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{os.getpid()}-{secrets.token_hex(8)}"

    def _writable(self) -> None:
        if self.read_only:
            raise StoreError("The workspace is open for reading only, so no file can be added.")

    def _explained(self, error: OSError) -> StoreError:
        return StoreUnavailable(
            f"A file could not be stored under {self.root} ({error.strerror or error}). Nothing "
            "was changed; make room or give permission to write, and try again."
        )


class FileBatch:
    """Files put together: all are stored, durably, when the `with` block ends, or none is.

    One sync for all instead of three for each makes an import run at the disk's speed. Many threads
    may put at once. Until the block ends the files cannot be read.
    """

    def __init__(self, files: FileStore) -> None:
        self._files = files
        self._waiting: dict[str, tuple[Path, str]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> "FileBatch":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self._waiting:
                self._files._settle_all(self._waiting)
        finally:
            self.drop()

    def drop(self) -> None:
        """Takes away what waits and was not stored."""
        for partial, _suffix in self._waiting.values():
            partial.unlink(missing_ok=True)

    def put(self, data: bytes, suffix: str, digest: str | None = None) -> str:
        """Takes bytes in, not yet durably; their digest, which may be given where it is known."""
        digest = digest or hashlib.sha256(data).hexdigest()
        if self._files.has(digest):
            return digest
        self._files._writable()
        partial = self._files._partial()
        with self._lock:
            if digest in self._waiting:
                return digest
            self._waiting[digest] = partial, suffix
        try:
            with partial.open("xb") as file:
                file.write(data)
        except OSError as error:
            raise self._files._explained(error) from error
        return digest

    def has(self, digest: str) -> bool:
        """Whether a file of this digest is stored or waits in this batch."""
        return digest in self._waiting or self._files.has(digest)

    def read(self, digest: str) -> bytes:
        """The content of a file that is stored; one that waits is not read back."""
        return self._files.read(digest)


def sync_disk(folder: Path) -> None:
    """Makes everything written so far to the folder's file system survive a loss of power."""
    if _SYNCFS is None:
        os.sync()
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        if _SYNCFS(handle) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Makes renames in a folder survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, data: bytes) -> None:
    """Replaces a file as a whole, on disk when this returns; DataError where it cannot be."""
    write_whole(path, data, sync=True)
    sync_folder(path.parent)
