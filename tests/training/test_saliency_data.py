"""What a saliency network learns from: white masks, masks of classes, and what is wrong there."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.errors import DataError, ImageError
from backend.labels import write_labels
from training.errors import TrainingError
from training.run import Run
from training.saliency_data import Salient, held_out, open_salient

from .conftest import paint_voc

SIDE = 24


def paint_salient(root: Path, count: int = 12) -> Path:
    """Photographs as ECSSD has them: images/im00.jpg with a bright square, masks/im00.png."""
    random = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(count):
        image = random.integers(60, 100, (SIDE, SIDE + 8, 3), dtype=np.uint8)
        mask = np.zeros(image.shape[:2], np.uint8)
        at = 2 + number % 6
        mask[at : at + 10, at : at + 12] = 255
        image[mask > 0] = (40, 200, 230)
        cv2.imwrite(str(root / "images" / f"im{number:02d}.jpg"), image)
        cv2.imwrite(str(root / "masks" / f"im{number:02d}.png"), mask)
    return root


Opened = Callable[..., tuple[Salient, list[str]]]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    def of(data: Path | None, seed: int = 0, split: str | None = None, **given):
        said: list[str] = []
        run = Run("saliency", tmp_path / "run", data=data, seed=seed, split=split)
        monkeypatch.setattr(run, "say", said.append)
        return open_salient(run, **given), said

    return of


@pytest.fixture
def salient(tmp_path: Path) -> Path:
    return paint_salient(tmp_path / "data")


def names(source) -> list[str]:
    return [item.name for item in source.items]


def test_a_sixth_is_held_out_by_the_seed_and_nothing_is_in_both(
    salient: Path, opened: Opened
) -> None:
    one, said = opened(salient)
    assert (len(one.taught.items), len(one.held_out.items), len(one.unseen.items)) == (10, 2, 0)
    assert set(names(one.taught)).isdisjoint(names(one.held_out))
    assert "10 images are learnt from, 2 are held out to measure on." in said
    assert names(opened(salient)[0].held_out) == names(one.held_out)
    others = [names(opened(salient, seed=seed)[0].held_out) for seed in range(1, 6)]
    assert any(other != names(one.held_out) for other in others)
    assert opened(salient, part=0.5)[0].held_out.items[:1]
    assert len(opened(salient, part=0.5)[0].held_out.items) == 6
    assert opened(salient, part=0)[0].held_out.items == []


def test_who_is_held_out_hangs_on_no_order_and_hardly_on_the_others(
    salient: Path, opened: Opened
) -> None:
    items = opened(salient, part=0)[0].taught.items
    chosen = held_out(items, 0.25, 7)
    assert chosen == held_out(items[::-1], 0.25, 7)
    fewer = [item for item in items if item.name not in ("im00", "im01")]
    kept = held_out(fewer, len(chosen - {"im00", "im01"}) / len(fewer), 7)
    assert kept >= chosen - {"im00", "im01"} or not kept


def test_masks_are_one_where_white_is(salient: Path, opened: Opened) -> None:
    source = opened(salient)[0].taught
    assert source.classes == {1: "salient"}
    for item in source.items:
        white = cv2.imread(str(salient / "masks" / f"{item.name}.png"), 0)
        assert item.tags == (1,)
        assert source.mask(item).dtype == np.uint8
        assert np.array_equal(source.mask(item), white == 255)
        assert np.array_equal(source.truth(item), source.mask(item))


def test_masks_of_ones_and_soft_masks_are_read(salient: Path, opened: Opened) -> None:
    masks = {name: salient / "masks" / f"{name}.png" for name in ("im00", "im01")}
    zero_one = (cv2.imread(str(masks["im00"]), 0) > 0).astype(np.uint8)
    cv2.imwrite(str(masks["im00"]), zero_one)
    soft = np.full((SIDE, SIDE + 8), 127, np.uint8)
    soft[3:9] = 128
    cv2.imwrite(str(masks["im01"]), soft)
    source = opened(salient, part=0)[0].taught
    items = {item.name: item for item in source.items}
    assert np.array_equal(source.mask(items["im00"]), zero_one)
    assert source.mask(items["im01"]).sum() == 6 * (SIDE + 8)


def test_images_without_a_mask_are_left_out_and_named(salient: Path, opened: Opened) -> None:
    for name in ("im03", "im07"):
        (salient / "masks" / f"{name}.png").unlink()
    found, said = opened(salient)
    assert not {"im03", "im07"} & {*names(found.taught), *names(found.held_out)}
    assert "2 of 12 images have no mask and are left out: im03, im07." in said


def test_masks_may_lie_elsewhere(salient: Path, tmp_path: Path, opened: Opened) -> None:
    (salient / "masks").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"None of the 12 images .* has a mask\. .*--masks"):
        opened(salient)
    assert len(opened(salient, masks=str(tmp_path / "elsewhere"))[0].taught.items) == 10
    assert len(opened(salient / "images", masks=str(tmp_path / "elsewhere"))[0].taught.items) == 10
    with pytest.raises(DataError, match="does not exist"):
        opened(salient, masks=str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_bytes(b""), "im02"),
        (lambda path: path.write_bytes(path.read_bytes()[:40]), "im02"),
        (
            lambda path: cv2.imwrite(str(path), np.zeros((5, 6), np.uint8)),
            "mask of im02 is 6x5 pixels, its image 32x24",
        ),
        (
            lambda path: cv2.imwrite(str(path), np.full((24, 32, 3), (0, 0, 255), np.uint8)),
            "im02.png is in colour; .*--reading classes",
        ),
    ],
)
def test_a_mask_that_is_wrong_is_named_before_the_training(
    salient: Path, opened: Opened, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(salient / "masks" / "im02.png")
    with pytest.raises((DataError, ImageError), match=words):
        opened(salient)


def test_masks_in_which_nothing_is_salient_teach_nothing(salient: Path, opened: Opened) -> None:
    for path in (salient / "masks").iterdir():
        cv2.imwrite(str(path), np.zeros((SIDE, SIDE + 8), np.uint8))
    with pytest.raises(TrainingError, match="None of the 12 masks has a salient pixel"):
        opened(salient)


def test_white_masks_read_as_classes_are_recognised(tmp_path: Path, opened: Opened) -> None:
    data = paint_voc(tmp_path / "voc")
    for path in (data / "SegmentationClass").iterdir():
        cv2.imwrite(str(path), np.where(np.eye(48) > 0, 255, 0).astype(np.uint8))
    with pytest.raises(TrainingError, match="add --reading white"):
        opened(data)
    assert len(opened(data, reading="white")[0].taught.items) == 7


def test_any_class_is_salient_and_255_is_ignored(tmp_path: Path, opened: Opened) -> None:
    data = paint_voc(tmp_path / "voc")
    labels = cv2.imread(str(data / "SegmentationClass" / "im2.png"), 0)
    source = opened(data, part=0)[0].taught
    item = next(item for item in source.items if item.name == "im2")
    labels = np.zeros((48, 48), np.uint8)
    labels[6:26, 4:24] = 8
    labels[40:, 40:] = 12
    labels[:3] = 255
    write_labels(item.mask, labels)
    mask = source.mask(item)
    assert set(np.unique(mask).tolist()) == {0, 1, 255}
    assert np.array_equal(mask == 1, (labels == 8) | (labels == 12))
    assert np.array_equal(mask == 255, labels == 255)


def test_masks_of_nothing_but_255_are_left_out_and_named(tmp_path: Path, opened: Opened) -> None:
    data = paint_voc(tmp_path / "voc")
    write_labels(data / "SegmentationClass" / "im4.png", np.full((48, 48), 255, np.uint8))
    found, said = opened(data, part=0)
    assert "im4" not in names(found.taught)
    assert any("1 masks hold nothing but 255 and are left out: im4." in text for text in said)


def test_images_of_classes_left_out_teach_nothing_and_are_kept_apart(
    tmp_path: Path, opened: Opened
) -> None:
    data = paint_voc(tmp_path / "voc")  # im1, im4, im7 hold dogs alone; im0, im3, im6 cats alone
    found, said = opened(data, leave_out="Cat", part=0.4)
    assert {*names(found.taught), *names(found.held_out)} == {"im1", "im4", "im7"}
    assert set(names(found.unseen)) == {"im0", "im2", "im3", "im5", "im6"}
    assert "5 of 8 images have something of Cat in them and teach nothing." in said
    assert found.origin["classes"] == ["dog"]
    assert found.origin["left_out"] == ["cat"]
    with pytest.raises(TrainingError, match=r"names 'cats', which is no class .* Nearest: cat"):
        opened(data, leave_out="cats")
    with pytest.raises(TrainingError, match="Every image has something of cat, dog in it"):
        opened(data, leave_out="cat, dog")


def test_white_masks_have_no_classes_to_leave_out(salient: Path, opened: Opened) -> None:
    with pytest.raises(TrainingError, match="these masks only say what is salient"):
        opened(salient, leave_out="cat")
    with pytest.raises(TrainingError, match="names no classes"):
        opened(salient, reading="classes")


def test_a_list_says_who_is_held_out(tmp_path: Path, salient: Path, opened: Opened) -> None:
    (tmp_path / "held.txt").write_text("im05.jpg\nim02\n\n")
    found, _ = opened(salient, validation=str(tmp_path / "held.txt"))
    assert set(names(found.held_out)) == {"im02", "im05"}
    assert len(found.taught.items) == 10
    (tmp_path / "held.txt").write_text("im05\nim99\n")
    with pytest.raises(DataError, match="im99"):
        opened(salient, validation=str(tmp_path / "held.txt"))
    with pytest.raises(TrainingError, match="neither a file of image names nor a list"):
        opened(salient, validation="later")
    everyone = "".join(f"im{number:02d}\n" for number in range(12))
    (tmp_path / "held.txt").write_text(everyone)
    with pytest.raises(TrainingError, match="none is left to learn from"):
        opened(salient, validation=str(tmp_path / "held.txt"))


def test_a_list_of_a_devkit_is_held_out_of_another(tmp_path: Path, opened: Opened) -> None:
    data = paint_voc(tmp_path / "voc")
    lists = data / "ImageSets" / "Segmentation"
    (lists / "train.txt").write_text("im0\nim1\nim2\nim3\n")
    (lists / "val.txt").write_text("im3\nim4\nim5\n")
    found, _ = opened(data, validation="val")
    assert names(found.taught) == ["im0", "im1", "im2"]
    assert names(found.held_out) == ["im3", "im4", "im5"]


def test_the_record_changes_with_a_mask(salient: Path, opened: Opened) -> None:
    before = opened(salient)[0]
    again = opened(salient)[0]
    assert before.origin == again.origin
    taught = before.taught.items[0]
    mask = cv2.imread(str(taught.mask), 0)
    cv2.imwrite(str(taught.mask), 255 - mask)
    assert opened(salient)[0].origin["digest"] != before.origin["digest"]


def test_no_data_is_a_sentence(opened: Opened) -> None:
    with pytest.raises(TrainingError, match="--data is missing"):
        opened(None)
