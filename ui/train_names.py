"""What the trainer calls the weights, saliency maps and earlier runs that the page names.

The page names what it was told of, never a path: a path that comes back is none of these.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.errors import JobError
from backend.saliency import FOLDER_PREFIX, NETWORK_PREFIX
from backend.weights import search_folders
from backend.weights.files import SUFFIXES

if TYPE_CHECKING:
    from ui.context import Context

# Lists of a data set on disk, and places: a page names neither.
NOT_ASKED = ("stages", "test", "strong", "masks", "validation")

FILE = "file:"
RANDOM = "none"
CLASSICAL = "classical"
# What these recipes are given with --from are label maps, whatever network made them.
FROM_LABELS = ("score", "scorer")
# The kinds of networks that `sal` may begin with.
SEGMENTERS = ("segment", "sal")
SCORES = "score"
# Networks that began with one another are told of so far back.
MOST_BEFORE = 5


def shown(recipes: Mapping[str, Any]) -> dict[str, Any]:
    """The recipes as the form shows them: without what a page does not ask."""
    return {
        name: {**about, "options": [each for each in about["options"] if _is_asked(each)]}
        for name, about in recipes.items()
    }


def require_asked(options: Mapping[str, Any]) -> None:
    """Raises JobError for an option that a page does not ask."""
    for name in NOT_ASKED:
        if options.get(name) not in (None, ""):
            raise JobError(f"--{name} cannot be given from the page; use the command line.")


def _is_asked(option: Mapping[str, Any]) -> bool:
    return option["name"] not in NOT_ASKED


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
    given = context.workspace.settings.get("saliency", {})
    if name in given:
        return _saliency_of_the_workspace(given[name])
    offered = context.inspectors.saliency
    if name not in offered:
        raise JobError(
            f"There is no saliency {name[:60]!r} here; there are {', '.join(offered)}. "
            "workspace.json names further folders and networks."
        )
    return offered[name].name


def _saliency_of_the_workspace(where: str) -> str:
    """What workspace.json names, with a whole path: the trainer has a folder of its own."""
    if where == CLASSICAL:
        return where
    for kind in (NETWORK_PREFIX, FOLDER_PREFIX):
        if where.startswith(kind):
            path = Path(where.removeprefix(kind))
            # A network may be a shipped one's name.
            return f"{kind}{path.absolute()}" if path.exists() else where
    return f"{FOLDER_PREFIX}{Path(where).absolute()}"


def affinity(context: "Context", id: str) -> str:
    """Affinity weights by which maps walk, that the page calls by their id; JobError for any other
    name."""
    for choice in context.inspectors.affinities():
        if choice.id == id and choice.card is not None:
            return str(choice.card.path or choice.card.name)
    raise JobError(
        f"There are no affinity weights {id[:60]!r} here. Train some with the recipe affinity, or "
        "choose another refinement."
    )


def segmenters(context: "Context") -> list[dict[str, Any]]:
    """The segmenters that runs of this workspace have left, the newest first, with their trunks and
    (`made`) what each was made by, then what the network that it began with was, and so on.
    """
    found = [each for kind in SEGMENTERS for each in context.inspectors.segmenters(kind)]
    found.sort(key=lambda each: -int(each.id.partition(":")[2]))
    return [
        {
            "id": each.id,
            "title": each.title,
            "backbone": each.card.backbone,
            "made": _makings(each.card.name, each.card.origin),
        }
        for each in found
        if each.card is not None
    ]


def _makings(name: str, origin: Any) -> list[dict[str, str]]:
    """What the origin in a card tells: the network's name, how it was trained, and SAL's policy, ""
    where it has none; then the same of the networks before it.
    """
    made: list[dict[str, str]] = []
    while isinstance(origin, Mapping) and len(made) < MOST_BEFORE:
        policy = _within(origin, "labels", "selection", "policy")
        said = {"name": name, "by": origin.get("text"), "policy": policy}
        made.append({key: v[:200] if isinstance(v, str) else "" for key, v in said.items()})
        name, origin = _within(origin, "begun", "name"), _within(origin, "begun", "origin")
    return made


def _within(told: Any, *names: str) -> Any:
    """A value inside of what a file tells; None where it is not there."""
    for name in names:
        told = told.get(name) if isinstance(told, Mapping) else None
    return told


def scorer(context: "Context", id: str) -> str:
    """The weights of a mask scorer that the page calls by their id; JobError for any other name."""
    for choice in context.inspectors.scorers():
        if choice.id == id and choice.card is not None:
            return str(choice.card.path or choice.card.name)
    raise JobError(
        f"There is no mask scorer {id[:60]!r} here. Train one with the recipe scorer, or leave it "
        "out: then masks get the coarse scores alone."
    )


def scores(context: "Context", id: str) -> str:
    """The folder of a finished run of `score`, which the page calls `run:NUMBER`."""
    kind, _, name = id.partition(":")
    run = context.store.runs.get(int(name)) if kind == "run" and _is_number(name) else None
    if run is None or run.finished is None or run.recipe != SCORES:
        raise JobError(f"There are no scores {id[:60]!r} here; choose a finished run of `score`.")
    folder = context.workspace.root / run.folder
    if not folder.is_dir():
        raise JobError(f"The folder of {run.name} (run {run.id}) is gone; choose other scores.")
    return str(folder)


def labelled_runs(context: "Context", ids: Any) -> list[str]:
    """The folders of the runs whose labels are scored or learnt from as masks; the page calls them
    `run:NUMBER`, with commas between several.
    """
    folders = []
    for id in filter(None, str(ids or "").split(",")):
        kind, _, name = id.partition(":")
        run = context.store.runs.get(int(name)) if kind == "run" and _is_number(name) else None
        if run is None or run.finished is None:
            raise JobError(f"There is no finished run {id[:60]!r} here; choose another.")
        folder = context.workspace.root / run.folder
        if not (folder / "labels").is_dir():
            raise JobError(f"{run.name} (run {run.id}) made no label maps; choose another run.")
        folders.append(str(folder))
    if not folders:
        raise JobError(
            "Choose the run whose label maps are meant. Where there is none yet, make some with "
            "“Candidates” or train a segmenter first."
        )
    return folders


def earlier_run(context: "Context", id: Any, recipe: str, recipes: Mapping[str, Any]) -> str:
    """The folder of the run that `recipe` is to stand on; the page calls it `run:NUMBER`."""
    if not isinstance(id, str) or not id:
        named = recipes[recipe].get("stands_on")
        offered = [one.card for one in context.inspectors.choices()[0] if one.id.startswith("run:")]
        if any(card is not None and named in ("", None, card.kind) for card in offered):
            raise JobError("Choose the run whose maps this one is to learn from.")
        title = recipes.get(named, {}).get("title")
        first = f"“{title}”" if title else "a recipe that makes attention maps, such as OAA"
        raise JobError(
            f"This learns from the maps of an earlier run, and there is none yet. Train {first} "
            "first; once that is done, its run can be chosen here."
        )
    kind, _, name = id.partition(":")
    run = context.store.runs.get(int(name)) if kind == "run" and _is_number(name) else None
    if run is None or run.finished is None:
        raise JobError(f"There is no finished run {id[:60]!r} here; choose another.")
    return str(context.workspace.root / run.folder)


def _is_number(text: str) -> bool:
    """Whether digits name what SQLite can keep."""
    return text.isascii() and text.isdecimal() and len(text) <= 15
