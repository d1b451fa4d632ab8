"""Candidates: label maps offered for review."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from backend.errors import DataError, StoreError
from backend.labels import encode_labels
from backend.store import Image, Store

Mask = Callable[..., bytes]


def test_a_candidate_comes_back_as_it_was_put(store: Store, image: Image, mask: Mask) -> None:
    run = store.runs.add("first", "labels", "runs/1")
    id = store.candidates.add(image.id, run, "dcsp", mask(), {"AC": 0.5, "CD": 0.5, "SC": 0.25})
    found = store.candidates.get(id)
    assert (found.image_id, found.run_id, found.method) == (image.id, run, "dcsp")
    assert found.scores == {"AC": 0.5, "CD": 0.5, "SC": 0.25}
    assert found.score == 0.25
    assert (found.verdict, found.decision_id, found.parent_id) == ("undecided", None, None)
    assert store.files.read(found.digest) == mask()


def test_the_same_mask_by_the_same_method_is_one(store: Store, image: Image, mask: Mask) -> None:
    first = store.candidates.add(image.id, None, "dcsp", mask())
    digest = store.candidates.get(first).digest
    assert store.candidates.add(image.id, None, "dcsp", mask()) == first
    assert store.candidates.add(image.id, None, "dcsp", digest) == first
    assert store.candidates.add(image.id, None, "oaa", digest) != first
    assert store.candidates.add(image.id, None, "dcsp", mask(3)) != first
    assert store.candidates.count() == 3


def test_the_coarse_score_ranks_before_the_fine_one(store: Store, image: Image, mask: Mask) -> None:
    def score(rows: int, scores: dict[str, float]) -> float | None:
        id = store.candidates.add(image.id, None, "dcsp", mask(rows), scores)
        return store.candidates.get(id).score

    assert score(1, {"SF": 0.9, "SC": 0.1}) == 0.1
    assert score(2, {"SF": 0.9}) == 0.9
    assert score(3, {"AC": 0.3}) is None
    assert score(4, {"SC": float("nan"), "SF": 0.5}) == 0.5


def test_a_mask_must_have_its_images_size(store: Store, image: Image) -> None:
    wrong = encode_labels(np.ones((9, 6), np.uint8))
    with pytest.raises(DataError, match=re.escape("mask of one is 6x9 pixels, its image 9x6")):
        store.candidates.add(image.id, None, "dcsp", wrong)
    assert store.candidates.count() == 0


def test_a_mask_holds_only_classes_of_the_workspace(store: Store, image: Image, mask: Mask) -> None:
    with pytest.raises(DataError, match="holds the value 9, which is no class"):
        store.candidates.add(image.id, None, "dcsp", mask(class_id=9))
    assert store.candidates.add(image.id, None, "dcsp", mask(class_id=255))


def test_what_is_no_mask_is_refused(store: Store, image: Image) -> None:
    with pytest.raises(DataError):
        store.candidates.add(image.id, None, "dcsp", b"not a PNG")
    with pytest.raises(StoreError, match="no file"):
        store.candidates.add(image.id, None, "dcsp", "a" * 64)
    with pytest.raises(StoreError, match="no image 99"):
        store.candidates.add(99, None, "dcsp", b"")


def test_a_drawn_mask_knows_what_it_was_drawn_from(
    store: Store, image: Image, candidate: int, mask: Mask
) -> None:
    drawn = store.candidates.add(image.id, None, "edited", mask(3), parent_id=candidate)
    assert store.candidates.get(drawn).parent_id == candidate
    assert [each.id for each in store.candidates.of_image(image.id)] == [drawn, candidate]


def test_one_row_is_the_queues(store: Store, candidate: int) -> None:
    assert store.candidates.row(candidate) == store.candidates.queue().rows[0]
    with pytest.raises(StoreError, match="no candidate 99"):
        store.candidates.row(99)
    with pytest.raises(StoreError, match="no candidate 99"):
        store.candidates.get(99)
