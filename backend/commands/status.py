"""python -m backend status: what a workspace holds, and whether it is whole."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands._speaking import number, remark

if TYPE_CHECKING:
    from backend.workspace import Workspace

UNWHOLE = 1
"""The exit code where --check found something wrong."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "status",
        help="what a workspace holds",
        description="Says what a workspace holds, without changing anything.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--json", action="store_true", help="print JSON instead of sentences")
    parser.add_argument(
        "--check", action="store_true", help="also check database and files; exit code 1 if bad"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the state; 1 where --check finds something wrong."""
    from backend.workspace import Workspace

    with Workspace.open(arguments.workspace, read_only=True) as workspace:
        state = _state(workspace)
        wrong = [*workspace.store.check(), *_bad_files(workspace)] if arguments.check else []
    if arguments.json:
        print(json.dumps(state | ({"wrong": wrong} if arguments.check else {}), indent=2))
    else:
        _tell(state)
        if arguments.check and not wrong:
            print("Database and files are whole.")
    for sentence in wrong:
        remark(f"tagmask: {sentence}")
    return UNWHOLE if wrong else 0


def _state(workspace: "Workspace") -> dict[str, Any]:
    store = workspace.store
    states: dict[str, int] = {}
    for job in store.jobs.all(1_000_000):
        states[job.state] = states.get(job.state, 0) + 1
    holder = workspace.app_holder()
    return {
        "name": workspace.name,
        "root": str(workspace.root),
        "images": store.images.count(),
        "classes": [asdict(each) for each in store.classes.all()],
        "candidates": asdict(store.candidates.counts()),
        "decisions": store.decisions.count(),
        "snapshots": len(store.snapshots.all()),
        "runs": len(store.runs.all()),
        "jobs": states,
        "app": holder,
    }


def _tell(state: dict[str, Any]) -> None:
    names = ", ".join(each["name"] for each in state["classes"]) or "none yet"
    verdicts = ", ".join(
        f"{count:,} {verdict}" for verdict, count in state["candidates"]["verdicts"].items()
    )
    jobs = ", ".join(f"{count} {name}" for name, count in state["jobs"].items()) or "none"
    print(f"{state['name']} ({state['root']})")
    print(f"Images: {state['images']:,}. Classes: {names}.")
    print(f"Candidates: {state['candidates']['total']:,} ({verdicts}).")
    print(f"Decisions in the log: {state['decisions']:,}.")
    print(
        f"{number(state['snapshots'], 'snapshot')}, {number(state['runs'], 'run')}. Jobs: {jobs}."
    )
    if state["app"]:
        print(f"A web app has it open at {state['app'].get('address')}.")


def _bad_files(workspace: "Workspace") -> list[str]:
    wrong = []
    with workspace.store.connections.read() as database:
        digests = [
            digest
            for (digest,) in database.execute(
                "SELECT digest FROM images UNION SELECT truth_digest FROM images"
                " WHERE truth_digest IS NOT NULL UNION SELECT digest FROM candidates"
                " UNION SELECT digest FROM artifacts"
            )
        ]
    for digest in digests:
        if not workspace.files.intact(digest):
            wrong.append(f"The file {digest} is missing or damaged; restore it from a backup.")
    return wrong
