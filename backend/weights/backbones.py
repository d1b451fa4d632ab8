"""A backbone's initial weights: where they are looked for, how they normalise, what they fit."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from backend.errors import WeightsError
from backend.networks.backbones import backbone_strides, build_backbone
from backend.networks.normalisation import CAFFE, TORCHVISION, Normalisation
from backend.networks.resnet38 import layer_name
from backend.weights import files
from backend.weights.card import CARD_KEY
from backend.weights.networks import manifest_entries, read_card, resolve

NORMALISATIONS = {"torchvision": TORCHVISION, "caffe": CAFFE}

# Files in circulation that do not say how their input is normalised, by sha256.
KNOWN_FILES = {
    "c94a3c9f1a7d0843b1fbc130e26b8271fbc8aec15108edb73e16743b36f932b7": (
        CAFFE,
        "SqueezeNet 1.1 for ImageNet without its classifier, the Caffe release (MIT)",
    ),
}

# Parts of published networks that are not the backbone.
NOT_BACKBONE = ("classifier.", "fc.", "fc8.", "head.", "num_batches_tracked")


@dataclass(frozen=True)
class BackboneWeights:
    """A file of initial weights, the input normalisation they were made with, and their origin."""

    backbone: str
    path: Path
    normalisation: Normalisation
    origin: dict[str, Any] = field(default_factory=dict)


def search_folders(data: Path | None = None) -> tuple[Path, ...]:
    """Where initial weights are looked for: $TAGMASK_WEIGHTS, DATA/../weights, torch's cache."""
    folders = []
    if os.environ.get("TAGMASK_WEIGHTS"):
        folders.append(Path(os.environ["TAGMASK_WEIGHTS"]))
    if data is not None:
        folder = data.resolve().parent if data.is_file() else data.resolve()
        folders.append(folder.parent / "weights")
    folders.append(Path(torch.hub.get_dir()) / "checkpoints")
    return tuple(folders)


def backbone_weights(
    backbone: str,
    request: str | Path | None = None,
    *,
    data: Path | None = None,
    search: Sequence[Path] | None = None,
) -> BackboneWeights | None:
    """The initial weights for a backbone: the file or shipped name asked for, else the first that
    fits.

    Looked through in order: the shipped manifest, then `search` (default search_folders(data)).
    "none" gives None: the backbone starts from random. Raises WeightsError where what is asked for
    does not fit, or where nothing is found.
    """
    backbone_strides(backbone)
    if request is not None and str(request) == "none":
        return None
    if request is not None:
        return requested(backbone, request)
    for entry in manifest_entries():
        if entry["backbone"] == backbone:
            return describe(backbone, resolve(entry["name"]))
    folders = search_folders(data) if search is None else tuple(search)
    for folder in folders:
        for path in files_for(backbone, folder):
            if misfit(outline(backbone), read_for(backbone, path)) is None:
                return describe(backbone, path)
    places = ", ".join(str(folder) for folder in folders)
    raise WeightsError(
        f"No initial weights for {backbone} were found among the shipped ones or in {places}. Give "
        f"a file with --weights, fetch torchvision's with `python -m backend weights fetch "
        f"{backbone}`, or ask for random ones with --weights none."
    )


def requested(backbone: str, request: str | Path) -> BackboneWeights:
    """The file, run folder or shipped name that a person asked for, checked to fit."""
    path = resolve(request)
    problem = misfit(outline(backbone), read_for(backbone, path))
    if problem:
        raise WeightsError(f"{path} does not fit {backbone}: {problem}.")
    return describe(backbone, path)


def outline(backbone: str) -> nn.Module:
    """The backbone with its names and shapes but no values, which costs nothing to build."""
    with torch.device("meta"):
        return build_backbone(backbone)


def files_for(backbone: str, folder: Path) -> list[Path]:
    """The files of a folder that are named after a backbone (vgg16-397923af.pth, vgg16.npz),
    sorted.
    """
    if not folder.is_dir():
        return []
    named = re.compile(re.escape(backbone) + r"(?![0-9A-Za-z]|_bn)")
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix in files.SUFFIXES and named.match(path.name)
    )


