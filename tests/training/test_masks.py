"""Which mask each image is learnt from, and what is said before a training where one is wrong."""

from pathlib import Path

import numpy as np
import pytest

from backend.errors import DataError
from backend.labels import read_labels, write_labels
from training.errors import TrainingError
from training.masks import Masked, open_masked
from training.run import Run

from .conftest import paint_voc


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return paint_voc(tmp_path / "data", count=4)


def proxies(data: Path, run: Path, names: list[str], **other: np.ndarray) -> str:
    """A folder with the true masks of some images, or others, as a run's labels."""
    for name in names:
        write_labels(
            run / "labels" / f"{name}.png", read_labels(data / "SegmentationClass" / f"{name}.png")
        )
    for name, labels in other.items():
        write_labels(run / "labels" / f"{name}.png", labels)
    return str(run)


def opened(
    data: Path, earlier: str = "", strong: str = "", split: str | None = None
) -> tuple[Masked, list[str]]:
    """What is learnt from, and what was said about it."""
    said: list[str] = []

    class Told(Run):
        def say(self, text: str) -> None:
            said.append(text)

    return open_masked(Told("segment", data, data=data, split=split), earlier, strong), said


def test_the_labels_of_a_run_are_the_masks(data: Path, tmp_path: Path):
    run = proxies(data, tmp_path / "run", ["im0", "im1", "im2", "im3"])
    masked, _ = opened(data, run)
    assert [item.name for item in masked.taught.items] == ["im0", "im1", "im2", "im3"]
    assert {item.mask.parent for item in masked.taught.items} == {tmp_path / "run" / "labels"}
    assert masked.class_ids == [8, 12]
    assert masked.origin["run"] == "run"


def test_images_without_labels_are_left_out_and_counted(data: Path, tmp_path: Path):
    masked, said = opened(data, proxies(data, tmp_path / "run", ["im0", "im2"]))
    assert [item.name for item in masked.taught.items] == ["im0", "im2"]
    assert len(masked.whole.items) == 4
    assert "2 of 4 images have no label map and are left out: im1, im3." in said


def test_labels_of_none_of_the_images_are_refused(data: Path, tmp_path: Path):
    run = proxies(data, tmp_path / "run", [], other=np.zeros((48, 48), np.uint8))
    with pytest.raises(TrainingError, match=r"None of the 4 images .* has a label map in .*--from"):
        opened(data, run)


def test_a_run_that_made_no_labels_is_refused(data: Path, tmp_path: Path):
    with pytest.raises(TrainingError, match="has no labels"):
        opened(data, str(tmp_path / "nothing"))


def test_data_without_masks_are_refused_unless_told_where_they_are(data: Path):
    with pytest.raises(TrainingError, match="has a label map as its mask"):
        opened(data)


def test_true_masks_replace_the_labels_of_a_list(data: Path, tmp_path: Path):
    (data / "ImageSets/Segmentation/strong.txt").write_text("im1\nim3\n")
    run = proxies(data, tmp_path / "run", ["im0", "im1", "im2"])
    masked, said = opened(data, run, "strong")
    folders = {item.name: item.mask.parent.name for item in masked.taught.items}
    assert folders == {
        "im0": "labels", "im1": "SegmentationClass", "im2": "labels", "im3": "SegmentationClass",
    }  # fmt: skip
    assert any("2 images are learnt from their true masks (strong)" in text for text in said)
    assert masked.origin["true_masks"] == 2


def test_only_images_of_the_split_are_learnt_from(data: Path):
    (data / "ImageSets/Segmentation/few.txt").write_text("im0\nim2\n")
    masked, said = opened(data, strong="train", split="few")
    assert [item.name for item in masked.taught.items] == ["im0", "im2"]
    assert any("2 others of the list are not in the split." in text for text in said)


def test_a_list_without_true_masks_is_refused(data: Path):
    (data / "SegmentationClass" / "im1.png").unlink()
    with pytest.raises(TrainingError, match="1 images of the list train have no true mask: im1"):
        opened(data, strong="train")


def test_a_list_that_is_not_there_is_refused(data: Path):
    with pytest.raises(DataError, match="has no split gold"):
        opened(data, strong="gold")


def test_an_id_that_is_no_class_is_named_before_anything_is_learnt(data: Path, tmp_path: Path):
    run = proxies(data, tmp_path / "run", ["im0"], im1=np.full((48, 48), 77, np.uint8))
    with pytest.raises(DataError, match="The mask of im1 holds the unknown class id 77"):
        opened(data, run)


def test_a_mask_of_another_size_is_named(data: Path, tmp_path: Path):
    run = proxies(data, tmp_path / "run", ["im0"], im1=np.zeros((20, 30), np.uint8))
    with pytest.raises(DataError, match="The mask of im1 is 30x20 pixels, its image 48x48"):
        opened(data, run)


def test_masks_of_255_alone_are_counted_and_refused_where_there_are_no_others(
    data: Path, tmp_path: Path
):
    nothing = np.full((48, 48), 255, np.uint8)
    _, said = opened(data, proxies(data, tmp_path / "some", ["im0", "im1"], im2=nothing))
    assert any("1 masks hold nothing but 255 and teach nothing: im2." in text for text in said)
    with pytest.raises(TrainingError, match="All 2 masks hold nothing but 255"):
        opened(data, proxies(data, tmp_path / "all", [], im0=nothing, im1=nothing))


def test_masks_without_a_class_are_refused(data: Path, tmp_path: Path):
    empty = np.zeros((48, 48), np.uint8)
    with pytest.raises(TrainingError, match="holds a pixel of a class"):
        opened(data, proxies(data, tmp_path / "run", [], im0=empty))


def test_classes_that_no_mask_holds_are_not_learnt_and_named(data: Path, tmp_path: Path):
    masked, said = opened(data, proxies(data, tmp_path / "run", ["im0"]))
    assert masked.class_ids == [8]
    assert any("No mask holds dog; the network does not learn it." in text for text in said)


def test_the_record_changes_with_any_mask(data: Path, tmp_path: Path):
    first, _ = opened(data, proxies(data, tmp_path / "run", ["im0", "im1"]))
    changed = read_labels(tmp_path / "run" / "labels" / "im0.png")
    changed[0, 0] = 255
    second, _ = opened(data, proxies(data, tmp_path / "run", ["im1"], im0=changed))
    assert first.origin["digest"] != second.origin["digest"]
