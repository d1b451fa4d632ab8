"""Frozen sets."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.errors import StoreError
from backend.exchange.sources import open_source
from backend.store import Store, open_store

Photo = Callable[[int], bytes]
Mask = Callable[..., bytes]


@pytest.fixture
def accept(store: Store) -> Callable[[int, str], None]:
    """Gives a verdict on a candidate."""

    def act(candidate: int, verdict: str = "accept") -> None:
        store.decisions.record(
            candidate,
            store.candidates.get(candidate).digest,
            verdict,
            reviewer="ada",
            session="s",
            action_id=f"act {store.decisions.count()}",
        )

    return act


@pytest.fixture
def offered(store: Store, photo: Photo, mask: Mask) -> list[int]:
    """Candidates of four images, one each."""
    found = []
    for number in range(4):
        image = store.images.add(f"image {number}", photo(number), source="t", tags=[1, 3]).image
        found.append(store.candidates.add(image.id, None, "dcsp", mask(number + 1)))
    return found


def test_a_snapshot_lists_what_was_accepted_or_fixed(
    store: Store, offered: list[int], accept: Callable[..., None]
) -> None:
    for candidate, verdict in zip(offered, ("accept", "fix", "reject", "skip"), strict=True):
        accept(candidate, verdict)
    frozen = store.snapshots.freeze("first", "ada")
    manifest = json.loads(frozen.path.read_text())
    assert (frozen.count, frozen.name, frozen.frozen_by) == (2, "first", "ada")
    assert manifest["format"] == "tagmask-snapshot/1"
    assert manifest["digest"] == frozen.digest == frozen.path.parent.name
    assert manifest["classes"] == {"1": "cat", "2": "dog", "3": "bird"}
    assert [item["verdict"] for item in manifest["items"]] == ["accept", "fix"]
    for item in manifest["items"]:
        for file, digest in (("file", "sha256"), ("mask", "mask_sha256")):
            data = (frozen.path.parent / item[file]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == item[digest]


def test_trainers_read_a_snapshot_as_a_data_set(
    store: Store, offered: list[int], accept: Callable[..., None]
) -> None:
    accept(offered[2])
    source = open_source(store.snapshots.freeze("first", "ada").path)
    (item,) = source.items
    assert (item.name, item.tags, item.verdict) == ("image_2", (1, 3), "accept")
    assert source.mask(item).tolist() == [[1] * 9] * 3 + [[0] * 9] * 3


def test_the_same_content_is_the_same_snapshot(
    store: Store, offered: list[int], accept: Callable[..., None]
) -> None:
    accept(offered[0])
    first = store.snapshots.freeze("first", "ada")
    before = first.path.read_bytes()
    accept(offered[1])
    store.decisions.undo("ada", "s", "undo")
    assert store.snapshots.freeze("second", "bob") == first
    assert first.path.read_bytes() == before
    accept(offered[1])
    second = store.snapshots.freeze("second", "bob")
    assert second.digest != first.digest
    assert [each.digest for each in store.snapshots.all()] == [second.digest, first.digest]


def test_a_snapshot_stays_when_decisions_change(
    store: Store, offered: list[int], accept: Callable[..., None]
) -> None:
    accept(offered[0])
    frozen = store.snapshots.freeze("first", "ada")
    before = frozen.path.read_bytes()
    accept(offered[0], "reject")
    store.images.set_tags(1, [2], "ada")
    assert frozen.path.read_bytes() == before
    store.snapshots.verify(frozen.digest)


def test_tags_and_masks_change_the_digest(
    store: Store, offered: list[int], accept: Callable[..., None], mask: Mask
) -> None:
    accept(offered[0])
    digests = {store.snapshots.freeze("a", "ada").digest}
    store.images.set_tags(1, [2], "ada")
    digests.add(store.snapshots.freeze("b", "ada").digest)
    accept(store.candidates.add(1, None, "edited", mask(5), parent_id=offered[0]), "fix")
    digests.add(store.snapshots.freeze("c", "ada").digest)
    assert len(digests) == 3


def test_of_two_accepted_masks_the_one_decided_last_counts(
    store: Store, offered: list[int], accept: Callable[..., None], mask: Mask
) -> None:
    other = store.candidates.add(1, None, "oaa", mask(5))
    accept(other)
    accept(offered[0])
    (item,) = json.loads(store.snapshots.freeze("a", "ada").path.read_text())["items"]
    assert item["mask_sha256"] == store.candidates.get(offered[0]).digest


def test_nothing_accepted_is_nothing_to_freeze(store: Store, offered: list[int]) -> None:
    with pytest.raises(StoreError, match="Accept some candidates"):
        store.snapshots.freeze("empty", "ada")
    assert store.snapshots.all() == []
    assert not list(store.path.parent.glob("snapshots/*"))


def test_tagged_images_can_be_frozen_with_and_without_masks(
    store: Store, offered: list[int], accept: Callable[..., None], photo: Photo
) -> None:
    store.images.add("untagged", photo(50), source="t")
    accept(offered[1])
    accept(offered[2], "reject")
    frozen = store.snapshots.freeze("tags", "ada", include="tagged")
    items = json.loads(frozen.path.read_text())["items"]
    assert [item["image"] for item in items] == [f"image_{n}" for n in range(4)]
    assert [item["verdict"] for item in items] == [None, "accept", None, None]
    assert [item["mask"] is None for item in items] == [True, False, True, True]
    store.snapshots.verify(frozen.digest)
    source = open_source(frozen.path)
    assert [item.tags for item in source.items] == [(1, 3)] * 4
    assert frozen.digest != store.snapshots.freeze("decided", "ada").digest
    for number in range(1, 5):
        store.images.set_tags(number, [], "ada")
    with pytest.raises(StoreError, match="No image has a tag"):
        store.snapshots.freeze("none", "ada", include="tagged")
    with pytest.raises(StoreError, match="decided or tagged or all"):
        store.snapshots.freeze("none", "ada", include="every")


def test_one_verdict_can_be_frozen_alone(
    store: Store, offered: list[int], accept: Callable[..., None]
) -> None:
    accept(offered[0])
    accept(offered[1], "fix")
    assert store.snapshots.freeze("fixed", "ada", ["fix"]).count == 1
    with pytest.raises(StoreError, match="No verdict"):
        store.snapshots.freeze("bad", "ada", ["accepted"])


def test_snapshots_are_found_by_digest_beginning_or_name(
    store: Store, offered: list[int], accept: Callable[..., None]
) -> None:
    accept(offered[0])
    frozen = store.snapshots.freeze("first", "ada")
    for name in (frozen.digest, frozen.digest[:8], "first"):
        assert store.snapshots.get(name) == frozen
    for name in (frozen.digest[:7], "%", "", "nobody"):
        with pytest.raises(StoreError, match="no snapshot"):
            store.snapshots.get(name)


def test_two_snapshots_of_one_name_are_told_apart_by_digest(
    store: Store, offered: list[int], accept: Callable[..., None]
) -> None:
    for candidate in offered[:2]:
        accept(candidate)
        store.snapshots.freeze("daily", "ada")
    with pytest.raises(StoreError, match="2 snapshots are called 'daily'"):
        store.snapshots.get("daily")


def test_a_changed_manifest_or_file_is_noticed(
    store: Store, offered: list[int], accept: Callable[..., None]
) -> None:
    accept(offered[0])
    frozen = store.snapshots.freeze("first", "ada")
    whole = frozen.path.read_text()
    frozen.path.write_text(whole.replace('"accept"', '"fix"'))
    with pytest.raises(StoreError, match="changed after it was frozen"):
        store.snapshots.verify(frozen.digest)
    frozen.path.write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        store.snapshots.verify(frozen.digest)
    # Freezing the same set again mends the manifest.
    store.snapshots.freeze("again", "ada")
    assert frozen.path.read_text() == whole
    store.files.path(store.images.get(1).digest).write_bytes(b"changed")
    with pytest.raises(StoreError, match="missing or damaged"):
        store.snapshots.verify(frozen.digest)


def test_a_snapshot_survives_a_move_of_the_workspace(
    store: Store, offered: list[int], accept: Callable[..., None], tmp_path: Path
) -> None:
    accept(offered[0])
    frozen = store.snapshots.freeze("first", "ada")
    store.close()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("tagmask.db", "files", "snapshots"):
        shutil.move(tmp_path / name, moved / name)
    with open_store(moved / "tagmask.db", moved / "files") as again:
        again.snapshots.verify(frozen.digest)
        path = again.snapshots.get(frozen.digest).path
    assert len(open_source(path).items) == 1


def test_a_name_is_as_short_for_a_command_as_for_the_page(
    store: Store, offered: list[int], accept: Callable[..., None]
) -> None:
    accept(offered[0])
    refused = (("x" * 65, "this one 65"), ("x" * 300, "this one 300"), (" ", "needs a name"))
    for name, said in refused:
        with pytest.raises(StoreError, match=said):
            store.snapshots.freeze(name, "ada")
    assert store.snapshots.all() == []
    assert store.snapshots.freeze("x" * 64, "ada").count == 1


def test_a_free_name_is_numbered_and_tells_no_time(
    store: Store, offered: list[int], accept: Callable[..., None]
) -> None:
    for number, candidate in enumerate(offered[:3], start=1):
        accept(candidate)
        name = store.snapshots.free_name("Accepted")
        assert store.snapshots.freeze(name, "ada").name == f"Accepted {number}"
    assert store.snapshots.free_name("All tagged") == "All tagged 1"
