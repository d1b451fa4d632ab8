"""What comes after a run that made label maps: scored again, offered for review."""

from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import DataError, JobError
from backend.intake.offering import offer_labels
from backend.intake.scores import RECIPE, scored_labels

if TYPE_CHECKING:
    from backend.store import Run
    from ui.context import Context

_MOST_JOBS = 100
# As the trainer names it.
SCORES = "scores.jsonl"


def scored(context: "Context") -> list[dict[str, str]]:
    """The finished runs of `score`, the newest first, and (`of`) whose labels each measured."""
    root, runs = context.workspace.root, context.store.runs.all()
    by_folder = {(root / run.folder).resolve(): run for run in runs}
    found = []
    for run in runs:
        if run.recipe != RECIPE or run.finished is None:
            continue
        # A folder may have been removed by hand.
        if not (root / run.folder / SCORES).is_file():
            continue
        of = _measured(root / run.folder, by_folder)
        title = f"{run.name}: of {of.name}" if of else run.name
        found.append({"id": f"run:{run.id}", "title": title, "of": f"run:{of.id}" if of else ""})
    return found


def _measured(folder: Path, by_folder: dict[Path, "Run"]) -> "Run | None":
    try:
        return by_folder.get(scored_labels(folder).parent.resolve())
    except DataError:
        return None


def offer(context: "Context", job_id: int) -> list[str]:
    """Offers a finished job's labels for review; sentences about what came of it."""
    return offer_labels(context.workspace, _run_of(context, job_id))


def scoring(context: "Context", job_id: int) -> list[str]:
    """The words of a run of `score` over a finished job's labels: those of the last scoring that
    ended well, as only then the scores can be compared, else the newest mask scorer there is.
    """
    run = _run_of(context, job_id)
    folder = context.workspace.root / run.folder
    if run.finished is None or not (folder / "labels").is_dir():
        raise JobError(f"{run.name} made no label maps, so there is nothing to score.")
    for job in context.store.jobs.all(_MOST_JOBS):
        words = job.arguments
        if job.recipe == RECIPE and job.state == "done" and isinstance(words, list):
            _require_scorer(words)
            at = words.index("--from") if "--from" in words else len(words)
            return ["--from", str(folder), *words[:at], *words[at + 2 :]]
    scorers = context.inspectors.scorers()
    # Sorted, what was trained here comes before what is shipped.
    for one in sorted(scorers, key=lambda one: not one.id.startswith("run:")):
        if one.card is not None:
            return ["--from", str(folder), "--scorer", str(one.card.path or one.card.name)]
    return ["--from", str(folder)]


def _require_scorer(words: list[str]) -> None:
    """JobError where the mask scorer of an order is a file or a folder that is gone."""
    named = words[words.index("--scorer") + 1 :][:1] if "--scorer" in words else []
    if named and Path(named[0]).is_absolute() and not Path(named[0]).exists():
        raise JobError(
            f"The mask scorer of the last scoring ({named[0]}) is gone, so these masks cannot be "
            "scored as the last ones were. Choose another scorer with the recipe “Mask scores”."
        )


def _run_of(context: "Context", job_id: int) -> "Run":
    run = context.store.runs.of_job(job_id)
    if run is None:
        raise JobError(f"Job {job_id} has not begun a run yet.")
    return run
