"""What a finished run leaves to the workspace: its numbers, its weights, its candidates."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.errors import JobError
from backend.events import Event

if TYPE_CHECKING:
    from backend.store import Job
    from backend.workspace import Workspace


# Recipes whose labels/IMAGE.png are offered for review.
OFFERING = ("labels", "fuse", "pipeline")


def register(workspace: "Workspace", job: "Job", folder: Path) -> int:
    """Enters the job's run, once however often it is called; the run's id."""
    config: dict[str, Any] = {"arguments": job.arguments, "snapshot": job.snapshot}
    run = workspace.store.runs.add(
        f"{job.recipe} {job.id}", job.recipe, within(workspace.root, folder), config, job.id
    )
    if job.run_id != run:
        workspace.store.jobs.update(job.id, run_id=run)
    return run


def take_products_in(workspace: "Workspace", job: "Job", folder: Path, word: Event) -> list[str]:
    """Takes a finished run's candidates in and marks it finished with metrics and weights.

    Answers with sentences about what was taken in and what was refused. May be repeated: the
    store keeps each candidate once. Raises TagmaskError with a sentence.
    """
    from backend.intake.losses import RECIPE as LOSSES
    from backend.intake.losses import take_in_losses
    from backend.intake.offering import labels_taken_in
    from backend.intake.scores import RECIPE, take_in_scores
    from backend.intake.suggestions import RECIPE as SUGGEST
    from backend.intake.suggestions import take_in_suggestions

    run = register(workspace, job, folder)
    weights = _weights(folder, word)
    said: list[str] = []
    # A pipeline without proxy labels, such as one of full supervision, offers none.
    if job.recipe in OFFERING and (job.recipe != "pipeline" or (folder / "labels").is_dir()):
        said = labels_taken_in(workspace, folder, run)
    if job.recipe == RECIPE:
        said = take_in_scores(workspace.store, folder, run).sentences()
    if job.recipe == SUGGEST:
        said = take_in_suggestions(workspace.store, folder, run).sentences()
    if job.recipe == LOSSES:
        said = take_in_losses(workspace.store, folder, run).sentences()
    metrics = word.get("metrics")
    workspace.store.runs.finish(
        run,
        metrics if isinstance(metrics, dict) else {},
        None if weights is None else weights.relative_to(folder.resolve()),
    )
    return said


def _weights(folder: Path, word: Event) -> Path | None:
    name = word.get("weights")
    if not isinstance(name, str) or not name:
        return None
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise JobError(
            f"The run says that its weights are in {name!r}, but there is no such file in "
            f"{folder}. Resume the job to make them again."
        )
    return path


def within(root: Path, path: Path) -> str:
    """The path relative to the workspace, so that a workspace can be moved as a whole."""
    path = path.resolve()
    return str(path.relative_to(root.resolve()) if path.is_relative_to(root.resolve()) else path)
