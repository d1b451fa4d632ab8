"""python -m backend assign: share images out among reviewers, some of them to two."""

import argparse
import getpass
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands._speaking import number, remark
from backend.errors import StoreError

if TYPE_CHECKING:
    from backend.store import Store


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "assign",
        help="share images out among reviewers",
        description="Gives every image that waits for a judgement and is nobody's to one of the "
        "reviewers, and a share of them to two, so that agreement can be measured. Without "
        "--reviewers it says how far each one is.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--reviewers", nargs="+", metavar="NAME", help="whom the images go to")
    parser.add_argument(
        "--overlap", type=float, default=0.0, help="the share, 0 to 1, that goes to two reviewers"
    )
    parser.add_argument("--seed", type=int, default=0, help="another one shares out otherwise")
    parser.add_argument("--tag", metavar="CLASS", help="only images with this tag")
    parser.add_argument("--by", help="who shares them out; else the user's name")
    parser.add_argument("--dry-run", action="store_true", help="only say who would get how many")
    parser.add_argument(
        "--withdraw",
        action="store_true",
        help="take assignments back: those of --reviewers, or everybody's. What was judged stays",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Shares out, withdraws, or tells the progress."""
    from backend.workspace import Workspace

    looking = (arguments.reviewers is None and not arguments.withdraw) or arguments.dry_run
    with Workspace.open(arguments.workspace, read_only=looking) as workspace:
        store = workspace.store
        by = arguments.by or getpass.getuser()
        if arguments.withdraw:
            _withdraw(store, arguments.reviewers, by, dry_run=arguments.dry_run)
        elif arguments.reviewers is None:
            _tell_progress(store)
        else:
            _share_out(store, arguments, by)
    return 0


def _share_out(store: "Store", arguments: argparse.Namespace, by: str) -> None:
    shares = store.assignments.share_out(
        arguments.reviewers,
        arguments.overlap,
        seed=arguments.seed,
        tag=None if arguments.tag is None else _class_id(store, arguments.tag),
        made_by=by,
        action_id=secrets.token_hex(16),
        dry_run=arguments.dry_run,
    )
    for each in shares:
        print(f"{each.reviewer}: {number(each.images, 'image')}, {each.shared:,} of them shared")
    if arguments.dry_run:
        remark("Nothing was assigned: this was a dry run.")


def _withdraw(store: "Store", reviewers: list[str] | None, by: str, *, dry_run: bool) -> None:
    held = {each.reviewer: each.images for each in store.assignments.progress()}
    for name in reviewers or [name for name, images in held.items() if images]:
        images = held.get(name, 0)
        if not dry_run:
            images = store.assignments.withdraw(name, made_by=by, action_id=secrets.token_hex(16))
        print(f"{name}: {number(images, 'image')} taken back")
    if dry_run:
        remark("Nothing was taken back: this was a dry run.")


def _tell_progress(store: "Store") -> None:
    everybody = store.assignments.progress()
    for each in everybody:
        assigned = (
            f"{each.judged:,} of {number(each.masks, 'mask')} judged in "
            f"{number(each.images, 'image')}, {each.shared:,} of them shared"
            if each.images
            else f"nothing assigned, {number(each.said, 'mask')} judged"
        )
        print(f"{each.reviewer}: {assigned}")
    if not everybody:
        print("Nobody was assigned images and nobody has decided yet.")
    print(f"{number(store.assignments.open_images(), 'image')} left to assign.")


def _class_id(store: "Store", name: str) -> int:
    known = store.classes.all()
    for each in known:
        if each.name.casefold() == name.casefold():
            return each.id
    raise StoreError(
        f"There is no class {name!r} in this workspace; there are "
        f"{', '.join(each.name for each in known) or 'none yet'}."
    )
