"""python -m backend decide: accept or reject every mask under a filter, or take that back."""

import argparse
import getpass
import uuid
from pathlib import Path

from backend.commands._filtering import add_filters, filters_of
from backend.commands._speaking import number, remark


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "decide",
        help="accept or reject a filtered set, or undo",
        description="Says how many masks pass the filters and, with --yes, accepts or rejects all "
        "of them as one act. `undo` takes the reviewer's last act back, a whole set in one step.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("act", choices=("accept", "reject", "undo"))
    parser.add_argument("--reviewer", help="who decides; else the user's name")
    parser.add_argument("--reason", default="", help="kept beside every decision")
    parser.add_argument("--yes", action="store_true", help="do it; else it is only counted")
    add_filters(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Counts, decides or takes back."""
    from backend.store import Filter
    from backend.workspace import Workspace

    who = arguments.reviewer or getpass.getuser()
    session, action = "command line", uuid.uuid4().hex
    looking = arguments.act != "undo" and not arguments.yes
    with Workspace.open(arguments.workspace, read_only=looking) as workspace:
        decisions = workspace.store.decisions
        if arguments.act == "undo":
            back = decisions.undo(who, session, action)
            if back is None:
                print(f"There is nothing of {who}'s left to undo.")
                return 0
            count = decisions.size_of(back.batch) if back.batch else 1
            print(f"{number(count, 'decision')} of {who} taken back")
            return 0
        filter = Filter(**filters_of(arguments, workspace.store))
        found = decisions.filtered(filter)
        count = found.total - found.verdicts[arguments.act]
        if looking:
            print(f"{number(count, 'mask')} of {found.total:,} under these filters")
            remark(f"Nothing is decided yet; --yes would {arguments.act} them.")
            return 0
        made = decisions.record_all(
            filter,
            arguments.act,
            digest=found.digest,
            reviewer=who,
            session=session,
            action_id=action,
            reason=arguments.reason,
        )
        print(f"{number(made, 'mask')} {arguments.act}ed by {who}")
        remark("`python -m backend decide WORKSPACE undo` takes all of it back at once.")
    return 0
