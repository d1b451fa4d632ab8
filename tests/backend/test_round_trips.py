"""What leaves a workspace and comes into another one is the same: photographs, names, tags, masks,
classes, and in a bundle every decision."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from backend.exchange.sources import open_source
from backend.images import encode_png, read_image
from backend.intake import take_in_source
from backend.labels import decode_labels, encode_labels
from backend.store.candidates import Candidate
from backend.transfers import begin_export, begin_import, run_export, run_import
from backend.workspace import Workspace

FORMATS = ("voc", "coco", "label-studio", "cvat")
COUNT = 40
ALL = COUNT + 2
ODD = "unter/Größe 日本 & <x>.png"

Kept = dict[str, tuple[str, tuple[str, ...], bytes]]


@pytest.fixture(scope="module")
def first(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty MSRC photographs with their masks (255 in each) accepted; one PNG with tags whose mask
    is all background; one of an odd name whose mask has holes, islands in them and a class that is
    no tag. Ten have a second candidate, which was rejected. The snapshot "all"."""
    root = tmp_path_factory.mktemp("first") / "ws"
    source = open_source(shared_data / "msrc", "fit")
    source = source.only(
        [item.name for item in source.items[:: len(source.items) // COUNT]][:COUNT]
    )
    with Workspace.create(root, "Field") as workspace:
        store = workspace.store
        take_in_source(store, source, origin="msrc", as_candidates="given")
        png = encode_png(read_image(source.items[0].image)[::2, ::2])
        image = store.images.add("drawn.png", png, source="test", tags=[]).image
        store.images.set_tags(image.id, [12, 15], "ada")
        labels = _plain(image.height, image.width)
        store.candidates.add(image.id, None, "given", labels)
        other = encode_png(read_image(source.items[1].image)[::2, ::2])
        image = store.images.add(ODD, other, source="test", tags=[12]).image
        store.candidates.add(image.id, None, "given", _holed(image.height, image.width))
        for number, row in enumerate(store.candidates.queue(limit=500).rows):
            store.decisions.record(
                row.id, row.digest, "accept", reviewer="ada", session="s", action_id=f"a{number}"
            )
        for image in store.images.page(limit=10).rows:
            second = store.candidates.add(
                image.id, None, "seenet", _holed(image.height, image.width), {"SC": 0.25}
            )
            store.decisions.record(
                second, store.candidates.get(second).digest, "reject", reviewer="ben",
                session="t", action_id=f"r{image.id}", reason="holes",
            )  # fmt: skip
        store.snapshots.freeze("all", "ada")
    return root


def _plain(height: int, width: int) -> bytes:
    return encode_labels(np.zeros((height, width), np.uint8))


def _holed(height: int, width: int) -> bytes:
    """A block with holes, in one of them an island and a void pixel; corners, a void edge."""
    labels = np.zeros((height, width), np.uint8)
    labels[5:60, 10:90] = 12
    labels[20:50, 20:70] = 0
    labels[30:40, 30:50] = 3
    labels[34, 40] = 255
    labels[7, 11] = 0
    labels[0, 0] = labels[-1, -1] = 17
    labels[-1, :9] = 255
    return encode_labels(labels)


def kept(root: Path, method: str) -> Kept:
    """Image bytes' digest, tag names and mask pixels by image name."""
    with Workspace.open(root) as workspace:
        store = workspace.store
        names = {each.id: each.name for each in store.classes.all()}
        found: Kept = {}
        for image in store.images.page(limit=1000).rows:
            masks = [c for c in store.candidates.of_image(image.id) if c.method == method]
            assert len(masks) == 1, (image.name, masks)
            tags = tuple(names[tag] for tag in image.tags)
            found[image.name] = (image.digest, tags, pixels(workspace, masks[0].digest))
        return found


def given(workspace: Workspace, image: int) -> Candidate:
    (found,) = [c for c in workspace.store.candidates.of_image(image) if c.method == "given"]
    return found


def pixels(workspace: Workspace, digest: str) -> bytes:
    return decode_labels(workspace.store.files.read(digest)).tobytes()


def classes(root: Path) -> dict[int, str]:
    with Workspace.open(root) as workspace:
        return {each.id: each.name for each in workspace.store.classes.all()}


def exported(root: Path, format: str, out: Path) -> Path:
    with Workspace.open(root) as workspace:
        run_export(workspace, begin_export(workspace, "all", format, out, "ada").id)
    return out


def imported(root: Path, place: Path, **wish: object) -> dict[str, int]:
    with Workspace.create(root) as workspace:
        begun = begin_import(workspace, place, "ben", **wish)  # type: ignore[arg-type]
        done, refused = run_import(workspace, begun.id)
        assert refused.sentences == []
        assert done.state == "done"
        return done.counts


@pytest.mark.parametrize("form", ["folder", "zip"])
@pytest.mark.parametrize("format", FORMATS)
def test_a_round_trip_through_another_program_loses_nothing(
    first: Path, tmp_path: Path, format: str, form: str
) -> None:
    out = exported(first, format, tmp_path / ("out.zip" if form == "zip" else "out"))
    counts = imported(tmp_path / "second", out, as_candidates="back")
    assert (counts["new"], counts["candidates"]) == (ALL, ALL)
    assert kept(tmp_path / "second", "back") == kept(first, "given")
    assert classes(tmp_path / "second") == classes(first)


@pytest.mark.parametrize("format", FORMATS)
def test_masks_may_come_back_as_the_truth(first: Path, tmp_path: Path, format: str) -> None:
    imported(tmp_path / "second", exported(first, format, tmp_path / "out.zip"), truth=True)
    with Workspace.open(first) as one, Workspace.open(tmp_path / "second") as other:
        for image in one.store.images.page(limit=1000).rows:
            candidate = given(one, image.id)
            back = other.store.images.by_name(image.name)
            assert back is not None
            assert back.truth_digest is not None
            assert pixels(other, back.truth_digest) == pixels(one, candidate.digest)
            assert format != "voc" or back.truth_digest == candidate.digest
        assert other.store.candidates.count() == 0


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_snapshot_gives_the_same_zip(first: Path, tmp_path: Path, format: str) -> None:
    one = exported(first, format, tmp_path / "a" / "out.zip")
    other = exported(first, format, tmp_path / "b" / "out.zip")
    assert one.read_bytes() == other.read_bytes()


def test_a_round_trip_through_classes_of_other_ids_keeps_names_and_pixels(
    first: Path, tmp_path: Path
) -> None:
    """The second workspace has ids of its own, so every mask is written anew, and back."""
    out = exported(first, "coco", tmp_path / "out.zip")
    second = tmp_path / "second"
    with Workspace.create(second, "Other", ["zebra", "sheep", "cow"]) as workspace:
        begun = begin_import(workspace, out, "ben", as_candidates="back")
        run_import(workspace, begun.id)
        for row in workspace.store.candidates.queue(limit=500).rows:
            workspace.store.decisions.record(
                row.id, row.digest, "accept", reviewer="ben", session="s", action_id=f"b{row.id}"
            )
        workspace.store.snapshots.freeze("all", "ben")
    assert classes(second)[2] == "sheep"
    back = exported(second, "label-studio", tmp_path / "back.zip")
    third = tmp_path / "third"
    with Workspace.create(third, "Third", [name for _, name in sorted(_ids(first))]) as workspace:
        run_import(workspace, begin_import(workspace, back, "cleo", as_candidates="again").id)
    names = {number: name for number, name in classes(third).items()}
    own = {name: number for number, name in names.items()}
    with Workspace.open(first) as one, Workspace.open(third) as other:
        table = np.zeros(256, np.uint8)
        table[255] = 255
        for each in one.store.classes.all():
            table[each.id] = own[each.name]
        for image in one.store.images.page(limit=1000).rows:
            first_one = given(one, image.id)
            copy = other.store.images.by_digest(image.digest)
            assert copy is not None
            (again,) = other.store.candidates.of_image(copy.id)
            was = table[decode_labels(one.store.files.read(first_one.digest))]
            assert (decode_labels(other.store.files.read(again.digest)) == was).all()


def _ids(root: Path) -> list[tuple[int, str]]:
    return list(classes(root).items())


def test_things_and_stuff_in_two_files_of_coco_come_back_as_one_mask(
    first: Path, tmp_path: Path
) -> None:
    """As COCO itself is given out: `instances_*` and `stuff_*`, polygons apart."""
    out = exported(first, "coco", tmp_path / "out")
    whole = json.loads((out / "annotations" / "instances_all.json").read_bytes())
    for place, kind in enumerate(("instances", "stuff")):
        part = [each for each in whole["annotations"] if each["category_id"] % 2 == place]
        text = json.dumps({**whole, "annotations": part})
        (out / "annotations" / f"{kind}_all.json").write_text(text)
    imported(tmp_path / "second", out, as_candidates="back")
    assert kept(tmp_path / "second", "back") == kept(first, "given")


def test_a_bundle_of_photographs_brings_every_candidate_and_decision(
    first: Path, tmp_path: Path
) -> None:
    counts = imported(tmp_path / "second", exported(first, "bundle", tmp_path / "all.zip"))
    assert (counts["new"], counts["candidates"], counts["decisions"]) == (ALL, ALL + 10, ALL + 10)
    assert kept(tmp_path / "second", "given") == kept(first, "given")
    assert rows(tmp_path / "second") == rows(first)


def rows(root: Path) -> list[tuple]:
    """Every decision with the name and the mask that it was about."""
    with Workspace.open(root) as workspace, workspace.store.connections.read() as database:
        return database.execute(
            "SELECT images.name, method, mask_digest, decisions.verdict, reason, reviewer, session,"
            " action_id, server_time FROM decisions JOIN candidates"
            " ON candidates.id = candidate_id JOIN images ON images.id = image_id"
            " ORDER BY action_id"
        ).fetchall()


def test_a_zip_says_what_it_is(first: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(exported(first, "bundle", tmp_path / "all.zip")) as archive:
        names = {Path(name).name for name in archive.namelist()}
    assert {"README.txt", "bundle.json", "manifest.json", "decisions.json"} <= names