def describe(backbone: str, path: Path) -> BackboneWeights:
    """A file's normalisation and origin: from its card, from FILE.json beside it, or because it is
    known.

    FILE.json holds {"normalisation": "torchvision" | "caffe" | {order, scale, mean, std}, "origin":
    text}. Raises WeightsError where nothing says how the input is normalised: guessing would spoil
    every map silently.
    """
    origin: dict[str, Any] = {"file": path.name, "sha256": files.sha256_of(path)}
    if CARD_KEY in files.metadata(path):
        card = read_card(path)
        origin |= {"source": card.name, **card.origin}
        return BackboneWeights(backbone, path, card.normalisation, origin)
    beside = path.with_name(path.name + ".json")
    if beside.is_file():
        normalisation, text = read_beside(beside)
        return BackboneWeights(backbone, path, normalisation, origin | {"text": text})
    if origin["sha256"] in KNOWN_FILES:
        normalisation, text = KNOWN_FILES[origin["sha256"]]
        return BackboneWeights(backbone, path, normalisation, origin | {"text": text})
    if re.search(rf"-{origin['sha256'][:8]}\.pth$", path.name):
        text = f"torchvision's {backbone} for ImageNet"
        return BackboneWeights(backbone, path, TORCHVISION, origin | {"text": text})
    if backbone == "resnet38":
        text = "ResNet-38 of Wu et al. for ImageNet, converted"
        return BackboneWeights(backbone, path, TORCHVISION, origin | {"text": text})
    raise WeightsError(
        f"Nothing says how images are normalised for {path}. Write {beside.name} beside it with "
        '{"normalisation": "torchvision"} (RGB) or {"normalisation": "caffe"} (BGR).'
    )


def read_beside(path: Path) -> tuple[Normalisation, str]:
    """The normalisation and origin in the JSON file beside a weights file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        given = content["normalisation"]
        if isinstance(given, str):
            return NORMALISATIONS[given], str(content.get("origin", ""))
        return Normalisation.from_json(given), str(content.get("origin", ""))
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f'{path} should hold {{"normalisation": "torchvision" or "caffe", "origin": text}}.'
        ) from error


def read_for(backbone: str, path: Path) -> dict[str, torch.Tensor]:
    """A file's tensors under the backbone's names: our own networks' prefix and their heads
    removed.
    """
    named = files.tensors(path)
    if any(key.startswith("backbone.") for key in named):
        named = {k.removeprefix("backbone."): v for k, v in named.items() if k[:9] == "backbone."}
    if backbone == "resnet38":
        named = {new: v for k, v in named.items() if (new := layer_name(k)) is not None}
    return {
        key: tensor
        for key, tensor in named.items()
        if not key.startswith(NOT_BACKBONE) and not key.endswith("num_batches_tracked")
    }


def misfit(module: nn.Module, named: dict[str, torch.Tensor]) -> str | None:
    """What keeps these tensors from being this backbone's, None where they fit it wholly."""
    wanted = {k: v for k, v in module.state_dict().items() if "num_batches_tracked" not in k}
    missing = sorted(wanted.keys() - named.keys())
    if missing:
        return f"it lacks {missing[0]} and {len(missing) - 1} more of {len(wanted)} tensors"
    spare = sorted(named.keys() - wanted.keys())
    if spare:
        return f"{spare[0]} and {len(spare) - 1} more of its tensors have no place in it"
    for key, tensor in wanted.items():
        if named[key].shape != tensor.shape:
            return f"{key} is {tuple(named[key].shape)}, not {tuple(tensor.shape)}"
        if not bool(torch.isfinite(named[key]).all()):
            return f"{key} holds values that are not numbers"
    return None


def load_backbone(module: nn.Module, weights: BackboneWeights) -> None:
    """Copies initial weights into a backbone; WeightsError where they do not fit it."""
    named = read_for(weights.backbone, weights.path)
    problem = misfit(module, named)
    if problem:
        raise WeightsError(f"{weights.path} does not fit {weights.backbone}: {problem}.")
    module.load_state_dict(named, strict=False)
