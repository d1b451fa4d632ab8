"""python -m backend agreement: how far pairs of reviewers judge and draw alike."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "agreement",
        help="how far reviewers agree",
        description="For every pair of reviewers, in all and by class: Cohen's kappa of whether "
        "they would keep the masks that both judged (1 complete, 0 as by chance), and the mean "
        "IoU of the masks that both kept of an image.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the agreement."""
    from backend.workspace import Workspace

    with Workspace.open(arguments.workspace, read_only=True) as workspace:
        store = workspace.store
        verdicts, masks = store.agreement.verdicts(), store.agreement.masks()
        apart = store.agreement.apart()
        names: dict[int | None, str] = {each.id: each.name for each in store.classes.all()}
    if arguments.json:
        told = {
            "verdicts": [asdict(each) for each in verdicts],
            "masks": [asdict(each) for each in masks],
            "apart": [asdict(each) for each in apart],
        }
        print(json.dumps(told, indent=2))
        return 0
    if not verdicts and not masks:
        print("No two reviewers have judged the same mask yet; `assign --overlap 0.2` sees to it.")
        return 0
    drawn = {(each.first, each.second, each.class_id): each for each in masks}
    judged = {(each.first, each.second, each.class_id): each for each in verdicts}
    print(f"{'':32}{'masks':>8}{'same':>8}{'kappa':>8}{'images':>8}{'IoU':>8}")
    ranked = sorted(judged.keys() | drawn.keys(), key=lambda key: (key[:2], key[2] or 0))
    for key in ranked:
        one, other = judged.get(key), drawn.get(key)
        label = f"{key[0]} and {key[1]}" if key[2] is None else f"  {names.get(key[2], key[2])}"
        kappa = "–" if one is None or one.kappa is None else f"{one.kappa:.2f}"
        print(
            f"{label[:31]:32}{one.masks if one else 0:>8,}{one.same if one else 0:>8,}{kappa:>8}"
            f"{other.images if other else 0:>8,}{f'{other.iou:.2f}' if other else '–':>8}"
        )
    for each in apart:
        print(
            f"{each.image_name}, {each.method}: {', '.join(each.keep)} would keep it, "
            f"{', '.join(each.reject)} would not"
        )
    return 0
