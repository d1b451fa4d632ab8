"""What a recipe works on whose network is trained several times, each time with other masks."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

import torch
from torch import nn

from backend.atomic import write_whole
from backend.weights import load, read_card
from training.bench import attend
from training.data import Batch, Batches, TaggedImages
from training.errors import TrainingError
from training.loop import Step, Watch
from training.networks import WEIGHTS, OnBackbone, save_network
from training.phases import Phase, PhaseRun, PhaseWatch, in_a_row
from training.segmenting import SegmentBench
from training.watching import Watcher, held_out_source

if TYPE_CHECKING:
    from backend.exchange.sources import Source
    from training.mask_learning import MaskLearning
    from training.masks import Masked
    from training.run import Run

Network = TypeVar("Network", bound=nn.Module)


class Part(NamedTuple):
    """The phase that a bench is in, the whole run, and whether it is watched by its labels."""

    phase: Phase
    whole: "Run"
    by_masks: bool


class PhasedBench(SegmentBench):
    """A SegmentBench of several phases: `learn_from` the masks of one, then `train` it.

    All phases learn from the same images; one without a mask teaches its tags alone. kind: of the
    weights that each phase leaves.
    """

    def __init__(
        self,
        settings: "MaskLearning",
        run: "Run",
        masked: "Masked",
        phases: Sequence[Phase],
        kind: str,
    ) -> None:
        super().__init__(settings, run, masked)
        self.phases = {phase.name: phase for phase in in_a_row(phases, len(self.batches))}
        self.kind = kind
        self._part: Part | None = None

    def learn_from(self, source: "Source", phase: str) -> None:
        """The masks of a source's items from now on, and samples that no other phase draws."""
        masks = {item.name: item.mask for item in source.items}
        items = [replace(item, mask=masks.get(item.name)) for item in self.taught.items]
        self.taught = replace(self.taught, items=items)
        settings = self.settings
        self.batches = Batches(
            TaggedImages(
                self.taught,
                self.class_ids,
                self.batches.dataset.how,
                cache_bytes=settings.cache_mb << 20,
                masks=True,
            ),
            settings.batch,
            seed_of(self.run.seed, self.phases[phase]),
            workers=settings.workers,
            pin_memory=self.fabric.device.type == "cuda",
        )

    def take(self, name: str, run: Path, network: nn.Module) -> None:
        """A phase as another run finished it, in the place of training it here.

        Raises TrainingError where that run has no such phase, or its network is another than the
        settings of this one ask for.
        """
        own = self.run.folder / self.phases[name].folder / WEIGHTS
        path = run / self.phases[name].folder / WEIGHTS
        if own.is_file():
            return
        if not path.is_file():
            raise TrainingError(
                f"{run} has no finished phase {name} ({path.relative_to(run)}). Give with --from a "
                f"run of {self.run.recipe} that got so far."
            )
        card = read_card(path)
        asked = cast(OnBackbone, network).settings
        here = {"classes": self.classes, "normalisation": self.normalisation, **asked}
        there = {
            "classes": dict(zip(card.class_ids, card.classes, strict=True)),
            "normalisation": card.normalisation,
            **card.architecture,
        }
        other = [each for each in here if here[each] != there.get(each)]
        if other:
            raise TrainingError(
                f"The network of {run} is another than this run's: its {other[0]} is "
                f"{there.get(other[0])}, here {here[other[0]]}. Give the options that it was "
                "trained with, and the same images."
            )
        self.run.message(f"The phase {name} is taken from {run} ({card.digest[:8]}).")
        write_whole(own, path.read_bytes())

    def is_finished(self, name: str) -> bool:
        """Whether a phase has left its network."""
        return (self.run.folder / self.phases[name].folder / WEIGHTS).is_file()

    def train(
        self,
        name: str,
        network: Network,
        step: Step,
        *,
        by_masks: bool = True,
        measure: Callable[[Network], Mapping[str, float]] | None = None,
    ) -> tuple[Network, dict[str, float]]:
        """Trains a phase, or takes it as it was finished before: the network in evaluation mode,
        and the last epoch's means ("loss" and what the steps measure) with what `measure` finds.

        by_masks: watched by its labels, else by its attention.
        """
        phase = self.phases[name]
        path = self.run.folder / phase.folder / WEIGHTS
        if by_masks:
            # Looked for once, not by each phase.
            _ = self.held_out
        if path.is_file():
            self.run.begun = True
            self.run.message(f"The phase {name} is finished; its network is taken from {path}.")
        else:
            trained = self._train(phase, network, step, by_masks=by_masks)
            trained[1].update({} if measure is None else measure(trained[0]))
            self._save(phase, *trained)
        # From the file in any case, so that a run that went on has the very same numbers.
        ready, card = load(path, str(self.fabric.device))
        return cast(Network, ready), dict(card.origin["metrics"])

    def loss(
        self, logits: torch.Tensor, batch: Batch, weights: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As a SegmentBench's; a batch none of whose images has a mask teaches nothing."""
        if batch.masks is None:
            return logits.float().sum() * 0, logits.new_zeros(())
        return super().loss(logits, batch, weights)

    def _save(self, phase: Phase, network: nn.Module, metrics: Mapping[str, float]) -> None:
        """Writes what a phase leaves: its weights, with what it measured on their card."""
        run = PhaseRun.of(self.run, phase)
        save_network(
            run,
            cast(OnBackbone, network),
            self.kind,
            self.classes,
            self.normalisation,
            self.settings.test_size,
            {**self.origin, "metrics": dict(metrics)},
            name=f"{self.run.folder.name} {phase.name}",
        )
        for path in run.folder.glob("checkpoint-*.pt"):
            path.unlink()

    def _train(
        self, phase: Phase, network: Network, step: Step, *, by_masks: bool
    ) -> tuple[Network, dict[str, float]]:
        count = phase.steps or phase.epochs * len(self.batches)
        place = f"{phase.number} of {len(self.phases)}"
        self.run.message(f"The phase {phase.name} ({place}) begins: {count} steps.")
        torch.manual_seed(seed_of(self.run.seed, phase))
        of = copy.copy(self)
        of.run, of._part = PhaseRun.of(self.run, phase), Part(phase, self.run, by_masks)
        of.settings = replace(self.settings, steps=phase.steps, epochs=phase.epochs)
        try:
            trained, means = of.fit(network, step)
        finally:
            # What a phase knows of its run, the run knows of itself.
            self.run.begun |= of.run.begun
            self.run.trained = of.run.trained
        return trained, {"loss": means.pop("total"), **means}

    def _watcher(self) -> Watch | None:  # type: ignore[override]
        settings = self.settings
        if self._part is None or settings.watch_every < 0:
            return None
        phase, whole, by_masks = self._part
        watcher: Watcher | None
        if by_masks:
            of = copy.copy(self)
            of.run = whole
            watcher = SegmentBench._watcher(of)
        else:
            watcher = Watcher(
                whole,
                self.fabric,
                self.taught,
                self.class_ids,
                self.normalisation,
                settings.test_size or settings.size,
                attend,
                every=settings.watch_every,
                images=settings.watch_images,
                held_out=held_out_source(whole, self.taught),
            )
        return None if watcher is None else PhaseWatch(watcher, phase)


def seed_of(seed: int, phase: Phase) -> int:
    """The seed of a phase's samples and new numbers: another for each phase of each run."""
    return (phase.number << 32) + seed
