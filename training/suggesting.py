"""How sure a classifier is of each of its classes in every image of a data set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from backend.errors import ImageError
from backend.exchange.sources import Item
from backend.images import read_image, require_usable
from backend.networks.normalisation import Normalisation
from training.loop import Diverged
from training.maps_export import resized
from training.run import Run
from training.streaming import stream

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Seen:
    """An image's probabilities, one a class, or the sentence why there are none."""

    item: Item
    probabilities: list[float]
    trouble: str | None = None


@dataclass(frozen=True)
class Classifier:
    """A network with `attend`, and at which shorter sides it looks, mirrored too or not.

    Its scores do not depend on the tags that are asked for, so that a wrong tag cannot vouch for
    itself.
    """

    fabric: "Fabric"
    network: nn.Module
    normalisation: Normalisation
    sizes: tuple[float, ...]
    flip: bool

    def views(self, item: Item) -> list[torch.Tensor]:
        """What the network is given of an image: float32 (3,h,w) a size. Raises ImageError."""
        image = require_usable(read_image(item.image), item.name)
        return [self.normalisation.tensor(resized(image, size)) for size in self.sizes]

    @torch.inference_mode()
    def probabilities(self, views: Sequence[torch.Tensor]) -> torch.Tensor:
        """(N,C) in 0..1 of N images' views of one size each (N,3,h,w), the mean over the sizes."""
        bare: Any = getattr(self.network, "module", self.network)
        seen = []
        for batch in views:
            looks = [batch, batch.flip(-1)] if self.flip else [batch]
            for look in looks:
                given = self.fabric.to_device(look.contiguous(memory_format=torch.channels_last))
                tags = torch.zeros(len(given), bare.num_classes, device=given.device)
                with self.fabric.autocast():
                    scores = bare.attend(given, tags).scores
                seen.append(scores.float().sigmoid())
        mean = torch.stack(seen).mean(dim=0).cpu()
        if not bool(mean.isfinite().all()):
            raise Diverged(
                "The network's scores are no longer numbers: its last steps left them. Name other "
                "weights with --weights."
            )
        return mean


def look_at(
    run: Run,
    items: Sequence[Item],
    classifier: Classifier,
    *,
    batch: int,
    threads: int,
    total: int,
) -> Iterator[list[Seen]]:
    """Each item in order, some at a time: neighbours of one shape go through the network together.

    Images are read ahead by threads, a few at a time, so that memory does not grow with their
    number. Raises Diverged, and Cancelled between two images.
    """

    def read(item: Item) -> tuple[Item, list[torch.Tensor] | str]:
        try:
            return item, classifier.views(item)
        except ImageError as problem:
            return item, f"{item.name} is left out: {problem}"

    done = total - len(items)
    work = stream(run, items, read, threads, total=total, done=done, stage="tags")
    waiting: list[tuple[Item, list[torch.Tensor] | str]] = []
    for each in work:
        waiting.append(each)
        if len(waiting) >= batch:
            yield _seen(classifier, waiting)
            waiting = []
    if waiting:
        yield _seen(classifier, waiting)


def _seen(
    classifier: Classifier, waiting: Sequence[tuple[Item, list[torch.Tensor] | str]]
) -> list[Seen]:
    found: list[Seen] = []
    for shape, group in groupby(waiting, key=_shape):
        together = list(group)
        if shape is None:
            found += [Seen(item, [], str(trouble)) for item, trouble in together]
            continue
        views = [torch.stack(list(same)) for same in zip(*(v for _, v in together), strict=True)]
        for (item, _), row in zip(together, classifier.probabilities(views), strict=True):
            found.append(Seen(item, row.tolist()))
    return found


def _shape(read: tuple[Item, list[torch.Tensor] | str]) -> tuple[torch.Size, ...] | None:
    views = read[1]
    return None if isinstance(views, str) else tuple(view.shape for view in views)
