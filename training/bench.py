"""What a recipe that learns from tags works on: its data, device, network, steps and maps.

A recipe says which network, what one step is and what its final maps are; all else stands here.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import torch
from torch import nn

from backend.networks.classifier import ClassifierOutput
from backend.networks.head import parameter_groups
from backend.networks.normalisation import TORCHVISION
from training.data import Batches, TaggedImages
from training.loop import Kept, Plan, Step, fit
from training.machine import open_fabric
from training.maps_export import (
    Exported,
    Looks,
    MapsOf,
    export_maps,
    measure_maps,
    write_maps,
)
from training.networks import WEIGHTS, OnBackbone, begin, save_network, trunk_weights
from training.run import Run, write_provenance
from training.sources import described, open_tagged
from training.tag_learning import TagLearning
from training.views import Augmentation
from training.watching import Watcher, held_out_source

if TYPE_CHECKING:
    from backend.exchange.sources import Source

Network = TypeVar("Network", bound=nn.Module)


class Bench:
    """Opened once by a recipe, and asked in order: `network`, `fit`, `export`, `finish`.

    source: the tagged images; taught: those that are learnt from; class_ids: the network's outputs.
    """

    def __init__(self, settings: TagLearning, run: Run) -> None:
        torch.manual_seed(run.seed)
        self.settings = settings
        self.run = run
        self.fabric = open_fabric(settings)
        self.source, self.class_ids = open_tagged(run)
        self.taught = part_of(self.source, settings.part, run)
        self._start = trunk_weights(settings, run)
        self.normalisation = TORCHVISION if self._start is None else self._start.normalisation
        self.origin: dict[str, Any] = {"data": described(self.source)}
        self.batches = batches_of(self)

    @property
    def classes(self) -> dict[int, str]:
        """Class names by id, in the order of the network's outputs."""
        return {id: self.source.classes[id] for id in self.class_ids}

    def network(self, build: Callable[[int], Network], **origin: Any) -> Network:
        """A network for this many classes with its trunk's initial weights, put on record beside
        whatever else it stands on.
        """
        network = build(len(self.class_ids))
        # The record keeps the order of the questions: which trunk, which data, what else.
        self.origin = {"trunk": begin(_on_backbone(network), self._start, self.run), **self.origin}
        self.origin |= origin
        write_provenance(self.run.folder, self.origin)
        return network

    def fit(
        self,
        network: Network,
        step: Step,
        *,
        keep: Mapping[str, Kept] | None = None,
    ) -> tuple[Network, dict[str, float]]:
        """Trains a network; the bare network in evaluation mode and the last epoch's means."""
        settings = self.settings
        groups = parameter_groups(
            network,
            settings.learning_rate,
            settings.weight_decay,
            new_factor=settings.new_rate,
        )
        optimiser: torch.optim.Optimizer
        if settings.optimiser == "adamw":
            optimiser = torch.optim.AdamW(groups)
        else:
            optimiser = torch.optim.SGD(groups, momentum=settings.momentum)
        plan = Plan(
            epochs=settings.epochs,
            steps=settings.steps,
            schedule=settings.schedule,
            decay_at=settings.decay_at,
            warmup=settings.warmup,
            clip=settings.clip,
        )
        trained, means = fit(
            self.run,
            self.fabric,
            network,
            optimiser,
            self.batches,
            step,
            plan,
            keep=keep,
            watch=self._watcher(),
            about={
                "recipe": self.run.recipe,
                "backbone": settings.backbone,
                "classes": ", ".join(self.classes.values()),
            },
            checkpoint_every=settings.checkpoint_every,
            lower=f"--batch (now {settings.batch}) or --size (now {settings.size})",
        )
        bare: Network = cast(Any, trained).module
        return bare, means

    def _watcher(self) -> Watcher | None:
        settings = self.settings
        if settings.watch_every < 0:
            return None
        return Watcher(
            self.run,
            self.fabric,
            self.taught,
            self.class_ids,
            self.normalisation,
            settings.size,
            attend,
            every=settings.watch_every,
            images=settings.watch_images,
            held_out=held_out_source(self.run, self.taught),
        )

    def export(
        self,
        network: nn.Module,
        *,
        folder: str = "maps",
        looks: Looks | None = None,
    ) -> tuple[Exported, dict[str, float]]:
        """Writes a map for every image and tag; with what they measure where truth is known."""
        where = self.run.folder / folder
        exported = export_maps(
            self.run,
            self.fabric,
            network,
            self.source,
            self.class_ids,
            self.normalisation,
            looks or self.looks,
            where,
        )
        return exported, measure_maps(self.source, self.class_ids, where)

    def write(self, maps_of: MapsOf, *, folder: str = "maps") -> tuple[int, dict[str, float]]:
        """Writes maps that are there already; how many, and what they measure."""
        where = self.run.folder / folder
        written = write_maps(self.run, self.source, self.class_ids, where, maps_of)
        return written, measure_maps(self.source, self.class_ids, where)

    @property
    def looks(self) -> Looks:
        """How the settings say that final maps are looked for."""
        settings = self.settings
        return Looks(
            settings.size,
            settings.map_scales,
            settings.map_flip,
            settings.map_fusion,
            settings.map_size,
        )

    def finish(
        self, network: nn.Module, kind: str, metrics: Mapping[str, float], maps: int
    ) -> dict[str, Any]:
        """Writes weights.safetensors; what the event `finished` carries."""
        save_network(
            self.run,
            _on_backbone(network),
            kind,
            self.classes,
            self.normalisation,
            self.settings.size,
            {**self.origin, "metrics": dict(metrics)},
        )
        return {"metrics": dict(metrics), "weights": WEIGHTS, "maps": maps, "labels": 0}


def batches_of(bench: Bench, *, masks: bool = False) -> Batches:
    """What a bench's network learns from, as the settings ask for it; with masks where there are
    any to be learnt.
    """
    settings = bench.settings
    augmentation = Augmentation(
        size=settings.size,
        crop=settings.crop,
        least=settings.crop_least,
        most=settings.crop_most,
        flip=settings.flip,
        jitter=settings.jitter,
        fill=bench.normalisation.mean_colour,
    )
    return Batches(
        TaggedImages(
            bench.taught,
            bench.class_ids,
            augmentation,
            cache_bytes=settings.cache_mb << 20,
            masks=masks,
        ),
        settings.batch,
        bench.run.seed,
        workers=settings.workers,
        pin_memory=bench.fabric.device.type == "cuda",
    )


def attend(network: nn.Module, images: torch.Tensor, tags: torch.Tensor) -> ClassifierOutput:
    """A network's final maps, whether Fabric has wrapped it or not."""
    bare: Any = getattr(network, "module", network)
    seen: ClassifierOutput = bare.attend(images, tags)
    return seen


def part_of(source: "Source", part: float, run: Run) -> "Source":
    """A random part of a source, the same for one seed, in the source's order."""
    if part >= 1:
        return source
    count = max(1, round(part * len(source.items)))
    chosen = np.random.default_rng((run.seed, 0x9A27)).permutation(len(source.items))[:count]
    run.message(f"{count} of {len(source.items)} images are learnt from (--part {part:g}).")
    return replace(source, items=[source.items[index] for index in sorted(chosen.tolist())])


def _on_backbone(network: nn.Module) -> OnBackbone:
    return network  # type: ignore[return-value]
