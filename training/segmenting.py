"""What a recipe that learns from masks works on: a `Bench` whose samples carry labels.

A recipe says where its masks come from (training.masks) and what one step is. Instead of maps it
writes the network's labels, and instead of map quality it is watched by mIoU.
"""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from backend.labels import IGNORE
from backend.networks.deeplab import HEADS, DeepLab
from backend.networks.normalisation import TORCHVISION
from training import losses
from training.bench import Bench, batches_of, part_of
from training.data import Batch
from training.machine import open_fabric
from training.mask_learning import MaskLearning
from training.masks import LABELS, Masked
from training.networks import WEIGHTS, OnBackbone, save_network, trunk_of, trunk_weights
from training.predictions import Predicted, measured, predict
from training.run import Run
from training.segment_watching import SegmentWatcher, held_out_with_truth
from training.sources import described
from training.viewing import Viewing

if TYPE_CHECKING:
    from backend.exchange.sources import Source


class SegmentBench(Bench):
    """Asked in the order of a Bench: `network`, `fit`, `export_labels`, `finish_segmenter`.

    whole: the images of --data; source: those that have a mask; class_ids: the network's channels
    from 1 on.
    """

    settings: MaskLearning

    def __init__(self, settings: MaskLearning, run: Run, masked: Masked) -> None:
        torch.manual_seed(run.seed)
        self.settings = settings
        self.run = run
        self.fabric = open_fabric(settings)
        self.whole, self.source = masked.whole, masked.taught
        self.class_ids = masked.class_ids
        self.taught = part_of(self.source, settings.part, run)
        self._start = trunk_weights(settings, run)
        self.normalisation = TORCHVISION if self._start is None else self._start.normalisation
        self.origin: dict[str, Any] = {"data": described(self.source), "labels": masked.origin}
        self.batches = batches_of(self, masks=True)
        self._channels = channels_of(self.class_ids)

    @property
    def viewing(self) -> Viewing:
        """How the settings say that images are looked at when labels are predicted."""
        settings = self.settings
        return Viewing(
            settings.test_size, settings.test_scales, settings.test_flip, settings.test_fusion
        )

    def targets(self, batch: Batch, size: torch.Size | tuple[int, ...]) -> torch.Tensor:
        """The batch's masks as channels of the network, int64 (N,*size), 255 where unknown."""
        assert batch.masks is not None
        masks = self._channels.to(batch.masks.device)[batch.masks]
        if masks.shape[1:] == tuple(size):
            return masks
        small = functional.interpolate(masks[:, None].float(), tuple(size), mode="nearest-exact")
        return small[:, 0].long()

    def loss(
        self, logits: torch.Tensor, batch: Batch, weights: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean cross entropy over the labelled pixels, and the part of them that are right.

        logits (N,C+1,h,w); weights (N,) of the images, all 1 without them. Both are 0 for a batch
        in which nothing is labelled.
        """
        if self.settings.loss_size == "image":
            size = batch.images.shape[-2:]
            logits = functional.interpolate(logits, size, mode="bilinear", align_corners=False)
        targets = self.targets(batch, logits.shape[2:])
        known = targets != IGNORE
        right = (logits.detach().argmax(dim=1) == targets) & known
        loss = losses.selection_loss(logits, targets, weights, ignore=IGNORE)
        return loss, right.sum() / known.sum().clamp(min=1)

    def export_labels(
        self, network: nn.Module, *, folder: str = LABELS, limit_to_tags: bool = True
    ) -> Predicted:
        """Writes folder/IMAGE.png, the network's labels for every image of --data.

        With limit_to_tags an image's labels are its tags', where it has any.
        """
        return predict(
            self.run,
            self.fabric,
            network,
            self.whole,
            self.classes,
            self.normalisation,
            self.viewing,
            self.run.folder / folder,
            weights=fingerprint(network),
            limit_to_tags=limit_to_tags,
            stage="labels",
        )

    @cached_property
    def held_out(self) -> "Source | None":
        """The images of the list val that are not learnt from and have a true mask."""
        return held_out_with_truth(self.run, self.taught)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """mIoU (0..100) of the network's labels on the held-out images; nothing where there are
        none. Only ever a measure.
        """
        if self.held_out is None:
            return {}
        return measured(
            self.run,
            self.fabric,
            network,
            self.held_out,
            self.classes,
            self.normalisation,
            self.viewing,
        )

    def finish_segmenter(
        self, network: nn.Module, kind: str, metrics: Mapping[str, float], labels: int
    ) -> dict[str, Any]:
        """Writes weights.safetensors; what the event `finished` carries.

        The card's input_size is the size that images are looked at, 0 for their own.
        """
        save_network(
            self.run,
            _on_backbone(network),
            kind,
            self.classes,
            self.normalisation,
            self.settings.test_size,
            {**self.origin, "metrics": dict(metrics)},
        )
        return {"metrics": dict(metrics), "weights": WEIGHTS, "maps": 0, "labels": labels}

    def _watcher(self) -> SegmentWatcher | None:
        settings = self.settings
        if settings.watch_every < 0:
            return None
        return SegmentWatcher(
            self.run,
            self.fabric,
            self.taught,
            self.class_ids,
            self.normalisation,
            settings.test_size or settings.size,
            every=settings.watch_every,
            images=settings.watch_images,
            held_out=self.held_out,
        )


def deeplab(settings: MaskLearning, classes: int, kind: type[DeepLab] = DeepLab) -> DeepLab:
    """The segmenter of these settings, with random weights."""
    return kind(
        settings.backbone,
        classes,
        **trunk_of(settings),
        rates=dilations(settings),
        channels=settings.head_channels,
    )


def dilations(settings: MaskLearning) -> tuple[int, ...]:
    """The dilations of the head that these settings ask for."""
    own = (max(1, round(rate * settings.spread)) for rate in HEADS[settings.head])
    return settings.rates or tuple(own)


def channels_of(class_ids: list[int]) -> torch.Tensor:
    """A table (256,) from the data set's ids to a network's channels: 0 stays, what is no class
    becomes 255.
    """
    table = torch.full((256,), IGNORE, dtype=torch.int64)
    table[0] = 0
    table[torch.tensor(class_ids, dtype=torch.int64)] = torch.arange(1, len(class_ids) + 1)
    return table


def fingerprint(network: nn.Module) -> str:
    """A digest of a network's weights, to know whether labels that are there are its own."""
    told = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        told.update(name.encode())
        told.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return told.hexdigest()


def _on_backbone(network: nn.Module) -> OnBackbone:
    return network  # type: ignore[return-value]
