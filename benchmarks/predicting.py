"""What `predict` reaches of the speed of the bare forward pass of its network.

    nice python -m benchmarks.predicting --data DIR [--split val] [--run RUN]
        [--backbone squeezenet1_1] [--channels 256] [--size 224] [--scales 1] [--flip]
        [--crf PRESET] [--images 24] [--rounds 7] [--threads N] [--device cpu]

Without --run the network is one of random weights, whose labels are noise: painting and packing
them takes longer than a trained one's.

Both look at the same photographs at the same sizes, one at a time. The bare pass has its tensors
ready and throws the logits away; `predict` reads and scales photographs, fuses, enlarges, writes
palette PNGs. The two take turns, so that other load falls on both alike; printed are medians and
the median of the ratios of neighbours, on the wall and by the processor's time of this process (on
a GPU the wall counts alone). The budget is 0.95 of the bare speed on the wall. It takes a minute
or two with the light backbone and 24 photographs.
"""

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from backend.exchange.sources import Source, open_source
from backend.images import read_image
from backend.networks import TORCHVISION, backbone_names
from backend.networks.deeplab import DeepLab
from backend.weights import load
from training.machine import Machine, open_fabric
from training.predictions import predict
from training.run import Run
from training.viewing import Viewing

BUDGET = 0.95


class Span(NamedTuple):
    """Seconds on the wall and of this process's threads."""

    wall: float
    processor: float


def span(work: Callable[[], object], device: str) -> Span:
    """How long one call takes, the device's queue emptied before and after."""
    if device == "cuda":
        torch.cuda.synchronize()
    wall, processor = time.perf_counter(), time.process_time()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return Span(time.perf_counter() - wall, time.process_time() - processor)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--run", help="a run of segment, or its weights")
    parser.add_argument("--backbone", choices=backbone_names(), default="squeezenet1_1")
    parser.add_argument("--channels", type=int, default=256, help="of the head")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--scales", default="1")
    parser.add_argument("--flip", action="store_true")
    parser.add_argument("--crf")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    source = open_source(given.data, given.split)
    source = replace(source, items=source.items[: given.images])
    scales = tuple(float(part) for part in given.scales.split(","))
    viewing = Viewing(given.size, scales, given.flip)
    if given.run:
        network, card = load(given.run)
        name, classes = f"{card.name}, {card.backbone}", len(card.classes)
    else:
        network = DeepLab(given.backbone, len(source.classes), channels=given.channels).eval()
        name, classes = given.backbone, len(source.classes)
    named = {number: str(number) for number in range(1, classes + 1)}
    pairs = measure(network, source, named, viewing, given.crf, given.rounds, given.device)

    count = len(source.items)
    bare, whole = (
        Span(*(statistics.median(each[clock] for each in spans) for clock in range(2)))
        for spans in zip(*pairs, strict=True)
    )
    wall, processor = (
        statistics.median(first[clock] / second[clock] for first, second in pairs)
        for clock in range(2)
    )
    print(
        f"{name}, {count} photographs, shorter side {given.size} x {given.scales}"
        f"{', mirrored too' if given.flip else ''}{f', CRF {given.crf}' if given.crf else ''}; "
        f"{given.device}, {given.threads} threads"
    )
    speeds = [count / each.wall for each in (bare, whole)]
    print(f"bare forward {speeds[0]:.1f} images/s, predict {speeds[1]:.1f} images/s")
    print(f"of the bare speed: {wall:.3f} on the wall, {processor:.3f} by the processor")
    print(f"{'within' if wall >= BUDGET else 'under'} the budget of {BUDGET}")


@torch.inference_mode()
def measure(
    network: nn.Module,
    source: Source,
    classes: dict[int, str],
    viewing: Viewing,
    crf: str | None,
    rounds: int,
    device: str,
) -> list[tuple[Span, Span]]:
    """Spans of the bare passes and of `predict`, in turn."""
    fabric = open_fabric(Machine(device=device))
    network = network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches = []
    for item in source.items:
        for view in viewing.views(read_image(item.image)):
            batch = TORCHVISION.batch(torch.from_numpy(view).permute(2, 0, 1)[None])
            batch = torch.cat([batch, batch.flip(-1)]) if viewing.flip else batch
            ready = batch.contiguous(memory_format=torch.channels_last).to(fabric.device)
            batches.append(ready)

    def bare() -> None:
        for batch in batches:
            with fabric.autocast():
                network(batch)

    def whole() -> None:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
            predict(
                Run("predict", Path(folder)),
                fabric,
                network,
                source,
                classes,
                TORCHVISION,
                viewing,
                Path(folder),
                weights="of the benchmark",
                crf=crf,
            )

    for work in (bare, whole):
        work()
    return [(span(bare, device), span(whole, device)) for _ in range(rounds)]


if __name__ == "__main__":
    main()
