"""python -m backend backup: copy a workspace, while it is in use, to a folder of its own."""

import argparse
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands._speaking import number, progress, remark
from backend.errors import WorkspaceError

if TYPE_CHECKING:
    from backend.workspace import Workspace


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "backup",
        help="copy a workspace while it is in use",
        description="Copies the database as of one moment, and the files it names. Into a folder "
        "that holds an earlier backup of the same workspace only what is new is copied. The "
        "result is a workspace: to restore, open it, or copy it back.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("destination", type=Path)
    parser.add_argument(
        "--with-runs", action="store_true", help="copy the run folders too (weights, maps, logs)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Backs up."""
    from backend.workspace import Workspace

    with Workspace.open(arguments.workspace, read_only=True) as workspace:
        copied = back_up(workspace, arguments.destination, with_runs=arguments.with_runs)
    print(f"{arguments.destination}: database and {number(copied, 'new file')}")
    if not arguments.with_runs:
        remark("Run folders were left out; --with-runs copies them too.")
    return 0


def back_up(workspace: "Workspace", destination: Path, *, with_runs: bool = False) -> int:
    """Copies a workspace; how many files were new. Raises WorkspaceError where it cannot.

    The database is read first and put in place last, so that every file it names is there.
    """
    destination = destination.expanduser().absolute()
    if destination.resolve().is_relative_to(workspace.root.resolve()):
        raise WorkspaceError(f"{destination} is inside the workspace; a backup belongs elsewhere.")
    _same_or_empty(workspace, destination)
    copied = 0
    try:
        destination.mkdir(parents=True, exist_ok=True)
        staged = workspace.store.backup(destination / "tagmask.db.new")
        names = ("files", "snapshots", *(("runs",) if with_runs else ()))
        wanted = [path for name in names for path in _files_below(workspace.root / name)]
        tell = progress("Files")
        for done, path in enumerate(wanted, start=1):
            copied += _copied(path, destination / path.relative_to(workspace.root))
            tell(done, len(wanted))
        for name in ("files", "runs", "snapshots", "logs"):
            (destination / name).mkdir(exist_ok=True)
        os.sync()
        staged.replace(destination / "tagmask.db")
        _copied(workspace.root / "workspace.json", destination / "workspace.json")
        os.sync()
    except OSError as error:
        raise WorkspaceError(
            f"The backup to {destination} stopped ({error.strerror or error}). What was backed up "
            "there before is still good; make room and try again."
        ) from error
    return copied


def _same_or_empty(workspace: "Workspace", destination: Path) -> None:
    if not destination.exists() or (destination.is_dir() and not any(destination.iterdir())):
        return
    try:
        settings = json.loads((destination / "workspace.json").read_bytes())
        same = settings["id"] == workspace.settings["id"]
    except (OSError, ValueError, KeyError, TypeError):
        same = (destination / "tagmask.db.new").exists()
    if not same:
        raise WorkspaceError(
            f"{destination} holds something else than a backup of this workspace. Choose a new "
            "folder, or the folder of an earlier backup."
        )


def _files_below(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "partial")
        for name in sorted(files):
            if not name.endswith(".partial"):
                yield Path(here, name)


def _copied(source: Path, target: Path) -> bool:
    """Whether the file had to be copied: another size or an older time than the one there."""
    try:
        there, here = target.stat(), source.stat()
        if there.st_size == here.st_size and there.st_mtime_ns == here.st_mtime_ns:
            return False
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    shutil.copy2(source, partial)
    partial.replace(target)
    return True
