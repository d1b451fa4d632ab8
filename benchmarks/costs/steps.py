"""Steps of a recipe beside bare passes forward and backward of the same network, in turn.

Each step of the recipe is followed by the bare passes over the same batch, so that whatever else
the machine does falls on both alike. Both are timed on the wall and by the processor: beside other
work the second is the steadier.
"""

import contextlib
import copy
import io
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from torch import nn
from torch.nn.functional import multilabel_soft_margin_loss

from backend.networks.ecsnet import scaled
from backend.networks.head import parameter_groups
from benchmarks.costs.taken import Taken, in_channels_last, take
from training.bench import attend
from training.data import Batch
from training.events import EVENTS, EventWriter
from training.loop import Step
from training.machine import computes_bfloat16
from training.views import View
from training.watching import Watcher, held_out_source

RECIPES = ("classify", "oaa", "oaaplus", "seenet", "ecsnet")
WARM_UP = 2

# network, its inputs, tags -> the loss of the recipe's passes and of nothing else
Passes = Callable[[Any, Sequence[torch.Tensor], torch.Tensor], torch.Tensor]


class Span(NamedTuple):
    """Seconds on the wall and of the processor, of all threads."""

    wall: float
    processor: float

    @classmethod
    def now(cls) -> "Span":
        return cls(time.perf_counter(), time.process_time())

    def since(self, before: "Span") -> "Span":
        return Span(self.wall - before.wall, self.processor - before.processor)


class Pairs(NamedTuple):
    """Spans in the order they were taken: of each step, and of what it is compared with."""

    steps: list[Span]
    others: list[Span]

    def milliseconds(self, which: str) -> float:
        """The median of "steps" or "others" by the processor."""
        return 1000 * statistics.median(each.processor for each in getattr(self, which))

    def ratio(self, clock: str) -> float:
        """The median over the pairs of other / step: the part of the bare speed that is reached."""
        pairs = zip(self.steps, self.others, strict=True)
        return statistics.median(getattr(b, clock) / getattr(a, clock) for a, b in pairs)


class InTurn:
    """A recipe's step that is timed from its begin to the next one's, `other` run in between.

    `other` gives the span of its own work, so that what it prepares counts nowhere.
    """

    def __init__(self, step: Step, other: Callable[[Batch], Span]) -> None:
        self.step = step
        self.other = other
        self.steps: list[Span] = []
        self.others: list[Span] = []
        self._begun: Span | None = None

    def __call__(self, network: nn.Module, batch: Batch) -> Any:
        if self._begun is not None:
            self.steps.append(Span.now().since(self._begun))
        self.others.append(self.other(batch))
        self._begun = Span.now()
        return self.step(network, batch)

    @property
    def pairs(self) -> Pairs:
        # The last step has no next one; the first ones warm up.
        return Pairs(self.steps[WARM_UP:], self.others[WARM_UP:-1])


class Bare:
    """The passes of a recipe over tensors that are there already, backward, and the optimiser."""

    def __init__(self, taken: Taken, recipe: str) -> None:
        settings: Any = taken.bench.settings
        self.settings = settings
        self.bench = taken.bench
        self.passes = PASSES[recipe]
        self.network = in_channels_last(copy.deepcopy(taken.network)).train()
        groups = parameter_groups(
            self.network,
            settings.learning_rate,
            settings.weight_decay,
            new_factor=settings.new_rate,
        )
        self.optimiser = torch.optim.SGD(groups, momentum=settings.momentum)
        self.half = computes_bfloat16("cpu")

    def __call__(self, batch: Batch) -> Span:
        inputs = [self.bench.normalisation.batch(batch.images)]
        if self.passes is ecsnet_passes:
            inputs.insert(0, scaled(inputs[0], self.settings.beta))
        start = Span.now()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            loss = self.passes(self.network, inputs, batch.tags)
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        return Span.now().since(start)


def tag_loss(scores: torch.Tensor, tags: torch.Tensor) -> torch.Tensor:
    return multilabel_soft_margin_loss(scores.float(), tags)


def cam_passes(network: Any, inputs: Sequence[torch.Tensor], tags: torch.Tensor) -> torch.Tensor:
    return tag_loss(network(inputs[0]).scores, tags)


def seenet_passes(network: Any, inputs: Sequence[torch.Tensor], tags: torch.Tensor) -> torch.Tensor:
    """The trunk once and three heads, without the zones between them."""
    features = network.backbone(inputs[0])
    heads = (network.head_a, network.head_b, network.head_c)
    return torch.stack([tag_loss(head(features).mean(dim=(2, 3)), tags) for head in heads]).sum()


