"""Gradient maps of real networks: what they find, and that they leave the network as it was."""

import numpy as np
import pytest
import torch
from torch import nn

import backend.torchvision_shim  # noqa: F401  (before any import of torchvision)

# isort: split
from torchvision import models

from backend.errors import GradientError
from backend.gradients import METHODS, default_layer, look, recording_from
from backend.networks import CamClassifier, ClassifierOutput
from backend.weights.classifiers import OFFERED, build

# A network of each family -> where its last feature map is.
LAST_LAYERS = {
    "alexnet": "features.11",
    "vgg11": "features.19",
    "vgg16": "features.29",
    "vgg16_bn": "features.42",
    "resnet18": "layer4",
    "resnext50_32x4d": "layer4",
    "wide_resnet50_2": "layer4",
    "densenet121": "features",
    "googlenet": "inception5b",
    "inception_v3": "Mixed_7c",
    "mobilenet_v2": "features",
    "mobilenet_v3_small": "features",
    "efficientnet_b0": "features",
    "efficientnet_v2_s": "features",
    "convnext_tiny": "features",
    "squeezenet1_1": "features",
    "shufflenet_v2_x0_5": "conv5",
    "mnasnet0_5": "layers",
    "regnet_x_400mf": "trunk_output",
}


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    torch.manual_seed(0)
    return models.resnet18(weights=None, num_classes=7).eval()


@pytest.fixture(scope="module")
def squeezenet() -> nn.Module:
    torch.manual_seed(0)
    return models.squeezenet1_1(weights=None, num_classes=7).eval()


@pytest.fixture
def image() -> torch.Tensor:
    return torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))


def slim(head_layers: int, **changes: object) -> CamClassifier:
    torch.manual_seed(0)
    return CamClassifier(
        "slim", 4, head_channels=16, head_layers=head_layers, head_start="he", **changes
    ).eval()


def hooks(network: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in network.modules())


def test_without_a_head_gradcam_is_the_cam_without_its_bias(image: torch.Tensor) -> None:
    """Each score is the mean of a 1x1 layer of the features, so g_k is w_k / (h·w) everywhere."""
    network = slim(head_layers=0)
    found = look(network, image, [2, 0]).maps("gradcam")
    with torch.no_grad():
        network.head[-1].bias.zero_()
        cam = network(image).maps[0, [2, 0]].clamp(min=0).numpy()
    assert cam.any(axis=(1, 2)).all()
    np.testing.assert_allclose(found * cam[0].size, cam, rtol=1e-4, atol=1e-5)


def test_before_global_pooling_gradcam_is_the_cam_of_the_last_layers_weights(
    resnet: nn.Module, image: torch.Tensor
) -> None:
    found = look(resnet, image, [5])
    cam = np.tensordot(resnet.fc.weight[5].detach().numpy(), found.activations, axes=1)
    assert found.activations.shape == (512, 2, 3)
    np.testing.assert_allclose(found.maps("gradcam")[0] * 6, cam.clip(0), rtol=1e-4, atol=1e-5)


def test_gradients_are_what_moving_a_feature_does_to_the_score(image: torch.Tensor) -> None:
    network = slim(head_layers=2).double()
    found = look(network, image.double(), [1, 3])
    features = torch.from_numpy(found.activations)[None].double()
    for channel, y, x in ((0, 3, 5), (70, 9, 20), (127, 15, 0)):
        moved = []
        for step in (1e-6, -1e-6):
            changed = features.clone()
            changed[0, channel, y, x] += step
            with torch.no_grad():
                moved.append(network.head(changed).mean(dim=(2, 3))[0, [1, 3]])
        slope = ((moved[0] - moved[1]) / 2e-6).numpy()
        np.testing.assert_allclose(found.gradients[:, channel, y, x], slope, rtol=1e-4, atol=1e-9)


def test_scores_are_the_networks_own(squeezenet: nn.Module, image: torch.Tensor) -> None:
    found = look(squeezenet, image, [0])
    with torch.no_grad():
        np.testing.assert_array_equal(found.scores, squeezenet(image)[0].numpy())


