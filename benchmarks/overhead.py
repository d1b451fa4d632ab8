"""What `training.loop.fit` costs over a bare PyTorch loop on the same network and batches.

    python -m benchmarks.overhead [--data DIR] [--preset light] [--rounds 7] [--steps 10]

Short stretches of both loops alternate, so that whatever else the machine does falls on both; the
medians are compared. Within a stretch everything counts from the first step's begin to the last's:
events, progress, measures. Checkpoints come on top, 2% of the time at most (loop.MOST_TIME_SAVING).
"""

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import multilabel_soft_margin_loss

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from backend.exchange.sources import open_source
from backend.networks import TORCHVISION, CamClassifier
from backend.networks.head import parameter_groups
from training.data import Batch, Batches, TaggedImages
from training.events import EventWriter, Heartbeat
from training.loop import Plan, fit
from training.machine import computes_bfloat16, open_fabric
from training.options import settle
from training.recipes.classify import Classify
from training.run import Run
from training.views import Augmentation

TARGET = 1.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/msrc"))
    parser.add_argument("--preset", default="light", choices=("light", "scenes"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=10)
    given = parser.parse_args()
    settings = settle(Classify, given.preset, {"weights": "none", "device": "cpu"})
    source = open_source(given.data).tagged()
    ids = sorted({tag for item in source.items for tag in item.tags})
    augmentation = Augmentation(
        settings.size, settings.crop, settings.crop_least, settings.crop_most
    )
    images = TaggedImages(source, ids, augmentation, cache_bytes=settings.cache_mb << 20)
    loops = {"bare": bare_loop, "fit": our_loop}
    times: dict[str, list[float]] = {name: [] for name in loops}
    for stretch in range(given.rounds + 1):
        # Each is first in every other round; round 0 warms up and fills the cache.
        for name in sorted(loops, reverse=stretch % 2 == 1):
            torch.manual_seed(0)
            network = CamClassifier(
                settings.backbone,
                len(ids),
                head_channels=settings.head_channels,
                head_layers=settings.head_layers,
            )
            batches = Batches(images, settings.batch, seed=stretch)
            seconds = loops[name](network, batches, settings, given.steps)
            if stretch:
                times[name].append(seconds / (given.steps - 1))
    report(times, settings, data_seconds(images, settings.batch))
    return 0 if ratio(times) <= TARGET else 1


def loss_of(network: nn.Module, batch: Batch) -> torch.Tensor:
    return multilabel_soft_margin_loss(
        network(TORCHVISION.batch(batch.images)).scores.float(), batch.tags
    )


def optimiser_of(network: CamClassifier, settings: Classify) -> torch.optim.Optimizer:
    groups = parameter_groups(network, settings.learning_rate, settings.weight_decay)
    return torch.optim.SGD(groups, momentum=settings.momentum)


def bare_loop(network: CamClassifier, batches: Batches, settings: Classify, steps: int) -> float:
    """Seconds from the first step's begin to the last's, in a loop without anything around it."""
    trained = network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimiser = optimiser_of(network, settings)
    half = computes_bfloat16("cpu")
    begins: list[float] = []
    epoch = 0
    while True:
        for batch in batches.epoch(epoch):
            begins.append(time.perf_counter())
            if len(begins) == steps:
                return begins[-1] - begins[0]
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                loss = loss_of(trained, batch)
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
        epoch += 1


def our_loop(network: CamClassifier, batches: Batches, settings: Classify, steps: int) -> float:
    """The same, through `fit` with its events, heartbeat, measures and progress."""
    begins: list[float] = []

    def step(network: nn.Module, batch: Batch) -> tuple[dict, dict]:
        begins.append(time.perf_counter())
        scores = network(TORCHVISION.batch(batch.images)).scores
        loss = multilabel_soft_margin_loss(scores, batch.tags)
        right = ((scores.detach() > 0) == batch.tags.bool()).float().mean()
        return {"total": loss}, {"tag_accuracy": right}

    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stderr(io.StringIO()),
        Heartbeat(Path(folder)),
        contextlib.closing(EventWriter(Path(folder))) as events,
    ):
        run = Run("overhead", Path(folder), events=events)
        plan = Plan(epochs=1, steps=steps)
        fit(
            run,
            open_fabric(settings),
            network,
            optimiser_of(network, settings),
            batches,
            step,
            plan,
            checkpoint_every=settings.checkpoint_every,
        )
    return begins[-1] - begins[0]


def data_seconds(images: TaggedImages, batch: int) -> float:
    """Seconds to make one batch from cached images, which both loops spend."""
    made: Callable[[], Batch] = iter(Batches(images, batch, seed=1).epoch(0)).__next__
    made()
    start = time.perf_counter()
    made()
    return time.perf_counter() - start


def ratio(times: dict[str, list[float]]) -> float:
    return statistics.median(times["fit"]) / statistics.median(times["bare"])


def report(times: dict[str, list[float]], settings: Classify, data: float) -> None:
    rounds = len(times["fit"])
    print(f"{settings.backbone}, {settings.size} px, batch {settings.batch}, {rounds} rounds")
    for name, seconds in times.items():
        low, high = min(seconds), max(seconds)
        print(
            f"{name:>5}: {1000 * statistics.median(seconds):7.1f} ms a step "
            f"({1000 * low:.1f} to {1000 * high:.1f})"
        )
    print(f" data: {1000 * data:7.1f} ms of each, in both")
    print(f"ratio: {ratio(times):7.3f} (at most {TARGET})")


if __name__ == "__main__":
    raise SystemExit(main())
