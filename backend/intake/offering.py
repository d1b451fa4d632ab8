"""A finished run's labels as candidates beside those that are there, with what is known of them."""

from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import JobError
from backend.intake.masks import take_in_labels
from backend.intake.references import FOLDER as REFERENCES
from backend.intake.references import take_in_references
from backend.intake.scores import scores_of_labels, take_in_scores

if TYPE_CHECKING:
    from backend.store import Run
    from backend.workspace import Workspace


def offer_labels(workspace: "Workspace", run: "Run") -> list[str]:
    """Offers the label maps of a run for review; sentences about what came of it.

    May be repeated: the store keeps each candidate once. Where a run of `score` has measured these
    labels already, its scores and references come with them. Raises JobError for a run that made
    no labels or has not finished.
    """
    if run.finished is None:
        raise JobError(f"{run.name} has not finished; its labels can be offered once it has.")
    folder = workspace.root / run.folder
    if not (folder / "labels").is_dir():
        raise JobError(f"{run.name} made no label maps, so there is nothing to offer for review.")
    said = labels_taken_in(workspace, folder, run.id)
    for scorer, scored in scores_of_labels(workspace, folder / "labels"):
        said += take_in_scores(workspace.store, scored, scorer).sentences()
    return said


def labels_taken_in(workspace: "Workspace", folder: Path, run_id: int) -> list[str]:
    """Takes a run folder's labels in, with the references beside its scores where it has any;
    sentences about what is new and what was refused.
    """
    intake = take_in_labels(workspace.store, folder, run_id, skip_undecided=True)
    known = f", {intake.known} known already" if intake.known else ""
    said = [f"New candidates for review: {intake.new}{known}.", *intake.refused.told()]
    if (folder / REFERENCES).is_dir():
        references, refused = take_in_references(workspace.store, folder, run_id)
        said += [f"Reference masks: {references}.", *refused.told()]
    return said
