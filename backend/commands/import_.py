"""python -m backend import: bring images, tags and masks into a workspace."""

import argparse
import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands._speaking import number, progress, remark

if TYPE_CHECKING:
    from backend.store import Transfer

SOME_REFUSED = 1
"""The exit code where something came in and something was refused."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "import",
        help="bring images, tags and masks in",
        description="Brings a data set in. Stopped or killed, the same command goes on where it "
        "was; done again, it adds nothing. Exit code 0: all came in; 1: some was refused, the "
        "lines say why; 2: none.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument(
        "source",
        type=Path,
        help="a Pascal VOC devkit, a folder of images with or without tags.csv, COCO's or Label "
        "Studio's JSON, CVAT's annotations.xml, a zip of any of these, a bundle, or a snapshot's "
        "manifest.json",
    )
    parser.add_argument("--split", help="a list of the devkit's ImageSets; else every image")
    parser.add_argument(
        "--truth", action="store_true", help="keep the data set's masks as the truth to measure by"
    )
    parser.add_argument(
        "--as-candidates", metavar="NAME", help="offer the data set's masks for review, as NAME's"
    )
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="where the images of a JSON or XML file are"
    )
    parser.add_argument(
        "--tags-from-folders",
        action="store_true",
        help="tag a plain folder's images by the folders they lie in: DIR/cat/1.jpg",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Imports; 0, or 1 where some images or masks were refused."""
    from backend.transfers import begin_import, run_import
    from backend.workspace import Workspace

    with Workspace.open(arguments.workspace) as workspace:
        transfer = begin_import(
            workspace,
            arguments.source.expanduser().absolute(),
            getpass.getuser(),
            split=arguments.split,
            truth=arguments.truth,
            as_candidates=arguments.as_candidates,
            images=None if arguments.images is None else arguments.images.absolute(),
            by_folders=arguments.tags_from_folders,
        )
        if transfer.done:
            remark(f"Going on with transfer {transfer.id} at {transfer.done:,}.")
        transfer, refused = run_import(workspace, transfer.id, progress("Images"))
    return tell_import(transfer, refused.count, offered=arguments.as_candidates is not None)


def tell_import(transfer: "Transfer", refused: int, *, offered: bool) -> int:
    """Prints what an import came to; the exit code."""
    for sentence in transfer.said:
        remark(f"tagmask: {sentence}")
    counts = transfer.counts
    said = [
        f"{number(counts.get('new', 0), 'new image')}, {counts.get('known', 0):,} there already"
    ]
    if offered or counts.get("candidates"):
        said.append(number(counts.get("candidates", 0), "new candidate"))
    if counts.get("decisions"):
        said.append(number(counts["decisions"], "decision"))
    print(", ".join(said))
    return SOME_REFUSED if refused or counts.get("refused") or counts.get("left_out") else 0
