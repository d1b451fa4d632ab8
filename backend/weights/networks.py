"""Whole networks with their card: saved, loaded, and the ones shipped with the program."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from backend.errors import WeightsError
from backend.events import Position, read_events
from backend.networks.affinity import AffinityNet
from backend.networks.classifier import CamClassifier, IntegralModel
from backend.networks.deeplab import DeepLab
from backend.networks.ecsnet import EcsNet
from backend.networks.fcan import Fcan
from backend.networks.saliency import SaliencyNetwork
from backend.networks.salnet import SalNet
from backend.networks.scorer import ScorerNetwork
from backend.networks.seenet import SeeNet
from backend.weights import files
from backend.weights.card import CARD_KEY, WeightsCard

WEIGHTS_FOLDER = Path(__file__).resolve().parents[2] / "weights"
MANIFEST_FORMAT = "tagmask-shipped/1"

# kind -> what builds the network from the card's architecture
KINDS: dict[str, Callable[..., nn.Module]] = {
    "cam": CamClassifier,
    "seenet": SeeNet,
    "oaa": CamClassifier,
    "oaaplus": IntegralModel,
    "ecsnet": EcsNet,
    "segment": DeepLab,
    "dcsp": Fcan,
    "sal": SalNet,
    "saliency": SaliencyNetwork,
    "affinity": AffinityNet,
    "scorer": ScorerNetwork,
}


def save(path: str | Path, network: nn.Module, card: WeightsCard) -> WeightsCard:
    """Writes a network and its card to a safetensors file, whole or not at all.

    Returns the card with the file's digest and path. Raises WeightsError where it cannot be written
    or the card names a kind that load would not know.
    """
    target = Path(path)
    if target.suffix != ".safetensors":
        raise WeightsError(f"Weights are written as .safetensors; {target} was asked for.")
    if card.kind not in KINDS:
        raise WeightsError(f"There is no kind of network '{card.kind}'; there are {known()}.")
    digest = files.write_safetensors(target, network.state_dict(), {CARD_KEY: card.to_text()})
    return replace(card, digest=digest, path=target)


def load(path_or_name: str | Path, device: str = "cpu") -> tuple[nn.Module, WeightsCard]:
    """A network in evaluation mode and its card, from a file or by the name of shipped weights.

    Raises WeightsError where the file is missing, damaged, has no card, does not fit the network
    that its card describes, or where the device's memory is full; nothing in a file is executed.
    """
    path = resolve(path_or_name)
    card = read_card(path)
    network = build(card, path)
    fill(network, files.tensors(path), path)
    return place(network, card.name, device), card


def place(network: nn.Module, name: str, device: str) -> nn.Module:
    """The network on a device, in evaluation mode; WeightsError where the memory is full."""
    try:
        return network.to(device).eval()
    except torch.OutOfMemoryError as error:
        raise WeightsError(
            f"The memory of {device} is too full to hold the weights {name}. Stop what else runs "
            "there, or take --device cpu."
        ) from error


def resolve(path_or_name: str | Path) -> Path:
    """The file behind a shipped name or a path; WeightsError where there is none."""
    for entry in manifest_entries():
        if entry["name"] == str(path_or_name):
            path = WEIGHTS_FOLDER / entry["file"]
            files.require_file(path)
            if files.sha256_of(path) != entry["sha256"]:
                raise WeightsError(
                    f"The shipped weights {path} are not the ones the manifest names: the file is "
                    "damaged. Restore it from the release."
                )
            return path
    path = Path(path_or_name)
    if path.is_dir() and (path / "weights.safetensors").is_file():
        return path / "weights.safetensors"
    if not path.is_file():
        _require_ended(path.parent if path.name == "weights.safetensors" else path)
        names = ", ".join(entry["name"] for entry in manifest_entries()) or "none"
        raise WeightsError(
            f"There are no weights at {path_or_name}; give a file, a run's folder, or the name of "
            f"shipped weights ({names})."
        )
    return path


def _require_ended(folder: Path) -> None:
    """WeightsError where a folder holds a run whose weights are still to come."""
    try:
        recipe = json.loads((folder / "config.json").read_bytes())["recipe"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    last, position = "", Position()
    while True:
        events, after = read_events(folder / "events.jsonl", position)
        if after == position:
            break
        last, position = (events[-1]["kind"] if events else last), after
    if last != "finished":
        raise WeightsError(
            f"The run {folder} has not finished, so it has no weights yet. Wait for its end, or go "
            f"on with it: python -m training {recipe} --out {folder} --resume."
        )


def read_card(path: Path) -> WeightsCard:
    """The card of a weights file with its digest; WeightsError where it has none or a wrong one."""
    text = files.metadata(path).get(CARD_KEY)
    if text is None:
        raise WeightsError(
            f"{path} has no card that says which network it is for; it can only serve as a "
            "backbone's initial weights (--weights)."
        )
    try:
        card = WeightsCard.from_text(text)
    except ValueError as error:
        raise WeightsError(f"{path} cannot be used: {error}.") from error
    return replace(card, digest=files.sha256_of(path), path=path)


def build(card: WeightsCard, path: Path) -> nn.Module:
    """The network of a card with random weights."""
    if card.kind not in KINDS:
        raise WeightsError(
            f"{path} holds a network of the kind '{card.kind}'; known here are {known()}. It may "
            "come from a newer version."
        )
    try:
        network = KINDS[card.kind](**card.architecture)
    except (TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path} describes a network that cannot be built: {error}.") from error
    outputs = getattr(network, "num_classes", len(card.classes))
    if outputs != len(card.classes):
        raise WeightsError(
            f"{path} names {len(card.classes)} classes, but its network has {outputs}."
        )
    return network


def fill(network: nn.Module, named: dict[str, torch.Tensor], path: Path) -> None:
    """Copies tensors into the network that wants exactly these; WeightsError names a misfit."""
    wanted = network.state_dict()
    missing = sorted(wanted.keys() - named.keys())
    spare = sorted(named.keys() - wanted.keys())
    if missing or spare:
        what = f"it lacks {missing[0]}" if missing else f"{spare[0]} has no place in it"
        raise WeightsError(
            f"{path} does not fit the network: {what} ({len(missing)} tensors missing, "
            f"{len(spare)} left over)."
        )
    for key, tensor in named.items():
        if tensor.shape != wanted[key].shape:
            raise WeightsError(
                f"{path} does not fit the network: {key} is {tuple(tensor.shape)} in the file and "
                f"{tuple(wanted[key].shape)} in the network."
            )
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise WeightsError(f"{path} is damaged: {key} holds values that are not numbers.")
    network.load_state_dict(named)


def shipped() -> list[WeightsCard]:
    """The cards of the weights that came with the program, in the manifest's order."""
    return [read_card(WEIGHTS_FOLDER / entry["file"]) for entry in manifest_entries()]


def manifest_entries() -> list[dict[str, Any]]:
    """The entries of weights/manifest.json, [] where there is none.

    The manifest is {"format": "tagmask-shipped/1", "weights": [{"name", "file", "sha256",
    "backbone", "command", "seed", "metrics"}, ...]}: file is relative to it, sha256 the file's,
    command the line that trained it. Raises WeightsError where it is damaged.
    """
    manifest = WEIGHTS_FOLDER / "manifest.json"
    if not manifest.is_file():
        return []
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{manifest} is not JSON; restore it from the release.") from error
    if not isinstance(content, dict) or content.get("format") != MANIFEST_FORMAT:
        raise WeightsError(f"{manifest} is not of the format {MANIFEST_FORMAT}.")
    entries = content.get("weights")
    wanted = ("name", "file", "sha256", "backbone")
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in wanted)
        for entry in entries
    ):
        raise WeightsError(f"{manifest} has an entry without its name, file, sha256 or backbone.")
    return entries


def known() -> str:
    """The kinds of networks, as a person reads a list."""
    return ", ".join(KINDS)