def ecsnet_passes(network: Any, inputs: Sequence[torch.Tensor], tags: torch.Tensor) -> torch.Tensor:
    """The small image and the large one, without erasing, and no labels from one to the other."""
    looks = network(inputs[0]), network(inputs[1], overlaid=True)
    scores = [each for seen in looks for each in (seen.scores, seen.refined_scores)]
    return torch.stack([tag_loss(each, tags) for each in scores]).sum()


PASSES: dict[str, Passes] = {
    "classify": cam_passes,
    "oaa": cam_passes,
    "oaaplus": cam_passes,
    "seenet": seenet_passes,
    "ecsnet": ecsnet_passes,
}


def throughput(recipe: str, data: Path, folder: Path, rounds: int) -> Pairs:
    """Whole steps of `fit`, the batch's making among them, beside the recipe's bare passes."""
    taken = take(recipe, data, folder)
    turns = InTurn(taken.step, Bare(taken, recipe))
    taken.fit(turns, rounds + WARM_UP + 1)
    return turns.pairs


def batch_milliseconds(data: Path, folder: Path) -> float:
    """The median of making a batch from images in memory, by the processor."""
    taken = take("classify", data, folder)
    spans = []
    batches = taken.bench.batches.epoch(1)
    for _ in range(len(taken.bench.batches) - 1):
        start = time.process_time()
        next(batches)
        spans.append(time.process_time() - start)
    return 1000 * statistics.median(spans)


class Accumulation(NamedTuple):
    """Steps of OAA and, as `others`, of the classification network; the milliseconds that one of
    OAA's spends in `Accumulator.add`, and the part of the tags' maps that it stored.
    """

    pairs: Pairs
    adding: float
    stored: float

    @property
    def added(self) -> float:
        """What OAA's steps take over the others, as a part of these; by the processor."""
        return 1 / self.pairs.ratio("processor") - 1


def accumulation(data: Path, folder: Path, rounds: int) -> Accumulation:
    """One network and one `fit` whose steps are in turn those of classify and of OAA."""
    oaa, classify = take("oaa", data, folder), take("classify", data, folder)
    assert oaa.keep is not None
    gathered: Any = oaa.keep["accumulated"]
    inner, adding, wanted = gathered.add, [0.0], [0]
    spans: list[Span] = []
    begun: list[Span] = []

    def add(name: str, view: View, maps: np.ndarray, scores: np.ndarray, epoch: int) -> None:
        # A network of a few steps attends to nothing yet; above zero, every tag's map is stored.
        raised = maps - maps.min()
        start = time.process_time()
        inner(name, view, raised, scores, epoch)
        adding[0] += time.process_time() - start
        wanted[0] += len(gathered.places[name].columns)

    def in_turn(network: nn.Module, batch: Batch) -> Any:
        begun.append(Span.now())
        if len(begun) > 1:
            spans.append(begun[-1].since(begun[-2]))
        return (classify, oaa)[len(begun) % 2].step(network, batch)

    with patch.object(gathered, "add", add):
        oaa.fit(in_turn, 2 * (rounds + 1) + 1)
    # OAA begins; the first pair warms up, and the last step has no next one.
    pairs = Pairs(spans[2::2], spans[3::2])
    stored = sum(int(gathered.accepted(name).sum()) for name in gathered.places)
    return Accumulation(pairs, 1000 * adding[0] / (rounds + 2), stored / wanted[0])


class Watched(NamedTuple):
    """Looks of a run, how many of them measured, and their part of the run's time."""

    looks: int
    measured: int
    part: float


def watched(data: Path, split: str, folder: Path, a_step: float, steps: int) -> Watched:
    """What the Watcher's looks by default add to `steps` steps of `a_step` seconds each.

    The looks are real, in the processor's time; the steps between them are only told to its clock.
    """
    taken = take("classify", data, folder, split=split)
    bench, trained = taken.bench, [0.0]

    def clock() -> float:
        return trained[0] + time.process_time()

    with contextlib.redirect_stderr(io.StringIO()):
        held_out = held_out_source(bench.run, bench.taught)
    watcher = Watcher(
        bench.run,
        bench.fabric,
        bench.taught,
        bench.class_ids,
        bench.normalisation,
        bench.settings.size,
        attend,
        images=bench.settings.watch_images,
        held_out=held_out,
        clock=clock,
    )
    looks = 0
    network = bench.fabric.setup(in_channels_last(taken.network)).eval()
    events = bench.run.folder / EVENTS
    with (
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.closing(EventWriter(bench.run.folder)) as bench.run.events,
    ):
        start = time.process_time()
        for step in range(1, steps + 1):
            trained[0] += a_step
            if watcher.due(step, steps):
                watcher.look(network, step)
                looks += 1
        spent = time.process_time() - start
    lines = events.read_text(encoding="utf-8").splitlines()
    measured = sum(json.loads(line)["kind"] == "validation" for line in lines)
    return Watched(looks, measured, spent / trained[0])
