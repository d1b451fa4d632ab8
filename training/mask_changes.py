"""Masks made worse on purpose, and images put together of two: samples for a mask scorer.

Zhou et al., SAL (TMM 2020), section III-B and Fig. 5. Arrays in, arrays out.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.maps.objectness import bounding_box
from backend.maps.scoring import Form

Mask = NDArray[np.bool_]

# Of a pasted foreground: its sides against its own size, and how many places are tried.
SMALLEST, LARGEST = 0.5, 1.0
PLACES = 8


class View(NamedTuple):
    """An image uint8 (S,S,3), a mask of it, and the reference that this is held against, (S,S)."""

    image: NDArray[np.uint8]
    mask: Mask
    reference: Mask


def eroded(mask: Mask, reference: Mask, target: float, form: Form = "standard") -> Mask:
    """The mask without its outermost pixels, as many as bring its F nearest to the target."""
    padded = np.pad(mask, 1).astype(np.uint8)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    return _kept(mask, reference, -depth, target, form)


def erased(
    mask: Mask,
    reference: Mask,
    target: float,
    random: np.random.Generator,
    form: Form = "standard",
) -> Mask:
    """The mask without one side of it, or with a round hole about one of its pixels, as large as
    brings its F nearest to the target.
    """
    rows, columns = np.nonzero(mask)
    down, across = np.indices(mask.shape)
    if random.random() < 0.5:
        angle = random.uniform(0, 2 * np.pi)
        key = down * np.sin(angle) + across * np.cos(angle)
    else:
        one = int(random.integers(max(1, len(rows))))
        centre = (rows[one], columns[one]) if len(rows) else (0, 0)
        key = -np.hypot(down - centre[0], across - centre[1])
    return _kept(mask, reference, key, target, form)


def grown(mask: Mask, reference: Mask, target: float, form: Form = "standard") -> Mask:
    """The mask with the pixels nearest to it, as many as bring its F nearest to the target."""
    if not mask.any():
        return mask.copy()
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    order = np.argsort(away, axis=None, kind="stable")
    inside = int(np.count_nonzero(mask))
    return _best_part(mask.shape, order, reference, target, form, inside)


def pasted(back: View, front: View, random: np.random.Generator) -> View:
    """The foreground of one image on the background of another, with mask and reference alike.

    It is cut out along its mask, mirrored every other time, made smaller at random, and put where,
    of PLACES places, it hides the least of the other's foreground. Of its reference only what was
    cut out comes along; what it hides of the other's reference is gone. Where nothing can be cut
    out the other image stays as it is.
    """
    box = bounding_box(front.mask)
    if box is None:
        return back
    mirrored = random.random() < 0.5
    part = (slice(box.top, box.bottom), slice(box.left, box.right))
    image, mask, reference = front.image[part], front.mask[part], front.reference[part]
    if mirrored:
        image, mask, reference = image[:, ::-1], mask[:, ::-1], reference[:, ::-1]
    scale = random.uniform(SMALLEST, LARGEST)
    height = max(2, round(scale * mask.shape[0]))
    width = max(2, round(scale * mask.shape[1]))
    cut = np.dstack([image, mask, reference])
    pixels = cv2.resize(cut[..., :3], (width, height), interpolation=cv2.INTER_AREA)
    small = cv2.resize(cut[..., 3:], (width, height), interpolation=cv2.INTER_NEAREST)
    mask, reference = small[..., 0] > 0, small[..., 1] > 0
    taken = back.mask | back.reference
    room = (back.mask.shape[0] - height, back.mask.shape[1] - width)
    places = [tuple(int(random.integers(each + 1)) for each in room) for _ in range(PLACES)]
    top, left = min(
        places,
        key=lambda place: np.count_nonzero(
            taken[place[0] : place[0] + height, place[1] : place[1] + width] & mask
        ),
    )
    there = (slice(top, top + height), slice(left, left + width))
    made = View(back.image.copy(), back.mask.copy(), back.reference.copy())
    made.image[there][mask] = pixels[mask]
    made.mask[there][mask] = True
    made.reference[there][mask] = reference[mask]
    return made


def f_measures(
    shared: NDArray[np.intp], kept: NDArray[np.intp], wanted: int, form: Form = "standard"
) -> NDArray[np.float64]:
    """F of Eq. 3, in either form, of masks with so many pixels, of which so many are shared with a
    reference of `wanted` pixels; 0 where none is.
    """
    if form == "standard":
        return 2 * shared / np.maximum(1, kept + wanted)
    recall = shared / max(1, wanted)
    overlap = shared / np.maximum(1, kept + wanted - shared)
    return 2 * recall * overlap / np.where(shared > 0, recall + overlap, 1)


def _kept(mask: Mask, reference: Mask, key: np.ndarray, target: float, form: Form) -> Mask:
    """The pixels of the mask with the smallest keys, as many as bring F nearest to the target."""
    order = np.argsort(np.where(mask, key, np.inf), axis=None, kind="stable")
    return _best_part(mask.shape, order[: int(np.count_nonzero(mask))], reference, target, form, 1)


def _best_part(
    shape: tuple[int, ...],
    order: NDArray[np.intp],
    reference: Mask,
    target: float,
    form: Form,
    least: int,
) -> Mask:
    """Of pixels in an order the first ones, at least so many, whose F is nearest to the target."""
    made = np.zeros(int(np.prod(shape)), np.bool_)
    if len(order) >= least:
        shared = np.cumsum(reference.ravel()[order], dtype=np.intp)[least - 1 :]
        count = np.arange(least, len(order) + 1)
        found = f_measures(shared, count, int(np.count_nonzero(reference)), form)
        # Of those as near as each other the one with the most pixels: the least is changed.
        nearest = len(found) - 1 - int(np.argmin(np.abs(found - target)[::-1]))
        made[order[: count[nearest]]] = True
    return made.reshape(shape)
