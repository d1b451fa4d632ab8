"""python -m backend import: bring images, tags and masks into a workspace."""

import argparse
import tempfile
import zipfile
from contextlib import ExitStack
from pathlib import Path

from backend.commands._speaking import number, progress, remark, tell_refusals
from backend.errors import DataError

SOME_REFUSED = 1
"""The exit code where something came in and something was refused."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "import",
        help="bring images, tags and masks in",
        description="Brings a data set in. Done again it adds nothing, so it can be interrupted "
        "and repeated. Exit code 0: all came in; 1: some was refused, the lines say why; 2: none.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument(
        "source",
        type=Path,
        help="a Pascal VOC devkit, a folder of images with or without tags.csv, a zip of either, "
        "or a snapshot's manifest.json",
    )
    parser.add_argument("--split", help="a list of the devkit's ImageSets; else every image")
    parser.add_argument(
        "--truth", action="store_true", help="keep the data set's masks as the truth to measure by"
    )
    parser.add_argument(
        "--as-candidates", metavar="NAME", help="offer the data set's masks for review, as NAME's"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Imports; 0, or 1 where some images or masks were refused."""
    from backend.exchange.archive import extract
    from backend.exchange.sources import open_source
    from backend.intake import take_in_source
    from backend.workspace import Workspace

    left_out, within = 0, None
    with Workspace.open(arguments.workspace) as workspace, ExitStack() as stack:
        place = arguments.source
        if place.is_file() and zipfile.is_zipfile(place):
            # On the workspace's own disk, so that a small /tmp is no limit.
            scratch = tempfile.TemporaryDirectory(prefix=".import-", dir=workspace.root)
            unpacked = extract(place, Path(stack.enter_context(scratch)) / "out")
            for member in unpacked.refused:
                remark(f"tagmask: {place.name}: {member}")
            left_out, place = len(unpacked.refused), unpacked.root
            within = unpacked.root
        source = open_source(place, arguments.split or "all", within=within)
        for note in source.notes:
            remark(note)
        done = take_in_source(
            workspace.store,
            source,
            origin=str(arguments.source),
            truth=arguments.truth,
            as_candidates=arguments.as_candidates,
            progress=progress("Images"),
        )
    tell_refusals(done.refused)
    if source.items and not done.new and not done.known:
        raise DataError(f"Nothing of {arguments.source} could be brought in.")
    print(f"{number(done.new, 'new image')}, {done.known:,} there already", end="")
    print(f", {number(done.candidates, 'new candidate')}" if arguments.as_candidates else "")
    return SOME_REFUSED if done.refused.count or left_out else 0
