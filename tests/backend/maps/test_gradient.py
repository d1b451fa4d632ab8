"""Maps out of gradients: worked by hand, and against the papers' own longer forms."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backend.maps.gradient import gradcam, gradcam_plus_plus, layercam

ALL = pytest.mark.parametrize("method", [gradcam, gradcam_plus_plus, layercam])

# Two channels of two places; the second speaks against the class.
ACTIVATIONS = np.array([[[1.0, 3.0]], [[2.0, 0.0]]], np.float32)
GRADIENTS = np.array([[[0.5, 1.5]], [[-1.0, 0.0]]], np.float32)

PAIRS = hnp.array_shapes(min_dims=3, max_dims=3, max_side=4).flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.float32, shape, elements=st.floats(0, 8, width=32)),
        hnp.arrays(np.float32, shape, elements=st.floats(-2, 2, width=32)),
    )
)


def test_gradcam_weighs_a_channel_by_the_mean_of_its_gradients():
    # The weights are 1 and -0.5: 1 - 1 = 0 and 3 - 0 = 3.
    np.testing.assert_array_equal(gradcam(ACTIVATIONS, GRADIENTS), [[0, 3]])


def test_layercam_weighs_each_place_by_its_own_positive_gradient():
    # 0.5 * 1 and 1.5 * 3; the second channel's gradients are not positive.
    np.testing.assert_array_equal(layercam(ACTIVATIONS, GRADIENTS), [[0.5, 4.5]])


def test_gradcam_plus_plus_weighs_a_channel_by_alpha_times_its_positive_gradients():
    # S = 4: alpha = 1/(2 + 4 * 0.5) = 1/4 and 1/(2 + 4 * 1.5) = 1/8; the weight is
    # 0.5/4 + 1.5/8 = 0.3125, and 0 for the second channel.
    np.testing.assert_allclose(
        gradcam_plus_plus(ACTIVATIONS, GRADIENTS), [[0.3125, 0.9375]], rtol=1e-6
    )


def test_gradcam_plus_plus_is_the_papers_formula_of_three_derivatives():
    """Eq. 10 with the derivatives of exp(S) that autograd takes, one place after another."""
    generator = torch.Generator().manual_seed(3)
    features = torch.rand(3, 2, 3, generator=generator, dtype=torch.float64)
    slopes = torch.randn(3, 2, 3, generator=generator, dtype=torch.float64)
    weights = torch.zeros(3, dtype=torch.float64)
    for k, i, j in np.ndindex(3, 2, 3):
        place = features[k, i, j].clone().requires_grad_()
        rest = (features * slopes).sum() - features[k, i, j] * slopes[k, i, j]
        first = torch.exp(rest + place * slopes[k, i, j])
        derivatives = []
        for _ in range(3):
            (first,) = torch.autograd.grad(first, place, create_graph=True)
            derivatives.append(first.detach())
        one, two, three = derivatives
        weights[k] += two / (2 * two + features[k].sum() * three) * one.clamp(min=0)
    expected = (weights[:, None, None] * features).sum(0).clamp(min=0).numpy()
    found = gradcam_plus_plus(features.numpy(), slopes.numpy())
    scale = float(torch.exp((features * slopes).sum()))
    np.testing.assert_allclose(found * scale, expected, rtol=1e-5)


def test_gradcam_plus_plus_keeps_gradients_whose_cube_leaves_float32():
    tiny = np.full((1, 1, 2), 1e-20, np.float32)
    found = gradcam_plus_plus(np.ones((1, 1, 2)), tiny)
    np.testing.assert_allclose(found, np.full((1, 2), 1e-20), rtol=1e-5)


def test_gradcam_plus_plus_has_no_pole_where_features_are_not_rectified():
    # By the plain sum, 2 + S g = 2 - 4 * 0.5 would be 0; the positive part is 1.
    features = np.array([[[1.0, -5.0]]])
    found = gradcam_plus_plus(features, np.full((1, 1, 2), 0.5))
    np.testing.assert_allclose(found, [[0.4, 0]], rtol=1e-6)


@ALL
def test_a_class_that_hangs_on_nothing_has_a_map_of_zeros(method):
    assert not method(ACTIVATIONS, np.zeros_like(GRADIENTS)).any()


@ALL
@given(pair=PAIRS)
def test_maps_are_float32_of_the_layers_size_and_never_negative(method, pair):
    activations, gradients = pair
    found = method(activations, gradients)
    assert found.dtype == np.float32
    assert found.shape == activations.shape[1:]
    assert (found >= 0).all()


@ALL
@given(pair=PAIRS, seed=st.integers(0, 9))
def test_the_order_of_the_channels_does_not_matter(method, pair, seed):
    activations, gradients = pair
    order = np.random.default_rng(seed).permutation(len(activations))
    np.testing.assert_allclose(
        method(activations[order], gradients[order]),
        method(activations, gradients),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("method", [gradcam, layercam])
@given(pair=PAIRS)
def test_a_class_score_in_another_unit_gives_the_same_map_in_that_unit(method, pair):
    activations, gradients = pair
    np.testing.assert_allclose(
        method(activations, 4 * gradients),
        4 * method(activations, gradients),
        rtol=1e-6,
        atol=1e-36,
    )


@ALL
def test_what_does_not_fit_is_named(method):
    with pytest.raises(ValueError, match=r"activations must have the shape \(channels"):
        method(np.zeros((2, 2)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"gradients must have the shape \(2, 1, 2\)"):
        method(ACTIVATIONS, GRADIENTS[:1])
    with pytest.raises(ValueError, match="gradients holds NaN"):
        method(ACTIVATIONS, GRADIENTS * np.nan)
