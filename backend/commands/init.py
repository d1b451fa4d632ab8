"""python -m backend init: make a workspace, empty or with sample scenes."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands._speaking import number, progress, remark, tell_refusals
from backend.errors import TagmaskError, WorkspaceError

if TYPE_CHECKING:
    from backend.workspace import Workspace

PROJECT = Path(__file__).resolve().parents[2]
FUSION = "dcsp"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "init",
        help="make a workspace",
        description="Makes a workspace in a folder that is new or empty. With --scenes it holds "
        "sample images with known masks, and candidates to review where weights are shipped.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--name", help="what to call it; else the folder's name")
    parser.add_argument(
        "--classes", nargs="+", metavar="NAME", default=(), help="its classes, in the order of ids"
    )
    parser.add_argument("--scenes", type=_count, metavar="N", help="fill it with N sample scenes")
    parser.add_argument("--seed", type=int, default=0, help="of the scenes")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Makes the workspace; with scenes, beside its place first, so that it is there in full."""
    from backend.workspace import Workspace

    root = arguments.workspace.expanduser().absolute()
    name = arguments.name or root.name
    if not arguments.scenes:
        Workspace.create(root, name, arguments.classes).close()
        print(root)
        return 0
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise WorkspaceError(f"{root} is not empty. Choose a new folder for the workspace.")
    partial = root.with_name(f".{root.name}.partial")
    # Left behind by an earlier init that was killed: it is nobody's work.
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with Workspace.create(partial, name, arguments.classes) as workspace:
            _bring_scenes(workspace, arguments.scenes, arguments.seed)
            _offer_candidates(workspace)
        partial.rename(root)
    except OSError as error:
        raise WorkspaceError(f"{root} cannot be made ({error.strerror or error}).") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    print(root)
    return 0


def _bring_scenes(workspace: "Workspace", count: int, seed: int) -> None:
    from backend.exchange.sources import open_source
    from backend.intake import take_in_source

    folder = workspace.runs / "scenes"
    remark(f"Painting {number(count, 'sample scene')}.")
    _train(workspace, "scenes", "--out", str(folder), "--count", str(count), "--seed", str(seed))
    done = take_in_source(
        workspace.store,
        open_source(folder, "all"),
        origin=f"scenes, seed {seed}",
        truth=True,
        progress=progress("Images"),
    )
    tell_refusals(done.refused)


def _offer_candidates(workspace: "Workspace") -> None:
    """Runs the shipped weights over the scenes; a workspace without candidates is one, too."""
    from backend.events import Position, read_events
    from backend.intake import take_in_labels

    weights = _fitting_weights({each.name for each in workspace.store.classes.all()})
    if weights is None:
        remark("No shipped weights know these classes, so there are no candidates yet. Train some.")
        return
    folder = workspace.runs / "first-labels"
    remark(f"Making candidates with the weights {weights}.")
    options = ["--weights", weights, "--data", str(workspace.runs / "scenes"), "--split", "all"]
    options += ["--fusion", FUSION, "--saliency", "classical", "--out", str(folder)]
    config = {"weights": weights, "fusion": FUSION, "saliency": "classical"}
    try:
        _train(workspace, "labels", *options)
        place = folder.relative_to(workspace.root)
        run = workspace.store.runs.add("first labels", "labels", place, config)
        taken = take_in_labels(workspace.store, folder, run, progress("Candidates"))
        told, _ = read_events(folder / "events.jsonl", Position())
        metrics = [event.get("metrics") for event in told if event["kind"] == "finished"]
        workspace.store.runs.finish(run, (metrics and metrics[-1]) or {})
    except TagmaskError as error:
        remark(f"tagmask: There are no candidates yet: {error}")
        return
    tell_refusals(taken.refused)


def _fitting_weights(classes: set[str]) -> str | None:
    """The name of the first shipped weights that give maps of every class, None without."""
    from backend.weights import shipped

    fitting = (card for card in shipped() if card.kind == "cam" and classes <= set(card.classes))
    return next((card.name for card in fitting), None)


def _train(workspace: "Workspace", *arguments: str) -> None:
    """Runs `python -m training ...`, its words kept in logs/; its last line is the reason."""
    log = workspace.logs / f"{arguments[0]}.txt"
    with log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "training", *arguments],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
        raise WorkspaceError(
            f"`python -m training {arguments[0]}` ended with {done.returncode}: {lines[-1]}"
        )


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1 scene")
    return number
