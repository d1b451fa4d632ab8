"""The attention sources: one file each, all of them subclasses of Method."""

from pathlib import Path
from typing import Any

from backend.errors import DataError
from backend.inspection.methods.cam import Cam
from backend.inspection.methods.dcsp import Dcsp
from backend.inspection.methods.ecsnet import Ecs
from backend.inspection.methods.gradient import GradCam, GradCamPlusPlus, LayerCam
from backend.inspection.methods.method import Method
from backend.inspection.methods.oaa import Oaa
from backend.inspection.methods.oaaplus import OaaPlus
from backend.inspection.methods.seenet import SeeNet
from backend.weights import WeightsCard

METHODS: dict[str, type[Method]] = {
    each.name: each
    for each in (SeeNet, Oaa, OaaPlus, Ecs, Dcsp, Cam, GradCam, GradCamPlusPlus, LayerCam)
}
"""By name; those that work with one kind of weights alone come first, as that kind's own."""

OF_WEIGHTS = ("high", "low", "scale", "erase", "sigma", "reliable")
"""Settings that a network was trained with, and that its card has."""


def methods_for(kind: str, folder: Path | None = None) -> list[str]:
    """The methods that work with weights of a kind, its own first; [] for a kind unknown here.

    `folder` is that of the run that made the weights, where it is at hand.
    """
    return [name for name, method in METHODS.items() if method.serves(kind, folder)]


def method_for(name: str, card: WeightsCard, folder: Path | None = None) -> type[Method]:
    """The method of this name, "" the weights' own; DataError where it does not work with them."""
    fitting = methods_for(card.kind, folder)
    if not fitting:
        raise DataError(
            f"{card.name} is of the kind {card.kind!r}, which makes no attention maps; choose "
            "weights of another kind."
        )
    if not name:
        return METHODS[fitting[0]]
    if name not in METHODS:
        raise DataError(
            f"There is no attention method {name[:60]!r}; there are {', '.join(METHODS)}."
        )
    if name not in fitting:
        wanted = ", ".join(METHODS[name].kinds)
        why = f"works with weights of the kind {wanted}, but {card.name} is of the kind {card.kind}"
        if card.kind in METHODS[name].kinds:
            why = (
                f"needs the folder of the run that trained {card.name}, not its weights file alone"
            )
        raise DataError(
            f"The method {METHODS[name].title} {why}. These weights take {', '.join(fitting)}."
        )
    return METHODS[name]


def trained_with(card: WeightsCard) -> dict[str, Any]:
    """The settings that the network of a card was trained with, where they are its method's."""
    return {
        name: float(card.architecture[name])
        for name in OF_WEIGHTS
        if isinstance(card.architecture.get(name), int | float)
    }


__all__ = ["METHODS", "Method", "method_for", "methods_for", "trained_with"]
