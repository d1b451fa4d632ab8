"""python -m backend take: take in what a run of suggest, losses or score left in its folder."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from backend.commands._speaking import remark
from backend.errors import DataError

if TYPE_CHECKING:
    from backend.store import Store


class Taken(Protocol):
    """What came of taking a folder in."""

    def sentences(self) -> list[str]: ...


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "take",
        help="take in what a run left",
        description="Takes in what `python -m training suggest`, losses or score wrote into its "
        "--out folder. Suggestions are shown beside the tags and change none. A job that was "
        "queued on the page is taken in by itself.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("folder", type=Path, nargs="+", help="the run's --out")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Takes in one folder after the other, each as a run of its own."""
    from backend.intake import losses, scores, suggestions
    from backend.workspace import Workspace

    taking: dict[str, Callable[[Store, Path, int | None], Taken]] = {
        suggestions.RECIPE: suggestions.take_in_suggestions,
        losses.RECIPE: losses.take_in_losses,
        scores.RECIPE: scores.take_in_scores,
    }
    with Workspace.open(arguments.workspace) as workspace:
        store = workspace.store
        known = {run.folder: run.id for run in store.runs.all()}
        for folder in arguments.folder:
            recipe = _recipe(folder)
            if recipe not in taking:
                raise DataError(
                    f"{folder} is a run of {recipe}; `take` knows what to do with one of "
                    f"{', '.join(taking)}."
                )
            where = str(folder.absolute())
            id = known.get(where) or store.runs.add(f"{recipe} {folder.name}", recipe, where)
            taken = taking[recipe](store, folder, id)
            store.runs.finish(id, {})
            for sentence in taken.sentences():
                remark(sentence)
    return 0


def _recipe(folder: Path) -> str:
    try:
        return str(json.loads((folder / "config.json").read_bytes())["recipe"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise DataError(
            f"{folder} is not a run's folder: its config.json does not name a recipe."
        ) from problem
