"""torchvision's ImageNet classifiers: which of their files are here, and the networks in them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

import backend.torchvision_shim  # noqa: F401  (before any import of torchvision)
from backend.errors import DataError, WeightsError
from backend.networks.normalisation import Normalisation
from backend.weights import files
from backend.weights.backbones import misfit, search_folders
from backend.weights.card import WeightsCard
from backend.weights.networks import place

PREFIX = "torchvision:"
KIND = "classifier"


class Offer(NamedTuple):
    """A classifier's stride at its last feature map, and its published files, the oldest first.

    That is the order of torchvision's IMAGENET1K_V1, V2. The papers' baselines used the first.
    """

    stride: int
    files: tuple[str, ...]


# Written out, so that looking for files need not wait a second for torchvision's models.
OFFERED = {
    "resnet18": Offer(32, ("resnet18-f37072fd.pth",)),
    "resnet50": Offer(32, ("resnet50-0676ba61.pth", "resnet50-11ad3fa6.pth")),
    "resnet101": Offer(32, ("resnet101-63fe2227.pth", "resnet101-cd907fc2.pth")),
    "vgg16": Offer(16, ("vgg16-397923af.pth",)),
    "densenet121": Offer(32, ("densenet121-a639ec97.pth",)),
    "googlenet": Offer(32, ("googlenet-1378be20.pth",)),
    "squeezenet1_1": Offer(16, ("squeezenet1_1-b8a52dc0.pth",)),
    "mobilenet_v2": Offer(32, ("mobilenet_v2-b0353104.pth", "mobilenet_v2-7ebf99e0.pth")),
    "mobilenet_v3_large": Offer(
        32, ("mobilenet_v3_large-8738ca79.pth", "mobilenet_v3_large-5c1a4163.pth")
    ),
    "efficientnet_b0": Offer(32, ("efficientnet_b0_rwightman-7f5810bc.pth",)),
    "convnext_tiny": Offer(32, ("convnext_tiny-983f1562.pth",)),
    "regnet_y_400mf": Offer(32, ("regnet_y_400mf-c65dace8.pth", "regnet_y_400mf-e6988f5f.pth")),
}

# What the published weights ask of the network beside its name.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "googlenet": {"transform_input": True, "aux_logits": True, "init_weights": False},
}

# ImageNet tells a dog from a garment by one capital letter; tags are compared without case.
RENAMED = {"Cardigan": "Cardigan Welsh corgi"}

MOST_TAGS = 254


@dataclass(frozen=True)
class ClassifierCard(WeightsCard):
    """What a classifier of another's making says about itself: a card that stands in no file.

    Its classes have no label ids (there may be 1000): an image's tags are numbered by themselves,
    see `number_tags`. They exclude each other, so that scores become probabilities by softmax.
    """

    def __post_init__(self) -> None:
        if self.class_ids:
            raise ValueError("The classes of a classifier have no label ids; tags are numbered.")
        if len({name.casefold() for name in self.classes}) != len(self.classes):
            raise ValueError("A card names each class once, whatever its case.")


@dataclass(frozen=True)
class ClassifierFile:
    """A classifier `torchvision:NAME` whose file is on this machine."""

    name: str
    path: Path

    def card(self) -> ClassifierCard:
        """Its card with the file's digest, which reads the whole file; see `read_card`."""
        return read_card(self.name, self.path)


def available(
    data: Path | None = None, *, search: Sequence[Path] | None = None
) -> list[ClassifierFile]:
    """The classifiers whose file lies in `search` (default search_folders(data)), by name only:
    nothing is read.
    """
    folders = search_folders(data) if search is None else tuple(search)
    found = [(f"{PREFIX}{name}", find(name, folders)) for name in OFFERED]
    return [ClassifierFile(name, path) for name, path in found if path is not None]


