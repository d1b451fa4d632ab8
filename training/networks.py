"""A run's network: from its initial weights to the weights.safetensors that others load."""

from typing import TYPE_CHECKING, Any, Protocol, cast

from backend.networks.classifier import CamClassifier
from backend.networks.normalisation import TORCHVISION, Normalisation
from backend.weights import WeightsCard, backbone_weights, load_backbone, save
from training.run import Run

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = "weights.safetensors"


class ClassifierSettings(Protocol):
    """What a recipe's settings say of its classification network."""

    @property
    def backbone(self) -> str: ...
    @property
    def weights(self) -> str: ...
    @property
    def stride(self) -> int: ...
    @property
    def head_layers(self) -> int: ...
    @property
    def head_channels(self) -> int: ...
    @property
    def dropout(self) -> float: ...
    @property
    def frozen_norm(self) -> bool: ...
    @property
    def head_start(self) -> str: ...


def new_classifier(
    settings: ClassifierSettings, classes: int, run: Run
) -> tuple[CamClassifier, Normalisation, dict[str, Any]]:
    """The network at its start, how its input is normalised, and where its trunk comes from.

    Raises WeightsError where no initial weights fit and random ones were not asked for.
    """
    start = backbone_weights(settings.backbone, settings.weights or None, data=run.data)
    network = CamClassifier(
        settings.backbone,
        classes,
        stride=settings.stride or None,
        head_channels=settings.head_channels,
        head_layers=settings.head_layers,
        dropout=settings.dropout,
        frozen_norm=settings.frozen_norm,
        head_start=settings.head_start,
    )
    if start is None:
        run.message(f"The trunk {settings.backbone} starts from random weights, as asked for.")
        return network, TORCHVISION, {"text": "random"}
    load_backbone(network.backbone, start)
    source = start.origin.get("text") or start.origin.get("source") or start.path.name
    run.message(f"The trunk {settings.backbone} starts from {start.path}: {source}.")
    return network, start.normalisation, start.origin


def save_classifier(
    run: Run,
    network: "nn.Module",
    classes: dict[int, str],
    normalisation: Normalisation,
    size: int,
    origin: dict[str, Any],
) -> WeightsCard:
    """Writes the run's weights.safetensors with its card; WeightsError where it cannot.

    `network` may be wrapped by Fabric; `classes` are in the order of its outputs.
    """
    bare = cast(CamClassifier, getattr(network, "module", network))
    card = WeightsCard(
        name=run.folder.name,
        kind="cam",
        backbone=bare.backbone.name,
        stride=bare.backbone.stride,
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
        architecture=bare.settings,
    )
    return save(run.folder / WEIGHTS, bare, card)
