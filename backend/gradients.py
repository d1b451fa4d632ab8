"""GradCAM, GradCAM++ and LayerCAM of any convolutional torch classifier.

`look` runs the network once and goes back once for each class; every method is arithmetic on what
it found (backend.maps.gradient), so a further one is a function there and a row in METHODS.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from backend.errors import GradientError
from backend.maps import gradient


class Method(NamedTuple):
    """A method's name as people write it, and its map (h,w) of activations and gradients."""

    title: str
    combine: Callable[[ArrayLike, ArrayLike], NDArray[np.float32]]


METHODS = {
    "gradcam": Method("GradCAM", gradient.gradcam),
    "gradcampp": Method("GradCAM++", gradient.gradcam_plus_plus),
    "layercam": Method("LayerCAM", gradient.layercam),
}

# Where the families keep their last feature map: ours, VGG to ConvNeXt, ResNet, RegNet, ShuffleNet,
# MNASNet, GoogLeNet, Inception. DenseNet's is the one before its last ReLU, which is no layer.
LAST_STAGES = (
    "backbone", "features", "layer4", "trunk_output", "conv5", "layers", "inception5b", "Mixed_7c",
)  # fmt: skip
POOLINGS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool2d)

# Swin's features look like a map but hold their channels last.
TRANSFORMERS = {"VisionTransformer", "SwinTransformer"}


class GradientLook(NamedTuple):
    """scores (C,) logits; activations (D,h,w) of one layer; gradients (K,D,h,w), those of the score
    of each class asked for. All float32.
    """

    scores: NDArray[np.float32]
    activations: NDArray[np.float32]
    gradients: NDArray[np.float32]

    def maps(self, method: str) -> NDArray[np.float32]:
        """The raw maps (K,h,w) of a method, 0 or above. Raises GradientError for an unknown one."""
        if method not in METHODS:
            raise GradientError(
                f"There is no gradient method {method!r}; there are {', '.join(METHODS)}."
            )
        maps = np.empty((len(self.gradients), *self.activations.shape[1:]), np.float32)
        for target, gradients in zip(maps, self.gradients, strict=True):
            target[:] = METHODS[method].combine(self.activations, gradients)
        return maps


def look(
    network: nn.Module, image: torch.Tensor, classes: Sequence[int], *, layer: str | None = None
) -> GradientLook:
    """The scores of one image (1,3,H,W), and how those of these classes hang on a layer's features.

    classes are outputs of the network; layer is a name of `named_modules()`, default
    `default_layer(network)`, and counts at its last run where it runs more than once. The network
    runs in evaluation mode and is left as it was: mode, hooks, gradients. A network may serve one
    look at a time. Raises GradientError for a transformer, an unknown layer or class, or a layer
    without feature maps.
    """
    if image.ndim != 4 or len(image) != 1:
        raise GradientError(f"One image is (1,3,H,W); this one is {tuple(image.shape)}.")
    require_convolutional(network)
    name = default_layer(network) if layer is None else layer
    with (
        evaluating(network),
        recording_from(network, name) as kept,
        torch.inference_mode(False),
        torch.no_grad(),
    ):
        scores = scores_of(network(image))
        if not kept:
            raise GradientError(
                f"The layer {name!r} of {_kind(network)} took no part in the scores by itself; "
                f"name a layer that runs{_usual(network)}."
            )
        wrong = [index for index in classes if not 0 <= index < len(scores)]
        if wrong:
            raise GradientError(
                f"{_kind(network)} has the classes 0 to {len(scores) - 1}; {wrong[0]} is none."
            )
        features = kept[0]
        found = [features.new_zeros(0, *features.shape[1:])]
        for index in classes if scores.requires_grad else ():
            (slope,) = torch.autograd.grad(
                scores[index], features, retain_graph=True, allow_unused=True
            )
            found += [] if slope is None else [slope]
    gradients = torch.cat(found)
    if len(gradients) != len(classes):
        raise GradientError(
            f"The scores of {_kind(network)} do not depend on its layer {name!r}; name a layer on "
            f"the way to them{_usual(network)}."
        )
    if not all(bool(each.isfinite().all()) for each in (scores, features, gradients)):
        raise GradientError(
            f"{_kind(network)} gave values that are not numbers for this image, so it has no maps; "
            "its weights may be damaged."
        )
    return GradientLook(_numpy(scores), _numpy(features[0]), _numpy(gradients))


