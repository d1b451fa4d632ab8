"""Training that begins where an earlier segmenter ended: its layers in the place of new ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from backend.networks.deeplab import DeepLab
from backend.weights import WeightsCard, load, read_card
from backend.weights.networks import resolve
from training.errors import TrainingError
from training.run import Run

# The kinds of networks that are a DeepLab, or hold one.
SEGMENTERS = ("segment", "sal")
# Lists of a network's branches, whose last layer has an output a class, and how many channels stand
# before the classes' own.
BRANCHES = {"branches": 1, "attention": 0}


def require_alone(named: str, weights: str) -> None:
    """TrainingError where a training is to begin with a segmenter and with other weights too."""
    if weights:
        raise TrainingError(
            f"--begin-with {named} has a trunk of its own, and --weights {weights} names another: "
            "both cannot be begun with. Leave one of them out."
        )


def require_fitting(named: str, backbone: str) -> WeightsCard:
    """The card of the segmenter that a training is to begin with; TrainingError for a network that
    is none, or has another trunk, WeightsError where it cannot be read.
    """
    card = read_card(resolve(named))
    if card.kind not in SEGMENTERS:
        raise TrainingError(
            f"--begin-with {named} is of the kind '{card.kind}', which is no segmenter. Name a run "
            "of segment, dsrg or sal."
        )
    if card.backbone != backbone:
        raise TrainingError(
            f"--begin-with {named} has the trunk {card.backbone}, but --backbone is {backbone}. "
            "Name a segmenter with this trunk, or leave --begin-with out."
        )
    return card


def begin_with(
    network: DeepLab, classes: Mapping[int, str], named: str, run: Run
) -> dict[str, Any]:
    """Puts into a network what an earlier segmenter has learnt, of the trunk (which
    `training.networks.begin` has filled already), the head, and of classes of the same names; what
    the record says of it. The rest begins as it is.

    classes: id -> name in the order of the network's outputs.
    """
    earlier, card = load(named)
    own, theirs = network.state_dict(), earlier.state_dict()
    outputs = _outputs(network)
    taken = new = 0
    for name, value in own.items():
        found = theirs.get(name)
        if name in outputs and found is not None:
            rows = _rows(outputs[name], list(classes.values()), card.classes)
            fits = found.shape[1:] == value.shape[1:]
            if fits and rows:
                with torch.no_grad():
                    value[[ours for ours, _ in rows]] = found[[other for _, other in rows]]
                taken += 1
                continue
        elif found is not None and found.shape == value.shape:
            value.copy_(found)
            taken += 1
            continue
        new += 1
    missing = [name for name in classes.values() if name not in card.classes]
    run.message(
        f"Training begins with {card.name} ({card.digest[:8]}): {taken} of its layers' arrays are "
        f"taken, {new} begin anew"
        + (f"; it does not know {', '.join(missing)}." if missing else ".")
    )
    return {"name": card.name, "digest": card.digest, "origin": card.origin}


def _outputs(network: DeepLab) -> dict[str, int]:
    """The arrays that have a row for each class, and how many rows stand before these."""
    found = {}
    for list_name, before in BRANCHES.items():
        for number, branch in enumerate(getattr(network, list_name, ())):
            last = len(branch) - 1
            for what in ("weight", "bias"):
                found[f"{list_name}.{number}.{last}.{what}"] = before
    return found


def _rows(before: int, own: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of rows, ours and the earlier network's, of the background and of classes by name."""
    place = {name: number for number, name in enumerate(theirs)}
    shared = [
        (ours + before, place[name] + before) for ours, name in enumerate(own) if name in place
    ]
    return [(row, row) for row in range(before)] + shared
