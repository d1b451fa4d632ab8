"""Zones of whole batches of torch: the same as image by image, from the tags' attention alone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backend.maps.attention import normalise
from backend.maps.zones import batch_zones, strongest_attention, ternary_mask


def batches(low: float, high: float) -> st.SearchStrategy[np.ndarray]:
    """Maps (N,C,H,W) of these values; round ones come up often, so that thresholds are met."""
    exact = st.sampled_from([low, 0.0, 0.25, 0.5, high])
    values = st.one_of(exact, st.floats(low, high, width=32, allow_subnormal=False))
    shape = hnp.array_shapes(min_dims=4, max_dims=4, max_side=4)
    return hnp.arrays(np.float32, shape, elements=values)


@given(batches(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_each_image_of_a_batch_has_the_zones_that_it_has_alone(maps, one, other):
    low, high = sorted((one, other))
    attention = maps[:, :1]
    zones = batch_zones(torch.from_numpy(attention), high, low)
    assert zones.shape == attention.shape
    for own, of_image in zip(zones.numpy(), attention, strict=True):
        np.testing.assert_array_equal(own[0], ternary_mask(of_image, high, low))


def test_thresholds_are_parts_of_each_images_own_maximum():
    attention = torch.tensor([[[[1.0, 0.5, 0.04]]], [[[0.2, 0.1, 0.008]]]])
    expected = torch.tensor([[[[0.0, 1.0, -1.0]]], [[[0.0, 1.0, -1.0]]]])
    torch.testing.assert_close(batch_zones(attention, 0.7, 0.05), expected)


def test_attention_that_is_nowhere_leaves_its_image_potential_and_the_others_alone():
    attention = torch.tensor([[[[0.0, 0.0]]], [[[1.0, 0.0]]]])
    zones = batch_zones(attention, 0.7, 0.05)
    assert zones.flatten(1).tolist() == [[1.0, 1.0], [0.0, -1.0]]


@given(batches(-2, 2), st.data())
def test_the_strongest_attention_is_the_largest_of_the_tags_normalised_maps(maps, data):
    tags = data.draw(hnp.arrays(np.float32, maps.shape[:2], elements=st.sampled_from([0.0, 1.0])))
    attention = strongest_attention(torch.from_numpy(maps), torch.from_numpy(tags))
    assert attention.shape == (maps.shape[0], 1, *maps.shape[2:])
    for own, of_image, present in zip(attention.numpy(), maps, tags, strict=True):
        of_tags = normalise(of_image[present > 0], "minmax")
        np.testing.assert_array_equal(own[0], of_tags.max(axis=0, initial=0))


def test_absent_classes_never_count_however_strong_they_are():
    maps = torch.tensor([[[[1.0, 0.0]], [[0.0, 99.0]]]])
    attention = strongest_attention(maps, torch.tensor([[1.0, 0.0]]))
    assert attention.flatten().tolist() == [1.0, 0.0]
    assert not strongest_attention(maps, torch.zeros(1, 2)).any()


def test_every_tag_counts_as_much_as_the_others_however_weak_its_scores():
    maps = torch.tensor([[[[100.0, 0.0, 0.0]], [[0.0, 0.001, 0.0005]]]])
    attention = strongest_attention(maps, torch.ones(1, 2))
    torch.testing.assert_close(attention.flatten(), torch.tensor([1.0, 1.0, 0.5]))


@pytest.mark.parametrize("value", [-1.0, 0.0, 3.0])
def test_flat_maps_are_no_attention(value: float):
    """A map without a positive score says nothing, nor does one that is the same everywhere."""
    maps = torch.full((1, 2, 3, 3), value)
    assert not strongest_attention(maps, torch.ones(1, 2)).any()


def test_no_gradient_passes_through_the_attention():
    maps = torch.rand(2, 3, 4, 4, requires_grad=True)
    assert not strongest_attention(maps, torch.ones(2, 3)).requires_grad


def test_half_precision_is_widened_before_it_is_compared():
    attention = strongest_attention(torch.rand(1, 1, 8, 8).bfloat16(), torch.ones(1, 1))
    assert attention.dtype == torch.float32
    assert attention.max() == 1


@pytest.mark.parametrize("tags", [torch.ones(2, 4), torch.ones(3), torch.ones(1, 3)])
def test_tags_that_do_not_fit_the_maps_are_refused(tags: torch.Tensor):
    with pytest.raises(ValueError, match=r"tags \(N, C\), but have \(2, 3, 4, 4\)"):
        strongest_attention(torch.rand(2, 3, 4, 4), tags)
