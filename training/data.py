"""Images, tags and masks as batches.

All randomness of a sample comes from (seed, epoch, image), so that neither the number of workers
nor a resumed run changes what is seen.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

import backend.torchvision_shim  # noqa: F401  (before any import of torchvision)
from backend.exchange.sources import Item, Source
from backend.images import read_image, require_usable
from backend.labels import IGNORE, resize_labels
from training.views import Augmentation, choose_view, jitter_colours, show

# isort: split
from torchvision import tv_tensors


class Batch(NamedTuple):
    """images uint8 (N,3,S,S) RGB; tags float32 (N,C); indices int64 (N,) of the source's items;
    views float32 (N,5), a View each; masks int64 (N,S,S), 255 ignore and padding, or None.
    """

    images: torch.Tensor
    tags: torch.Tensor
    indices: torch.Tensor
    views: torch.Tensor
    masks: torch.Tensor | None = None


# An image's index and the seed of its sample.
Key = tuple[int, tuple[int, ...]]


def tag_matrix(items: Sequence[Item], class_ids: Sequence[int]) -> torch.Tensor:
    """float32 (images, classes): 1 where the image has the tag; other tags are left out."""
    place = {id: column for column, id in enumerate(class_ids)}
    matrix = torch.zeros(len(items), len(class_ids))
    for row, item in enumerate(items):
        for tag in item.tags:
            if tag in place:
                matrix[row, place[tag]] = 1.0
    return matrix


class TaggedImages(Dataset[Batch]):
    """Samples of a source, asked for by (index, seed of the sample).

    Images are kept decoded, no larger than a sample can use, while they fit in `cache_bytes`.
    `masks` (item -> uint8 (H,W)) adds masks.
    """

    def __init__(
        self,
        source: Source,
        class_ids: Sequence[int],
        how: Augmentation,
        *,
        cache_bytes: int = 0,
        masks: bool = False,
    ) -> None:
        self.source = source
        self.items = source.items
        self.tags = tag_matrix(source.items, class_ids)
        self.how = how
        self.masks = masks
        self._room = cache_bytes
        self._kept: dict[int, tuple[np.ndarray, np.ndarray | None]] = {}

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, key: Key) -> Batch:
        index, seed = key
        random = np.random.default_rng(seed)
        pixels, labels = self._read(index)
        view = choose_view(pixels.shape[0], pixels.shape[1], self.how, random)
        image, mask = show(
            view,
            self.how,
            tv_tensors.Image(torch.from_numpy(pixels).permute(2, 0, 1)),
            None if labels is None else tv_tensors.Mask(torch.from_numpy(labels)),
        )
        if self.how.jitter:
            image = jitter_colours(image, self.how.jitter, random)
        return Batch(
            image,
            self.tags[index],
            torch.tensor(index),
            torch.tensor(view, dtype=torch.float32),
            None if mask is None else mask.long(),
        )

    def _read(self, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        kept = self._kept.get(index)
        if kept is not None:
            return kept
        item = self.items[index]
        image = require_usable(read_image(item.image), item.name)
        labels = self.source.mask(item) if self.masks and item.mask else None
        largest = self.how.size * max(1.0, self.how.most) / max(0.1, self.how.least) ** 0.5
        scale = largest / min(image.shape[:2])
        if scale < 1.0:
            size = (round(image.shape[0] * scale), round(image.shape[1] * scale))
            image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
            labels = None if labels is None else resize_labels(labels, size)
        room = image.nbytes + (0 if labels is None else labels.nbytes)
        if room <= self._room:
            self._room -= room
            self._kept[index] = (image, labels)
        return image, labels


class Batches:
    """The batches of every epoch in an order of its own, from any batch on.

    Each rank of a data-parallel run gets every `ranks`-th image of the same order.
    """

    def __init__(
        self,
        dataset: TaggedImages,
        batch: int,
        seed: int,
        *,
        workers: int = 0,
        rank: int = 0,
        ranks: int = 1,
        pin_memory: bool = False,
    ) -> None:
        self.dataset = dataset
        self.batch = batch
        self.seed = seed
        self.rank, self.ranks = rank, ranks
        # Of uneven parts each rank takes as many as the smallest has, so that none waits.
        self.images = len(dataset) // ranks or 1
        self.current_epoch = 0
        self._wanted: list[list[Key]] = []
        self._loader = DataLoader(
            dataset,
            batch_sampler=_Wanted(self._wanted),
            num_workers=workers,
            collate_fn=collate,
            pin_memory=pin_memory,
            persistent_workers=workers > 0,
            # Without its own, every new iterator would draw from torch's, a resumed run once more.
            generator=torch.Generator(),
        )

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-self.images // self.batch)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, from number `start` on; `current_epoch` is then this one."""
        self.current_epoch = epoch
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.dataset))
        mine = order[self.rank :: self.ranks][: self.images].tolist()
        keys: list[Key] = [(index, (self.seed, epoch, index)) for index in mine]
        self._wanted[:] = [
            keys[first : first + self.batch] for first in range(0, len(keys), self.batch)
        ][start:]
        return iter(self._loader)


class _Wanted:
    """A batch sampler over a list that its owner changes."""

    def __init__(self, wanted: list[list[Key]]) -> None:
        self.wanted = wanted

    def __iter__(self) -> Iterator[list[Key]]:
        return iter(list(self.wanted))

    def __len__(self) -> int:
        return len(self.wanted)


def collate(samples: Sequence[Batch]) -> Batch:
    """Samples stacked; masks where all have one, otherwise a mask of 255 for those without."""
    masks = [sample.masks for sample in samples]
    stacked = None
    if any(mask is not None for mask in masks):
        size = samples[0].images.shape[-2:]
        nothing = torch.full(size, IGNORE, dtype=torch.int64)
        stacked = torch.stack([nothing if mask is None else mask for mask in masks])
    return Batch(
        torch.stack([sample.images for sample in samples]),
        torch.stack([sample.tags for sample in samples]),
        torch.stack([sample.indices for sample in samples]),
        torch.stack([sample.views for sample in samples]),
        stacked,
    )