def load(
    name: str,
    device: str = "cpu",
    *,
    data: Path | None = None,
    search: Sequence[Path] | None = None,
) -> tuple[nn.Module, ClassifierCard]:
    """A classifier `torchvision:NAME` in evaluation mode, its parameters frozen, and its card.

    Raises WeightsError where no file of it is in `search` (default search_folders(data)), with the
    command that fetches it, or where the file is not the published one or does not fit.
    """
    architecture = bare(name)
    folders = search_folders(data) if search is None else tuple(search)
    path = find(architecture, folders)
    if path is None:
        wanted = " or ".join(OFFERED[architecture].files)
        raise WeightsError(
            f"The ImageNet weights of {name}, {wanted}, are in none of "
            f"{', '.join(str(folder) for folder in folders)}; fetch them with "
            f"`python -m backend weights fetch {name}`."
        )
    card = read_card(name, path)
    network = build(architecture)
    named = modern(architecture, files.tensors(path))
    problem = misfit(network, named)
    if problem:
        raise WeightsError(f"{path} does not fit {name}: {problem}.")
    # Not strict: old files lack num_batches_tracked, which only training reads.
    network.load_state_dict(named, strict=False)
    return place(network.requires_grad_(False), name, device), card


def bare(name: str) -> str:
    """torchvision's own name of `torchvision:NAME`; WeightsError where it is not offered."""
    architecture = name.removeprefix(PREFIX)
    if architecture == name or architecture not in OFFERED:
        raise WeightsError(
            f"There is no ImageNet classifier '{name}'; there are "
            f"{', '.join(PREFIX + each for each in OFFERED)}."
        )
    return architecture


def find(architecture: str, folders: Sequence[Path]) -> Path | None:
    """The first file of a classifier in these folders, the earlier folder before the older file."""
    for folder in folders:
        for name in OFFERED[architecture].files:
            if (folder / name).is_file():
                return folder / name
    return None


def release(architecture: str, file: str | None = None) -> Any:
    """torchvision's record of a published file (url, meta, transforms), default the first."""
    from torchvision.models import get_model_weights

    records = [w for w in get_model_weights(architecture) if w.name.startswith("IMAGENET1K_V")]
    return records[OFFERED[architecture].files.index(file) if file else 0]


def read_card(name: str, path: Path) -> ClassifierCard:
    """The card of a classifier's file, which is read to compare its sha256 with its name.

    input_size is the short side that the weights were tested at before a square was cut out of it:
    here the whole image is looked at. Raises WeightsError where the file is another or damaged.
    """
    architecture = bare(name)
    if path.name not in OFFERED[architecture].files:
        raise WeightsError(
            f"{path} is not among the published files of {name}: "
            f"{', '.join(OFFERED[architecture].files)}."
        )
    files.require_file(path)
    digest = files.sha256_of(path)
    digits = path.stem.rsplit("-", 1)[-1]
    if not digest.startswith(digits):
        raise WeightsError(
            f"{path} is damaged: its sha256 should begin with {digits}, but begins with "
            f"{digest[: len(digits)]}; delete it, then `python -m backend weights fetch {name}`."
        )
    record = release(architecture, path.name)
    views = record.transforms()
    mean, std = tuple(views.mean), tuple(views.std)
    return ClassifierCard(
        name=name,
        kind=KIND,
        backbone=architecture,
        stride=OFFERED[architecture].stride,
        classes=tuple(RENAMED.get(each, each) for each in record.meta["categories"]),
        class_ids=(),
        normalisation=Normalisation("rgb", 1.0, mean, std),
        input_size=int(views.resize_size[0]),
        origin={"file": path.name, "sha256": digest, "text": f"torchvision's {record}"},
        digest=digest,
        path=path,
    )


def build(architecture: str) -> nn.Module:
    """The network of an offered classifier with random weights."""
    from torchvision.models import get_model

    return get_model(architecture, weights=None, **ARGUMENTS.get(architecture, {}))


def modern(architecture: str, named: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A published file's tensors under the names of today's layers.

    DenseNet's file is older than the rule that a layer's name holds no dot: norm.1 is norm1 now.
    """
    kept = {key: v for key, v in named.items() if not key.endswith("num_batches_tracked")}
    if not architecture.startswith("densenet"):
        return kept
    dotted = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.(\d)")
    return {dotted.sub(r"\1\2", key): tensor for key, tensor in kept.items()}


def number_tags(names: Sequence[str]) -> list[tuple[int, str]]:
    """(label id, name) of an image's tags, 1 to K in their order, each name once.

    Raises DataError for more tags than a label map has ids.
    """
    distinct: dict[str, str] = {}
    for name in names:
        distinct.setdefault(name.casefold(), name)
    if len(distinct) > MOST_TAGS:
        raise DataError(f"An image has at most {MOST_TAGS} tags; {len(distinct)} were given.")
    return list(enumerate(distinct.values(), start=1))
