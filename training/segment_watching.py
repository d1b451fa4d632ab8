"""Looking at a segmenter on its way: mIoU where truth is known, and the frames of a film.

The film shows the probability of each example's tag. Nothing that is seen here is learnt from.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from backend.errors import DataError
from backend.exchange.sources import Source, open_source
from backend.networks.classifier import ClassifierOutput
from backend.networks.normalisation import Normalisation
from training.evaluation import confusion, miou
from training.examples import Example
from training.predicting import label_map
from training.run import Run
from training.sources import to_measure
from training.watching import VALIDATION_SPLIT, Watcher

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def attend(network: nn.Module, images: torch.Tensor, tags: torch.Tensor) -> ClassifierOutput:
    """A segmenter's probabilities of the classes as maps (N,C,h,w), and their largest as scores."""
    bare: Any = getattr(network, "module", network)
    maps = bare.segment(images).float().softmax(dim=1)[:, 1:]
    return ClassifierOutput(maps.amax(dim=(2, 3)), maps)


class SegmentWatcher(Watcher):
    """A Watcher that measures labels: over held-out images of the list val, and where there are
    none over examples that are learnt from, as far as they have a true mask.
    """

    def __init__(
        self,
        run: Run,
        fabric: "Fabric",
        source: Source,
        class_ids: Sequence[int],
        normalisation: Normalisation,
        size: int,
        *,
        every: int = 0,
        images: int = 24,
        held_out: Source | None = None,
    ) -> None:
        # Its examples are chosen and shown by tag, and a mask says better what an image holds.
        super().__init__(
            run,
            fabric,
            by_mask(source, class_ids),
            class_ids,
            normalisation,
            size,
            attend,
            every=every,
            images=images,
            held_out=None if held_out is None else by_mask(held_out, class_ids),
        )

    def _maps(
        self, network: nn.Module, examples: Sequence[Example]
    ) -> dict[str, tuple[list[int], np.ndarray]]:
        """For each image its tags' ids and their probabilities float32 (K,h,w)."""
        found = {}
        for batch, tags, seen in self._seen(network, examples):
            for example, own, maps in zip(batch, tags, seen.maps.cpu(), strict=True):
                ids = [id for id, is_tag in zip(self.class_ids, own, strict=True) if is_tag]
                found[example.item.name] = (ids, np.nan_to_num(maps[own].numpy()))
        return found

    def _measure(
        self, network: nn.Module, step: int, maps: dict[str, tuple[list[int], np.ndarray]]
    ) -> None:
        examples = self._strangers or self._open()
        known = [example for example in examples if example.truth is not None]
        matrix = np.zeros((max(self.source.classes) + 1,) * 2, np.int64)
        ids = (0, *self.class_ids)
        for batch, _, seen in self._seen(network, known):
            for example, probabilities in zip(batch, seen.maps, strict=True):
                assert example.truth is not None
                background = 1 - probabilities.sum(dim=0, keepdim=True)
                every = torch.cat([background, probabilities])
                predicted = label_map(every, example.truth.shape, ids)
                matrix += confusion(predicted, example.truth, len(matrix))
        if not matrix.any():
            return
        name = "validation_miou" if self._strangers else "training_miou"
        found = 100 * miou(matrix)
        self.run.event("validation", step=step, **{name: found}, images=len(known))
        self.run.say(f"step {step}: {name.replace('_miou', ' mIoU')} {found:.1f}")


def by_mask(source: Source, class_ids: Sequence[int]) -> Source:
    """The source whose images have as tags what they were tagged with, else every class: an
    example without a tag would never be chosen.
    """
    items = [item if item.tags else replace(item, tags=tuple(class_ids)) for item in source.items]
    return replace(source, items=items)


def held_out_with_truth(run: Run, taught: Source) -> Source | None:
    """The images of --data's list val that are not learnt from and have a true mask; None, and a
    message why, where there are none.
    """
    if run.data is None or VALIDATION_SPLIT not in taught.splits:
        run.message(
            f"No validation mIoU is measured: the data has no list of images named "
            f"{VALIDATION_SPLIT}."
        )
        return None
    try:
        listed = to_measure(open_source(run.data, VALIDATION_SPLIT), run)
    except DataError as problem:
        run.message(f"No validation mIoU is measured: {problem}")
        return None
    learnt = {item.name for item in taught.items}
    items = [item for item in listed.items if item.truth is not None and item.name not in learnt]
    if not items:
        run.message(
            f"No validation mIoU is measured: every image of the list {VALIDATION_SPLIT} is learnt "
            "from or has no true mask."
        )
        return None
    return replace(listed, items=items)
