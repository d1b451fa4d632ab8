"""How far apart the masks of an image are, with numbers worked out by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from backend.labels import encode_labels
from backend.store import Image, Store
from backend.store.apart import apart, mean_iou

Mask = Callable[..., bytes]


def labels(*rows: str) -> np.ndarray:
    """Digits as class ids, `x` as ignored."""
    return np.array([[255 if c == "x" else int(c) for c in row] for row in rows], np.uint8)


@pytest.mark.parametrize(
    ("first", "second", "iou"),
    [
        (("1100",), ("1100",), 1.0),
        # Of three pixels that either covers, both cover one.
        (("1100",), ("0110",), 1 / 3),
        # Class 1 agrees on 1 of 2, class 2 on 0 of 1: their mean.
        (("1100",), ("1200",), (1 / 2 + 0) / 2),
        # A mask against none at all, however small: nothing agrees.
        (("1000",), ("0000",), 0.0),
        (("0000",), ("0000",), 1.0),
        # What either ignores is left out: here one pixel of class 1 stays, which both have.
        (("11x0",), ("1x10",), 1.0),
        (("xxxx",), ("1111",), 1.0),
    ],
)
def test_mean_iou_by_hand(first: tuple[str], second: tuple[str], iou: float) -> None:
    assert mean_iou(labels(*first), labels(*second)) == pytest.approx(iou)
    assert mean_iou(labels(*second), labels(*first)) == pytest.approx(iou)


def test_three_masks_are_as_far_apart_as_their_pairs_on_average() -> None:
    same, moved = labels("1100"), labels("0110")
    assert apart([same, same]) == 0.0
    assert apart([same, same, moved]) == pytest.approx(1 - (1 + 1 / 3 + 1 / 3) / 3)


def test_comparing_measures_images_with_several_masks_and_once(
    store: Store, image: Image, mask: Mask
) -> None:
    first = store.candidates.add(image.id, None, "seenet", mask(2))
    assert store.candidates.uncompared() == 0
    assert store.candidates.compare().images == 0
    second = store.candidates.add(image.id, None, "dcsp", mask(4))
    assert store.candidates.uncompared() == 1
    heard: list[tuple[int, int]] = []
    assert store.candidates.compare(lambda *told: heard.append(told)).images == 1
    assert heard == [(1, 1)]
    # Two of four rows are common.
    assert store.candidates.row(first).apart == pytest.approx(0.5)
    assert store.candidates.row(second).apart == pytest.approx(0.5)
    assert store.candidates.compare().images == 0
    # A new mask of the image measures all of them anew; a drawn one is no method's opinion.
    drawn = store.candidates.add(image.id, None, "fixed", mask(6), parent_id=first)
    assert store.candidates.uncompared() == 0
    third = store.candidates.add(image.id, None, "oaa", mask(2))
    assert store.candidates.compare().images == 1
    assert store.candidates.row(third).apart == pytest.approx(1 - (0.5 + 1 + 0.5) / 3)
    assert store.candidates.row(drawn).apart is None


def test_the_order_begins_where_methods_disagree_most_and_says_so(
    store: Store, photo: Callable[[int], bytes], mask: Mask
) -> None:
    for number, rows in enumerate(((2, 3), (2, 6), (2,)), start=1):
        image = store.images.add(f"image {number}", photo(number), source="t").image
        for place, count in enumerate(rows):
            store.candidates.add(image.id, None, f"method {place}", mask(count))
    before = store.candidates.queue("methods").rows
    assert before[0].why == "not compared with the other masks yet"
    store.candidates.compare()
    rows = store.candidates.queue("methods").rows
    assert [row.image_name for row in rows] == [
        "image_2",
        "image_2",
        "image_1",
        "image_1",
        "image_3",
    ]
    assert rows[0].why == "methods 0.67 apart (1 − mean IoU)"
    assert rows[2].why == "methods 0.33 apart (1 − mean IoU)"
    assert rows[-1].why == "the only mask of its image, so it comes last"


def test_a_mask_that_cannot_be_read_is_named_and_stops_nobody(
    store: Store, photo: Callable[[int], bytes]
) -> None:
    made = []
    for number in (1, 2):
        image = store.images.add(f"image {number}", photo(number), source="t").image
        for value in (1, 2):
            values = np.full((6, 9), value, np.uint8)
            values[0, number] = 0
            made.append(store.candidates.add(image.id, None, f"{value}", encode_labels(values)))
    lost = store.candidates.get(made[0]).digest
    store.files.path(lost).unlink()
    found = store.candidates.compare()
    assert found.images == 1
    assert len(found.unread) == 1
    assert lost[:8] in found.unread[0]
    assert store.candidates.row(made[0]).apart is None
    assert store.candidates.row(made[2]).apart == pytest.approx(1.0)
