"""Zip archives from outside: what may come out of one, and what may not.

Nothing an archive says of itself is believed: names are checked before they become paths, and
sizes are counted while inflating. A refused member is left out and reported; an archive that is a
bomb is refused as a whole and leaves nothing behind.
"""

import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from backend.atomic import unwritable
from backend.errors import DataError
from backend.exchange.names import some
from backend.images import SUFFIXES

DATA_SUFFIXES = frozenset({".csv", ".txt", ".xml", ".npy", ".json"})
_UNSEEN_FOLDERS = {"__macosx"}
_UNSEEN_FILES = {"thumbs.db", "desktop.ini"}
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_CHUNK = 1 << 20
_LONGEST_PATH = 400
_LONGEST_PART = 200
_END, _END_SIZE, _LONGEST_COMMENT = b"PK\x05\x06", 22, 1 << 16
_LOCATOR, _LOCATOR_SIZE, _END64_SIZE = b"PK\x06\x07", 20, 56
# A member takes 46 bytes of the directory, and its name and extra fields, which are short.
_DIRECTORY_BYTES_PER_MEMBER = 320
_OTHER_ARCHIVES = {
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
}


Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold; ratio is inflated to stored bytes of one member."""

    members: int = 10_000
    member_bytes: int = 600_000_000
    total_bytes: int = 4_000_000_000
    ratio: float = 200.0
    free_of_ratio: int = 10_000_000


@dataclass(frozen=True)
class Refused:
    """A member that was left out, and why, in words that follow "it"."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name!r} {self.reason}"


@dataclass(frozen=True)
class Extracted:
    """What came out: images and the data set files among them, and what was refused."""

    root: Path
    images: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class _Taken:
    """Paths given out so far, in any case, so that none is a file twice or a file and a folder."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def add(self, parts: list[str]) -> None:
        path, folders = self._paths(parts)
        self._files.add(path)
        self._folders.update(folders)

    def holds(self, parts: list[str]) -> bool:
        path, folders = self._paths(parts)
        return path in self._files or path in self._folders or not self._files.isdisjoint(folders)

    @staticmethod
    def _paths(parts: list[str]) -> tuple[str, list[str]]:
        folded = [part.casefold() for part in parts]
        return "/".join(folded), ["/".join(folded[:count]) for count in range(1, len(folded))]


def extract_images(zip_path: Path, destination: Path, limits: Limits | None = None) -> list[Path]:
    """The images of a zip, written under `destination` with their folders; as `extract`."""
    return extract(zip_path, destination, limits).images


def extract(
    zip_path: Path,
    destination: Path,
    limits: Limits | None = None,
    tell: Tell | None = None,
    *,
    resume: bool = False,
) -> Extracted:
    """Write a zip's images and data set files (tags.csv, lists, ...) under an empty folder.

    `tell` is told how many members of how many are done, and may raise to stop. With `resume` the
    folder may hold what an earlier call for this very archive had written when it was killed: what
    is whole of it is kept, what was cut off is written again.

    Left out and reported: names that lead outside, links, encrypted, damaged and doubled members.
    Raises DataError, leaving `destination` as it was, for what is no zip, has too many members,
    inflates beyond a limit, does not fit on the disk, or holds not one readable image.
    """
    limits = limits or Limits()
    zip_path, destination = Path(zip_path), Path(destination)
    empty = not destination.exists() or (destination.is_dir() and not any(destination.iterdir()))
    if not empty and not (resume and destination.is_dir()):
        raise DataError(f"{destination} is not an empty folder, so nothing was unpacked into it.")
    try:
        return _unpack(zip_path, destination, limits, tell, resumed=not empty)
    except OSError as problem:
        named = Path(problem.filename) if problem.filename else destination
        if named == zip_path:
            raise DataError(f"{zip_path} could not be read: {problem.strerror}.") from problem
        raise DataError(unwritable(named, problem)) from problem
    except (zipfile.BadZipFile, struct.error, ValueError, RuntimeError) as problem:
        raise DataError(
            f"{zip_path.name} is a damaged or incomplete zip archive ({problem}). Copy it again "
            "from where it came."
        ) from problem


def _unpack(
    zip_path: Path, destination: Path, limits: Limits, tell: Tell | None, *, resumed: bool
) -> Extracted:
    """All of it, or, whatever is raised, nothing left behind."""
    made = not destination.exists()
    try:
        with zip_path.open("rb") as file:
            _check_directory(file, zip_path, limits)
            destination.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(file) as archive:
                extracted = _extract(
                    archive, zip_path.name, destination, limits, tell, resumed=resumed
                )
        _require_images(extracted, zip_path.name)
    except BaseException:
        _empty(destination, made)
        raise
    return extracted


def _check_directory(file: BinaryIO, path: Path, limits: Limits) -> None:
    """Refuse by the end record alone, before a directory of millions of names is read."""
    length = file.seek(0, 2)
    if length == 0:
        raise DataError(f"{path.name} is empty (0 bytes). Copy it again from where it came.")
    file.seek(max(0, length - _END_SIZE - _LONGEST_COMMENT))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        file.seek(0)
        start = file.read(8)
        kind = next((w for begin, w in _OTHER_ARCHIVES.items() if start.startswith(begin)), "")
        cut = start.startswith(b"PK\x03\x04")
        raise DataError(
            f"{path.name} is {kind}; only zip archives are read. Pack the images as a zip."
            if kind
            else f"{path.name} is a zip archive cut short. Copy it again from where it came."
            if cut
            else f"{path.name} is not a zip archive."
        )
    count, size = struct.unpack("<HI", tail[at + 10 : at + 16])
    locator = tail[max(0, at - _LOCATOR_SIZE) : at]
    if locator.startswith(_LOCATOR) and at >= _LOCATOR_SIZE + _END64_SIZE:
        end64 = tail[at - _LOCATOR_SIZE - _END64_SIZE : at - _LOCATOR_SIZE]
        count, size = struct.unpack("<QQ", end64[32:48])
    if count > limits.members or size > limits.members * _DIRECTORY_BYTES_PER_MEMBER:
        raise DataError(_too_many(path.name, limits))
    file.seek(0)


def _extract(
    archive: zipfile.ZipFile,
    name: str,
    destination: Path,
    limits: Limits,
    tell: Tell | None,
    *,
    resumed: bool,
) -> Extracted:
    members = [info for info in archive.infolist() if not info.is_dir()]
    if len(archive.infolist()) > limits.members:
        raise DataError(_too_many(name, limits))
    promised = sum(info.file_size for info in members)
    if promised > limits.total_bytes:
        raise DataError(_too_large(name, limits))
    there = sum(each.stat().st_size for each in destination.rglob("*") if each.is_file())
    if promised - there > shutil.disk_usage(destination).free:
        raise DataError(
            f"{name} unpacks to {promised / 1e6:,.0f} MB, more than is free under {destination}. "
            "Free some space first."
        )
    extracted = Extracted(destination)
    taken = _Taken()
    total = 0
    for number, info in enumerate(members, start=1):
        if tell:
            tell(number, len(members))
        parts = info.filename.replace("\\", "/").split("/")
        if _unseen(parts):
            continue
        target = destination.joinpath(*parts)
        reason = _refusal(info, parts, taken)
        if reason is None:
            try:
                left = limits.total_bytes - total
                if resumed and _is_whole(target, info):
                    total += info.file_size
                else:
                    target.unlink(missing_ok=True)
                    total += _inflate(archive, info, target, limits, left, name)
            except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as problem:
                target.unlink(missing_ok=True)
                reason = f"is damaged ({problem})"
        if reason is not None:
            extracted.refused.append(Refused(info.filename, reason))
            continue
        taken.add(parts)
        image = target.suffix.lower() in SUFFIXES
        (extracted.images if image else extracted.others).append(target)
    return extracted


def _unseen(parts: list[str]) -> bool:
    """What systems leave in archives on their own, not worth a word."""
    lowered = [part.casefold() for part in parts]
    hidden = lowered[-1].startswith("._") or lowered[-1] in (_UNSEEN_FILES | {".ds_store"})
    return hidden or any(part in _UNSEEN_FOLDERS for part in lowered[:-1])


def _refusal(info: zipfile.ZipInfo, parts: list[str], taken: _Taken) -> str | None:
    """Why a member is not even looked into, in words that follow "it"; None where it is."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    path = "/".join(parts)
    if parts[0] == "" or parts[0][1:2] == ":":
        return "has an absolute name"
    if any(part in ("", ".", "..") for part in parts):
        return "leads out of its folder"
    if any(ord(character) < 32 or character == "\x7f" for character in path):
        return "has control characters in its name"
    if len(path.encode(errors="replace")) > _LONGEST_PATH or any(
        len(part.encode(errors="replace")) > _LONGEST_PART for part in parts
    ):
        return "has too long a name"
    if kind not in (0, stat.S_IFREG):
        return "is a link" if kind == stat.S_IFLNK else "is not an ordinary file"
    if Path(path).suffix.lower() not in SUFFIXES | DATA_SUFFIXES:
        return "is no image by its name"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in _METHODS:
        return "is compressed in an unusual way"
    if taken.holds(parts):
        return "has the name of an earlier file or folder"
    return None


