"""python -m backend report: write a run's report, one HTML file that opens anywhere."""

import argparse
from pathlib import Path

from backend.commands._speaking import new_file


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "report",
        help="write a run's report, one HTML file that opens anywhere",
        description="Writes metrics, curves, histograms of scores, the best and worst images, "
        "settings and provenance of a run into one HTML file that asks nothing of any server.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument(
        "wanted", metavar="run", help="its number, its name, or its folder, wherever that lies"
    )
    parser.add_argument("out", type=Path, help="the HTML file to write; it must not exist")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Writes the report; nothing in the workspace changes."""
    from backend.atomic import write_whole
    from backend.showing.report import make_report
    from backend.workspace import Workspace

    out = new_file(arguments.out, (".html",))
    with Workspace.open(arguments.workspace, read_only=True) as workspace:
        write_whole(out, make_report(workspace, arguments.wanted))
    print(out)
    return 0
