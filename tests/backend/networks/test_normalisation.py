"""Pixels to network input, against the arithmetic written out."""

import numpy as np
import pytest
import torch

from backend.networks.normalisation import CAFFE, TORCHVISION, Normalisation

ORANGE = np.array([[[255, 128, 0]]], np.uint8)


def test_torchvision_takes_rgb_over_255_minus_mean_over_deviation() -> None:
    expected = [(1.0 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, (0.0 - 0.406) / 0.225]
    assert TORCHVISION.tensor(ORANGE)[:, 0, 0].tolist() == pytest.approx(expected, abs=1e-5)


def test_caffe_takes_bgr_levels_minus_mean() -> None:
    expected = [0 - 103.939, 128 - 116.779, 255 - 123.68]
    assert CAFFE.tensor(ORANGE)[:, 0, 0].tolist() == pytest.approx(expected, abs=1e-4)


def test_a_batch_is_its_images_one_by_one() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    batch = CAFFE.batch(torch.from_numpy(images).permute(0, 3, 1, 2))
    assert batch.dtype == torch.float32
    assert torch.equal(batch, torch.stack([CAFFE.tensor(image) for image in images]))


@pytest.mark.parametrize("normalisation", [TORCHVISION, CAFFE])
def test_the_mean_colour_becomes_nearly_zero(normalisation: Normalisation) -> None:
    image = np.array([[normalisation.mean_colour]], np.uint8)
    step = normalisation.scale / 255 / min(normalisation.std)
    assert normalisation.tensor(image).abs().max().item() <= 0.51 * step
    assert normalisation.mean_colour == (124, 116, 104)[:3] or normalisation is CAFFE


@pytest.mark.parametrize("normalisation", [TORCHVISION, CAFFE])
def test_json_brings_back_the_same_normalisation(normalisation: Normalisation) -> None:
    assert Normalisation.from_json(normalisation.to_json()) == normalisation


@pytest.mark.parametrize(
    "change",
    [{"order": "hsv"}, {"scale": 2.0}, {"std": [1, 0, 1]}, {"mean": [0.5]}, {"mean": None}],
)
def test_what_is_no_normalisation_is_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        Normalisation.from_json(TORCHVISION.to_json() | change)


def test_an_image_without_colour_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="RGB"):
        TORCHVISION.tensor(np.zeros((4, 4), np.uint8))
