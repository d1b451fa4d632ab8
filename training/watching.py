"""Looking at a network on its way: validation accuracy, map mIoU, and the frames of a film.

Nothing that is seen here is learnt from, and a run that is watched ends with the same numbers as
one that is not.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from backend.errors import DataError
from backend.exchange.sources import Item, Source, open_source
from backend.maps.attention import normalise
from backend.networks.classifier import ClassifierOutput
from backend.networks.normalisation import Normalisation
from training.data import tag_matrix
from training.evaluation import THRESHOLDS, miou, threshold_sweep
from training.examples import Example, read, spread
from training.film import Place, frame_interval, places, write_frame, write_photographs
from training.run import Run

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# network, normalised images (N,3,H,W), tags float32 (N,C) -> scores (N,C) and raw maps (N,C,h,w)
Attend = Callable[[nn.Module, torch.Tensor, torch.Tensor], ClassifierOutput]

LOOKS = 20
LEAST_BETWEEN = 10
FILMED = 8
MOST_HELD_OUT = 64
BATCH = 8
VALIDATION_SPLIT = "val"
# Where nobody said how often, measuring waits until looking has taken no more of the run's time.
MOST_TIME = 0.04


class Watcher:
    """Looks at the same few images now and then, and tells what it sees.

    `every` so many steps, and after the last, it makes a frame of the film from FILMED examples
    and measures: map mIoU, at the best threshold, over `images` training images as far as they
    have a true mask, and tag accuracy over at most MOST_HELD_OUT of `held_out`. With `every` 0 it
    looks LOOKS times, at least LEAST_BETWEEN steps apart, and measures only where looking has
    taken at most MOST_TIME of the time so far; below 0 it never looks.

    A look is one pass forward an image, BATCH at a time, each in its own shape with as many pixels
    as `size` x `size`: by default 8 passes for a frame and 80 more for the measures. The images
    stay in memory, at `size` 224 some 13 MB.
    """

    def __init__(
        self,
        run: Run,
        fabric: "Fabric",
        source: Source,
        class_ids: Sequence[int],
        normalisation: Normalisation,
        size: int,
        attend: Attend,
        *,
        every: int = 0,
        images: int = 24,
        held_out: Source | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run = run
        self.fabric = fabric
        self.source = source
        self.class_ids = list(class_ids)
        self.normalisation = normalisation
        self.size = size
        self.attend = attend
        self.every = every
        self.images = images
        self.held_out = held_out
        self._clock = clock
        self._begun = clock()
        self._spent = 0.0
        self._frames = self._last = 1
        self._examples: list[Example] | None = None
        self._strangers: list[Example] = []
        self._places: list[Place] = []

    def due(self, step: int, steps: int) -> bool:
        """Whether to look after this step of so many."""
        if self.every < 0:
            return False
        between = self.every or max(LEAST_BETWEEN, math.ceil(steps / LOOKS))
        self._frames, self._last = frame_interval(between, steps), steps
        return step % between == 0 or step == steps

    @torch.no_grad()
    def look(self, network: nn.Module, step: int) -> None:
        """Looks through a network in evaluation mode; writes the events "validation" and "film".

        Images that cannot be read are left out and named in a message. Raises DataError where a
        frame cannot be written.
        """
        begun = self._clock()
        within_time = self._spent <= MOST_TIME * (begun - self._begun)
        measured = self.every > 0 or step == self._last or within_time
        filmed = step % self._frames == 0 or step == self._last
        examples = self._open()
        maps = self._maps(network, examples if measured else examples[:FILMED])
        if measured:
            self._measure(network, step, maps)
        if filmed and self._places:
            heats = [_of_tag(example, maps[example.item.name]) for example in examples[:FILMED]]
            self.run.event("film", **write_frame(self.run.folder, step, self._places, heats))
        self._spent += self._clock() - begun

    def _measure(
        self, network: nn.Module, step: int, maps: dict[str, tuple[list[int], np.ndarray]]
    ) -> None:
        """Measures what this watcher is for, and writes the event "validation"."""
        self._tell(step, self._tag_accuracy(network), self._map_quality(maps))

    def _open(self) -> list[Example]:
        """The examples, read at the first look; the photographs of the film are then written."""
        if self._examples is None:
            chosen = spread(self.source.items, self.class_ids, self.images)
            self._examples = list(read(self.run, self.source, chosen, self.size))
            if self.held_out:
                chosen = spread(self.held_out.items, self.class_ids, MOST_HELD_OUT)
                self._strangers = list(read(self.run, self.held_out, chosen, self.size))
            shown = self._examples[:FILMED]
            self._places = places(
                [(x.item.name, self.source.classes[x.tag], x.image.shape[:2]) for x in shown]
            )
            if shown:
                write_photographs(self.run.folder, self._places, [x.image for x in shown])
        return self._examples

    def _seen(
        self, network: nn.Module, examples: Iterable[Example]
    ) -> Iterator[tuple[list[Example], torch.Tensor, ClassifierOutput]]:
        """Batches of examples of one shape, their tags, and what the network makes of them."""
        waiting: dict[tuple[int, ...], list[Example]] = {}
        batches: list[list[Example]] = []
        for example in examples:
            batch = waiting.setdefault(example.image.shape, [])
            batch.append(example)
            if len(batch) == BATCH:
                batches.append(waiting.pop(example.image.shape))
        for batch in [*batches, *waiting.values()]:
            tags = tag_matrix([example.item for example in batch], self.class_ids)
            images = torch.stack([self.normalisation.tensor(example.image) for example in batch])
            images = images.contiguous(memory_format=torch.channels_last)
            seen = self.attend(network, *self.fabric.to_device((images, tags)))
            yield batch, tags.bool(), seen

    def _maps(
        self, network: nn.Module, examples: Sequence[Example]
    ) -> dict[str, tuple[list[int], np.ndarray]]:
        """For each image its tags' ids and their attention maps float32 (K,h,w) in 0..1."""
        found = {}
        for batch, tags, seen in self._seen(network, examples):
            for example, own, raw in zip(batch, tags, seen.maps.float().cpu(), strict=True):
                # A network that just diverged gives no numbers; the loop says so.
                maps = normalise(np.nan_to_num(raw[own].numpy(), posinf=0.0, neginf=0.0))
                ids = [id for id, is_tag in zip(self.class_ids, own, strict=True) if is_tag]
                found[example.item.name] = (ids, maps)
        return found

    def _tag_accuracy(self, network: nn.Module) -> float | None:
        """The part of (held-out image, class) pairs decided as the tags say, None without any."""
        right = pairs = 0
        for _, tags, seen in self._seen(network, self._strangers):
            right += int(((seen.scores.float().cpu() > 0) == tags).sum())
            pairs += tags.numel()
        return right / pairs if pairs else None

    def _map_quality(self, maps: dict[str, tuple[list[int], np.ndarray]]) -> dict[str, Any]:
        """mIoU (0..100) at the best threshold, that threshold, and over how many images."""
        known = [
            (maps[example.item.name], example.truth)
            for example in self._open()
            if example.truth is not None
        ]
        matrices = threshold_sweep(
            ((heats, ids, truth) for (ids, heats), truth in known), max(self.source.classes) + 1
        )
        if not matrices.any():
            return {"miou": None, "threshold": None, "looked_at": 0}
        scores = [100 * miou(matrix) for matrix in matrices]
        best = int(np.argmax(scores))
        return {"miou": scores[best], "threshold": THRESHOLDS[best], "looked_at": len(known)}

    def _tell(self, step: int, accuracy: float | None, quality: dict[str, Any]) -> None:
        said = [] if accuracy is None else [f"validation tag accuracy {accuracy:.4f}"]
        if quality["miou"] is not None:
            said.append(f"map mIoU {quality['miou']:.1f} at {quality['threshold']:.2f}")
        if not said:
            return
        images = len(self._strangers)
        self.run.event("validation", step=step, tag_accuracy=accuracy, images=images, **quality)
        self.run.say(f"step {step}: {', '.join(said)}")


def held_out_source(run: Run, source: Source) -> Source | None:
    """The tagged images of --data's list val that are not trained on; None, and a message why,
    where there are none. Their masks are left out: only their tags are looked at.
    """
    try:
        items = _not_trained_on(run, source)
    except DataError as problem:
        run.message(f"No validation accuracy is measured: {problem}")
        return None
    return replace(source, items=items, split=VALIDATION_SPLIT)


def _not_trained_on(run: Run, source: Source) -> list[Item]:
    if run.data is None or VALIDATION_SPLIT not in source.splits:
        raise DataError(f"the data has no list of images named {VALIDATION_SPLIT}.")
    trained = {item.name for item in source.items}
    items = [
        replace(item, truth=None, mask=None)
        for item in open_source(run.data, VALIDATION_SPLIT).items
        if item.tags and item.name not in trained
    ]
    if not items:
        raise DataError(
            f"every tagged image of the list {VALIDATION_SPLIT} is trained on. Name a --split "
            "that leaves some out."
        )
    return items


def _of_tag(example: Example, found: tuple[list[int], np.ndarray]) -> np.ndarray:
    ids, maps = found
    return np.asarray(maps[ids.index(example.tag)])
