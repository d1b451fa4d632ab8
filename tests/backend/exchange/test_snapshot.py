"""backend.exchange.snapshot: a manifest gives exactly what was frozen, or a sentence."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.errors import DataError
from backend.exchange.sources import open_source


@pytest.fixture
def frozen(make_files: Callable, mask: Callable) -> Path:
    """A workspace's folders: files by digest, and a snapshot that points into them."""
    root = make_files(
        {"files/a.jpg": "photo", "files/b.png": "photo", "files/m.png": mask(0, 8), "x": ""}, "ws"
    )

    def digest(name: str) -> str:
        return hashlib.sha256((root / "files" / name).read_bytes()).hexdigest()

    manifest = {
        "format": "tagmask-snapshot/1",
        "digest": "ab" * 32,
        "name": "first",
        "created": "2024-05-01T12:00:00+00:00",
        "classes": {"15": "person", "8": "cat"},
        "items": [
            {
                "image": "kitchen 1.jpg",
                "file": "../../files/a.jpg",
                "sha256": digest("a.jpg"),
                "tags": [15, 8],
                "mask": "../../files/m.png",
                "mask_sha256": digest("m.png"),
                "verdict": "accept",
                "truth": None,
            },
            {
                "image": "b",
                "file": "../../files/b.png",
                "sha256": digest("b.png"),
                "tags": [],
                "mask": None,
                "mask_sha256": None,
                "verdict": None,
                "truth": "../../files/m.png",
            },
        ],
    }
    path = root / "snapshots" / "abab" / "manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(manifest))
    return path


def changed(path: Path, *keys: Any, to: object) -> Path:
    manifest = json.loads(path.read_text())
    place = manifest
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = to
    path.write_text(json.dumps(manifest))
    return path


@pytest.mark.parametrize("by", ["file", "folder"])
def test_a_snapshot_is_read_by_its_manifest_or_its_folder(frozen: Path, by: str) -> None:
    source = open_source(frozen if by == "file" else frozen.parent)
    assert (source.kind, source.digest) == ("snapshot", "ab" * 32)
    assert source.classes == {8: "cat", 15: "person"}
    first, second = source.items
    assert (first.name, first.tags, first.verdict) == ("kitchen_1.jpg", (8, 15), "accept")
    assert source.mask(first).shape == (9, 12)
    assert (second.mask, second.verdict, second.tags) == (None, None, ())
    assert np.unique(source.truth(second)).tolist() == [0, 8]


def test_a_snapshot_moves_with_its_workspace(frozen: Path, tmp_path: Path) -> None:
    (tmp_path / "ws").rename(tmp_path / "elsewhere")
    moved = tmp_path / "elsewhere" / "snapshots" / "abab" / "manifest.json"
    assert len(open_source(moved).items) == 2


@pytest.mark.parametrize("name", ["a.jpg", "m.png"])
def test_a_file_changed_after_freezing_is_noticed(frozen: Path, name: str) -> None:
    file = frozen.parents[2] / "files" / name
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(DataError, match=r"of kitchen 1\.jpg .* has changed since the snapshot"):
        open_source(frozen)


def test_a_missing_file_is_named(frozen: Path) -> None:
    (frozen.parents[2] / "files" / "a.jpg").unlink()
    with pytest.raises(DataError, match=r"The file of kitchen 1\.jpg that .* names is missing"):
        open_source(frozen)


@pytest.mark.parametrize(
    ("keys", "to", "words"),
    [
        (["format"], "tagmask-snapshot/2", "is of the format 'tagmask-snapshot/2'; this version"),
        (["items"], [], "it lists no items"),
        (["items"], {"a": 1}, "it lists no items"),
        (["items", 0], "a.jpg", "an item has no image name"),
        (["items", 0, "image"], 7, "an item has no image name"),
        (["items", 0, "file"], None, "has no file"),
        (["items", 0, "file"], "/etc/passwd", "is not a path relative to the manifest"),
        (["items", 0, "file"], "a\0b", "is not a path relative to the manifest"),
        (["items", 0, "tags"], [8, 99], "the tags of kitchen 1.jpg are not ids of its classes"),
        (["items", 0, "tags"], "8", "are not ids of its classes"),
        (["items", 0, "tags"], [True], "are not ids of its classes"),
        (["items", 0, "verdict"], "maybe", "the verdict of kitchen 1.jpg is 'maybe'"),
        (["items", 0, "candidate"], "m.png", "candidate of kitchen 1.jpg is not a mask with"),
        (["items", 0, "candidate"], {"scores": {"SF": "high"}}, "is not a mask with scores"),
        (["items", 0, "candidate"], {"mask": 7}, "the candidate of kitchen 1.jpg is not a path"),
        (["items", 1, "image"], "kitchen 1.jpg", "lists kitchen_1.jpg more than once"),
        (["classes"], ["cat"], "its classes are not a map"),
        (["classes"], {"x": "cat"}, "its classes are not a map"),
        (["classes"], {"8": "cat", "15": "CAT"}, "names the class CAT twice"),
        (["classes"], {"0": "background"}, "the id 0. Class ids run from 1"),
    ],
)
def test_a_manifest_edited_by_hand_says_what_is_wrong(
    frozen: Path, keys: list, to: object, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        open_source(changed(frozen, *keys, to=to))


@pytest.mark.parametrize("text", ["", "{", '["tagmask-snapshot/1"]', "[" * 100_000, "\x00"])
def test_what_is_no_manifest_is_refused(frozen: Path, text: str) -> None:
    frozen.write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json is not"):
        open_source(frozen)


def test_a_snapshot_has_no_splits(frozen: Path) -> None:
    with pytest.raises(DataError, match="is a snapshot, which has no split train"):
        open_source(frozen, "train")


def test_a_strangers_manifest_names_nothing_outside_its_folder(frozen: Path) -> None:
    with pytest.raises(DataError, match=r"file of kitchen 1\.jpg leads out of its folder"):
        open_source(frozen, within=frozen.parent)
    workspace = frozen.parents[2]
    assert len(open_source(frozen, within=workspace).items) == 2
    changed(frozen, "items", 1, "truth", to="../../../secret.png")
    with pytest.raises(DataError, match="truth of b leads out of its folder"):
        open_source(frozen.parent, within=workspace)
