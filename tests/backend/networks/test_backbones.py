"""Backbones: shapes, strides, torchvision's weights by name, frozen statistics."""

import pytest
import torch
from torch import nn

from backend.errors import WeightsError
from backend.networks.backbones import backbone_names, backbone_strides, build_backbone
from backend.networks.resnet38 import layer_name

OPTIONS = [(n, s) for n in backbone_names() for s in backbone_strides(n) if n != "resnet38"]


@pytest.mark.parametrize(("name", "stride"), OPTIONS)
def test_features_have_the_promised_channels_and_stride(name: str, stride: int) -> None:
    backbone = build_backbone(name, stride=stride).eval()
    with torch.no_grad():
        features = backbone(torch.zeros(1, 3, 96, 96))
    assert (backbone.name, backbone.stride) == (name, stride)
    assert features.shape[1] == backbone.channels
    side = 96 // stride
    # SqueezeNet's stem does not pad, so its grid is one cell smaller.
    assert features.shape[2] in ((side, side - 1) if name == "squeezenet1_1" else (side,))


def test_resnet38_is_the_wide_network_of_105_million_weights() -> None:
    with torch.device("meta"):
        backbone = build_backbone("resnet38")
        features = backbone(torch.zeros(1, 3, 64, 64))
    assert features.shape == (1, 4096, 8, 8)
    # 64 + stages of 128x3, 256x3, 512x6, 1024x3 and the bottlenecks 512-1024-2048, 1024-2048-4096.
    convolutions = sum(m.weight.numel() for m in backbone.modules() if isinstance(m, nn.Conv2d))
    stem = 27 * 64
    stage2 = 9 * (64 * 128 + 5 * 128**2) + 64 * 128
    stage3 = 9 * (128 * 256 + 5 * 256**2) + 128 * 256
    stage4 = 9 * (256 * 512 + 11 * 512**2) + 256 * 512
    stage5 = 9 * (512**2 + 512 * 1024) + 512 * 1024 + 2 * 9 * 2 * 512 * 1024
    stage6 = 1024 * 512 + 9 * 512 * 1024 + 1024 * 2048 + 1024 * 2048
    stage7 = 2048 * 1024 + 9 * 1024 * 2048 + 2048 * 4096 + 2048 * 4096
    assert convolutions == stem + stage2 + stage3 + stage4 + stage5 + stage6 + stage7


@pytest.mark.parametrize("name", ["vgg16", "squeezenet1_1", "mobilenet_v2", "resnet50"])
def test_torchvisions_trunk_loads_by_name(name: str) -> None:
    from torchvision import models

    import backend.torchvision_shim  # noqa: F401

    with torch.device("meta"):
        published = getattr(models, name)(weights=None).state_dict()
        ours = build_backbone(name).state_dict()
    head = ("classifier.", "fc.")
    trunk = {k: tuple(v.shape) for k, v in published.items() if not k.startswith(head)}
    assert {k: tuple(v.shape) for k, v in ours.items()} == trunk


def test_vgg16_at_stride_16_is_torchvisions_network_to_conv5() -> None:
    from torchvision.models.vgg import cfgs, make_layers

    import backend.torchvision_shim  # noqa: F401

    torch.manual_seed(0)
    published = make_layers(cfgs["D"], batch_norm=False)
    backbone = build_backbone("vgg16", stride=16)
    backbone.features.load_state_dict(published[:30].state_dict())
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(backbone(images), published[:30](images), atol=1e-5)


