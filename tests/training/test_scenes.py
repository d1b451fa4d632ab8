"""Scenes, the embedded world: what it promises to whoever trains and measures on it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.exchange.sources import open_source
from backend.images import read_image
from backend.labels import read_labels
from training.cli import main
from training.errors import TrainingError
from training.scene_parts import compose, contexts
from training.scene_parts.kinds import KINDS, Kind
from training.scene_parts.layout import Item, Layout, main_kind, plan
from training.scene_parts.light import draw_light
from training.scene_parts.painter import Frame, Painter
from training.scenes import SCENE_CLASSES, SMALLEST, VOID, render, scene_name, write

MANY = 600


@pytest.fixture(scope="module")
def layouts() -> list[Layout]:
    return [plan(main_kind(3, k), np.random.default_rng([3, k])) for k in range(MANY)]


@pytest.fixture(scope="module")
def scenes() -> list:
    return [render(5, index, 96) for index in range(40)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write(folder, 10, 4, 96, 0.3)
    return folder


def names_in(layout: Layout) -> set[str]:
    return {item.kind.name for item in layout.items if item.kind is not None}


def magenta_of(image: np.ndarray) -> np.ndarray:
    return np.minimum(image[..., 0], image[..., 2]).astype(float) - image[..., 1]


def objects_in(layout: Layout) -> list[Item]:
    return [item for item in layout.items if item.kind is not None]


def test_the_same_seed_and_index_paint_the_same_bytes():
    first, second = render(1, 7, 96), render(1, 7, 96)
    assert first.image.tobytes() == second.image.tobytes()
    assert first.labels.tobytes() == second.labels.tobytes()
    assert first.tags == second.tags


@pytest.mark.parametrize("other", [(2, 7), (1, 8)])
def test_another_seed_or_index_paints_another_picture(other: tuple[int, int]):
    difference = render(1, 7, 96).image.astype(int) - render(*other, 96).image
    assert np.abs(difference).mean() > 10


def test_arrays_are_as_promised(scenes):
    for scene in scenes:
        assert scene.image.shape == (96, 96, 3)
        assert scene.image.dtype == np.uint8
        assert scene.labels.shape == (96, 96)
        assert scene.labels.dtype == np.uint8


def test_tags_are_the_classes_of_the_mask_and_each_is_large_enough_to_be_seen(scenes):
    for scene in scenes:
        present = [int(label) for label in np.unique(scene.labels) if label not in (0, VOID)]
        assert list(scene.tags) == present
        assert 1 <= len(present) <= 3
        for label in present:
            assert 1 <= label <= len(SCENE_CLASSES)
            assert (scene.labels == label).mean() >= SMALLEST


def test_pictures_use_their_range_and_are_not_flat(scenes):
    for scene in scenes:
        assert np.ptp(np.percentile(scene.image, [2, 98])) > 50


def test_a_larger_picture_shows_the_same_scene():
    for index in range(4):
        small, large = render(6, index, 96).labels, render(6, index, 192).labels
        shrunk = cv2.resize(large, (96, 96), interpolation=cv2.INTER_NEAREST)
        assert (shrunk == small).mean() > 0.97


def test_masks_are_exactly_the_pixels_that_an_object_paints(monkeypatch: pytest.MonkeyPatch):
    """Second formulation: dye the objects magenta and see which pixels become more than half so."""
    paint_item = compose.paint_item

    def dyed(item, side, setting, light, rng):
        painter = paint_item(item, side, setting, light, rng)
        if item.label:
            painter.colour[...] = painter.alpha[..., None] * np.float32([0.8, 0.0, 0.8])
        return painter

    found = 0
    for index in range(30):
        scene = render(8, index, 128)
        layout = plan(main_kind(8, index), _rng_of_the_plan(8, index))
        if layout.setting.water is not None:  # reflections change colour, too, and are no object
            continue
        with monkeypatch.context() as patch:
            patch.setattr(compose, "paint_item", dyed)
            dyed_image = render(8, index, 128).image
        before, after = magenta_of(scene.image), magenta_of(dyed_image)
        magenta = after - before > (np.percentile(after, 99) - before) / 2
        objects = scene.labels > 0
        inner = cv2.erode(objects.astype(np.uint8), np.ones((3, 3)), borderValue=1) > 0
        outer = cv2.dilate(objects.astype(np.uint8), np.ones((3, 3))) > 0
        assert (magenta & objects).sum() / (magenta | objects).sum() > 0.92, f"scene {index}"
        assert (inner & ~magenta).sum() + (magenta & ~outer).sum() <= 16, f"scene {index}"
        found += 1
        if found == 5:
            return
    pytest.fail("hardly any scene on land")


def _rng_of_the_plan(seed: int, index: int) -> np.random.Generator:
    rng = np.random.default_rng([seed, index])
    draw_light(rng)
    return rng


def test_every_class_is_the_main_object_once_in_ten_scenes():
    for start in (0, 30):
        mains = [main_kind(9, start + k).name for k in range(len(KINDS))]
        assert sorted(mains) == sorted(SCENE_CLASSES)


def test_classes_are_about_equally_frequent(layouts):
    counts = {name: sum(name in names_in(layout) for layout in layouts) for name in SCENE_CLASSES}
    expected = sum(counts.values()) / len(counts)
    assert all(0.75 * expected < count < 1.25 * expected for count in counts.values()), counts


def test_scenes_hold_one_to_three_objects_and_clutter(layouts):
    numbers = [len(objects_in(layout)) for layout in layouts]
    assert set(numbers) == {1, 2, 3}
    assert 0.3 < numbers.count(1) / MANY < 0.65
    assert sum(
        len(layout.items) > number for layout, number in zip(layouts, numbers, strict=True)
    ) > (0.8 * MANY)


@pytest.mark.parametrize(("name", "draw"), [("train", contexts.rails), ("tram", contexts.wires)])
def test_rails_and_wires_usually_come_with_their_class_and_sometimes_alone(layouts, name, draw):
    with_it = [any(i.draw is draw for i in one.ground) for one in layouts if name in names_in(one)]
    without = [
        any(i.draw is draw for i in one.ground) for one in layouts if name not in names_in(one)
    ]
    assert 0.7 < np.mean(with_it) < 0.95
    assert 0.02 < np.mean(without) < 0.15


def test_boats_are_usually_on_water_and_water_is_often_without_a_boat(layouts):
    afloat = [
        item.afloat for one in layouts for item in objects_in(one) if item.kind.name == "boat"
    ]
    wet = [one for one in layouts if one.setting.water is not None]
    assert 0.7 < np.mean(afloat) < 0.98
    assert np.mean(["boat" in names_in(one) for one in wet]) < 0.6


def test_main_objects_span_forty_to_ninety_five_percent_of_the_side(layouts):
    sizes = [max(item.scale * item.kind.length for item in objects_in(one)) for one in layouts]
    assert np.percentile(sizes, 2) > 0.38
    assert np.percentile(sizes, 98) < 1.0
    assert np.percentile(sizes, 90) - np.percentile(sizes, 10) > 0.25


def test_no_tell_is_hidden_behind_a_nearer_object_or_outside_the_picture(layouts):
    for layout in layouts:
        objects = objects_in(layout)
        for item in objects:
            left, top, right, bottom = item.reach(item.kind.tell)
            inside = (min(right, 1) - max(left, 0)) * (min(bottom, 1) - max(top, 0))
            assert inside > 0.7 * (right - left) * (bottom - top)
            for near in objects:
                if near.y > item.y:
                    x0, y0, x1, y1 = near.reach(near.extent)
                    width, height = min(right, x1) - max(left, x0), min(bottom, y1) - max(top, y0)
                    covered = max(width, 0) * max(height, 0)
                    assert covered <= 0.13 * (right - left) * (bottom - top)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_painters_stay_within_the_extent_that_layouts_count_on(kind: Kind):
    left, _, right, top = kind.extent
    for seed in range(4):
        rng = np.random.default_rng(seed)
        painter = Painter(200, Frame(100, 190, 100), draw_light(rng), rng)
        kind.draw(painter)
        rows, columns = np.nonzero(painter.alpha > 0.5)
        painted = np.array([columns.min() - 100, columns.max() - 100, 190 - rows.min()]) / 100
        # Cottages, tails and long carriages may stand out a little; half empty would be a lie.
        assert painted[0] > left - 0.32
        assert painted[1] < right + 0.32
        assert top - 0.3 < painted[2] < top + 0.06


@pytest.mark.parametrize(
    ("first", "second"),
    [("train", "tram"), ("lighthouse", "windmill"), ("cat", "rabbit"), ("snail", "tortoise")],
)
def test_pairs_look_alike_but_for_their_tell(first: str, second: str):
    """From the same draws, the two share colours in the body far from either tell."""
    shots = []
    for name in (first, second):
        kind = KINDS[SCENE_CLASSES.index(name)]
        colours = []
        for seed in range(60):
            rng = np.random.default_rng(seed)
            painter = Painter(60, Frame(30, 58, 50), draw_light(np.random.default_rng(1)), rng)
            kind.draw(painter)
            body = painter.colour[40:56, 15:35][painter.alpha[40:56, 15:35] > 0.9]
            colours.append(body.mean(0))
        shots.append(np.array(colours))
    between = np.linalg.norm(shots[0].mean(0) - shots[1].mean(0))
    within = np.linalg.norm(shots[0].std(0))
    assert between < 0.6 * within


def test_a_written_world_is_a_voc_data_set(written: Path):
    source = open_source(written, split="train")
    assert source.classes == dict(enumerate(SCENE_CLASSES, 1))
    assert len(source.items) == 7
    assert len(open_source(written, split="val").items) == 3
    for item in source.items:
        labels = read_labels(item.truth)
        assert labels.shape == read_image(item.image).shape[:2] == (96, 96)
        assert set(item.tags) == {int(label) for label in np.unique(labels)} - {0, VOID}


def test_written_masks_and_pictures_are_those_that_render_paints(written: Path):
    scene = render(4, 3, 96)
    name = scene_name(3)
    assert (read_labels(written / "SegmentationClass" / f"{name}.png") == scene.labels).all()
    stored = read_image(written / "JPEGImages" / f"{name}.jpg").astype(int)
    assert np.abs(stored - scene.image).mean() < 4


def test_a_scene_does_not_depend_on_how_many_are_written_or_by_how_many_processes(
    written: Path, tmp_path: Path
):
    write(tmp_path, 5, 4, 96, 0.3, workers=2)
    for path in sorted(tmp_path.rglob("scene-*")):
        assert path.read_bytes() == (written / path.relative_to(tmp_path)).read_bytes()
    for split in ("train", "val"):
        short = (tmp_path / "ImageSets/Segmentation" / f"{split}.txt").read_text()
        assert (written / "ImageSets/Segmentation" / f"{split}.txt").read_text().startswith(short)


def test_a_folder_with_other_images_is_refused_and_left_alone(tmp_path: Path):
    pictures = tmp_path / "JPEGImages"
    pictures.mkdir()
    (pictures / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(TrainingError, match="already holds 1 other image"):
        write(tmp_path, 2, 0, 48)
    assert [path.name for path in tmp_path.rglob("*.jpg")] == ["holiday.jpg"]


def test_the_command_line_writes_a_world(tmp_path: Path, capsys: pytest.CaptureFixture):
    out = tmp_path / "world"
    assert main(["scenes", "--out", str(out), "--count", "3", "--seed", "2", "--size", "64"]) == 0
    assert len(list(out.rglob("*.jpg"))) == 3
    assert (out / "classes.txt").read_text().split() == list(SCENE_CLASSES)
    assert "3" in capsys.readouterr().out


def test_a_block_goes_to_the_label_most_of_it_has():
    labels = np.array([[1, 1, 0, 2], [1, 0, 0, 2], [3, 3, 4, 4], [3, 3, 4, 0]], np.uint8)
    assert compose.majority(labels, 2).tolist() == [[1, 2], [3, 4]]
