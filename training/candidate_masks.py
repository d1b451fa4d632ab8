"""The label maps that runs made, as masks to be scored: each with AC, CD and, where it is known,
what its score should be.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from backend.errors import DataError, ImageError, RefinementError, SaliencyError
from backend.exchange.names import counted, some
from backend.exchange.sources import Item, Source, open_source
from backend.images import read_image, require_usable
from backend.labels import read_labels
from training.errors import TrainingError
from training.masks import with_labels
from training.references import References
from training.run import Run
from training.scored_masks import Measure, distribution
from training.streaming import stream


@dataclass(frozen=True)
class Candidate:
    """A mask of an image: of which run (its place among them), and of which class, None for all.

    true: AC against the true mask, None where there is none; referenced: whether there is anything
    in its reference that it could agree with; empty: whether it has no pixel.
    """

    name: str
    run: int
    id: int | None
    ac: float
    cd: float
    true: float | None
    referenced: bool = True
    empty: bool = False


@dataclass(frozen=True)
class Seen:
    """What an image's label maps are worth, and sentences about those that cannot be used."""

    name: str
    found: list[Candidate]
    troubles: list[str]


@dataclass(frozen=True)
class LabelledRuns:
    """The images of a data set, and for each of several runs those that it labelled."""

    source: Source
    runs: list[Source]

    def masks(self, name: str) -> Iterator[tuple[int, Item]]:
        """The place of each run that labelled an image, and its item, whose mask are the labels."""
        for place, by_name in enumerate(self._by_name):
            if name in by_name:
                yield place, by_name[name]

    def item(self, name: str, run: int) -> Item:
        """An image's item with the labels of one run as its mask."""
        return self._by_name[run][name]

    @cached_property
    def _by_name(self) -> list[dict[str, Item]]:
        return [
            {item.name: item for item in run.items if item.mask is not None} for run in self.runs
        ]

    @property
    def labelled(self) -> list[Item]:
        """The images that any run labelled, in their order."""
        return [item for item in self.source.items if next(self.masks(item.name), None)]


def open_labelled(run: Run, earlier: Sequence[str]) -> LabelledRuns:
    """The images of --data with the labels of the runs in --from.

    Images that a run has no labels for are named. Raises TrainingError where no run is named, one
    has no labels, or no image has any.
    """
    if not earlier or not any(earlier):
        raise TrainingError("--from is missing: name the folder of a run that made labels.")
    if run.data is None:
        raise TrainingError(
            "--data is missing. Name a VOC devkit, a folder with tags.csv or a snapshot's "
            "manifest.json."
        )
    source = open_source(run.data, run.split)
    for note in source.notes:
        run.message(note)
    found = LabelledRuns(source, [with_labels(source, Path(each)) for each in earlier])
    for folder, labelled in zip(earlier, found.runs, strict=True):
        bare = [item.name for item in labelled.items if item.mask is None]
        if bare:
            run.message(
                f"{len(bare)} of {len(source.items)} images have no labels in {Path(folder).name} "
                f"and are not scored: {some(bare)}."
            )
    if not found.labelled:
        raise TrainingError(
            f"None of the {len(source.items)} images of {source.root} has labels in "
            f"{', '.join(earlier)}. Give with --from a run over the same images."
        )
    return found


def tell_saliency(run: Run, references: References, items: Sequence[Item]) -> None:
    """Names the images without a saliency map, and those whose map is stretched."""
    from training.scores import tell_stretched

    saliency = references.maker.saliency
    missing = saliency.missing(item.name for item in items)
    if missing:
        run.message(
            f"{len(missing)} of {len(items)} images have no saliency map in "
            f"{saliency.name.partition(':')[2]} and are not scored: {some(missing)}."
        )
    tell_stretched(run, saliency, list(items))


def look_through(
    run: Run, labelled: LabelledRuns, references: References, measure: Measure, threads: int
) -> list[Candidate]:
    """Every mask of every image with its coarse scores; what cannot be used, and what has nothing
    to be compared with, is named.

    Reference masks that are there are not made again.
    """
    items = labelled.labelled
    missing = set(references.maker.saliency.missing(item.name for item in items))
    items = [item for item in items if item.name not in missing]

    def look(item: Item) -> Seen:
        return seen(item, labelled, references, measure)

    candidates: list[Candidate] = []
    for each in stream(run, items, look, threads, total=len(items), stage="coarse scores"):
        for sentence in each.troubles:
            run.message(sentence)
        candidates += each.found
    tell_empty(run, candidates)
    return candidates


def tell_empty(run: Run, candidates: Sequence[Candidate]) -> None:
    """Names the images in whose reference a mask finds nothing, and counts the empty masks."""
    blind = [each for each in candidates if not each.referenced]
    if blind:
        names = list(dict.fromkeys(each.name for each in blind))
        run.message(
            f"{counted(len(blind), 'mask')} of {counted(len(names), 'image')} left out, where the "
            f"reference is empty and says nothing of how good a mask is: {some(names)}."
        )
    empty = sum(each.empty for each in candidates if each.referenced)
    if empty:
        run.message(
            f"{empty} of {counted(len(candidates), 'mask')} {'is' if empty == 1 else 'are'} empty, "
            "which teaches that such a mask has an AC of 0."
        )


def seen(item: Item, labelled: LabelledRuns, references: References, measure: Measure) -> Seen:
    """The candidates of one image."""
    try:
        image = require_usable(read_image(item.image), item.name)
        reference = references.of(item, image)
    except (ImageError, SaliencyError, RefinementError) as problem:
        return Seen(item.name, [], [f"{item.name} is left out: {problem}"])
    likely = measure.of_image(image)
    found, troubles = [], []
    for place, with_mask in labelled.masks(item.name):
        try:
            labels = labels_of(with_mask, image)
            true = truths(labelled.source, item, labels, measure, likely)
        except DataError as problem:
            troubles.append(f"{item.name} is left out: {problem}")
            continue
        cd = distribution(labels, item.tags)
        for number, part in enumerate(measure.parts(labels, item.tags)):
            ac = measure.accuracy(part, reference, likely)
            told = None if true is None else true[number]
            referenced, empty = bool(part.of(reference).any()), not part.mask.any()
            found.append(
                Candidate(item.name, place, part.id, ac, cd, told, referenced, bool(empty))
            )
    return Seen(item.name, found, troubles)


def labels_of(item: Item, image: np.ndarray) -> np.ndarray:
    """The label map that is an item's mask, uint8 (H,W); DataError where it does not fit the image.

    Its ids may be those of any class list: only foreground and tags are told apart.
    """
    assert item.mask is not None
    labels = read_labels(item.mask)
    if labels.shape != image.shape[:2]:
        raise DataError(
            f"its labels are {labels.shape[1]}x{labels.shape[0]} pixels, the image "
            f"{image.shape[1]}x{image.shape[0]} ({item.mask}). Label it again."
        )
    return labels


def truths(
    source: Source, item: Item, labels: np.ndarray, measure: Measure, likely: object = 1.0
) -> list[float] | None:
    """The true AC of each part of an image's labels; None without a true mask."""
    if item.truth is None:
        return None
    return measure.true_accuracy(labels, source.truth(item), item.tags, likely)  # type: ignore[arg-type]


def known(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Those of which the true score is known."""
    return [each for each in candidates if each.true is not None]
