"""What the saliency recipe works on: a `Bench` whose samples carry masks of what stands out."""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from backend import saliency_network
from backend.atomic import write_whole
from backend.images import read_image, require_usable
from backend.labels import write_heat
from backend.networks.normalisation import TORCHVISION
from backend.networks.saliency import SaliencyNetwork
from backend.saliency_network import KIND
from training.averaging import Averaged
from training.bench import Bench, batches_of, part_of
from training.data import Batch
from training.machine import open_fabric
from training.networks import WEIGHTS, save_network, trunk_weights
from training.run import Run
from training.saliency_data import open_salient
from training.saliency_measures import SaliencyScores
from training.saliency_watching import SaliencyWatcher
from training.salient_source import SalientSource
from training.sources import described

if TYPE_CHECKING:
    from backend.exchange.sources import Item
    from training.loop import Kept, Step
    from training.recipes.saliency import Saliency

HELD_OUT = "validation.txt"
MAPS = "saliency"
READ_AHEAD = 4
# Sizes of a batch are whole cells of every trunk's stages.
CELL = 16


class SaliencyBench(Bench):
    """Asked in the order of a Bench: `network`, `fit`, `measure`, `finish`."""

    settings: "Saliency"

    def __init__(self, settings: "Saliency", run: Run) -> None:
        torch.manual_seed(run.seed)
        self.settings = settings
        self.run = run
        self.fabric = open_fabric(settings)
        salient = open_salient(
            run,
            masks=settings.masks,
            reading=settings.reading,
            leave_out=settings.leave_out,
            part=settings.held_out,
            validation=settings.validation,
        )
        self.held_out, self.unseen = salient.held_out, salient.unseen
        self.source = salient.taught
        self.class_ids = []
        self.taught = part_of(self.source, settings.part, run)
        names = "".join(f"{item.name}\n" for item in self.held_out.items)
        write_whole(run.folder / HELD_OUT, names.encode())
        self._start = trunk_weights(settings, run)
        self.normalisation = TORCHVISION if self._start is None else self._start.normalisation
        self.origin: dict[str, Any] = {"data": described(self.taught), "masks": salient.origin}
        self.batches = batches_of(self, masks=True)
        self.averaged: Averaged | None = None

    def learn(
        self, network: SaliencyNetwork, step: "Step"
    ) -> tuple[SaliencyNetwork, dict[str, float]]:
        """`fit`, with the weights averaged on the way if the settings say so."""
        if not self.settings.average:
            return self.fit(network, step)
        averaged = self.averaged = Averaged(network, self.settings.average)

        def averaging(network: nn.Module, batch: Batch) -> Any:
            averaged.add(network)
            return step(network, batch)

        keep: Mapping[str, Kept] = {"averaged": averaged}
        _, means = self.fit(network, averaging, keep=keep)
        return cast(SaliencyNetwork, averaged.network), means

    def sized(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch's images, normalised, and masks, at one of the sizes that are learnt from.

        Which one is drawn from the seed, the epoch and the batch's first image, so that a resumed
        run draws the same.
        """
        assert batch.masks is not None
        images, masks = batch.images, batch.masks
        first = (self.run.seed, self.batches.current_epoch, int(batch.indices[0]))
        scale = np.random.default_rng((*first, 0x512E)).choice(self.settings.train_scales)
        side = max(CELL, round(self.settings.size * scale / CELL) * CELL)
        if side != self.settings.size:
            images = functional.interpolate(
                images.float(), (side, side), mode="bilinear", align_corners=False, antialias=True
            )
            masks = functional.interpolate(masks[:, None].float(), (side, side)).long()[:, 0]
        normal = self.normalisation.batch(images)
        return normal.contiguous(memory_format=torch.channels_last), masks

    def measure(
        self, network: SaliencyNetwork, source: SalientSource, folder: str = ""
    ) -> dict[str, float]:
        """MAE, max F and S of a network's maps on a source's images, as anyone would measure the
        8-bit files, which are written to `folder` where it is named. {} for a source without any.
        """
        scores = SaliencyScores()
        for number, (item, image, truth) in enumerate(read_ahead(source)):
            self.run.check()
            heat = saliency_network.look(
                network,
                self.normalisation,
                image,
                self.settings.size,
                scales=network.scales,
                flip=network.flip,
            )
            if folder:
                write_heat(self.run.folder / folder / f"{item.name}.png", heat)
            scores.add(np.rint(heat * 255) / np.float32(255), truth)
            self.run.progress(number + 1, len(source.items), stage="measuring")
        return scores.result()

    def finish_saliency(
        self, network: SaliencyNetwork, metrics: Mapping[str, float]
    ) -> dict[str, Any]:
        """Writes weights.safetensors; what the event `finished` carries."""
        save_network(
            self.run,
            network,
            KIND,
            {},
            self.normalisation,
            self.settings.size,
            {**self.origin, "metrics": dict(metrics)},
        )
        return {"metrics": dict(metrics), "weights": WEIGHTS, "maps": 0, "labels": 0}

    def _watcher(self) -> SaliencyWatcher | None:
        settings = self.settings
        if settings.watch_every < 0 or not self.held_out.items:
            return None
        return SaliencyWatcher(
            self.run,
            self.fabric,
            self.held_out,
            self.normalisation,
            settings.size,
            every=settings.watch_every,
            images=settings.watch_images,
            averaged=self.averaged,
        )


def read_ahead(source: SalientSource) -> "Iterator[tuple[Item, np.ndarray, np.ndarray]]":
    """Each item with its image and its truth, read while the ones before it are looked at."""

    def read(item: "Item") -> "tuple[Item, np.ndarray, np.ndarray]":
        return item, require_usable(read_image(item.image), item.name), source.truth(item)

    with ThreadPoolExecutor(1) as reader:
        waiting: deque[Future[tuple[Item, np.ndarray, np.ndarray]]] = deque()
        try:
            for item in source.items:
                waiting.append(reader.submit(read, item))
                if len(waiting) > READ_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()
