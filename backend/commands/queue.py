"""python -m backend queue: list the masks that wait for review, and why each is there."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from backend.commands._filtering import add_filters, filters_of
from backend.commands._speaking import progress, remark

_ORDERS = (
    "score",
    "best",
    "fine",
    "disagreement",
    "methods",
    "tau",
    "rarity",
    "loss",
    "newest",
    "random",
    "name",
)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "queue",
        help="list the masks that wait for review",
        description="Lists the masks that wait for review in the page's orders and under its "
        "filters: id, verdict, image, method, and why it is there.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--order", default="score", choices=_ORDERS)
    parser.add_argument("--seed", type=int, default=0, help="of the random order")
    parser.add_argument("--by", default="SF", help="the score that the order tau looks at")
    parser.add_argument("--tau", type=float, default=0.55)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--offset", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="a line of JSON for each")
    parser.add_argument(
        "--compare",
        action="store_true",
        help="first measure how far apart the masks of each image are, for the order methods",
    )
    add_filters(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compares where asked to, then lists."""
    from backend.workspace import Workspace

    with Workspace.open(arguments.workspace, read_only=not arguments.compare) as workspace:
        candidates = workspace.store.candidates
        if arguments.compare:
            for sentence in candidates.compare(progress("compared the masks of")).unread:
                remark(f"tagmask: {sentence}")
        page = candidates.queue(
            arguments.order,
            seed=arguments.seed,
            by=arguments.by,
            tau=arguments.tau,
            offset=arguments.offset,
            limit=arguments.limit,
            **filters_of(arguments, workspace.store),
        )
        for row in page.rows:
            if arguments.json:
                print(json.dumps(asdict(row), ensure_ascii=False))
            else:
                print(f"{row.id:>7}  {row.verdict:<9}  {row.image_name}  {row.method}  {row.why}")
        remark(f"{len(page.rows):,} of {page.total:,}")
    return 0
