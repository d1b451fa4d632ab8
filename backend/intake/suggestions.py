"""What a finished run of `suggest` leaves to the workspace: a classifier's scores of all images."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.errors import DataError
from backend.exchange.names import some
from backend.intake.lines import read_lines
from backend.intake.masks import Refusals, batches
from backend.store import Store

RECIPE = "suggest"
FILE = "suggestions.jsonl"


@dataclass(frozen=True)
class SuggestionIntake:
    """Of how many images scores came in, of which classes the workspace has none, and refusals."""

    images: int
    strangers: tuple[str, ...]
    refused: Refusals

    def sentences(self) -> list[str]:
        """What to tell a person."""
        said = [f"The classifier looked at {self.images} images; Tags shows what it suggests."]
        if self.strangers:
            said.append(
                f"It also knows {some(self.strangers)}, which is no class of this workspace. Add "
                "the class and run suggest again to see where."
            )
        return said + self.refused.told()


def take_in_suggestions(store: Store, folder: Path, run_id: int | None) -> SuggestionIntake:
    """Keeps the scores of a run folder's suggestions.jsonl, by image and class name.

    They are shown beside the tags and change none. Done twice, nothing is doubled. Raises DataError
    where the file is missing.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise DataError(f"{folder} holds no {FILE}; it is what a run of {RECIPE} writes.")
    classes = {each.name.casefold(): each.id for each in store.classes.all()}
    refused, strangers, taken = Refusals(), set[str](), 0
    for batch in batches(_scores(path)):
        by_image: dict[int, dict[int, float]] = {}
        for name, scores in batch:
            image = store.images.by_name(name)
            if image is None:
                refused.add(f"The workspace has no image {name}, so its scores have no place.")
                continue
            strangers |= {each for each in scores if each.casefold() not in classes}
            by_image[image.id] = {
                classes[each.casefold()]: score
                for each, score in scores.items()
                if each.casefold() in classes
            }
        store.suggestions.enter(by_image, run_id)
        taken += len(by_image)
    return SuggestionIntake(taken, tuple(sorted(strangers)), refused)


def _scores(path: Path) -> Iterator[tuple[str, Mapping[str, float]]]:
    for told in read_lines(path):
        scores: Any = told.get("scores")
        if isinstance(scores, dict):
            yield (
                told["image"],
                {
                    str(name): float(score)
                    for name, score in scores.items()
                    if type(score) in (int, float) and 0 <= score <= 1
                },
            )
