"""python -m backend fix: keep a corrected mask as a new version of a candidate."""

import argparse
import getpass
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import DataError, NewerMask

if TYPE_CHECKING:
    import numpy as np

    from backend.store import Store


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "fix",
        help="keep a corrected mask as a new version",
        description="Keeps a mask that was corrected by hand, or grown to the photograph's edges "
        "(--grow), as a new version of a candidate, decided as fixed. The old one stays, decided "
        "as replaced.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("candidate", type=int, help="the candidate's number, as Curate shows it")
    parser.add_argument("mask", type=Path, nargs="?", help="a label PNG; else the candidate's own")
    parser.add_argument("--grow", metavar="CLASS", help="grow this class to the edges nearby")
    parser.add_argument("--reach", type=int, default=8, help="how far, in pixels (default: 8)")
    parser.add_argument("--by", help="who fixed it; else the user's name")
    parser.add_argument("--reason", default="", help="a note beside it")
    parser.add_argument(
        "--over",
        metavar="CANDIDATE",
        type=int,
        help="the newest drawn mask of the image, where you have seen it and mean to follow it",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Keeps it and prints the new candidate's number."""
    from backend.labels import encode_labels, read_labels
    from backend.workspace import Workspace

    if arguments.mask is None and arguments.grow is None:
        raise DataError("Name a corrected label PNG, or a class to --grow in the candidate's own.")
    with Workspace.open(arguments.workspace) as workspace:
        store = workspace.store
        candidate = store.candidates.get(arguments.candidate)
        labels = read_labels(arguments.mask or store.files.path(candidate.digest))
        if arguments.grow is not None:
            labels = _grown(store, candidate.image_id, labels, arguments.grow, arguments.reach)
        try:
            fix = store.fixes.record(
                candidate.id,
                candidate.digest,
                encode_labels(labels),
                fixed=arguments.over,
                reviewer=arguments.by or getpass.getuser(),
                session="command line",
                action_id=secrets.token_hex(16),
                reason=arguments.reason,
            )
        except NewerMask as newer:
            raise DataError(
                f"{newer} It is candidate {newer.candidate}: fix that one, or pass "
                f"--over {newer.candidate} to follow it with yours."
            ) from newer
    print(f"Candidate {fix.candidate_id}, drawn over {fix.parent_id}, is kept as fixed.")
    return 0


def _grown(
    store: "Store", image_id: int, labels: "np.ndarray", name: str, reach: int
) -> "np.ndarray":
    from backend.images import read_image
    from backend.refinement import CrfPool
    from backend.snapping import grow_to_edge

    known = {each.name.casefold(): each for each in store.classes.all()}
    if name.casefold() not in known:
        raise DataError(f"There is no class {name!r}; there are {', '.join(known) or 'none yet'}.")
    image = read_image(store.files.path(store.images.get(image_id).digest))
    with CrfPool() as pool:
        return grow_to_edge(image, labels, known[name.casefold()].id, reach, pool.refine)