@contextmanager
def recording_from(network: nn.Module, layer: str) -> Iterator[list[torch.Tensor]]:
    """Within it, a forward pass under no_grad records gradients from this layer's output on.

    Yields a list that the pass fills with that output (1,D,h,w), D >= 1 and h·w > 1: a leaf to take
    gradients of, whether the parameters take any or not. The hook goes when the block ends, however
    it ends. Raises GradientError for an unknown layer or, in the pass, one without feature maps.
    """
    kept: list[torch.Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: Any) -> torch.Tensor:
        if not isinstance(output, torch.Tensor) or output.ndim != 4 or output[0, 0].numel() < 2:
            what = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output)
            raise GradientError(
                f"The layer {layer!r} of {_kind(network)} gives {what}, no feature map (1,D,h,w) "
                f"of more than one place; name another layer{_usual(network)}."
            )
        # Until the caller's no_grad ends. What lies before the layer never needs a graph.
        torch.set_grad_enabled(True)
        leaf = output.detach().requires_grad_()
        kept[:] = [leaf]
        # The next layer may write into what it is given.
        return leaf.clone()

    handle = layer_of(network, layer).register_forward_hook(keep)
    try:
        yield kept
    finally:
        handle.remove()


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode within it, then each module's own mode again.

    The flags are set one by one: a network's own train() may do more than set them.
    """
    training = [module for module in network.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def default_layer(network: nn.Module) -> str:
    """The name of the layer whose output is the last feature map (N,C,h,w) before pooling.

    Known for our classifiers and torchvision's convolutional families. Raises GradientError for
    others, with the layers that could be named instead.
    """
    require_convolutional(network)
    for name in LAST_STAGES:
        stage = getattr(network, name, None)
        if isinstance(stage, nn.Sequential):
            inner = list(stage.named_children())
            while len(inner) > 1 and isinstance(inner[-1][1], POOLINGS):
                inner.pop()
            return name if len(inner) == len(stage) else f"{name}.{inner[-1][0]}"
        if isinstance(stage, nn.Module):
            return name
    raise GradientError(
        f"Which layer of {_kind(network)} gives the last feature map is not known; name it: "
        f"{', '.join(name for name, _ in network.named_children())}, or a layer inside these."
    )


def layer_of(network: nn.Module, layer: str) -> nn.Module:
    """The layer of this name; GradientError names those that are there instead."""
    known = dict(network.named_modules())
    if layer and layer in known:
        return known[layer]
    place = layer
    while place and (place not in known or not any(known[place].children())):
        place = place.rpartition(".")[0]
    names = [f"{place}.{name}" if place else name for name, _ in known[place].named_children()]
    raise GradientError(
        f"There is no layer {layer!r} in {_kind(network)}; there are {', '.join(names)}"
        f"{_usual(network)}."
    )


def require_convolutional(network: nn.Module) -> None:
    """GradientError for a vision transformer, whose features are tokens."""
    if TRANSFORMERS & {each.__name__ for each in type(network).__mro__}:
        raise GradientError(
            f"{_kind(network)} is a transformer: its features are tokens, not maps (N,C,h,w). "
            "Gradient maps are made for convolutional networks; choose one of these."
        )


def scores_of(output: Any) -> torch.Tensor:
    """The logits (C,) in what a classifier gave for one image: its output, or its .scores."""
    scores = getattr(output, "scores", output)
    if not isinstance(scores, torch.Tensor) or scores.ndim != 2 or len(scores) != 1:
        raise GradientError(
            "A classifier gives the scores (1,C) of an image, or a tuple with .scores; this "
            f"network gave {type(output).__name__}."
        )
    return scores[0]


def _usual(network: nn.Module) -> str:
    """What to take instead, where it is known."""
    try:
        return f"; the usual one is {default_layer(network)!r}"
    except GradientError:
        return ""


def _kind(network: nn.Module) -> str:
    return type(network).__name__


def _numpy(values: torch.Tensor) -> NDArray[np.float32]:
    return values.detach().float().cpu().numpy()
