"""What arrays the functions of this package accept, and the sentence for what they do not."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

BACKGROUND = 0
IGNORE = 255
ROUNDING = 1e-4


def numbers(value: ArrayLike, name: str) -> np.ndarray:
    """A numeric array without NaN or infinity, floats kept as they are and the rest float32."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be an array of numbers, but is of type {array.dtype}.")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32)
    if array.size and not (np.isfinite(array.min()) and np.isfinite(array.max())):
        raise ValueError(
            f"{name} holds NaN or infinite values; only finite numbers make a map. "
            "Check the network or the file that it came from."
        )
    return array


def stack(value: ArrayLike, name: str) -> np.ndarray:
    """Maps (K,H,W), one for each tag; K may be 0, the image must have a pixel."""
    array = numbers(value, name)
    if array.ndim != 3 or 0 in array.shape[1:]:
        raise ValueError(
            f"{name} must have the shape (tags, height, width), but has {array.shape}."
        )
    return array


def heat_stack(value: ArrayLike, name: str) -> NDArray[np.float32]:
    """Maps (K,H,W) in 0..1 as float32."""
    return in_unit_range(stack(value, name), name)


def heat(value: ArrayLike, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """One map (H,W) in 0..1 as float32, of exactly the shape asked for."""
    array = numbers(value, name)
    require_shape(array, name, shape)
    return in_unit_range(array, name)


def in_unit_range(array: np.ndarray, name: str) -> NDArray[np.float32]:
    """The array as float32, if it lies in 0..1 (but for the last digits of a float)."""
    if array.size:
        low, high = float(array.min()), float(array.max())
        if low < -ROUNDING or high > 1 + ROUNDING:
            raise ValueError(
                f"{name} must lie in 0..1, but goes from {low:.4g} to {high:.4g}; "
                "divide 8-bit maps by 255 and normalise raw scores first."
            )
        if low < 0 or high > 1:
            array = array.clip(0, 1)
    return array.astype(np.float32, copy=False)


def require_shape(array: np.ndarray, name: str, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless the array has this shape."""
    if array.shape != tuple(shape):
        raise ValueError(
            f"{name} must have the shape {tuple(shape)}, like the maps beside it, "
            f"but has {array.shape}; resize it first."
        )


def photograph(value: ArrayLike, name: str = "image") -> NDArray[np.uint8]:
    """A colour image, uint8 (H,W,3)."""
    array = np.asarray(value)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
        raise ValueError(
            f"{name} must be an 8-bit colour image of the shape (height, width, 3), "
            f"but is {array.dtype} {array.shape}."
        )
    return array


def label_map(value: ArrayLike, name: str = "labels") -> np.ndarray:
    """A label map: integers (H,W) in 0..255, where 0 is background and 255 ignore."""
    array = np.asarray(value)
    if array.ndim != 2 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be a label map, integers of the shape (height, width), "
            f"but is {array.dtype} {array.shape}."
        )
    if array.size and (int(array.min()) < BACKGROUND or int(array.max()) > IGNORE):
        raise ValueError(
            f"{name} must hold 0 (background), class ids 1..254 or 255 (ignore), "
            f"but goes from {array.min()} to {array.max()}."
        )
    return array


def class_ids(value: Sequence[int] | np.ndarray, count: int | None = None) -> tuple[int, ...]:
    """Distinct class ids in 1..254, as many as there are maps where a count is given."""
    ids = tuple(int(class_id) for class_id in value)
    if count is not None and len(ids) != count:
        raise ValueError(
            f"class_ids must name one class for each attention map: {count} maps, {len(ids)} ids."
        )
    if len(set(ids)) != len(ids):
        raise ValueError(f"class_ids must not repeat a class, but are {list(ids)}.")
    if any(not BACKGROUND < class_id < IGNORE for class_id in ids):
        raise ValueError(
            f"class_ids must lie in 1..254 (0 is background, 255 ignore), but are {list(ids)}."
        )
    return ids
