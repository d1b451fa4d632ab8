"""Content-addressed files."""

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backend.errors import StoreError
from backend.store.files import FileStore, sync_disk


@pytest.fixture
def files(tmp_path: Path) -> FileStore:
    (tmp_path / "files").mkdir()
    return FileStore(tmp_path / "files")


def everything(files: FileStore) -> list[Path]:
    return sorted(path for path in files.root.rglob("*") if path.is_file())


def test_a_file_is_named_by_the_sha256_of_its_bytes(files: FileStore) -> None:
    digest = files.put(b"abc", ".png")
    # FIPS 180-2, the example "abc".
    assert digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.path(digest) == files.root / "ba" / f"{digest}.png"
    assert files.read(digest) == b"abc"


def test_the_same_bytes_are_kept_once_whatever_they_are_called(files: FileStore) -> None:
    assert files.put(b"abc", ".png") == files.put(b"abc", ".jpg")
    assert len(everything(files)) == 1


def test_nothing_partial_is_left_behind(files: FileStore, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(3_000_000))
    files.put(b"abc", ".png")
    files.put_file(tmp_path / "big")
    assert list((files.root / "partial").iterdir()) == []


def test_a_copied_file_has_the_digest_of_its_bytes(files: FileStore, tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000
    (tmp_path / "photo.JPEG").write_bytes(data)
    digest = files.put_file(tmp_path / "photo.JPEG")
    assert digest == hashlib.sha256(data).hexdigest()
    assert files.path(digest).suffix == ".jpg"
    assert files.read(digest) == data


def test_an_unknown_ending_is_not_kept(files: FileStore) -> None:
    assert files.path(files.put(b"x", ".sh; rm")).suffix == ".bin"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "", "ABC", "a" * 63, "a" * 64 + "/", "é" * 64]
)
def test_only_a_digest_names_a_file(files: FileStore, name: str) -> None:
    with pytest.raises(StoreError, match="64 hexadecimal"):
        files.path(name)


def test_a_missing_file_is_explained(files: FileStore) -> None:
    assert not files.has("a" * 64)
    with pytest.raises(StoreError, match="restore it from a backup"):
        files.path("a" * 64)


def test_a_changed_file_is_not_intact(files: FileStore) -> None:
    digest = files.put(b"abc", ".png")
    assert files.intact(digest)
    files.path(digest).write_bytes(b"abd")
    assert not files.intact(digest)


def test_a_read_only_store_takes_nothing(files: FileStore, tmp_path: Path) -> None:
    reading = FileStore(files.root, read_only=True)
    (tmp_path / "one").write_bytes(b"1")
    with pytest.raises(StoreError, match="reading only"):
        reading.put(b"1", ".png")
    with pytest.raises(StoreError, match="reading only"):
        reading.put_file(tmp_path / "one")
    assert everything(files) == []


def test_a_batch_is_stored_when_it_ends(files: FileStore) -> None:
    with files.batch() as batch:
        digests = [batch.put(bytes([number]), ".png") for number in range(20)]
        assert not any(files.has(digest) for digest in digests)
        assert all(batch.has(digest) for digest in digests)
    assert [files.read(digest) for digest in digests] == [bytes([n]) for n in range(20)]
    assert list((files.root / "partial").iterdir()) == []


def test_a_batch_that_fails_leaves_nothing(files: FileStore) -> None:
    def interrupted() -> None:
        with files.batch() as batch:
            batch.put(b"1", ".png")
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert everything(files) == []


def test_threads_fill_a_batch_together(files: FileStore) -> None:
    with files.batch() as batch, ThreadPoolExecutor(8) as threads:
        digests = list(threads.map(lambda n: batch.put(str(n % 50).encode(), ".png"), range(400)))
    assert len(set(digests)) == len(everything(files)) == 50
    assert all(files.intact(digest) for digest in digests)


def test_the_disk_can_be_synced(tmp_path: Path) -> None:
    sync_disk(tmp_path)
    with pytest.raises(OSError, match="No such file"):
        sync_disk(tmp_path / "absent")


def test_what_a_killed_process_left_is_swept_up_after_a_day(files: FileStore) -> None:
    (files.root / "partial").mkdir()
    old, fresh = files.root / "partial" / "old", files.root / "partial" / "fresh"
    for path in (old, fresh):
        path.write_bytes(b"half")
    two_days_ago = time.time() - 2 * 86400
    os.utime(old, (two_days_ago, two_days_ago))
    FileStore(files.root, read_only=True).sweep()
    assert old.exists()
    files.sweep()
    assert (old.exists(), fresh.exists()) == (False, True)
