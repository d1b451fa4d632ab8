"""The queue's filters as options of a command."""

import argparse
from typing import TYPE_CHECKING, Any

from backend.errors import StoreError

if TYPE_CHECKING:
    from backend.store import Store

_YES_NO = {"yes": True, "no": False}


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Adds an option for every filter of the page."""
    filters = parser.add_argument_group("filters, as in the page's address")
    filters.add_argument(
        "--verdict",
        default="undecided",
        choices=("undecided", "accept", "reject", "fix", "skip", "all"),
    )
    filters.add_argument("--tag", metavar="CLASS", help="images tagged with this class")
    filters.add_argument("--run", dest="of_run", type=int, metavar="ID", help="masks of this run")
    filters.add_argument("--method", help="masks of this method")
    filters.add_argument("--from", dest="min_score", type=float, metavar="SCORE")
    filters.add_argument("--to", dest="max_score", type=float, metavar="SCORE")
    filters.add_argument("--image", dest="query", default="", help="part of the image's name")
    filters.add_argument("--decided-by", metavar="NAME", help="whose verdict stands")
    filters.add_argument("--flagged", choices=_YES_NO)
    filters.add_argument("--truth", choices=_YES_NO, help="with a true mask, or without")
    filters.add_argument(
        "--kept", choices=_YES_NO, help="images with an accepted or fixed mask, or without"
    )
    filters.add_argument("--assigned", metavar="NAME", help="the share of this reviewer")


def filters_of(arguments: argparse.Namespace, store: "Store") -> dict[str, Any]:
    """The fields of a `Filter` that were asked for; StoreError for an unknown class."""
    tag = None
    if arguments.tag is not None:
        known = {each.name.lower(): each.id for each in store.classes.all()}
        tag = known.get(arguments.tag.lower())
        if tag is None:
            raise StoreError(
                f"There is no class {arguments.tag!r}; there are {', '.join(sorted(known))}."
            )
    return {
        "verdict": arguments.verdict,
        "tag": tag,
        "run": arguments.of_run,
        "method": arguments.method,
        "min_score": arguments.min_score,
        "max_score": arguments.max_score,
        "query": arguments.query,
        "reviewer": arguments.decided_by,
        "flagged": _YES_NO.get(arguments.flagged),
        "truth": _YES_NO.get(arguments.truth),
        "kept": _YES_NO.get(arguments.kept),
        "assigned": arguments.assigned,
    }
