"""Two sides compared: image by image as they are measured, then by class and in one sentence."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.errors import TagmaskError
from backend.showing.measuring import Counts, Measuring
from backend.showing.sides import Mask, masks_of, side

if TYPE_CHECKING:
    from backend.store import Store

BATCH = 64
THREADS = 2
RESAMPLES = 1000
# Under a tenth of a point nobody would call one of two masks the better one.
SAME = 0.001


@dataclass(frozen=True)
class Pair:
    """An image with a mask on both sides."""

    image: int
    name: str
    digest: str
    width: int
    height: int
    truth: str | None
    a: Mask
    b: Mask


@dataclass(frozen=True)
class Measured:
    """What was counted of a pair: each side against the truth, where it is known, and A against
    B."""

    pair: Pair
    a: Counts | None
    b: Counts | None
    between: Counts

    def as_json(self) -> dict[str, Any]:
        """A line for the page; IoU 0..1, `classes` are [id, A's, B's]."""
        pair = self.pair
        line: dict[str, Any] = {
            "id": pair.image,
            "name": pair.name,
            "digest": pair.digest,
            "size": [pair.width, pair.height],
            "truth": pair.truth,
            "agreement": _rounded(self.between.agreement()),
        }
        for key, mask, counts in (("a", pair.a, self.a), ("b", pair.b, self.b)):
            line[key] = {
                "digest": mask.digest,
                "candidate": mask.candidate,
                "verdict": mask.verdict,
                "scores": {name: _rounded(value) for name, value in mask.scores.items()},
                "iou": _rounded(counts.mean_iou()) if counts else None,
            }
        if self.a and self.b:
            one, two = self.a.iou(), self.b.iou()
            line["classes"] = [[id, _rounded(one[id]), _rounded(two[id])] for id in one]
        else:
            # Without a truth a class is compared by how far both sides agree about it.
            rows = zip(
                self.between.ids, self.between.both, self.between.first, self.between.second,
                strict=True,
            )  # fmt: skip
            line["between"] = [[id, _rounded(n / (one + two - n))] for id, n, one, two in rows]
        return line


def pairs(store: "Store", a: str, b: str) -> tuple[list[Pair], int, int]:
    """The images that both sides have masks of, by name; and how many A alone and B alone have.

    Raises DataError where a side is not there.
    """
    for id in (a, b):
        side(store, id)
    ours, theirs = masks_of(store, a), masks_of(store, b)
    both = ours.keys() & theirs.keys()
    with store.connections.read() as database:
        rows = database.execute(
            "SELECT id, name, digest, width, height, truth_digest FROM images ORDER BY name"
        ).fetchall()
    found = [
        Pair(id, name, digest, width, height, truth, ours[id], theirs[id])
        for id, name, digest, width, height, truth in rows
        if id in both
    ]
    return found, len(ours) - len(both), len(theirs) - len(both)


def measured(measuring: Measuring, wanted: list[Pair]) -> Iterator[list[Measured | str]]:
    """The pairs measured, some at a time; for one that cannot be, a sentence."""
    with ThreadPoolExecutor(THREADS) as threads:
        for start in range(0, len(wanted), BATCH):
            some = wanted[start : start + BATCH]
            yield list(threads.map(lambda pair: _measure(measuring, pair), some))


def summary(found: list[Measured]) -> dict[str, Any]:
    """What all measured images say together.

    `images`, `agreement` (mean IoU of A and B over the set, by class too); and over those with a
    true mask `truth`: `images`, `a` and `b` {miou, iou: {class id: 0..1}} of the whole set as an
    evaluation counts them, `change` with the 95% interval of a paired bootstrap over images, and
    how many images are `better`, `worse` and `same` in B.
    """
    told: dict[str, Any] = {"images": len(found)}
    if not found:
        return told
    ids, between = _table([each.between for each in found])
    shares = _iou(between.sum(axis=0))
    told["agreement"] = {
        "miou": _rounded(_mean(shares)),
        "iou": _by_class(ids, shares),
    }
    known = [each for each in found if each.a and each.b and each.a.mean_iou() is not None]
    if known:
        told["truth"] = _against_truth(known)
    return told


def _against_truth(known: list[Measured]) -> dict[str, Any]:
    both = [counts for each in known for counts in (each.a, each.b) if counts]
    ids, table = _table(both)
    a, b = table[0::2], table[1::2]
    # A class that no truth holds has no IoU that would mean anything.
    true = a[:, 2].sum(axis=0) > 0
    totals = [np.where(true, _iou(each.sum(axis=0)), np.nan) for each in (a, b)]
    change = _mean(totals[1]) - _mean(totals[0])
    low, high = _interval(a, b)
    shifts = [_image_change(each) for each in known]
    return {
        "images": len(known),
        "a": {"miou": _rounded(_mean(totals[0])), "iou": _by_class(ids, totals[0])},
        "b": {"miou": _rounded(_mean(totals[1])), "iou": _by_class(ids, totals[1])},
        "change": _rounded(change),
        "interval": [_rounded(low), _rounded(high)],
        "better": sum(shift > SAME for shift in shifts),
        "worse": sum(shift < -SAME for shift in shifts),
        "same": sum(abs(shift) <= SAME for shift in shifts),
    }


def _interval(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Where 95% of the changes of mIoU lie when the images are drawn anew, with replacement: how
    much of the change might be these images' luck. The same images give the same interval."""
    draws = np.random.default_rng(0)
    images = len(a)
    flat = np.concatenate([a.reshape(images, -1), b.reshape(images, -1)], axis=1)
    changes = []
    for _ in range(RESAMPLES // 50):
        weights = draws.multinomial(images, np.full(images, 1 / images), size=50)
        sums = (weights.astype(np.float64) @ flat).reshape(50, 2, 3, -1)
        true = sums[:, 0, 2] > 0
        shares = [np.where(true, _iou(sums[:, at].swapaxes(0, 1)), np.nan) for at in (0, 1)]
        changes.append(np.nanmean(shares[1], axis=1) - np.nanmean(shares[0], axis=1))
    low, high = np.quantile(np.concatenate(changes), [0.025, 0.975])
    return float(low), float(high)


def _table(all_counts: list[Counts]) -> tuple[list[int], np.ndarray]:
    """Class ids, and float64 (images, 3, classes) of pixels in both, the first, the second."""
    ids = sorted({id for each in all_counts for id in each.ids})
    column = {id: at for at, id in enumerate(ids)}
    table = np.zeros((len(all_counts), 3, len(ids)))
    for row, each in enumerate(all_counts):
        at = [column[id] for id in each.ids]
        table[row][:, at] = [each.both, each.first, each.second]
    return ids, table


def _iou(sums: np.ndarray) -> np.ndarray:
    """From (3, ...) of pixels in both, the first, the second; NaN where neither has any."""
    union = sums[1] + sums[2] - sums[0]
    return np.where(union > 0, sums[0] / np.maximum(union, 1), np.nan)


def _mean(shares: np.ndarray) -> float:
    return float(np.nanmean(shares))


def _image_change(each: Measured) -> float:
    one = each.a.mean_iou() if each.a else None
    two = each.b.mean_iou() if each.b else None
    # Both are measured on the same truth: either both are known or neither.
    return 0.0 if one is None or two is None else two - one


def _by_class(ids: list[int], shares: np.ndarray) -> dict[str, float]:
    known = zip(ids, shares.tolist(), strict=True)
    return {str(id): round(share, 5) for id, share in known if not np.isnan(share)}


def _measure(measuring: Measuring, pair: Pair) -> Measured | str:
    a, b, truth = pair.a.digest, pair.b.digest, pair.truth
    try:
        if truth is None:
            return Measured(pair, None, None, *measuring.of((a, b)))
        return Measured(pair, *measuring.of((a, truth), (b, truth), (a, b)))
    except TagmaskError as error:
        return f"{pair.name}: {error}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
