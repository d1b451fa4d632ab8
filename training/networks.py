"""A run's network: from its initial weights to the weights.safetensors that others load."""

from typing import TYPE_CHECKING, Any, Protocol, cast

from backend.networks.backbone import Backbone
from backend.networks.classifier import CamClassifier
from backend.networks.normalisation import Normalisation
from backend.weights import BackboneWeights, WeightsCard, backbone_weights, load_backbone, save
from training.run import Run

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = "weights.safetensors"


class Starts(Protocol):
    """What a recipe's settings say of its trunk."""

    @property
    def backbone(self) -> str: ...
    @property
    def weights(self) -> str: ...


class TrunkSettings(Starts, Protocol):
    """What a recipe's settings say of a trunk and how the layers on it begin."""

    @property
    def stride(self) -> int: ...
    @property
    def dropout(self) -> float: ...
    @property
    def frozen_norm(self) -> bool: ...
    @property
    def head_start(self) -> str: ...


class HeadSettings(TrunkSettings, Protocol):
    """What a recipe's settings say of a trunk and a head of 3x3 layers on it."""

    @property
    def head_layers(self) -> int: ...
    @property
    def head_channels(self) -> int: ...


class OnBackbone(Protocol):
    """A network that stands on a backbone and can be built again from its settings."""

    backbone: Backbone
    settings: dict[str, Any]


def cam_classifier(
    settings: HeadSettings, classes: int, kind: type[CamClassifier] = CamClassifier
) -> CamClassifier:
    """The classification network of these settings, with random weights."""
    return kind(settings.backbone, classes, **head_of(settings))


def trunk_of(settings: TrunkSettings) -> dict[str, Any]:
    """The keywords that every network on a backbone takes from its settings."""
    return {
        "stride": settings.stride or None,
        "dropout": settings.dropout,
        "frozen_norm": settings.frozen_norm,
        "head_start": settings.head_start,
    }


def head_of(settings: HeadSettings) -> dict[str, Any]:
    """`trunk_of` and the shape of a head of 3x3 layers."""
    return {
        **trunk_of(settings),
        "head_channels": settings.head_channels,
        "head_layers": settings.head_layers,
    }


def trunk_weights(settings: Starts, run: Run) -> BackboneWeights | None:
    """The trunk's initial weights, None for random ones.

    Raises WeightsError where none fit and random ones were not asked for.
    """
    return backbone_weights(settings.backbone, settings.weights or None, data=run.data)


def begin(network: OnBackbone, start: BackboneWeights | None, run: Run) -> dict[str, Any]:
    """Puts the initial weights into a network's trunk; where they come from."""
    name = network.backbone.name
    if start is None:
        run.message(f"The trunk {name} starts from random weights, as asked for.")
        return {"text": "random"}
    load_backbone(network.backbone, start)
    source = start.origin.get("text") or start.origin.get("source") or start.path.name
    run.message(f"The trunk {name} starts from {start.path}: {source}.")
    return start.origin


def save_network(
    run: Run,
    network: OnBackbone,
    kind: str,
    classes: dict[int, str],
    normalisation: Normalisation,
    size: int,
    origin: dict[str, Any],
    name: str = "",
) -> WeightsCard:
    """Writes the run's weights.safetensors with its card; WeightsError where it cannot.

    `classes` are in the order of the network's outputs; the card's name is else the folder's.
    """
    card = WeightsCard(
        name=name or run.folder.name,
        kind=kind,
        backbone=network.backbone.name,
        stride=network.backbone.stride,
        classes=tuple(classes.values()),
        class_ids=tuple(classes),
        normalisation=normalisation,
        input_size=size,
        origin={
            "text": f"trained by the recipe {run.recipe}, preset {run.preset}",
            "command": run.command,
            "seed": run.seed,
            **origin,
        },
        architecture=network.settings,
    )
    return save(run.folder / WEIGHTS, cast("nn.Module", network), card)
