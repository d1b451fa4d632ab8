"""What bfloat16, channels_last and torch.compile do to a step forward and backward.

All by the processor's time, the C++ compiler's among it, which other load changes least.
"""

import contextlib
import itertools
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
import torch._inductor.config as inductor
from torch.nn.functional import multilabel_soft_margin_loss

from backend.networks.classifier import CamClassifier
from training.machine import computes_bfloat16
from training.options import settle
from training.recipes.classify import Classify

CLASSES = 21
# bfloat16, channels_last
FORMATS = tuple(itertools.product((False, True), repeat=2))

Step = Callable[[], None]


def light_step(half: bool, channels_last: bool, compiled: bool = False) -> Step:
    """A step forward and backward of the light preset's network over one batch of noise."""
    settings = settle(Classify, "light", {})
    torch.manual_seed(0)
    network: Any = CamClassifier(
        settings.backbone,
        CLASSES,
        head_channels=settings.head_channels,
        head_layers=settings.head_layers,
    ).train()
    images = torch.rand(settings.batch, 3, settings.size, settings.size)
    tags = (torch.rand(settings.batch, CLASSES) < 0.1).float()
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    if compiled:
        network = torch.compile(network)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            scores = network(images).scores
        multilabel_soft_margin_loss(scores.float(), tags).backward()

    return step


def processor_seconds() -> float:
    """The processor's seconds so far, of this process and of those it started and that ended."""
    return sum(os.times()[:4])


def seconds_of(steps: dict[Any, Step], rounds: int) -> dict[Any, float]:
    """The median of each step; they take turns, and each round begins with another."""
    times: dict[Any, list[float]] = {name: [] for name in steps}
    order = list(steps)
    for number in range(rounds + 1):
        for name in order[number % len(order) :] + order[: number % len(order)]:
            start = processor_seconds()
            steps[name]()
            if number:
                times[name].append(processor_seconds() - start)
    return {name: statistics.median(found) for name, found in times.items()}


def formats(rounds: int) -> dict[tuple[bool, bool], float]:
    """Seconds of a step by (bfloat16, channels_last)."""
    return seconds_of({each: light_step(*each) for each in FORMATS}, rounds)


class Compiled(NamedTuple):
    """Seconds: to compile, of a compiled step, and of one that is not."""

    compiling: float
    compiled: float
    eager: float

    def gain(self, steps: int) -> float:
        """Seconds that compiling saves over so many steps; below 0 it costs them."""
        return steps * (self.eager - self.compiled) - self.compiling


def compile_cost(rounds: int) -> Compiled | str:
    """What torch.compile costs and brings in the format that trainings take; a sentence where it
    cannot compile here. Nothing that an earlier compilation left is used.
    """
    half = computes_bfloat16("cpu")
    eager, compiled = light_step(half, True), light_step(half, True, compiled=True)
    with fresh_compiler():
        # The first backward pass is slower than the others.
        eager()
        start = processor_seconds()
        try:
            compiled()
        except Exception as problem:
            # Dynamo and Inductor raise whatever their compilers and backends meet.
            said = str(problem).strip().splitlines()[0]
            return f"torch.compile does not work here ({type(problem).__name__}: {said})."
        first = processor_seconds() - start
        found = seconds_of({"compiled": compiled, "eager": eager}, rounds)
    return Compiled(first - found["compiled"], found["compiled"], found["eager"])


@contextlib.contextmanager
def fresh_compiler() -> Iterator[None]:
    """Within it, Inductor's cache is an empty folder, and nothing compiles out of sight."""
    before = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    with tempfile.TemporaryDirectory() as folder, inductor.patch(compile_threads=1):
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
        try:
            yield
        finally:
            os.environ.pop("TORCHINDUCTOR_CACHE_DIR")
            if before is not None:
                os.environ["TORCHINDUCTOR_CACHE_DIR"] = before
