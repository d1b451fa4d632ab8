"""Attention maps: from raw scores to 0..1, resized, and fused with the mirror image's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backend.maps.attention import flip_fuse, normalise, resize

RAW = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=5),
    elements=st.floats(-1e3, 1e3, width=32),
)


def test_max_divides_the_positive_scores_by_their_maximum():
    scores = np.array([[[-2.0, 1.0], [2.0, 4.0]]])
    np.testing.assert_array_equal(normalise(scores), [[[0, 0.25], [0.5, 1]]])


def test_minmax_brings_the_smallest_positive_score_to_zero():
    scores = np.array([[[1.0, 2.0], [3.0, 5.0]]])
    np.testing.assert_array_equal(normalise(scores, "minmax"), [[[0, 0.25], [0.5, 1]]])


def test_minmax_starts_from_the_relu_of_the_scores():
    scores = np.array([[[-4.0, 1.0, 4.0]]])
    np.testing.assert_array_equal(normalise(scores, "minmax"), [[[0, 0.25, 1]]])


def test_each_tag_is_normalised_by_itself():
    scores = np.array([[[1.0, 2.0]], [[100.0, 50.0]]])
    np.testing.assert_array_equal(normalise(scores), [[[0.5, 1]], [[1, 0.5]]])


@pytest.mark.parametrize("how", ["max", "minmax"])
@pytest.mark.parametrize("value", [-3.0, 0.0])
def test_a_map_without_a_positive_score_becomes_zeros(how, value):
    assert not normalise(np.full((2, 3, 3), value), how).any()


def test_a_constant_positive_map_is_all_ones_by_max_and_zeros_by_minmax():
    scores = np.full((1, 2, 2), 7.0)
    assert (normalise(scores) == 1).all()
    assert not normalise(scores, "minmax").any()


def test_scores_too_small_for_float32_are_still_normalised():
    np.testing.assert_array_equal(normalise(np.array([[[1e-60, 2e-60]]])), [[[0.5, 1]]])


@pytest.mark.parametrize("how", ["max", "minmax"])
def test_no_tags_give_no_maps(how):
    maps = normalise(np.zeros((0, 4, 5)), how)
    assert maps.shape == (0, 4, 5)
    assert maps.dtype == np.float32


@given(RAW, st.sampled_from(["max", "minmax"]))
def test_maps_lie_in_the_unit_range_and_reach_one_or_are_zero(scores, how):
    maps = normalise(scores, how)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert set(maps.max(axis=(1, 2)).tolist()) <= {0.0, 1.0}


@given(RAW, st.sampled_from(["max", "minmax"]))
def test_normalising_twice_changes_nothing(scores, how):
    once = normalise(scores, how)
    np.testing.assert_array_equal(normalise(once, how), once)


@given(RAW, st.sampled_from(["max", "minmax"]))
def test_the_order_of_the_tags_does_not_matter(scores, how):
    np.testing.assert_array_equal(normalise(scores[::-1], how), normalise(scores, how)[::-1])


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (np.array([[[np.nan, 1.0]]]), "NaN"),
        (np.array([[[np.inf, 1.0]]]), "infinite"),
        (np.zeros((3, 3)), r"scores must have the shape \(tags, height, width\)"),
        (np.zeros((1, 0, 3)), "scores must have the shape"),
        (np.array([[["a"]]]), "scores must be an array of numbers"),
    ],
)
def test_unusable_scores_are_refused_with_a_sentence(scores, words):
    with pytest.raises(ValueError, match=words):
        normalise(scores)


def test_an_unknown_normalisation_is_refused_by_name():
    with pytest.raises(ValueError, match="how must be 'max' or 'minmax', but is 'softmax'"):
        normalise(np.zeros((1, 2, 2)), "softmax")


def test_resizing_agrees_with_torch_bilinear_interpolation():
    maps = np.random.default_rng(0).random((3, 7, 5), dtype=np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(maps)[None], size=(20, 33), mode="bilinear", align_corners=False
    )[0].numpy()
    np.testing.assert_allclose(resize(maps, (20, 33)), expected, atol=1e-5)


def test_resizing_works_on_each_of_many_maps_and_on_none():
    maps = np.random.default_rng(1).random((9, 4, 4), dtype=np.float32)
    together = resize(maps, (6, 8))
    for one, alone in zip(maps, together, strict=True):
        np.testing.assert_array_equal(resize(one[None], (6, 8))[0], alone)
    assert resize(np.zeros((0, 4, 4)), (6, 8)).shape == (0, 6, 8)


def test_the_same_size_gives_an_equal_copy():
    maps = np.random.default_rng(2).random((2, 3, 4), dtype=np.float32)
    same = resize(maps, (3, 4))
    np.testing.assert_array_equal(same, maps)
    same[:] = 0
    assert maps.any()


@given(RAW, st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_resizing_never_leaves_a_maps_own_range(maps, size):
    large = resize(maps, size)
    assert (large.min(axis=(1, 2)) >= maps.min(axis=(1, 2))).all()
    assert (large.max(axis=(1, 2)) <= maps.max(axis=(1, 2))).all()


def test_an_empty_size_is_refused():
    with pytest.raises(ValueError, match="size must be"):
        resize(np.zeros((1, 2, 2)), (0, 3))


def test_flip_fusing_turns_the_mirrored_map_back_and_takes_the_maximum():
    own = np.array([[[0.1, 0.5, 0.2]]])
    mirrored = np.array([[[0.9, 0.4, 0.3]]])
    expected = np.array([[[0.3, 0.5, 0.9]]], dtype=np.float32)
    np.testing.assert_array_equal(flip_fuse(own, mirrored), expected)


def test_flip_fusing_a_map_with_its_own_mirror_image_changes_nothing():
    own = np.random.default_rng(3).random((2, 4, 6), dtype=np.float32)
    np.testing.assert_array_equal(flip_fuse(own, own[:, :, ::-1]), own)


def test_flip_fusing_needs_maps_of_one_shape():
    with pytest.raises(ValueError, match="of_flipped must have the shape"):
        flip_fuse(np.zeros((1, 2, 2)), np.zeros((1, 2, 3)))
