"""What a training step of SAL-Net costs beside DeepLab's on the same trunk and head.

    nice python -m benchmarks.salnet [--preset light] [--backbone NAME] [--classes 20] [--batch N]
        [--rounds 15] [--threads 1] [--device cpu|cuda]

Both are built from the settings of the recipe sal and take the same batch of random images,
labels and tags: forward, losses, backward, the optimiser's step. What makes batches is the same
for both and stands outside. The two take turns, so that other load falls on both alike; printed are
medians, and the median of the ratios of neighbours by the processor's time of this process, which
other load changes least (on a GPU by the wall). The budget is 1.1 (SAL, IV-G: 6.5 against 6 hours).
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from backend.networks import backbone_names
from backend.networks.head import parameter_groups
from training import losses
from training.options import PRESETS, settle
from training.recipes.sal import Sal, settled
from training.salnet import salnet
from training.segmenting import deeplab

BUDGET = 1.1
WARM_UP = 2
# The wall, then the processor's time of this process.
CLOCKS = (time.perf_counter, time.process_time)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", choices=PRESETS, default="light")
    parser.add_argument("--backbone", choices=backbone_names(), help="the preset's")
    parser.add_argument("--head", choices=("aspp", "largefov"), help="the preset's")
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--batch", type=int, help="the preset's")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    named = {name: getattr(given, name) for name in ("backbone", "head", "batch")}
    chosen = {name: value for name, value in named.items() if value is not None}
    settings = settled(settle(Sal, given.preset, chosen), 1)
    plain = Step(deeplab(settings, given.classes), settings, given.device, deeplab_losses)
    gated = Step(salnet(settings, given.classes), settings, given.device, sal_losses(settings))
    pairs = [(plain(), gated()) for _ in range(WARM_UP + given.rounds)][WARM_UP:]

    times = [statistics.median(each[which][1] for each in pairs) for which in range(2)]
    wall, processor = (
        statistics.median(second[clock] / first[clock] for first, second in pairs)
        for clock in range(2)
    )
    print(
        f"{settings.backbone}, {settings.head}, {settings.batch} images of {settings.size} pixels, "
        f"attention of {settings.attention_channels or 'no'} channels; {given.device}, "
        f"{given.threads} threads"
    )
    print(f"a step of DeepLab {1000 * times[0]:.0f} ms, of SAL-Net {1000 * times[1]:.0f} ms")
    print(f"SAL-Net / DeepLab: {processor:.3f} by the processor, {wall:.3f} on the wall")
    found = wall if given.device == "cuda" else processor
    print(f"{'within' if found <= BUDGET else 'over'} the budget of {BUDGET}")
    return 0 if found <= BUDGET else 1


class Step:
    """One training step of a network, over and over on the same batch; seconds by each clock."""

    def __init__(
        self,
        network: nn.Module,
        settings: Sal,
        device: str,
        cost: Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> None:
        layout = torch.channels_last
        self.network = network.to(device, memory_format=layout).train()  # type: ignore[call-overload]
        self.cost = cost
        self.device = device
        groups = parameter_groups(
            self.network,
            settings.learning_rate,
            settings.weight_decay,
            new_factor=settings.new_rate,
        )
        self.optimiser = torch.optim.SGD(groups, momentum=settings.momentum)
        random = torch.Generator().manual_seed(0)
        classes = int(self.network.num_classes)
        shape = (settings.batch, 3, settings.size, settings.size)
        images = torch.randn(shape, generator=random)
        self.images = images.to(device, memory_format=layout)
        with torch.no_grad():
            # In training too, since this changes nothing but the statistics of its normalisation.
            grid = self.network.classify(self.network.backbone(self.images[:1])).shape[2:]
        labels = torch.randint(0, classes + 1, (settings.batch, *grid), generator=random)
        self.labels = labels.to(device)
        self.tags = (torch.rand(settings.batch, classes, generator=random) < 0.1).float().to(device)

    def __call__(self) -> tuple[float, float]:
        self._wait()
        began = [clock() for clock in CLOCKS]
        self.cost(self.network(self.images), self.labels, self.tags).backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        self._wait()
        wall, processor = (clock() - then for clock, then in zip(CLOCKS, began, strict=True))
        return wall, processor

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()


def deeplab_losses(logits: Any, labels: torch.Tensor, tags: torch.Tensor) -> torch.Tensor:
    return losses.selection_loss(logits, labels)


def sal_losses(settings: Sal) -> Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]:
    def cost(seen: Any, labels: torch.Tensor, tags: torch.Tensor) -> torch.Tensor:
        weights = torch.ones(len(labels), device=labels.device)
        selected = losses.selection_loss(seen.segmentation, labels, weights, seen.scores)
        return selected + settings.lambda_ * losses.attention_loss(seen.scores, tags)

    return cost


if __name__ == "__main__":
    sys.exit(main())
