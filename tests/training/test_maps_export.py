"""From a network's final maps to files: fused over looks, turned back, named after their tag."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from backend.exchange.sources import open_source
from backend.labels import read_heat
from backend.networks import TORCHVISION, CamClassifier
from backend.networks.classifier import ClassifierOutput
from training.loop import Diverged
from training.machine import Machine, open_fabric
from training.maps_export import Looks, attention, export_maps, measure_maps, resized
from training.run import Cancelled, Run

FABRIC = open_fabric(Machine(device="cpu", precision="32"))


class Colours(nn.Module):
    """Class maps that are the red and the green of 4-pixel cells, above grey."""

    num_classes = 2

    def attend(self, images: torch.Tensor, tags: torch.Tensor) -> ClassifierOutput:
        mean, std = torch.tensor(TORCHVISION.mean), torch.tensor(TORCHVISION.std)
        colours = images.permute(0, 2, 3, 1) * std + mean
        red, green, blue = colours.unbind(-1)
        maps = torch.stack([red - (green + blue) / 2, green - (red + blue) / 2], 1) - 0.2
        maps = nn.functional.avg_pool2d(maps, 4)
        return ClassifierOutput(maps.amax(dim=(2, 3)), maps)


class LeftOnly(nn.Module):
    """Sees only what is on the left."""

    num_classes = 1

    def attend(self, images: torch.Tensor, tags: torch.Tensor) -> ClassifierOutput:
        maps = torch.zeros(len(images), 1, 8, 8)
        maps[:, :, :, :2] = 3.0
        return ClassifierOutput(maps.mean(dim=(2, 3)), maps)


class AsTagged(nn.Module):
    """Its maps are flat: as high as the tags that it was told, and a quarter more for each."""

    num_classes = 3

    def attend(self, images: torch.Tensor, tags: torch.Tensor) -> ClassifierOutput:
        assert tags.shape == (len(images), 3)
        maps = (tags * torch.tensor([1.0, 1.25, 1.5]))[:, :, None, None].expand(-1, -1, 2, 2)
        return ClassifierOutput(tags - 0.5, maps)


def test_every_image_and_tag_gets_its_map(tiny_voc: Path, tmp_path: Path):
    source = open_source(tiny_voc)
    run = Run("test", tmp_path)
    looks = Looks(size=48)
    done = export_maps(run, FABRIC, Colours(), source, [8, 12], TORCHVISION, looks, tmp_path)
    assert done.maps == sum(len(item.tags) for item in source.items)
    assert done.tag_accuracy == 1.0
    assert sorted(path.name for path in (tmp_path / "im2").iterdir()) == ["cat.png", "dog.png"]
    assert [path.name for path in (tmp_path / "im0").iterdir()] == ["cat.png"]
    heat = read_heat(tmp_path / "im0" / "cat.png")
    assert heat.shape == (12, 12)
    # The red square covers pixels 4..24 across and 6..26 down, in cells of 4.
    assert heat.max() == 1.0
    assert heat[2:6, 1:6].min() > 0.8
    assert heat[8:, 7:].max() == 0.0


def test_the_maps_are_measured_against_the_truth(tiny_voc: Path, tmp_path: Path):
    source = open_source(tiny_voc)
    arguments = (source, [8, 12], TORCHVISION, Looks(size=48, to="image"), tmp_path)
    export_maps(Run("test", tmp_path), FABRIC, Colours(), *arguments)
    measured = measure_maps(source, [8, 12], tmp_path)
    assert measured["miou"] > 80
    assert 0.0 < measured["threshold"] < 1.0


def test_without_true_masks_nothing_is_measured(tmp_path: Path, tiny_voc: Path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a.jpg").write_bytes((tiny_voc / "JPEGImages/im0.jpg").read_bytes())
    (tmp_path / "plain" / "tags.csv").write_text("image,tags\na,cat\n")
    source = open_source(tmp_path / "plain")
    assert measure_maps(source, list(source.classes), tmp_path / "maps") == {}


def test_the_mirrored_look_is_turned_back():
    image = np.zeros((64, 64, 3), np.uint8)
    plain, _ = attention(FABRIC, LeftOnly(), image, [0], TORCHVISION, Looks(64))
    both, _ = attention(FABRIC, LeftOnly(), image, [0], TORCHVISION, Looks(64, flip=True))
    assert plain[0, 0].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
    assert both[0, 0].tolist() == [1, 1, 0, 0, 0, 0, 1, 1]


def test_the_mean_of_looks_is_brought_back_to_one():
    image = np.zeros((64, 64, 3), np.uint8)
    looks = Looks(64, flip=True, fusion="mean")
    fused, _ = attention(FABRIC, LeftOnly(), image, [0], TORCHVISION, looks)
    assert fused.max() == 1.0


def test_scales_give_the_finest_grid_or_the_images_own():
    image = np.zeros((96, 48, 3), np.uint8)
    looks = Looks(48, scales=(1.0, 2.0))
    fused, _ = attention(FABRIC, Colours(), image, [0, 1], TORCHVISION, looks)
    assert fused.shape == (2, 48, 24)
    looks = Looks(48, scales=(1.0, 2.0), to="image")
    fused, _ = attention(FABRIC, Colours(), image, [0, 1], TORCHVISION, looks)
    assert fused.shape == (2, 96, 48)


def test_a_network_that_sees_nothing_gives_a_map_of_zeros():
    image = np.full((48, 48, 3), 128, np.uint8)
    fused, scores = attention(FABRIC, Colours(), image, [0], TORCHVISION, Looks(48, flip=True))
    assert float(scores[0]) < 0
    assert not fused.any()


@pytest.mark.parametrize("flip", [False, True])
def test_a_network_is_told_the_images_tags_in_every_look(flip: bool):
    image = np.zeros((48, 48, 3), np.uint8)
    looks = Looks(48, scales=(0.7, 1.0), flip=flip)
    fused, scores = attention(FABRIC, AsTagged(), image, [0, 2], TORCHVISION, looks)
    assert scores.tolist() == [0.5, -0.5, 0.5]
    assert fused.shape == (2, 2, 2)
    assert (fused == 1.0).all()


def test_a_network_that_has_left_the_numbers_is_a_sentence():
    network = CamClassifier("slim", 2, head_layers=0).eval()
    torch.nn.init.constant_(network.head[-1].bias, torch.inf)
    with pytest.raises(Diverged, match=r"no longer numbers.*lower --learning-rate"):
        attention(FABRIC, network, np.zeros((48, 48, 3), np.uint8), [0], TORCHVISION, Looks(48))


@pytest.mark.parametrize(
    ("shape", "shorter", "expected"),
    [
        ((213, 320), 224, (224, 337)),
        ((100, 1000), 224, (45, 448)),  # no longer than twice
        ((2000, 10), 224, (448, 32)),  # no shorter than the network bears
    ],
)
def test_images_keep_their_shape(shape: tuple, shorter: float, expected: tuple):
    assert resized(np.zeros((*shape, 3), np.uint8), shorter).shape == (*expected, 3)


def test_a_run_that_is_asked_to_stop_stops_between_images(tiny_voc: Path, tmp_path: Path):
    run = Run("test", tmp_path)
    run.stop.signal = 15
    arguments = (open_source(tiny_voc), [8, 12], TORCHVISION, Looks(48), tmp_path)
    with pytest.raises(Cancelled):
        export_maps(run, FABRIC, Colours(), *arguments)
