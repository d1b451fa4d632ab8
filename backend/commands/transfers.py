"""python -m backend transfers: imports and exports; stop one, or go on with one."""

import argparse
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands._speaking import number, progress

if TYPE_CHECKING:
    from backend.store import Transfer


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "transfers",
        help="imports and exports; stop one, or go on with one",
        description="Lists imports and exports, the newest first.",
    )
    parser.add_argument("workspace", type=Path)
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--cancel", type=int, metavar="ID", help="stop one; what it brought in so far stays"
    )
    instead.add_argument(
        "--resume", type=int, metavar="ID", help="go on with one that failed or was killed"
    )
    parser.add_argument(
        "--politely", action="store_true", help="with --resume: let other programs go first"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Lists, stops or goes on."""
    from backend.transfers import cancel_transfer, is_held
    from backend.workspace import Workspace

    with Workspace.open(arguments.workspace, read_only=not _writes(arguments)) as workspace:
        transfers = workspace.store.transfers
        if arguments.cancel is not None:
            stopped = cancel_transfer(workspace, arguments.cancel)
            print(f"{stopped.kind} {stopped.id} is cancelled at {number(stopped.done, 'image')}")
            return 0
        if arguments.resume is not None:
            if arguments.politely:
                os.nice(10)
            from backend.commands.import_ import tell_import
            from backend.transfers import run_export, run_import

            found = transfers.get(arguments.resume)
            if found.kind == "export":
                print(run_export(workspace, found.id, progress("Images")).path)
                return 0
            done, refused = run_import(workspace, found.id, progress("Images"))
            return tell_import(done, refused.count, offered=False)
        for each in transfers.latest():
            print(_line(each, is_held(workspace.root, each.id)))
    return 0


def _writes(arguments: argparse.Namespace) -> bool:
    return arguments.cancel is not None or arguments.resume is not None


def _line(each: "Transfer", working: bool) -> str:
    at = datetime.fromtimestamp(each.started).astimezone().isoformat(" ", "minutes")
    state = "interrupted" if each.state == "running" and not working else each.state
    return f"{each.id}  {at}  {each.kind} {state}, {each.done:,} of {each.total:,}  {each.path}"
