"""Online accumulation: fusing a new map in, and telling whether it deserves that."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backend.maps.accumulation import fuse, is_reliable

UNIT = st.floats(0, 1, width=32)
PASSES = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 4)), elements=UNIT
)
SCORES = hnp.arrays(np.float32, st.integers(1, 6), elements=st.floats(-3, 3, width=32))


def _accumulated(passes: np.ndarray, how: str) -> np.ndarray:
    gathered = None
    for t, new in enumerate(passes, start=1):
        gathered = fuse(gathered, new, t, how)
    return gathered


def test_the_maximum_keeps_every_region_that_was_ever_found():
    result = fuse(np.array([0.2, 0.9]), np.array([0.6, 0.1]), 2)
    np.testing.assert_array_equal(result, np.array([0.6, 0.9], dtype=np.float32))


def test_the_mean_weighs_what_was_gathered_by_its_number_of_maps():
    result = fuse(np.array([0.3, 0.9]), np.array([0.9, 0.0]), 3, "mean")
    np.testing.assert_allclose(result, [0.5, 0.6], atol=1e-7)


@pytest.mark.parametrize("how", ["max", "mean"])
def test_the_first_map_stands_alone_and_is_a_copy(how):
    new = np.array([[0.25, 0.5]], dtype=np.float32)
    for previous in (None, np.ones((1, 2))):
        first = fuse(previous, new, 1, how)
        np.testing.assert_array_equal(first, new)
        assert not np.shares_memory(first, new)


@given(PASSES)
def test_accumulating_by_mean_is_the_mean_of_all_passes(passes):
    np.testing.assert_allclose(_accumulated(passes, "mean"), passes.mean(axis=0), atol=1e-6)


@given(PASSES)
def test_accumulating_by_maximum_is_the_maximum_of_all_passes(passes):
    np.testing.assert_array_equal(_accumulated(passes, "max"), passes.max(axis=0))


@given(PASSES, st.integers(2, 50), st.sampled_from(["max", "mean"]))
def test_fusing_equal_maps_changes_nothing(passes, t, how):
    np.testing.assert_array_equal(fuse(passes, passes, t, how), passes)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.zeros(2), np.zeros(3), 2), "previous must have the shape"),
        ((None, np.zeros(3), 2), "previous is missing"),
        ((np.zeros(3), np.zeros(3), 0), "at least 1, not 0"),
        ((np.zeros(3), np.zeros(3), 2, "sum"), "how must be 'max' or 'mean', but is 'sum'"),
        ((np.zeros(3), np.full(3, np.nan), 2), "new holds NaN"),
        ((np.full(3, 200), np.zeros(3), 2), "previous must lie in 0..1"),
    ],
)
def test_maps_that_cannot_be_fused_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        fuse(*arguments)


def test_a_tag_above_every_other_class_is_reliable():
    scores = np.array([0.9, 0.1, 0.5, 0.4])
    assert is_reliable(scores, [0, 2, 3]).tolist() == [True, True, True]
    assert is_reliable(scores, [3, 0]).tolist() == [False, True]


def test_the_looser_rule_takes_a_tag_among_the_largest_scores():
    # The tags rank 1st and 3rd of four: with two tags the 2nd place still counts, the 3rd not.
    scores = np.array([0.9, 0.6, 0.5, 0.1])
    assert is_reliable(scores, [0, 2], "topk").tolist() == [True, False]
    assert is_reliable(scores, [1, 3], "topk").tolist() == [True, False]
    assert is_reliable(scores, [1, 3], "strict").tolist() == [False, False]


def test_a_tie_with_an_absent_class_is_not_reliable():
    for rule in ("strict", "topk"):
        assert is_reliable(np.array([0.5, 0.5]), [0], rule).tolist() == [False]


def test_where_every_class_is_a_tag_all_are_reliable():
    for rule in ("strict", "topk"):
        assert is_reliable(np.array([0.1, 0.2]), [0, 1], rule).all()


def test_no_tags_give_no_answers():
    for rule in ("strict", "topk"):
        answer = is_reliable(np.array([0.1, 0.2]), [], rule)
        assert answer.shape == (0,)
        assert answer.dtype == np.bool_


@given(SCORES, st.data())
def test_both_rules_follow_their_definitions_pixel_for_pixel(scores, data):
    tags = data.draw(st.lists(st.integers(0, len(scores) - 1), unique=True))
    others = [score for c, score in enumerate(scores) if c not in tags]
    strict = [all(scores[tag] > other for other in others) for tag in tags]
    assert is_reliable(scores, tags).tolist() == strict
    top = [
        sum(scores[c] >= scores[tag] for c in range(len(scores)) if c != tag) < len(tags)
        for tag in tags
    ]
    assert is_reliable(scores, tags, "topk").tolist() == top
    assert all(t or not s for s, t in zip(strict, top, strict=True))


@given(SCORES, st.data())
def test_answers_follow_the_order_of_the_tags(scores, data):
    tags = data.draw(st.lists(st.integers(0, len(scores) - 1), unique=True, max_size=3))
    answers = dict(zip(tags, is_reliable(scores, tags), strict=True))
    for order in itertools.permutations(tags):
        assert is_reliable(scores, list(order)).tolist() == [answers[tag] for tag in order]


@pytest.mark.parametrize(
    ("scores", "tags", "rule", "words"),
    [
        ([0.1, 0.2], [2], "strict", "indices into the 2 scores"),
        ([0.1, 0.2], [-1], "strict", "indices into the 2 scores"),
        ([0.1, 0.2], [0, 0], "strict", "must not repeat"),
        ([[0.1, 0.2]], [0], "strict", r"scores must have the shape \(classes,\)"),
        ([0.1, np.nan], [0], "strict", "scores holds NaN"),
        ([0.1, 0.2], [0], "best", "rule must be 'strict' or 'topk', but is 'best'"),
    ],
)
def test_scores_and_tags_that_do_not_fit_are_refused(scores, tags, rule, words):
    with pytest.raises(ValueError, match=words):
        is_reliable(scores, tags, rule)
