"""The three zones of SeeNet and the conditionally reversed ReLU."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backend.maps.zones import conditional_relu, ternary_mask

MAPS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=5),
    elements=st.floats(0, 1, width=32),
)


def test_the_papers_thresholds_part_the_map_into_three_zones():
    attention = np.array([[[1.0, 0.7, 0.69, 0.05, 0.049, 0.0]]])
    np.testing.assert_array_equal(ternary_mask(attention), [[0, 0, 1, 1, -1, -1]])


def test_thresholds_are_multiples_of_the_maps_maximum():
    attention = np.array([[[0.5, 0.36, 0.34, 0.026, 0.024]]])
    np.testing.assert_array_equal(ternary_mask(attention), [[0, 0, 1, 1, -1]])


def test_the_strongest_tag_decides_at_each_pixel():
    attention = np.array([[[1.0, 0.0, 0.0]], [[0.0, 0.3, 0.01]]])
    np.testing.assert_array_equal(ternary_mask(attention), [[0, 1, -1]])


@pytest.mark.parametrize("shape", [(2, 3, 4), (0, 3, 4)])
def test_attention_that_says_nothing_leaves_everything_potential(shape):
    mask = ternary_mask(np.zeros(shape))
    assert mask.dtype == np.int8
    assert mask.shape == (3, 4)
    assert (mask == 1).all()


def test_negative_scores_count_as_zero():
    np.testing.assert_array_equal(ternary_mask(np.array([[[-5.0, 1.0]]]), low=0.0), [[1, 0]])


def test_equal_thresholds_leave_no_potential_zone():
    mask = ternary_mask(np.array([[[1.0, 0.5, 0.49]]]), high=0.5, low=0.5)
    np.testing.assert_array_equal(mask, [[0, 0, -1]])


@given(MAPS, st.floats(0, 1), st.floats(0, 1))
def test_every_pixel_follows_the_papers_definition(attention, one, other):
    low, high = sorted((np.float32(one), np.float32(other)))
    mask = ternary_mask(attention, high, low)
    peak = attention.max()
    for y, x in np.ndindex(mask.shape):
        value = attention[:, y, x].max()
        if peak == 0:
            expected = 1
        elif value >= high * peak:
            expected = 0
        elif value < low * peak:
            expected = -1
        else:
            expected = 1
        assert mask[y, x] == expected


@given(MAPS)
def test_the_order_of_the_tags_does_not_matter(attention):
    np.testing.assert_array_equal(ternary_mask(attention[::-1]), ternary_mask(attention))


@pytest.mark.parametrize(("high", "low"), [(0.1, 0.2), (1.2, 0.1), (0.5, -0.1), (np.nan, 0.1)])
def test_thresholds_out_of_order_or_range_are_refused(high, low):
    with pytest.raises(ValueError, match="0 <= low <= high <= 1"):
        ternary_mask(np.ones((1, 2, 2)), high, low)


def test_nan_attention_is_refused():
    with pytest.raises(ValueError, match="attention holds NaN"):
        ternary_mask(np.full((1, 2, 2), np.nan))


def test_conditional_relu_keeps_erases_and_reverses():
    features = torch.tensor([[[[3.0, 3.0, 3.0, -3.0]], [[1.0, 2.0, 4.0, -1.0]]]])
    mask = torch.tensor([[[[1, 0, -1, -1]]]], dtype=torch.int8)
    expected = torch.tensor([[[[3.0, 0.0, -3.0, 0.0]], [[1.0, 0.0, -4.0, 0.0]]]])
    torch.testing.assert_close(conditional_relu(features, mask), expected)


def test_conditional_relu_masks_every_channel_of_each_image_with_its_own_plane():
    features = torch.rand(3, 5, 4, 4)
    mask = torch.randint(-1, 2, (3, 1, 4, 4))
    result = conditional_relu(features, mask)
    for n, c in np.ndindex(3, 5):
        torch.testing.assert_close(result[n, c], features[n, c] * mask[n, 0])


def test_gradients_pass_to_the_features_with_the_masks_sign_and_never_to_the_mask():
    features = torch.tensor([[[[2.0, 2.0, 2.0, -2.0]]]], requires_grad=True)
    mask = torch.tensor([[[[1.0, 0.0, -1.0, 1.0]]]], requires_grad=True)
    conditional_relu(features, mask).sum().backward()
    torch.testing.assert_close(features.grad, torch.tensor([[[[1.0, 0.0, -1.0, 0.0]]]]))
    assert mask.grad is None


@pytest.mark.parametrize("shape", [(1, 1, 4, 4), (2, 5, 4, 4), (2, 1, 4, 3), (2, 4, 4)])
def test_a_mask_that_is_not_one_plane_for_each_image_is_refused(shape):
    with pytest.raises(ValueError, match=r"mask must have the shape \(2, 1, 4, 4\)"):
        conditional_relu(torch.rand(2, 5, 4, 4), torch.ones(shape))


def test_features_that_are_no_batch_are_refused():
    with pytest.raises(ValueError, match="features must have the shape"):
        conditional_relu(torch.rand(5, 4, 4), torch.ones(1, 1, 4, 4))


def test_importing_the_maps_brings_in_neither_torch_nor_anything_of_the_page():
    code = (
        "import sys, backend.maps, backend.refinement\n"
        "heavy = {'torch', 'gradio', 'pydensecrf', 'sqlite_utils', 'scipy.optimize'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
