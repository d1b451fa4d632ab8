"""What a finished run of `score` leaves to the workspace: scores and reference masks."""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import DataError
from backend.intake.masks import Refusals, ScoreLine, batches, changed_since, read_scores
from backend.intake.references import checked_reference
from backend.store import REFERENCE, Store
from backend.store.files import FileBatch

if TYPE_CHECKING:
    from backend.workspace import Workspace

RECIPE = "score"
_THREADS = 4


@dataclass(frozen=True)
class ScoreIntake:
    """How many candidates got new scores, how many had these already, of how many scored masks
    there is no candidate, how many reference masks came with them, and what was refused.
    """

    new: int
    known: int
    unoffered: int
    references: int
    refused: Refusals

    def sentences(self) -> list[str]:
        """What to tell a person."""
        said = [
            f"Candidates with new scores: {self.new}"
            + (f", {self.known} had these already" if self.known else "")
            + f". Reference masks: {self.references}."
        ]
        if self.unoffered:
            said.append(
                f"{self.unoffered} of the scored masks are not in Curate: press “New candidates” "
                "at the run that made them, and they come with these scores."
            )
        return said + self.refused.told()


@dataclass(frozen=True)
class _Checked:
    """A scored image whose labels and reference were looked at."""

    image_id: int
    candidates: list[int]
    scores: Mapping[str, float]
    reference: str | None


def take_in_scores(store: Store, folder: Path, run_id: int | None) -> ScoreIntake:
    """Gives the candidates that a run of `score` measured its scores, and keeps its references.

    A candidate is found by its image and the very bytes of its label map, whoever offered it. Where
    the labels have changed since they were scored, the scores are another mask's and are refused.
    Done twice, nothing is doubled, and no earlier score is lost: see `Candidates.scorings`. Raises
    DataError where the folder does not say whose labels were scored.
    """
    labels = scored_labels(folder)
    told = list(read_scores(folder / "scores.jsonl", RECIPE).items())
    refused = Refusals()
    new = known = unoffered = references = 0

    def check(entry: tuple[str, ScoreLine], batch: FileBatch) -> _Checked | str:
        name, line = entry
        image = store.images.by_name(name)
        if image is None:
            return f"The workspace has no image {name}, so its scores have no place."
        try:
            digest = hashlib.sha256((labels / f"{name}.png").read_bytes()).hexdigest()
        except OSError as error:
            return f"The labels of {name} that were scored cannot be read: {error.strerror}."
        if not line.is_of(digest):
            return changed_since(name)
        kept = None
        try:
            kept = checked_reference(folder, image, batch)
        except DataError as error:
            refused.add(str(error))
        found = store.candidates.with_labels(image.id, digest)
        return _Checked(image.id, found, line.scores, kept)

    with ThreadPoolExecutor(_THREADS) as threads:
        for batch in batches(told):
            with store.files.batch() as files:
                checked = list(threads.map(partial(check, batch=files), batch))
            good = refused.sift(checked)
            found = [(each.image_id, each.reference) for each in good if each.reference]
            store.artifacts.enter(REFERENCE, found, run_id)
            references += len(found)
            scored = [(id, each.scores) for each in good for id in each.candidates]
            given = store.candidates.rescore(scored, run_id)
            new, known = new + given, known + len(scored) - given
            unoffered += sum(not each.candidates for each in good)
    return ScoreIntake(new, known, unoffered, references, refused)


def scored_labels(folder: Path) -> Path:
    """The folder of the label maps that a run of `score` measured."""
    try:
        earlier = json.loads((folder / "config.json").read_bytes())["settings"]["from_"]
    except (OSError, ValueError, KeyError, TypeError):
        earlier = None
    if not isinstance(earlier, str) or not earlier:
        raise DataError(f"{folder} does not say whose labels it scored (config.json, from_).")
    return Path(earlier) / "labels"


def scores_of_labels(workspace: "Workspace", labels: Path) -> list[tuple[int, Path]]:
    """The finished runs of `score`, the oldest first, that measured the labels in a folder: their
    ids and folders.
    """
    found = []
    for run in workspace.store.runs.all():
        if run.recipe != RECIPE or run.finished is None:
            continue
        folder = workspace.root / run.folder
        try:
            measured = scored_labels(folder)
        except DataError:
            continue
        if measured.resolve() == labels.resolve():
            found.append((run.id, folder))
    return found[::-1]
