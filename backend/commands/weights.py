"""python -m backend weights: which weights there are, and torchvision's fetched on request."""

import argparse
from pathlib import Path

from backend.networks.backbones import backbone_names
from backend.weights import (
    FETCHABLE,
    classifiers,
    fetch,
    fetch_classifier,
    search_folders,
    shipped,
)
from backend.weights.backbones import files_for


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds `weights list` and `weights fetch NAME`."""
    parser = subparsers.add_parser("weights", help="list weights, or fetch torchvision's")
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(dest="action", metavar="list|fetch", required=True)
    listing = actions.add_parser("list", help="the weights that are shipped, found and fetchable")
    listing.add_argument("--data", type=Path, help="look in DATA/../weights too, as training does")
    fetching = actions.add_parser("fetch", help="download torchvision's ImageNet weights")
    fetching.add_argument("name", metavar="NAME", help=_fetchable())


def run(arguments: argparse.Namespace) -> int:
    """Lists weights, or downloads the named ones and prints where they are."""
    if arguments.action == "fetch":
        whole = arguments.name.startswith(classifiers.PREFIX)
        print((fetch_classifier if whole else fetch)(arguments.name).path)
        return 0
    print("Shipped, ready to use:")
    for card in shipped():
        gives = f"{len(card.classes)} classes" if card.classes else card.kind
        print(f"  {card.name}: {card.backbone}, {gives}, {card.path}")
    print("Initial weights of backbones found:")
    for folder in search_folders(arguments.data):
        for backbone in backbone_names():
            for path in files_for(backbone, folder):
                print(f"  {backbone}: {path}")
    print("ImageNet classifiers found:")
    for each in classifiers.available(arguments.data):
        print(f"  {each.name}: {each.path}")
    print(f"To fetch from torchvision: {_fetchable()}")
    return 0


def _fetchable() -> str:
    return (
        f"{', '.join(FETCHABLE)} for a backbone; for a whole classifier "
        f"{', '.join(classifiers.PREFIX + name for name in classifiers.OFFERED)}"
    )