def _inflate(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    target: Path,
    limits: Limits,
    left: int,
    name: str,
) -> int:
    """Write one member in pieces, counting; returns its bytes, raises DataError for a bomb."""
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with archive.open(info) as source, target.open("xb") as file:
        while piece := source.read(_CHUNK):
            written += len(piece)
            if written > left:
                raise DataError(_too_large(name, limits))
            stored = max(1, info.compress_size)
            bomb = written > limits.free_of_ratio and written / stored > limits.ratio
            if bomb or written > limits.member_bytes:
                raise DataError(
                    f"{name} was refused: its member {info.filename!r} inflates from "
                    f"{info.compress_size:,} bytes to more than {written:,}, as a zip bomb does. "
                    "Nothing of it was kept."
                )
            file.write(piece)
    return written


def _is_whole(target: Path, info: zipfile.ZipInfo) -> bool:
    """Whether an earlier attempt wrote all of a member: its length and its checksum are right."""
    if not target.is_file() or target.stat().st_size != info.file_size:
        return False
    found = 0
    with target.open("rb") as file:
        while piece := file.read(_CHUNK):
            found = zlib.crc32(piece, found)
    return found == info.CRC


def _require_images(extracted: Extracted, name: str) -> None:
    if extracted.images:
        return
    if not extracted.refused:
        raise DataError(f"{name} holds no images.")
    raise DataError(f"{name} holds no image that can be read: {some(extracted.refused, 3)}.")


def _too_many(name: str, limits: Limits) -> str:
    return (
        f"{name} has too many members; at most {limits.members:,} are unpacked at once. Split it, "
        "or import the unpacked folder with python -m backend import."
    )


def _too_large(name: str, limits: Limits) -> str:
    return (
        f"{name} unpacks to more than {limits.total_bytes / 1e6:,.0f} MB, the most that is taken "
        "at once. Nothing of it was kept. Split it, or import the unpacked folder."
    )


def _empty(folder: Path, made: bool) -> None:
    """Take back what was unpacked; the folder itself too, where it was made for it."""
    if made:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
