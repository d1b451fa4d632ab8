"""GradCAM, GradCAM++ and LayerCAM as attention sources: of our networks and of torchvision's."""

import numpy as np
import pytest
import torch

import backend.torchvision_shim  # noqa: F401  (before any import of torchvision)
from backend.errors import DataError
from backend.inspection import Caches, Inspector, Settings
from backend.inspection.methods.cam import plain
from backend.maps.attention import normalise, resize
from backend.saliency import SaliencySource
from backend.weights.classifiers import ClassifierCard

from .conftest import CAT, DOG, HORSE, PLAIN, Counted, Make, by_stage, input_of, middle

GRADIENT = ("gradcam", "gradcampp", "layercam")


def classifier(classes: tuple[str, ...] = ("tabby", "beagle", "ox")) -> Inspector:
    """A torchvision network of random weights, with a card as an ImageNet classifier has."""
    from torchvision.models import squeezenet1_1

    torch.manual_seed(0)
    network = squeezenet1_1(weights=None, num_classes=len(classes))
    card = ClassifierCard(
        name="torchvision:squeezenet1_1", kind="classifier", backbone="squeezenet1_1", stride=16,
        classes=classes, class_ids=(), normalisation=PLAIN, input_size=64,
    )  # fmt: skip
    return Inspector(network, card, SaliencySource("middle", "test", detector=middle))


@pytest.mark.parametrize("kind", ["cam", "seenet"])
def test_on_a_network_whose_head_is_linear_gradcam_is_the_cam(make: Make, image, kind) -> None:
    bench = make(kind, head_layers=0)
    cam = by_stage(bench.inspect(image, [CAT, DOG], Settings(method="cam")))
    grad = by_stage(bench.inspect(image, [CAT, DOG], Settings(method="gradcam")))
    with torch.no_grad():
        raw = plain(bench.network)(input_of(bench, image)).maps[0].relu().numpy()
    expected = normalise(resize(raw, (48, 64)))
    # the score is the mean of sum_k w_k A_k, so the mean gradient is w_k over the cells
    for column, tag in enumerate(("cat", "dog")):
        assert expected[column].any()
        assert grad[f"gradcam:{tag}"].array == pytest.approx(expected[column], abs=1e-4)
        assert grad[f"gradcam:{tag}"].numbers["score"] == pytest.approx(
            cam[f"cam:{tag}"].numbers["score"], abs=1e-5
        )


@pytest.mark.parametrize("kind", ["cam", "seenet", "oaa", "oaaplus", "ecsnet"])
@pytest.mark.parametrize("method", GRADIENT)
def test_each_works_with_every_kind_of_weights(make: Make, image, kind, method) -> None:
    made = by_stage(make(kind).inspect(image, [CAT, DOG], Settings(method=method)))
    assert made[f"{method}:cat"].array.shape == (48, 64)
    assert made[f"{method}:cat"].array.min() >= 0
    assert made["fusion.dcsp"].kind == "labels"


def test_the_three_share_one_run_of_the_network(make: Make, image) -> None:
    bench, caches = make("cam"), Caches()
    count = Counted(trunk=bench.network.backbone)
    for method in GRADIENT:
        list(bench.inspect(image, [CAT, DOG], Settings(method=method), caches=caches))
    assert count.runs == {"trunk": 1}


def test_a_classifier_of_anothers_making_has_gradient_maps_and_no_others(image) -> None:
    bench = classifier()
    made = by_stage(bench.inspect(image, [(1, "Beagle"), (2, "ox")]))
    assert made["gradcam:Beagle"].kind == "heat"
    assert made["gradcam:Beagle"].array.any()
    # its classes exclude each other
    assert 0 < made["gradcam:Beagle"].numbers["score"] + made["gradcam:ox"].numbers["score"] < 1
    assert set(np.unique(made["fusion.dcsp"].array)) <= {0, 1, 2}
    with pytest.raises(DataError, match="gradcam, gradcampp, layercam"):
        list(bench.inspect(image, [(1, "ox")], Settings(method="cam")))


def test_tags_that_a_classifier_does_not_know_ask_for_its_own(image) -> None:
    made = by_stage(classifier().inspect(image, [HORSE]))
    assert "'horse'" in made["gradcam:horse"].caption
    assert "among its own classes" in made["gradcam"].caption


def test_a_network_without_feature_maps_says_so_and_the_rest_goes_on(make: Make, image) -> None:
    bench = make("cam")
    bench.network.backbone.features = torch.nn.Sequential(
        bench.network.backbone.features, torch.nn.AdaptiveAvgPool2d(1)
    )
    made = by_stage(bench.inspect(image, [CAT], Settings(method="layercam")))
    assert made["layercam"].kind == "note"
    assert "feature map" in made["layercam"].caption
    assert made["fusion.dcsp"].kind == "note"
    assert made["saliency"].kind == "heat"


def test_scores_that_are_zero_throughout_are_explained(make: Make, image) -> None:
    bench = make("cam", head_layers=0)
    with torch.no_grad():
        bench.network.head[-1].weight.zero_()
    made = by_stage(bench.inspect(image, [CAT], Settings(method="gradcam")))
    assert not made["gradcam:cat"].array.any()
    assert "no sign of 'cat'" in made["gradcam:cat"].caption
