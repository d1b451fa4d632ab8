"""A trained network's attention maps, one file per image and tag: maps/IMAGE/CLASS.png."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import nn

from backend.exchange.sources import Item, Source
from backend.images import read_image, require_usable
from backend.labels import read_heat, write_heat
from backend.maps.attention import normalise, resize
from backend.networks.normalisation import Normalisation
from training.data import tag_matrix
from training.evaluation import THRESHOLDS, miou, threshold_sweep
from training.loop import Diverged
from training.run import Run

if TYPE_CHECKING:
    from lightning_fabric import Fabric

SMALLEST_SIDE = 32
READ_AHEAD = 4

# An image and the network's outputs for its tags -> its maps float32 (K,h,w) in 0..1.
MapsOf = Callable[[Item, Sequence[int]], np.ndarray]


@dataclass(frozen=True)
class Looks:
    """At which sizes the network looks at a whole image, and how what it sees becomes one map.

    `size` is the shorter side at scale 1, the shape is kept. Each look's maps are normalised; then
    `fusion` "max" takes their maximum, "mean" their mean, normalised again. `to` "feature" writes
    maps at the resolution of the finest look's features, "image" at the image's size.
    """

    size: int
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    fusion: str = "max"
    to: str = "feature"


@dataclass(frozen=True)
class Exported:
    """How many map files were written, and the tag accuracy: the part of all (image, class) pairs
    that the network, looking once at the whole image, decides as the tags say.
    """

    maps: int
    tag_accuracy: float


def export_maps(
    run: Run,
    fabric: "Fabric",
    network: nn.Module,
    source: Source,
    class_ids: Sequence[int],
    normalisation: Normalisation,
    looks: Looks,
    folder: Path,
) -> Exported:
    """Writes folder/IMAGE/CLASS.png for every image and each of its tags that the network knows.

    Images are read ahead by a thread, a few at a time, so that neither the network waits nor the
    memory grows. Raises ImageError for an unreadable image, DataError where a file cannot be
    written, Diverged where the network gives no numbers, and Cancelled.
    """
    tags = tag_matrix(source.items, class_ids).bool()
    written, right = 0, 0
    for number, (item, image) in enumerate(_read_ahead(source.items)):
        run.check()
        columns = torch.nonzero(tags[number]).flatten().tolist()
        maps, scores = attention(fabric, network, image, columns, normalisation, looks)
        right += int(((scores > 0) == tags[number]).sum())
        for column, heat in zip(columns, maps, strict=True):
            write_heat(folder / item.name / f"{source.classes[class_ids[column]]}.png", heat)
            written += 1
        run.progress(number + 1, len(source.items), stage="maps")
    return Exported(written, right / max(1, tags.numel()))


def write_maps(
    run: Run, source: Source, class_ids: Sequence[int], folder: Path, maps_of: MapsOf
) -> int:
    """Writes folder/IMAGE/CLASS.png of maps that are there already; how many."""
    tags = tag_matrix(source.items, class_ids)
    written = 0
    for item, row in zip(source.items, tags, strict=True):
        run.check()
        columns = row.nonzero().flatten().tolist()
        for column, heat in zip(columns, maps_of(item, columns), strict=True):
            write_heat(folder / item.name / f"{source.classes[class_ids[column]]}.png", heat)
            written += 1
    return written


def _read_ahead(items: Sequence[Item]) -> Iterator[tuple[Item, np.ndarray]]:
    """Each item with its image, read while the ones before it are looked at."""
    with ThreadPoolExecutor(1) as reader:
        waiting: deque[tuple[Item, Future[np.ndarray]]] = deque()
        try:
            for item in items:
                waiting.append((item, reader.submit(_read, item)))
                if len(waiting) > READ_AHEAD:
                    first, image = waiting.popleft()
                    yield first, image.result()
            while waiting:
                first, image = waiting.popleft()
                yield first, image.result()
        finally:
            for _, image in waiting:
                image.cancel()


def _read(item: Item) -> np.ndarray:
    return require_usable(read_image(item.image), item.name)


def measure_maps(source: Source, class_ids: Sequence[int], folder: Path) -> dict[str, float]:
    """mIoU (0..100) of the exported maps at the best threshold, and that threshold, over the images
    that have a true mask; nothing where none has. Only ever a measure: no recipe learns from it.
    """
    with_truth = [item for item in source.items if item.truth is not None]
    if not with_truth:
        return {}

    def images() -> Iterator[tuple[np.ndarray, list[int], np.ndarray]]:
        for item in with_truth:
            ids = [id for id in item.tags if id in class_ids]
            maps = [read_heat(folder / item.name / f"{source.classes[id]}.png") for id in ids]
            # An image none of whose tags the network knows counts as background throughout.
            yield (
                np.stack(maps) if maps else np.zeros((0, 1, 1), np.float32),
                ids,
                source.truth(item),
            )

    scores = [
        0.0 if not matrix.any() else 100 * miou(matrix)
        for matrix in threshold_sweep(images(), max(source.classes) + 1)
    ]
    best = int(np.argmax(scores))
    return {"miou": scores[best], "threshold": THRESHOLDS[best]}


@torch.no_grad()
def attention(
    fabric: "Fabric",
    network: nn.Module,
    image: np.ndarray,
    columns: Sequence[int],
    normalisation: Normalisation,
    looks: Looks,
) -> tuple[np.ndarray, torch.Tensor]:
    """Fused attention maps float32 (K,h,w) in 0..1 of the network's outputs `columns`, the image's
    tags, and its scores (C,) at the scale nearest 1. image uint8 (H,W,3).
    """
    bare: Any = getattr(network, "module", network)
    seen: list[np.ndarray] = []
    scores = torch.empty(0)
    nearest = min(looks.scales, key=lambda scale: abs(scale - 1.0))
    for scale in looks.scales:
        small = resized(image, looks.size * scale)
        batch = normalisation.tensor(small)[None]
        if looks.flip:
            batch = torch.cat([batch, batch.flip(-1)])
        batch = fabric.to_device(batch.contiguous(memory_format=torch.channels_last))
        tags = torch.zeros(len(batch), bare.num_classes, device=batch.device)
        tags[:, columns] = 1.0
        with fabric.autocast():
            output = bare.attend(batch, tags)
        if scale == nearest:
            scores = output.scores[0].float().cpu()
        raw = output.maps[:, columns].float().cpu().numpy()
        if not (np.isfinite(raw).all() and bool(output.scores.isfinite().all())):
            raise Diverged(
                "The network's maps are no longer numbers: its last steps left them. Train again "
                "in another --out with a lower --learning-rate, or limit the gradient with --clip "
                "5."
            )
        seen.append(normalise(raw[0]))
        if looks.flip:
            seen.append(normalise(raw[1])[:, :, ::-1])
    grid = max((maps.shape[1:] for maps in seen), key=lambda shape: shape[0] * shape[1])
    size = image.shape[:2] if looks.to == "image" else grid
    aligned = np.stack([resize(maps, size) for maps in seen])
    fused = aligned.max(axis=0) if looks.fusion == "max" else aligned.mean(axis=0)
    return normalise(fused), scores


def resized(image: np.ndarray, shorter: float) -> np.ndarray:
    """The image uint8 (H,W,3) with this shorter side, its longer at most twice that."""
    height, width = image.shape[:2]
    scale = min(shorter / min(height, width), 2 * shorter / max(height, width))
    size = (
        max(SMALLEST_SIDE, round(width * scale)),
        max(SMALLEST_SIDE, round(height * scale)),
    )
    kind = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=kind)
