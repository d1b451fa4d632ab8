"""python -m backend snapshot: freeze what was accepted, list and verify snapshots."""

import argparse
import getpass
from datetime import datetime
from pathlib import Path

from backend.commands._speaking import number


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "snapshot",
        help="freeze what was accepted",
        description="Freezes the images whose masks were accepted or fixed into a manifest that "
        "a run trains on, and prints its path. The same set gives the same snapshot.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument(
        "--name", help="what to call it, in up to 64 characters; else “Accepted 1” and so on"
    )
    parser.add_argument("--by", default=None, help="who freezes it; else the user's name")
    parser.add_argument(
        "--verdicts",
        nargs="+",
        choices=("accept", "fix"),
        default=("accept", "fix"),
        help="which verdicts belong to it",
    )
    parser.add_argument(
        "--tagged",
        action="store_true",
        help="every image that has a tag, with its accepted mask where it has one",
    )
    parser.add_argument(
        "--with-undecided",
        action="store_true",
        help="every other image with a candidate too, rejected or not decided on, and the scores: "
        "what the recipe sal weighs (its --policy); other recipes pass over them",
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--list", action="store_true", help="only list the snapshots there are")
    instead.add_argument(
        "--verify", metavar="DIGEST", help="only check that a snapshot's files are as frozen"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Freezes, lists or verifies."""
    from backend.workspace import Workspace

    looking = arguments.list or arguments.verify is not None
    with Workspace.open(arguments.workspace, read_only=looking) as workspace:
        snapshots = workspace.store.snapshots
        if arguments.list:
            for each in snapshots.all():
                at = datetime.fromtimestamp(each.frozen_at).astimezone().isoformat(" ", "minutes")
                print(f"{each.digest[:12]}  {at}  {number(each.count, 'image')}  {each.name}")
            return 0
        if arguments.verify is not None:
            found = snapshots.get(arguments.verify)
            snapshots.verify(found.digest)
            print(f"{found.digest} {number(found.count, 'image')}, all as frozen")
            return 0
        called = "Candidates" if arguments.with_undecided else "Accepted"
        name = arguments.name or snapshots.free_name("All tagged" if arguments.tagged else called)
        made = snapshots.freeze(
            name,
            arguments.by or getpass.getuser(),
            arguments.verdicts,
            include="tagged" if arguments.tagged else "decided",
            with_undecided=arguments.with_undecided,
        )
        print(f"{made.digest} {number(made.count, 'image')}")
        print(made.path)
    return 0
