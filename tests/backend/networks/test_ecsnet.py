"""ECS-Net's two passes: what is erased, which labels are trusted, and where the overlay is laid."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from backend.maps.erasing import blur_region
from backend.networks.ecsnet import (
    EcsNet,
    blurred_inside,
    class_attention,
    reliable_labels,
    scaled,
    to_erase,
    with_background,
)
from backend.networks.normalisation import TORCHVISION

IMAGES = torch.from_numpy(np.random.default_rng(3).normal(size=(2, 3, 96, 128))).float()
TAGS = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])


def small(**changes: object) -> EcsNet:
    torch.manual_seed(0)
    return EcsNet("slim", 3, **{"head_start": "he", "overlay": (2, 3), **changes}).eval()


def raw(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_attention_is_equation_1() -> None:
    maps = raw(0, 2, 3, 4, 5)
    attention = class_attention(maps, TAGS).numpy()
    for n, c in np.ndindex(2, 3):
        positive = np.maximum(maps[n, c].numpy(), 0)
        spread = positive.max() - positive.min() + 1e-5
        expected = float(TAGS[n, c]) * (positive - positive.min()) / spread
        np.testing.assert_allclose(attention[n, c], expected, atol=1e-6)


def test_classes_that_are_no_tag_are_zero_and_flat_maps_are_not_divided_by_zero() -> None:
    maps = torch.stack([torch.full((2, 2), 7.0), torch.full((2, 2), -1.0), torch.eye(2)])[None]
    assert not class_attention(maps, torch.tensor([[1.0, 1.0, 0.0]])).any()


def test_the_region_is_where_the_strongest_attention_reaches_the_threshold() -> None:
    """Grown to the image as OpenCV grows it, with pixel centres at half pixels."""
    maps = raw(1, 2, 3, 6, 8)
    region = to_erase(maps, TAGS, 0.6, torch.Size((96, 128)))
    assert region.dtype == torch.bool
    assert region.shape == (2, 1, 96, 128)
    score = class_attention(maps, TAGS).amax(dim=1).numpy()
    for n in range(2):
        grown = cv2.resize(score[n], (128, 96), interpolation=cv2.INTER_LINEAR)
        clear = np.abs(grown - 0.6) > 1e-3
        np.testing.assert_array_equal(region[n, 0].numpy()[clear], (grown >= 0.6)[clear])
    assert 0 < region.float().mean() < 0.5


def test_an_image_without_tags_is_not_erased() -> None:
    region = to_erase(raw(1, 2, 3, 6, 8), torch.zeros(2, 3), 0.6, torch.Size((96, 128)))
    assert not region.any()


def photographs(seed: int = 0) -> np.ndarray:
    """Two images uint8 (2,96,128,3) with coarse structure."""
    coarse = np.random.default_rng(seed).integers(0, 256, (2, 12, 16, 3), np.uint8)
    return np.stack([cv2.resize(c, (128, 96), interpolation=cv2.INTER_CUBIC) for c in coarse])


@pytest.mark.parametrize("pixels", [1.0, 2.1, 6.0])
def test_a_blur_of_the_networks_input_is_the_blur_of_the_pixels(pixels: float) -> None:
    """2.1 of 96 pixels is the paper's 10 of 448."""
    images = photographs()
    region = np.random.default_rng(1).random((2, 12, 16)) < 0.5
    region = region.repeat(8, axis=1).repeat(8, axis=2)
    batch = TORCHVISION.batch(torch.from_numpy(images).permute(0, 3, 1, 2))
    blurred = blurred_inside(batch, torch.from_numpy(region)[:, None], pixels / 96)
    for n in range(2):
        expected = TORCHVISION.tensor(blur_region(images[n], region[n], pixels))
        # Two of 255 levels: pixels are rounded, the network's input is not.
        assert (blurred[n] - expected).abs().max().item() < 2 / 255 / min(TORCHVISION.std)
    outside = ~torch.from_numpy(region)[:, None].expand_as(batch)
    assert torch.equal(blurred[outside], batch[outside])
    assert not torch.allclose(blurred, batch, atol=0.01)


@pytest.mark.parametrize(("share", "sigma"), [(0.0, 0.1), (1.0, 0.0)])
def test_without_a_region_or_a_deviation_nothing_changes(share: float, sigma: float) -> None:
    images = raw(2, 1, 3, 32, 32)
    region = torch.full((1, 1, 32, 32), bool(share))
    assert torch.equal(blurred_inside(images, region, sigma), images)


def test_a_blur_wider_than_the_image_still_gives_numbers() -> None:
    images = raw(2, 1, 3, 32, 40)
    blurred = blurred_inside(images, torch.ones(1, 1, 32, 40, dtype=torch.bool), 1.0)
    assert blurred.isfinite().all()
    assert blurred.std() < 0.2 * images.std()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 0.5), st.floats(0.1, 3))