@pytest.mark.parametrize(("stride", "seen"), [(16, 196), (8, 204)])
def test_a_vgg16_feature_sees_as_far_at_either_stride(stride: int, seen: int) -> None:
    # conv4_3 sees 92 pixels at a step of 8. Stride 16: pool4 adds 8, conv5 3 x 2 x 16. Stride 8:
    # the 3x3 pool4 adds 16, dilated conv5 3 x 2 x 2 x 8. A max pool passes one pixel's gradient
    # only, so here the pools average.
    backbone = build_backbone("vgg16", stride=stride).double()
    for index, module in enumerate(backbone.features):
        if isinstance(module, nn.MaxPool2d):
            size, step, padding = module.kernel_size, module.stride, module.padding
            backbone.features[index] = nn.AvgPool2d(size, step, padding)
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 0.01)
    image = torch.ones(1, 3, 288, 288, dtype=torch.float64, requires_grad=True)
    features = backbone(image)
    middle = features.shape[2] // 2
    features[0, 0, middle, middle].backward()
    assert image.grad is not None
    assert int(image.grad[0, 0].any(dim=0).sum()) == seen


def test_squeezenet_at_stride_16_is_torchvisions_network_to_fire9() -> None:
    from torchvision.models import squeezenet1_1

    import backend.torchvision_shim  # noqa: F401

    torch.manual_seed(0)
    published = squeezenet1_1(weights=None).features.eval()
    backbone = build_backbone("squeezenet1_1", stride=16)
    backbone.load_state_dict({f"features.{k}": v for k, v in published.state_dict().items()})
    images = torch.randn(1, 3, 97, 120)
    with torch.no_grad():
        assert torch.allclose(backbone(images), published(images), atol=1e-5)


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2"])
def test_dilated_network_at_stride_8_agrees_with_the_strided_one_on_its_grid(name: str) -> None:
    torch.manual_seed(0)
    coarse = build_backbone(name, stride=32).eval()
    fine = build_backbone(name, stride=8).eval()
    fine.load_state_dict(coarse.state_dict())
    images = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        assert torch.allclose(coarse(images), fine(images)[:, :, ::4, ::4], rtol=1e-3, atol=1e-3)


def test_frozen_statistics_stay_as_loaded_through_training() -> None:
    backbone = build_backbone("slim", frozen_norm=True).train()
    before = {k: v.clone() for k, v in backbone.state_dict().items() if "running" in k}
    backbone(torch.randn(2, 3, 32, 32)).sum().backward()
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert before
    assert all(torch.equal(backbone.state_dict()[k], v) for k, v in before.items())
    assert all(p.grad is None and not p.requires_grad for m in norms for p in m.parameters())


def test_free_statistics_move_in_training() -> None:
    backbone = build_backbone("slim").train()
    backbone(torch.randn(2, 3, 32, 32) + 3)
    assert backbone.state_dict()["features.1.num_batches_tracked"].item() == 1


@pytest.mark.parametrize(
    ("name", "stride", "words"),
    [("vgg19", None, "no backbone 'vgg19'"), ("vgg16", 4, "stride 8 or 16; 4 was")],
)
def test_unknown_names_and_strides_are_refused(name: str, stride: int | None, words: str) -> None:
    with pytest.raises(WeightsError, match=words):
        build_backbone(name, stride=stride)


@pytest.mark.parametrize(
    ("original", "ours"),
    [
        ("arg:conv1a_weight", "conv1a.weight"),
        ("arg:res2a_branch2a_weight", "b2.conv_branch2a.weight"),
        ("arg:res4b5_branch2b1_weight", "b4_5.conv_branch2b1.weight"),
        ("arg:bn6a_branch2b2_gamma", "b6.bn_branch2b2.weight"),
        ("aux:bn3b1_branch2a_moving_var", "b3_1.bn_branch2a.running_var"),
        ("aux:bn7_moving_mean", "bn7.running_mean"),
        ("arg:res5a_branch1_weight", "b5.conv_branch1.weight"),
        ("arg:linear1000_bias", None),
        ("b5_1.conv_branch2a.weight", "b5_1.conv_branch2a.weight"),
    ],
)
def test_mxnet_names_of_resnet38_become_ours(original: str, ours: str | None) -> None:
    assert layer_name(original) == ours
    with torch.device("meta"):
        assert ours is None or ours in build_backbone("resnet38").state_dict()
