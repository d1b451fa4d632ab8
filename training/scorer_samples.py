"""The samples of a mask scorer, each made when it is asked for, of files and a compact record."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from backend.images import read_image, require_usable
from backend.mask_scorer import squashed, squashed_mask
from training import mask_changes
from training.candidate_masks import Candidate, LabelledRuns, labels_of
from training.correlation import BINS
from training.data import Batch, Key
from training.mask_changes import View
from training.references import References
from training.scored_masks import Measure, Part
from training.scorer_set import AS_THEY_ARE, CHANGED, COMPOSITES, GROWN, KINDS, Sample
from training.views import jitter_colours

# What masks made worse are to have: between what a low mask may and a high one must have.
ERODED = 0.5


@dataclass(frozen=True)
class Augmented:
    """What a sample's copies of one epoch and the next differ in: redraw: what is made is made
    anew; flip: mirrored every other time; jitter: brightness, contrast, saturation by this part.
    """

    redraw: bool = False
    flip: bool = False
    jitter: float = 0.0


class Views:
    """Candidates as the network sees them, kept in memory while they fit in `room` bytes."""

    def __init__(
        self,
        labelled: LabelledRuns,
        references: References,
        measure: Measure,
        size: int,
        room: int = 0,
    ) -> None:
        self.labelled, self.references, self.measure = labelled, references, measure
        self.size = size
        self._room = room
        self._kept: dict[Candidate, View] = {}

    def of(self, candidate: Candidate) -> View:
        """Image, mask and reference of a candidate at the network's size."""
        kept = self._kept.get(candidate)
        if kept is not None:
            return kept
        item = self.labelled.item(candidate.name, candidate.run)
        image = require_usable(read_image(item.image), item.name)
        labels = labels_of(item, image)
        reference = self.references.of(item, image)
        parts = self.measure.parts(labels, item.tags)
        part = next(each for each in parts if each.id == candidate.id)
        made = View(
            squashed(image, self.size),
            squashed_mask(part.mask, self.size),
            squashed_mask(part.of(reference), self.size),
        )
        bytes_taken = sum(each.nbytes for each in made)
        if bytes_taken <= self._room:
            self._room -= bytes_taken
            self._kept[candidate] = made
        return made


class ScorerSamples(Dataset[Batch]):
    """Samples asked for by (index, seed of the sample), as `training.data.Batches` asks.

    Batch.images are uint8 (3,S,S), Batch.masks 0 and 1, Batch.tags the score to learn, (1,).
    """

    def __init__(
        self,
        views: Views,
        candidates: Sequence[Candidate],
        samples: Sequence[Sample],
        seed: int,
        between: tuple[float, float],
        how: Augmented,
    ) -> None:
        self.views, self.candidates, self.samples = views, candidates, samples
        self.seed, self.between, self.how = seed, between, how

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: Key) -> Batch:
        index, seed = key
        view, score = self.made(index, seed[1] if self.how.redraw else 0)
        random = np.random.default_rng(seed)
        pixels = torch.from_numpy(view.image).permute(2, 0, 1)
        mask = torch.from_numpy(view.mask).long()
        if self.how.flip and random.random() < 0.5:
            pixels, mask = pixels.flip(-1), mask.flip(-1)
        if self.how.jitter:
            pixels = jitter_colours(pixels, self.how.jitter, random)
        return Batch(pixels, torch.tensor([score]), torch.tensor(index), torch.zeros(5), mask)

    def made(self, index: int, draw: int = 0) -> tuple[View, float]:
        """A sample as it is made in a draw, and its AC: of what is changed or put together, taken
        anew against the original's reference.
        """
        sample = self.samples[index]
        one = self.candidates[sample.one]
        view = self.views.of(one)
        if sample.kind in AS_THEY_ARE:
            return view, one.ac
        kind = KINDS.index(sample.kind)
        random = np.random.default_rng((self.seed, kind, sample.number, sample.one, draw))
        form = self.views.measure.form
        if sample.kind == COMPOSITES:
            made = mask_changes.pasted(view, self.views.of(self.candidates[sample.other]), random)
        elif sample.kind in (CHANGED, GROWN):
            target = random.uniform(*self.between)
            if sample.kind == GROWN:
                worse = mask_changes.grown(view.mask, view.reference, target, form)
            elif random.random() < ERODED:
                worse = mask_changes.eroded(view.mask, view.reference, target, form)
            else:
                worse = mask_changes.erased(view.mask, view.reference, target, random, form)
            made = view._replace(mask=worse)
        else:
            made = view._replace(mask=self.views.of(self.candidates[sample.other]).mask)
        measure = self.views.measure
        likely = measure.of_image(made.image)
        return made, measure.accuracy(Part(None, made.mask), made.reference, likely)

    def counted(self) -> Iterator[tuple[str, int]]:
        """For each sample its kind and the tenth of 0..1 that its AC is in, in the first draw."""
        for index, sample in enumerate(self.samples):
            ac = (
                self.candidates[sample.one].ac
                if sample.kind in AS_THEY_ARE
                else self.made(index)[1]
            )
            yield sample.kind, min(BINS - 1, int(ac * BINS))
