"""What the trainer calls the weights, saliency maps and earlier runs that the page names.

The page names what it was told of, never a path: a path that comes back is none of these.
"""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.errors import JobError
from backend.weights import search_folders
from backend.weights.files import SUFFIXES

if TYPE_CHECKING:
    from ui.context import Context

FILE = "file:"
RANDOM = "none"
CLASSICAL = "classical"


def weight_files() -> dict[str, Path]:
    """Weights files by name in $TAGMASK_WEIGHTS and torch's cache, where the trainer looks too."""
    found: dict[str, Path] = {}
    for folder in search_folders():
        # A folder that may not be looked into has nothing to offer.
        with contextlib.suppress(OSError):
            for path in sorted(folder.iterdir()):
                if path.suffix in SUFFIXES and path.is_file():
                    found.setdefault(path.name, path.absolute())
    return found


def weights(context: "Context", id: str) -> str:
    """Weights that the page calls `shipped:NAME`, `run:NUMBER`, `file:NAME` or `none`; JobError
    for any other name."""
    kind, _, name = id.partition(":")
    if id == RANDOM:
        return RANDOM
    if kind == "shipped" and any(each.id == id for each in context.inspectors.choices()[0]):
        return name
    if id.startswith(FILE) and name in (files := weight_files()):
        return str(files[name])
    # A longer number is no run's, and more than a database keeps.
    run = context.store.runs.get(int(name)) if kind == "run" and _is_number(name) else None
    if run is None or run.weights_path is None:
        raise JobError(
            f"There are no weights {id[:60]!r} here; choose listed ones. A file is listed once it "
            "lies in the folder that $TAGMASK_WEIGHTS names, or in torch's cache."
        )
    return str(context.workspace.root / run.folder / run.weights_path)


def saliency(context: "Context", name: str) -> str:
    """A saliency source that the page calls by its name; JobError for any other name."""
    folders = context.workspace.settings.get("saliency", {})
    if name in folders:
        return f"folder:{Path(folders[name]).absolute()}"
    if name != CLASSICAL:
        raise JobError(
            f"There is no saliency {name[:60]!r} here; there are "
            f"{', '.join(context.inspectors.saliency)}. workspace.json names further folders."
        )
    return name


def earlier_run(context: "Context", id: Any) -> str:
    """The folder of the run that another stands on; the page calls it `run:NUMBER`."""
    if not isinstance(id, str) or not id:
        raise JobError("Choose the run whose maps this one is to learn from.")
    kind, _, name = id.partition(":")
    run = context.store.runs.get(int(name)) if kind == "run" and _is_number(name) else None
    if run is None or run.finished is None:
        raise JobError(f"There is no finished run {id[:60]!r} here; choose another.")
    return str(context.workspace.root / run.folder)


def _is_number(text: str) -> bool:
    """Whether digits name what SQLite can keep."""
    return text.isascii() and text.isdecimal() and len(text) <= 15
