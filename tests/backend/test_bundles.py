"""A bundle carries a snapshot with all that was said of it into another workspace."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.errors import DataError, TagmaskError
from backend.images import encode_png
from backend.labels import encode_labels
from backend.store import bundles
from backend.transfers import begin_export, begin_import, run_export, run_import
from backend.workspace import Workspace

SIDE = 12


def photo(seed: int) -> bytes:
    return encode_png(np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8))


def labels(*rows: int) -> bytes:
    values = np.zeros((SIDE, SIDE), np.uint8)
    for place, number in enumerate(rows):
        values[place] = number
    return encode_labels(values)


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """Four images: accepted, rejected then undone and accepted, fixed by hand, not decided."""
    root = tmp_path / "first"
    with Workspace.create(root, "First", ["cat", "dog"]) as workspace:
        store = workspace.store
        run = store.runs.add("labels of seenet", "labels", "runs/1", {"fusion": "dcsp"})
        store.runs.finish(run, {"miou": 0.5})
        said = {"session": "s", "client_time": 12.5}
        ids = []
        for number in range(4):
            image = store.images.add(
                f"pet {number}",
                photo(number),
                source="camera",
                tags=[1],
                truth=labels(1, number % 3),
            ).image
            ids.append(
                store.candidates.add(image.id, run, "dcsp", labels(1, 2, 255), {"SC": number / 8})
            )
        digest = store.candidates.get(ids[0]).digest
        store.candidates.rescore([(ids[0], {"SC": 0.25, "SF": 0.75})], run)
        decide = store.decisions.record
        decide(ids[0], digest, "accept", reviewer="ada", action_id="1", reason="fine", **said)
        decide(ids[1], digest, "reject", reviewer="ada", action_id="2", **said)
        store.decisions.undo("ada", "s", "3")
        decide(ids[1], digest, "accept", reviewer="ben", action_id="4", **said)
        image = store.candidates.get(ids[2]).image_id
        drawn = store.candidates.add(image, None, "fixed", labels(2, 2, 1), parent_id=ids[2])
        decide(
            drawn, store.candidates.get(drawn).digest, "fix", reviewer="ben", action_id="5", **said
        )
        store.images.set_tags(image, [2], "ben")
        store.flags.set(image, True, reviewer="ada", session="s", action_id="f1", note="look")
        store.snapshots.freeze("round one", "ada", with_undecided=True)
    return root


@pytest.fixture
def bundle(first: Path, tmp_path: Path) -> Path:
    with Workspace.open(first) as workspace:
        begun = begin_export(workspace, "round one", "bundle", tmp_path / "all.zip", "ada")
        return Path(run_export(workspace, begun.id).path)


def bring_in(root: Path, place: Path) -> tuple[dict[str, int], tuple[str, ...]]:
    with Workspace.open(root) as workspace:
        done, _ = run_import(workspace, begin_import(workspace, place, "cleo").id)
        return done.counts, done.said


def told(root: Path) -> dict[str, list[dict[str, Any]]]:
    """All that is kept about the images, without the numbers that rows have by chance."""
    with Workspace.open(root) as workspace:
        digests = [image.digest for image in workspace.store.images.page().rows]
        tables = workspace.store.bundles.gather(sorted(digests))
        masks = {row["id"]: (row["image"], row["mask"]) for row in tables["candidates"]}
        runs = {row["id"]: row["name"] for row in tables["runs"]} | {None: None}
        actions = {row["id"]: row["action_id"] for row in tables["decisions"]} | {None: None}
    meant: dict[str, list[dict[str, Any]]] = {}
    for name, rows in tables.items():
        for row in rows:
            row.pop("id", None)
            for key, by in (("candidate", masks), ("parent", masks | {None: None}), ("run", runs)):
                if key in row:
                    row[key] = by[row[key]]
            if name == "decisions":
                row |= {key: actions[row[key]] for key in ("supersedes", "undoes", "restores")}
            if name == "images":
                row |= {"source": "", "added": 0}
        meant[name] = sorted(rows, key=str)
    return meant


def test_all_that_was_said_comes_along(first: Path, bundle: Path, tmp_path: Path) -> None:
    Workspace.create(tmp_path / "second", "Second").close()
    counts, said = bring_in(tmp_path / "second", bundle)
    assert (counts["new"], counts["candidates"], counts["decisions"]) == (4, 5, 5)
    assert told(tmp_path / "second") == told(first)
    assert any("is here as it was frozen" in each for each in said)


def test_the_snapshot_is_there_under_its_digest(first: Path, bundle: Path, tmp_path: Path) -> None:
    Workspace.create(tmp_path / "second", "Second").close()
    bring_in(tmp_path / "second", bundle)
    with Workspace.open(first) as one, Workspace.open(tmp_path / "second") as other:
        (frozen,), (adopted,) = one.store.snapshots.all(), other.store.snapshots.all()
        assert (adopted.digest, adopted.name, adopted.frozen_by, adopted.frozen_at) == (
            frozen.digest,
            frozen.name,
            frozen.frozen_by,
            frozen.frozen_at,
        )
        other.store.snapshots.verify(adopted.digest)
        again = other.store.snapshots.freeze("again", "cleo", with_undecided=True)
        assert again.digest == frozen.digest
        assert other.store.check() == []


def test_done_twice_it_adds_nothing(bundle: Path, tmp_path: Path) -> None:
    root = tmp_path / "second"
    Workspace.create(root, "Second").close()
    bring_in(root, bundle)
    before = told(root)
    counts, _ = bring_in(root, bundle)
    assert (counts["new"], counts["known"]) == (0, 4)
    assert not counts.get("decisions")
    assert not counts.get("candidates")
    assert told(root) == before


def test_it_comes_back_into_its_own_workspace_without_a_trace(first: Path, bundle: Path) -> None:
    before = told(first)
    counts, _ = bring_in(first, bundle)
    assert (counts["new"], counts.get("decisions", 0)) == (0, 0)
    assert told(first) == before


def test_what_was_decided_here_stands(bundle: Path, tmp_path: Path) -> None:
    root = tmp_path / "second"
    with Workspace.create(root, "Second", ["cat", "dog"]) as workspace:
        store = workspace.store
        image = store.images.add("mine", photo(0), source="test", tags=[2]).image
        mine = store.candidates.add(image.id, None, "dcsp", labels(1, 2, 255))
        digest = store.candidates.get(mine).digest
        store.decisions.record(
            mine, digest, "reject", reviewer="cleo", session="s", action_id="own"
        )
    _, said = bring_in(root, bundle)
    assert any("what was decided here stands" in each for each in said)
    assert any("other tags here" in each for each in said)
    with Workspace.open(root) as workspace:
        assert workspace.store.candidates.get(mine).verdict == "reject"
        assert workspace.store.images.get(image.id).tags == (2,)
        assert workspace.store.check() == []


def test_other_class_ids_renumber_masks_and_their_decisions(bundle: Path, tmp_path: Path) -> None:
    root = tmp_path / "second"
    Workspace.create(root, "Second", ["bird", "cat"]).close()
    _, said = bring_in(root, bundle)
    assert any("classes have other ids" in each for each in said)
    with Workspace.open(root) as workspace:
        store = workspace.store
        assert [each.name for each in store.classes.all()] == ["bird", "cat", "dog"]
        rows = store.candidates.queue(verdict="accept").rows
        assert [row.digest for row in rows] == [rows[0].digest] * 2
        # cat and dog are 2 and 3 here; each decision names the mask as it is here.
        assert store.files.read(rows[0].digest) == labels(2, 3, 255)
        current = store.decisions.current(rows[0].id)
        assert current is not None
        assert current.mask_digest == rows[0].digest


# ---------------------------------------------------------------- bundles that mean harm


def tampered(bundle: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    bad = bundle.with_name("bad.zip")
    with zipfile.ZipFile(bad, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return bad


def row(table: str, **changes: object) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        rows = json.loads(files[f"all/{table}.json"])
        rows[0] |= changes
        files[f"all/{table}.json"] = json.dumps(rows).encode()

    return change


def other_bytes(folder: str) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        for name in files:
            if f"/{folder}/" in name:
                files[name] = photo(99) if folder == "images" else labels(1, 1, 1, 1)

    return change


def without(name: str) -> Callable[[dict[str, bytes]], None]:
    return lambda files: files.pop(f"all/{name}") and None


@pytest.mark.parametrize(
    "change",
    [
        row("decisions", candidate=999),
        row("decisions", mask="0" * 64),
        row("decisions", server_time=float("inf")),
        row("decisions", server_time=10**40),
        row("decisions", reviewer=["ada"]),
        row("decisions", action_id="2"),
        row("flags", action_id=7),
        row("decisions", verdict="whatever"),
        row("decisions", reason="x" * 100_000),
        row("candidates", image="0" * 64),
        row("candidates", parent=12345),
        row("candidates", mask="../../../etc/passwd"),
        row("images", file="../../../../etc/passwd"),
        row("images", file="/etc/passwd"),
        row("images", file="images"),
        row("images", tags=[77]),
        row("images", truth="a" * 64),
        row("flags", flagged=7),
        row("flags", image="0" * 64),
        row("tag_changes", after=["cat"]),
        row("scores", scores={"SC": float("nan")}),
        row("scores", scores={"SC": "0.5"}),
        row("runs", config="{}"),
        other_bytes("images"),
        other_bytes("masks"),
        without("decisions.json"),
        without("manifest.json"),
        lambda files: files.update({"all/bundle.json": b'{"format": "tagmask-bundle/9"}'}),
        lambda files: files.update({"all/decisions.json": b"[" * 100_000}),
        lambda files: files.update({"all/decisions.json": b"{}"}),
    ],
)
def test_a_bundle_that_is_not_whole_leaves_no_row_of_anybodys_word(
    bundle: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], None]
) -> None:
    root = tmp_path / "second"
    Workspace.create(root, "Second").close()
    with pytest.raises(TagmaskError):
        bring_in(root, tampered(bundle, change))
    with Workspace.open(root) as workspace:
        assert workspace.store.decisions.count() == 0
        assert workspace.store.candidates.count() == 0
        assert workspace.store.check() == []
        assert workspace.store.transfers.latest()[0].state == "failed"


def test_a_drawn_mask_of_another_image_is_no_parent(bundle: Path, tmp_path: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        rows = json.loads(files["all/candidates.json"])
        rows[-1]["parent"] = rows[0]["id"]
        files["all/candidates.json"] = json.dumps(rows).encode()

    root = tmp_path / "second"
    Workspace.create(root, "Second").close()
    with pytest.raises(TagmaskError, match="drawn from"):
        bring_in(root, tampered(bundle, change))


def test_an_action_that_is_about_another_image_here_is_refused_before_anything_comes_in(
    bundle: Path, tmp_path: Path
) -> None:
    root = tmp_path / "second"
    with Workspace.create(root, "Second", ["cat", "dog"]) as workspace:
        store = workspace.store
        image = store.images.add("mine", photo(50), source="test", tags=[2]).image
        mine = store.candidates.add(image.id, None, "dcsp", labels(1, 2, 255))
        store.decisions.record(
            mine, store.candidates.get(mine).digest, "reject",
            reviewer="cleo", session="s", action_id="4",
        )  # fmt: skip
    with pytest.raises(TagmaskError, match="about another image here"):
        bring_in(root, bundle)
    with Workspace.open(root) as workspace:
        assert (workspace.store.candidates.count(), workspace.store.decisions.count()) == (1, 1)


def test_a_large_bundle_comes_in_by_parts_and_goes_on_after_a_kill(
    first: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image a transaction; what follows the first never comes, as where it is killed."""
    monkeypatch.setattr(bundles, "_IMAGES_AT_ONCE", 1)
    root = tmp_path / "second"
    Workspace.create(root, "Second").close()
    with monkeypatch.context() as killed:
        killed.setattr(bundles.time, "sleep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            bring_in(root, bundle)
    with Workspace.open(root) as workspace:
        assert 0 < workspace.store.candidates.count() < 5
    _, said = bring_in(root, bundle)
    assert told(root) == told(first)
    assert not any("stands" in each for each in said)


def interrupted(_: float) -> None:
    raise KeyboardInterrupt


def test_a_manifest_that_lies_is_not_put_back(bundle: Path, tmp_path: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        manifest = json.loads(files["all/manifest.json"])
        manifest["items"][0]["verdict"] = "accept"
        manifest["items"][0]["tags"] = [2]
        files["all/manifest.json"] = json.dumps(manifest).encode()

    root = tmp_path / "second"
    Workspace.create(root, "Second").close()
    _, said = bring_in(root, tampered(bundle, change))
    assert any("not what its digest says" in each for each in said)
    with Workspace.open(root) as workspace:
        assert workspace.store.snapshots.all() == []


def test_a_bundle_is_a_zip(first: Path, tmp_path: Path) -> None:
    with Workspace.open(first) as workspace, pytest.raises(DataError, match="A bundle is a zip"):
        begin_export(workspace, "round one", "bundle", tmp_path / "folder", "ada")