def test_reliable_labels_follow_every_rule(seed: int, threshold: float, erased: float, by: float):
    random = np.random.default_rng(seed)
    maps = (by * random.normal(size=(2, 3, 4, 5))).astype(np.float32)
    region = random.random((2, 1, 8, 10)) < erased
    tags = random.integers(0, 2, (2, 3)).astype(np.float32)
    found = reliable_labels(
        torch.from_numpy(maps), torch.from_numpy(tags), torch.from_numpy(region), threshold
    )
    attention = class_attention(torch.from_numpy(maps), torch.from_numpy(tags)).numpy()
    for n, y, x in np.ndindex(2, 4, 5):
        values = attention[n, :, y, x]
        is_background = 1 - values.max() > values.max()
        cell = region[n, 0, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        trusted = bool(values.max() >= np.float32(threshold))
        label = 0 if is_background else int(values.argmax()) + 1
        assert found.labels[n, y, x] == label
        assert found.in_region[n, y, x] == cell.any()
        assert found.background[n, y, x] == is_background
        assert found.unsure[n, y, x] != trusted
        assert found.reliable[n, y, x] == (trusted and not is_background and not cell.any())
        if found.reliable[n, y, x]:
            assert tags[n, label - 1] == 1


def test_targets_carry_no_gradient() -> None:
    maps = raw(4, 2, 3, 6, 8).requires_grad_()
    region = to_erase(maps, TAGS, 0.6, torch.Size((48, 64)))
    assert not any(each.requires_grad for each in reliable_labels(maps, TAGS, region, 0.5))


def test_the_background_is_one_minus_the_strongest_class() -> None:
    maps = torch.tensor([[0.2, -1.0], [0.7, -2.0]]).view(1, 2, 1, 2)
    assert torch.equal(with_background(maps)[0, 0], torch.tensor([[1 - 0.7, 2.0]]))
    assert torch.equal(with_background(maps)[:, 1:], maps)


def stuffed(weight: torch.Tensor, dilation: int) -> torch.Tensor:
    """A 3x3 kernel as the dense one of 2 x dilation + 1 that does the same."""
    wide = torch.zeros(*weight.shape[:2], 2 * dilation + 1, 2 * dilation + 1)
    wide[:, :, ::dilation, ::dilation] = weight
    return wide


def test_the_overlay_is_equation_8() -> None:
    network = small(overlay=(2, 3, 5))
    weight, bias = network.classifier.weight, network.classifier.bias
    torch.nn.init.normal_(bias)
    with torch.no_grad():
        last = network.backbone(IMAGES)
        plain = functional.conv2d(last, weight, bias, padding=1)
        wider = sum(functional.conv2d(last, stuffed(weight, d), bias, padding=d) for d in (2, 3, 5))
        expected = plain / 2 + wider / (2 * 3)
        overlaid = network(IMAGES, overlaid=True).cam
        torch.testing.assert_close(overlaid, expected, atol=1e-4, rtol=1e-4)
        assert not torch.allclose(overlaid, plain, atol=1e-2)


def test_the_overlay_is_laid_where_it_is_asked_for_alone() -> None:
    network = small()
    with torch.no_grad():
        plain = functional.conv2d(
            network.backbone(IMAGES), network.classifier.weight, network.classifier.bias, padding=1
        )
        torch.testing.assert_close(network(IMAGES).cam, plain)
        network.overlay = ()
        torch.testing.assert_close(network(IMAGES, overlaid=True).cam, plain)


@pytest.mark.parametrize(
    ("size", "scale", "expected"),
    [((448, 448), 0.5, (224, 224)), ((96, 128), 0.7, (67, 90)), ((48, 200), 0.5, (32, 100))],
)
def test_the_first_pass_sees_a_smaller_image(size: tuple, scale: float, expected: tuple) -> None:
    """Table 1: half of 448 is 224, the printed 244 a misprint; under 32 pixels nothing is seen."""
    assert scaled(torch.zeros(1, 3, *size), scale).shape[2:] == expected
    flat = torch.full((1, 3, *size), 0.3)
    assert torch.allclose(scaled(flat, scale), torch.tensor(0.3))
    assert scaled(flat, 1.0) is flat


@pytest.mark.parametrize("final", ["refined", "cam"])
def test_the_final_maps_are_those_asked_for(final: str) -> None:
    network = small(final=final)
    with torch.no_grad():
        seen = network(IMAGES)
        attended = network.attend(IMAGES, TAGS)
    assert torch.equal(attended.maps, class_attention(getattr(seen, final), TAGS))
    assert torch.equal(attended.scores, seen.cam.mean(dim=(2, 3)))
    assert not torch.equal(seen.cam, seen.refined)


def test_without_the_refine_module_the_refined_map_is_the_heat_of_the_cam() -> None:
    network = small(refine=False)
    with torch.no_grad():
        seen = network(IMAGES)
    assert torch.equal(seen.cam.clamp(min=0), seen.refined)
    assert torch.equal(seen.scores, seen.refined_scores)
    assert not any(name.startswith("refine") for name in network.state_dict())


def test_the_settings_build_the_same_network_again() -> None:
    network = small(refine=True, final="cam", overlay=(4,), scale=0.7, erase=0.5, reliable=0.9)
    again = EcsNet(**network.settings).eval()
    again.load_state_dict(network.state_dict())
    assert again.settings == network.settings
    with torch.no_grad():
        for one, other in zip(network(IMAGES), again(IMAGES), strict=True):
            assert torch.equal(one, other)
        ours, theirs = network.attend(IMAGES, TAGS), again.attend(IMAGES, TAGS)
        assert torch.equal(ours.maps, theirs.maps)


def test_a_network_without_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one class"):
        EcsNet("slim", 0)