def test_a_layer_that_the_next_one_writes_into_keeps_its_own_values(
    squeezenet: nn.Module, image: torch.Tensor
) -> None:
    """After features.0 comes a ReLU in place: what is kept has values below zero all the same."""
    found = look(squeezenet, image, [0], layer="features.0")
    with torch.no_grad():
        np.testing.assert_array_equal(found.activations, squeezenet.features[0](image)[0].numpy())
    assert (found.activations < 0).any()


def test_the_network_runs_once_and_each_class_has_its_map_in_order(
    squeezenet: nn.Module, image: torch.Tensor
) -> None:
    runs = []
    handle = squeezenet.register_forward_hook(lambda *_: runs.append(1))
    both = look(squeezenet, image, [3, 1])
    handle.remove()
    assert len(runs) == 1
    for method in METHODS:
        alone = [look(squeezenet, image, [index]).maps(method)[0] for index in (3, 1)]
        np.testing.assert_array_equal(both.maps(method), alone)
        assert both.maps(method).dtype == np.float32
    assert look(squeezenet, image, []).maps("gradcam").shape == (0, *both.activations.shape[1:])


def test_frozen_parameters_and_a_caller_without_gradients_change_nothing(
    image: torch.Tensor,
) -> None:
    network = slim(head_layers=1)
    expected = look(network, image, [0]).gradients
    assert expected.any()
    network.requires_grad_(False)
    np.testing.assert_array_equal(look(network, image, [0]).gradients, expected)
    with torch.no_grad():
        np.testing.assert_array_equal(look(network, image, [0]).gradients, expected)
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        np.testing.assert_array_equal(look(network, image * 1, [0]).gradients, expected)
        assert torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()


def test_the_network_is_left_as_it_was(image: torch.Tensor) -> None:
    network = slim(head_layers=1, frozen_norm=True, dropout=0.5).train()
    network.head[0].weight.requires_grad_(False)
    network.head[-1].weight.grad = torch.ones_like(network.head[-1].weight)
    modes = {name: module.training for name, module in network.named_modules()}
    wanting = {name: p.requires_grad for name, p in network.named_parameters()}
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert len(set(modes.values())) == len(set(wanting.values())) == 2
    first = look(network, image, [0, 1])
    np.testing.assert_array_equal(look(network, image, [0, 1]).scores, first.scores)
    assert {name: module.training for name, module in network.named_modules()} == modes
    assert {name: p.requires_grad for name, p in network.named_parameters()} == wanting
    assert all(torch.equal(state[name], tensor) for name, tensor in network.state_dict().items())
    assert (network.head[-1].weight.grad == 1).all()
    assert [n for n, p in network.named_parameters() if p.grad is not None] == ["head.3.weight"]
    assert hooks(network) == 0


class Broken(nn.Module):
    """A head that stops."""

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("a head that stops")


def test_hooks_and_modes_are_restored_after_an_exception(image: torch.Tensor) -> None:
    network = slim(head_layers=1).train()
    network.head = Broken().train()
    with pytest.raises(RuntimeError, match="a head that stops"):
        look(network, image, [0])
    assert hooks(network) == 0
    assert all(module.training for module in network.modules())
    assert torch.is_grad_enabled()


def test_a_hook_lives_as_long_as_its_block() -> None:
    network = slim(head_layers=0)
    with recording_from(network, "backbone"):
        assert hooks(network) == 1
    assert hooks(network) == 0


def test_an_unknown_layer_is_named_with_those_that_are_there(
    resnet: nn.Module, squeezenet: nn.Module, image: torch.Tensor
) -> None:
    with pytest.raises(
        GradientError, match=r"no layer 'layer5' in ResNet; there are conv1, bn1.*usual one is 'la"
    ):
        look(resnet, image, [0], layer="layer5")
    with pytest.raises(GradientError, match=r"'features\.99'.*features\.0, features\.1"):
        look(squeezenet, image, [0], layer="features.99")
    with pytest.raises(GradientError, match=r"'fc\.weight' in ResNet; there are conv1"):
        look(resnet, image, [0], layer="fc.weight")
    with pytest.raises(GradientError, match="no layer ''"):
        look(resnet, image, [0], layer="")
    assert hooks(resnet) == hooks(squeezenet) == 0


