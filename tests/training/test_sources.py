"""What a training finds out about its images before it begins."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.errors import DataError
from backend.images import encode_png
from backend.store import TagEdit, create_store
from training.events import EventWriter
from training.run import Run
from training.sources import open_tagged

from .conftest import events_of, paint_voc, train

METHODS = ("classify", "oaa", "oaaplus", "seenet", "ecsnet")


def repaint(data: Path, name: str, height: int, width: int) -> None:
    """Puts an image of another size in the place of one; its true mask goes."""
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    cv2.imwrite(str(data / "JPEGImages" / f"{name}.jpg"), pixels)
    (data / "SegmentationClass" / f"{name}.png").unlink(missing_ok=True)


@pytest.mark.parametrize("name", METHODS)
def test_an_image_that_is_too_small_is_named_before_the_first_step(
    scenes: Path, oaa_run: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
):
    data = shutil.copytree(scenes, tmp_path / "data")
    listed = (data / "ImageSets" / "Segmentation" / "train.txt").read_text().split()
    repaint(data, listed[3], 7, 50)
    more = ["--from", str(oaa_run)] if name == "oaaplus" else []
    assert train(name, data, tmp_path / "run", *more) == 2
    said = capsys.readouterr().err
    assert f"Too small to learn from: {listed[3]} (50x7). Both sides" in said
    assert "must be at least 8 pixels; take it out of the data or of the list in --split" in said
    assert not (tmp_path / "run").exists()


def test_all_that_are_too_small_are_counted(tmp_path: Path):
    data = paint_voc(tmp_path / "data")
    for number in range(7):
        repaint(data, f"im{number}", 5, 9)
    with pytest.raises(DataError, match=r"im0 \(9x5\).* im4 \(9x5\) and 2 more\..*take them out"):
        open_tagged(Run("classify", tmp_path / "run", data=data))


def test_a_retrain_is_told_whose_tags_changed(tmp_path: Path):
    """From a person's act through the snapshot to the sentence in the run's log."""
    generator = np.random.default_rng(0)
    with create_store(tmp_path / "tagmask.db", tmp_path / "files") as store:
        classes = [store.classes.add(name).id for name in ("cat", "dog")]
        ids = [
            store.images.add(
                f"im{n}", encode_png(generator.integers(0, 255, (32, 40, 3), np.uint8)),
                source="test", tags=classes[:1],
            ).image.id
            for n in range(3)
        ]  # fmt: skip
        store.snapshots.freeze("first", "ada", include="tagged")
        edits = [TagEdit((ids[1],), (classes[1],)), TagEdit((ids[2],), (), (classes[0],))]
        store.tags.change(edits, reviewer="ada", session="s", action_id="a")
        manifest = store.snapshots.freeze("second", "ada", include="tagged").path
    folder = tmp_path / "run"
    folder.mkdir()
    open_tagged(Run("classify", folder, data=manifest, events=EventWriter(folder)))
    told = [event["text"] for event in events_of(folder) if event["kind"] == "message"]
    assert told[0] == (
        "Since the snapshot 'first', the tags of 1 image changed (im1) and 1 image lost all tags "
        "(im2)."
    )


def test_images_that_are_not_learnt_from_may_be_small(tmp_path: Path):
    data = paint_voc(tmp_path / "data")
    repaint(data, "im3", 5, 5)
    listed = data / "ImageSets" / "Segmentation" / "train.txt"
    listed.write_text(listed.read_text().replace("im3\n", ""))
    source, classes = open_tagged(Run("classify", tmp_path / "run", data=data))
    assert (len(source.items), classes) == (7, [8, 12])


@pytest.mark.parametrize("name", METHODS)
def test_the_smallest_and_the_thinnest_images_are_learnt_from(
    scenes: Path, oaa_run: Path, tmp_path: Path, name: str
):
    data = shutil.copytree(scenes, tmp_path / "data")
    listed = (data / "ImageSets" / "Segmentation" / "train.txt").read_text().split()
    for image, size in zip(listed, [(8, 8), (8, 900), (900, 8)], strict=False):
        repaint(data, image, *size)
    more = ["--from", str(oaa_run)] if name == "oaaplus" else []
    for crop in ("area", "scale", "whole"):
        run = tmp_path / crop
        assert train(name, data, run, "--steps", "3", "--crop", crop, *more) == 0
        assert events_of(run)[-1]["kind"] == "finished"
