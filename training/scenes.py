"""Scenes, the embedded default world: small illustrated places with exact masks and tags.

Of every object one small part tells the class (a train's boiler, a tram's pantograph) and the rest
is shared with another class (their carriage), and some classes come with a telling context that is
none of them (rails, wires, water). `scene_parts` holds what the world is painted with.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from backend.atomic import write_whole
from backend.images import encode_jpeg
from backend.labels import write_labels
from training.errors import TrainingError
from training.scene_parts import compose
from training.scene_parts.backdrop import paint_far, paint_sky
from training.scene_parts.finish import develop
from training.scene_parts.footing import grow_meadow, seat
from training.scene_parts.ground import paint_land, paint_water
from training.scene_parts.kinds import KINDS
from training.scene_parts.layout import Layout, islet, main_kind, plan
from training.scene_parts.light import Light, draw_light
from training.scene_parts.noise import Field

SCENE_CLASSES = tuple(kind.name for kind in KINDS)
OVERSAMPLING = 2
SMALLEST = 0.005
VOID = 255


@dataclass(frozen=True)
class Scene:
    """An image uint8 (side, side, 3) RGB, its labels uint8 (side, side), its tags ascending."""

    image: np.ndarray
    labels: np.ndarray
    tags: tuple[int, ...]


def render(seed: int, index: int, size: int = 192) -> Scene:
    """Paint scene `index` of the world `seed`, `size` pixels a side; depends on nothing else."""
    rng = np.random.default_rng([seed, index])
    light = draw_light(rng)
    layout = plan(main_kind(seed, index), rng)
    canvas, owners = _paint(layout, light, size, rng)
    canvas, owners = _tilt(canvas, owners, rng)
    picture = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    labels = compose.majority(owners, OVERSAMPLING)
    areas = np.bincount(labels.ravel(), minlength=len(SCENE_CLASSES) + 1) / labels.size
    tags = tuple(int(label) for label in np.flatnonzero(areas >= SMALLEST) if label > 0)
    labels[~np.isin(labels, (0, *tags))] = VOID
    return Scene(develop(picture, light, rng), labels, tags)


def write(
    out: Path,
    count: int,
    seed: int,
    size: int = 192,
    val_fraction: float = 0.2,
    *,
    workers: int = 1,
    after: Callable[[int], None] | None = None,
) -> None:
    """Write scenes 0..count-1 of the world `seed` in VOC layout, with tags.csv and classes.txt.

    `after` is called with the number of scenes written so far. The lists are written last, so a
    folder that has them is whole. Raises TrainingError where `out` holds other images, DataError
    where it cannot be written.
    """
    names = [scene_name(index) for index in range(count)]
    pictures = out / "JPEGImages"
    strangers = {path.stem for path in pictures.iterdir()} - set(names) if pictures.is_dir() else ()
    if strangers:
        raise TrainingError(
            f"{pictures} already holds {len(strangers)} other images. Choose an empty folder as "
            "--out."
        )
    tags: list[tuple[int, ...]] = []
    for found in _each(partial(_write_one, out, seed, size), count, workers):
        tags.append(found)
        if after is not None:
            after(len(tags))
    rows = ["image,tags"]
    for name, found in zip(names, tags, strict=True):
        rows.append(f"{name},{' '.join(SCENE_CLASSES[tag - 1] for tag in found)}")
    held_back = [int((k + 1) * val_fraction) > int(k * val_fraction) for k in range(count)]
    lists = {
        "train": [name for name, back in zip(names, held_back, strict=True) if not back],
        "val": [name for name, back in zip(names, held_back, strict=True) if back],
    }
    write_whole(out / "classes.txt", _lines(SCENE_CLASSES))
    write_whole(out / "tags.csv", _lines(rows))
    for split, members in lists.items():
        write_whole(out / "ImageSets" / "Segmentation" / f"{split}.txt", _lines(members))


def scene_name(index: int) -> str:
    """The image's name in a written folder, without suffix."""
    return f"scene-{index:05d}"


def _lines(lines: list[str] | tuple[str, ...]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _write_one(out: Path, seed: int, size: int, index: int) -> tuple[int, ...]:
    scene, name = render(seed, index, size), scene_name(index)
    write_whole(out / "JPEGImages" / f"{name}.jpg", encode_jpeg(scene.image, quality=95))
    write_labels(out / "SegmentationClass" / f"{name}.png", scene.labels)
    return scene.tags


def _each(
    work: Callable[[int], tuple[int, ...]], count: int, workers: int
) -> Iterator[tuple[int, ...]]:
    """The work's results in order, from other processes where there are several."""
    if workers < 2 or count < 2 * workers:
        yield from map(work, range(count))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, context, initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        try:
            yield from pool.map(work, range(count), chunksize=8)
        finally:
            pool.shutdown(cancel_futures=True)


def _paint(
    layout: Layout, light: Light, size: int, rng: np.random.Generator
) -> tuple[Field, np.ndarray]:
    setting = layout.setting
    backdrop = paint_sky(size, setting, light, rng)
    paint_far(backdrop, setting, light, rng)
    paint_water(backdrop, setting, light, rng)
    paint_land(backdrop, setting, light, rng)
    blur = rng.uniform(0, 1.1) * size / 192
    if blur > 0.3:
        backdrop = cv2.GaussianBlur(backdrop, (0, 0), blur)
    side = size * OVERSAMPLING
    canvas = cv2.resize(backdrop, (side, side), interpolation=cv2.INTER_LINEAR)
    labels = np.zeros((side, side), np.uint8)
    grow_meadow(canvas, setting, light, rng)
    for item in layout.ground:
        compose.lay(canvas, compose.paint_item(item, side, setting, light, rng))
    layers = [(item, compose.paint_item(item, side, setting, light, rng)) for item in layout.items]
    standing = [pair for pair in layers if not setting.is_water(pair[0].y) or pair[0].afloat]
    compose.cast_shadows(canvas, standing, layout, light)
    for item, painter in layers:
        if setting.is_water(item.y):
            foundation, standing_on = item, painter
            if item.label and not item.afloat:
                foundation = islet(item)
                standing_on = compose.paint_item(foundation, side, setting, light, rng)
            compose.reflect(canvas, foundation, standing_on, rng)
            if foundation is not item:
                compose.lay(canvas, standing_on)
        near = (item.y - setting.horizon) / (1 - setting.horizon)
        compose.lay(canvas, painter, light.haze, light.thickness * 0.45 * max(0.0, 1 - near * 1.5))
        labels[painter.alpha > 0.5] = item.label
        seat(canvas, labels, item, setting, rng)
    return canvas, labels


def _tilt(canvas: Field, labels: np.ndarray, rng: np.random.Generator) -> tuple[Field, np.ndarray]:
    """Turn the camera by up to four degrees, and come near enough to fill the frame."""
    degrees = float(np.clip(rng.normal(0, 1.5), -4, 4))
    if abs(degrees) < 0.4:
        return canvas, labels
    side = canvas.shape[0]
    angle = np.deg2rad(abs(degrees))
    zoom = float(np.cos(angle) + np.sin(angle))
    turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), degrees, zoom)
    return (
        cv2.warpAffine(
            canvas, turn, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ),
        cv2.warpAffine(
            labels, turn, (side, side), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
        ),
    )