@pytest.mark.parametrize("layer", ["fc", "avgpool"])
def test_a_layer_without_places_is_refused(
    resnet: nn.Module, image: torch.Tensor, layer: str
) -> None:
    with pytest.raises(GradientError, match=rf"'{layer}' of ResNet gives \(1, .*'layer4'"):
        look(resnet, image, [0], layer=layer)
    assert hooks(resnet) == 0


class Sideways(CamClassifier):
    """A classifier with one layer whose output goes nowhere."""

    def forward(self, images: torch.Tensor) -> ClassifierOutput:
        self.spare(images)
        return super().forward(images)


def test_layers_off_the_way_to_the_scores_are_refused(image: torch.Tensor) -> None:
    never_run, aside = CamClassifier("slim", 4), Sideways("slim", 4)
    for network, sentence in ((never_run, "took no part"), (aside, "do not depend on its layer")):
        network.spare = nn.Conv2d(3, 4, 1)
        with pytest.raises(GradientError, match=rf"{sentence}.*'backbone'"):
            look(network, image, [0], layer="spare")


def test_classes_images_methods_and_outputs_that_do_not_fit_are_named(
    resnet: nn.Module, image: torch.Tensor
) -> None:
    with pytest.raises(GradientError, match="classes 0 to 6; 7 is none"):
        look(resnet, image, [0, 7])
    with pytest.raises(GradientError, match=r"One image is \(1,3,H,W\)"):
        look(resnet, image[0], [0])
    with pytest.raises(GradientError, match="'scorecam'; there are gradcam, gradcampp, layercam"):
        look(resnet, image, [0]).maps("scorecam")
    with pytest.raises(GradientError, match="this network gave Tensor"):
        look(slim(0).backbone, image, [0], layer="features.0")


def test_values_that_are_not_numbers_are_refused(image: torch.Tensor) -> None:
    with pytest.raises(GradientError, match="not numbers"):
        look(slim(0), image * torch.nan, [0])


def test_transformers_are_refused_in_a_sentence(image: torch.Tensor) -> None:
    with torch.device("meta"):
        networks = [models.vit_b_32(weights=None), models.swin_t(weights=None)]
    for network, layer in zip(networks, (None, "features"), strict=True):
        with pytest.raises(GradientError, match=r"is a transformer.*choose one of these"):
            look(network, image, [0], layer=layer)


def test_a_network_of_no_known_family_asks_for_a_layer_and_then_serves(
    image: torch.Tensor,
) -> None:
    parts = [nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2)]
    network = nn.Sequential(*parts)
    with pytest.raises(GradientError, match="name it: 0, 1, 2, 3"):
        look(network, image, [0])
    assert look(network, image, [0], layer="0").maps("layercam").shape == (1, 62, 94)


def test_the_last_feature_map_of_every_family_is_found() -> None:
    for name, expected in LAST_LAYERS.items():
        arguments = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        # RegNet computes its widths with tensors, which need values.
        with torch.device("cpu" if name.startswith("regnet") else "meta"):
            network = models.get_model(name, weights=None, **arguments)
        assert default_layer(network) == expected, name
    assert default_layer(slim(0)) == "backbone"


@pytest.mark.parametrize("name", OFFERED)
def test_every_offered_classifier_has_maps_at_its_stride(name: str) -> None:
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        network = build(name).to("meta").eval()
    with recording_from(network, default_layer(network)) as kept, torch.no_grad():
        assert network(torch.empty(1, 3, 256, 256, device="meta")).shape == (1, 1000)
    side = 256 // OFFERED[name].stride
    # SqueezeNet's first layer and pools take no padding and round.
    assert abs(kept[0].shape[-1] - side) <= 1
