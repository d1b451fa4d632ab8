"""Label maps painted from what other programs keep: runs, outlines and filled layers."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco

from backend.errors import DataError
from backend.images import MAX_PIXELS
from backend.labels import BACKGROUND

Layer = tuple[int, np.ndarray]
"""A class id and the pixels, bool (H,W), that it covers."""

_LARGEST_OUTLINE = 20_000
_FAR = 4
_CONTINUED, _SIGN, _BITS = 0x20, 0x10, 0x1F


def paint(size: tuple[int, int], layers: Iterable[Layer]) -> np.ndarray:
    """One layer over the other, the last on top; uint8 (H,W)."""
    labels = np.full(size, BACKGROUND, np.uint8)
    for number, covered in layers:
        if covered.shape != size:
            raise DataError(
                f"a region of {covered.shape[1]}x{covered.shape[0]} pixels is not of its image's "
                f"size, {size[1]}x{size[0]}"
            )
        labels[covered] = number
    return labels


def small_on_top(layers: Iterable[Layer]) -> list[Layer]:
    """The larger first, so that what stands before something else is not painted over."""
    return sorted(layers, key=lambda layer: -int(layer[1].sum()))


def check_size(height: Any, width: Any) -> tuple[int, int]:
    """(height, width) of an image as a file names it; raises DataError for what cannot be one."""
    if type(height) is not int or type(width) is not int or height < 1 or width < 1:
        raise DataError(f"a size of {width} x {height} pixels is none")
    if height * width > MAX_PIXELS:
        raise DataError(f"{width} x {height} pixels are more than the {MAX_PIXELS:,} that are read")
    return height, width


def runs(segmentation: Any, size: tuple[int, int]) -> np.ndarray:
    """COCO's run lengths, compressed or not, as bool (H,W).

    pycocotools reads what it is given in C without looking, so every count is looked at first.
    Raises DataError where they are not of this size.
    """
    given = segmentation.get("size") if isinstance(segmentation, dict) else None
    if not isinstance(given, list) or [*size] != given:
        raise DataError(f"run lengths of the size {given} are not of the image's {[*size]}")
    counts = segmentation.get("counts")
    if isinstance(counts, str):
        _require_whole(_uncompressed(counts), size)
        return coco.decode({"size": [*size], "counts": counts.encode()}).astype(bool)
    if not isinstance(counts, list) or not all(type(each) is int for each in counts):
        raise DataError("run lengths must be a list of whole numbers, or COCO's string of them")
    _require_whole(np.array(counts, np.float64), size)
    return coco.decode(coco.frPyObjects({"size": [*size], "counts": counts}, *size)).astype(bool)


def outlines(polygons: Any, size: tuple[int, int]) -> np.ndarray:
    """Polygons [x1, y1, x2, y2, ...] in pixels, their union as bool (H,W), drawn as COCO does."""
    if not isinstance(polygons, Sequence) or not polygons:
        raise DataError("a region has no outline")
    reach = _FAR * max(size)
    checked = []
    for each in polygons:
        numbers = [*each] if isinstance(each, Sequence) and not isinstance(each, str) else []
        if len(numbers) < 6 or len(numbers) % 2 or len(numbers) > 2 * _LARGEST_OUTLINE:
            raise DataError(f"an outline of {len(numbers)} numbers is no polygon")
        if not all(type(n) in (int, float) and math.isfinite(n) for n in numbers):
            raise DataError("an outline holds something that is no number")
        if max(map(abs, numbers)) > reach:
            raise DataError(f"an outline reaches {max(map(abs, numbers)):.0f} pixels away")
        checked.append([float(n) for n in numbers])
    return coco.decode(coco.merge(coco.frPyObjects(checked, *size))).astype(bool)


def compressed(covered: np.ndarray) -> dict[str, Any]:
    """COCO's compressed run lengths of bool (H,W), with their area and box."""
    made = coco.encode(np.asfortranarray(covered.astype(np.uint8)))
    return {
        "segmentation": {"size": [*covered.shape], "counts": made["counts"].decode()},
        "area": int(coco.area(made)),
        "bbox": [float(each) for each in coco.toBbox(made)],
    }


def row_runs(counts: Sequence[int], height: int, width: int) -> np.ndarray:
    """CVAT's run lengths, row by row and the first of nothing, as bool (height, width)."""
    lengths = np.array(counts, np.float64)
    _require_whole(lengths, (height, width))
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, lengths.astype(np.int64)).reshape(height, width)


def to_row_runs(covered: np.ndarray) -> list[int]:
    """Run lengths of bool (H,W) as `row_runs` reads them."""
    flat = np.concatenate([[False], covered.ravel(), [not covered.ravel()[-1]]])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff(np.concatenate([[0], changes])).tolist()


def _require_whole(counts: np.ndarray, size: tuple[int, int]) -> None:
    if len(counts) == 0 or counts.min() < 0 or counts.sum() != size[0] * size[1]:
        raise DataError(f"run lengths do not add up to the {size[1]}x{size[0]} pixels of the image")


def _uncompressed(text: str) -> np.ndarray:
    """The counts in COCO's string: numbers of 5 bits a character, from the third on differences."""
    characters = np.frombuffer(text.encode(errors="replace"), np.uint8).astype(np.int64) - 48
    if len(characters) == 0 or characters.min() < 0 or characters.max() > 63:
        raise DataError("run lengths hold a character that COCO's do not")
    ends = np.flatnonzero(characters & _CONTINUED == 0)
    if len(ends) == 0 or ends[-1] != len(characters) - 1:
        raise DataError("run lengths are cut short")
    begins = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - begins + 1
    if lengths.max() > 7:
        raise DataError("run lengths hold a number that is too large")
    places = np.arange(len(characters)) - np.repeat(begins, lengths)
    numbers = np.add.reduceat((characters & _BITS) << (5 * places), begins)
    negative = characters[ends] & _SIGN != 0
    numbers = np.where(negative, numbers - (1 << (5 * lengths)), numbers)
    # Each count from the third on is the difference from the one two before it.
    counts = numbers.copy()
    counts[1::2] = np.cumsum(numbers[1::2])
    counts[2::2] = np.cumsum(numbers[2::2])
    return counts
