"""What scoring masks in batches costs beside the bare forward pass, and the memory it takes.

    nice python -m benchmarks.scoring [--scorer RUN] [--channels 32] [--width 48] [--size 96]
        [--images 64] [--batch 8] [--rounds 7] [--threads N] [--device cpu] [--half]
        [--many 10000] [--few 1000]

Without --scorer the network is one of random weights, which is as fast. Both look at the same masks
of the same noise, 320 x 240 pixels, in the same batches: the bare pass has its tensors ready and
throws the scores away; the scorer squashes images and label maps to its size, stacks, normalises
and clamps. The two take turns, so that other load falls on both alike; printed are medians and the
median of the ratios of neighbours, on the wall and by the processor's time of this process, which
other load changes least: the budget of 1.1 is of that (on a GPU of the wall). What is over a budget
ends with exit status 1.

Memory is that of a whole `score` run, in a process of its own each: over --few and over --many
copies of one image, with a scorer, a folder of saliency maps and no CRF. The budget is 40 MiB more
for the many than for the few. It takes some minutes; --many 0 leaves it out.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from backend.images import encode_jpeg, encode_png
from backend.labels import write_labels
from backend.mask_scorer import MaskScorer, card_of, network_input
from backend.networks.normalisation import TORCHVISION
from backend.networks.scorer import STRIDE, ScorerNetwork
from backend.weights import WeightsCard, save

BUDGET = 1.1
MORE_MEMORY_MIB = 40
HEIGHT, WIDTH = 240, 320
# A training command, and then the largest memory of its process in MiB.
WITH_PEAK = """
import resource, sys
from training.cli import main
status = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
raise SystemExit(status)
"""


class Span(NamedTuple):
    """Seconds on the wall and of this process's threads."""

    wall: float
    processor: float


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scorer", type=Path, help="a run of the recipe scorer, or its weights")
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--width", type=int, default=48)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--half", action="store_true", help="compute in bfloat16")
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--many", type=int, default=10_000)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        weights = given.scorer or random_scorer(
            Path(folder), given.channels, given.width, given.size
        )
        scorer = MaskScorer(card_of(weights), given.device, half=given.half)
        within = tell_speed(scorer, given)
        if given.many:
            within &= tell_memory(Path(folder), weights, given.few, given.many)
        return 0 if within else 1


def random_scorer(folder: Path, channels: int, width: int, size: int) -> Path:
    """The weights of an untrained scorer."""
    torch.manual_seed(0)
    network = ScorerNetwork(channels, width)
    card = WeightsCard(
        name="untrained",
        kind="scorer",
        backbone="none",
        stride=STRIDE,
        classes=(),
        class_ids=(),
        normalisation=TORCHVISION,
        input_size=size,
        architecture=network.settings,
    )
    path = folder / "scorer.safetensors"
    save(path, network, card)
    return path


def tell_speed(scorer: MaskScorer, given: argparse.Namespace) -> bool:
    """Prints the speed of both and their ratio beside the budget; whether it is kept."""
    pairs = measure(scorer, given.images, given.batch, given.rounds)
    bare, whole = (
        Span(*(statistics.median(each[clock] for each in spans) for clock in range(2)))
        for spans in zip(*pairs, strict=True)
    )
    wall, processor = (
        statistics.median(second[clock] / first[clock] for first, second in pairs)
        for clock in range(2)
    )
    settings = scorer.network.settings
    print(
        f"{settings['channels']}/{settings['width']} channels at {scorer.size} pixels, "
        f"{given.images} masks in batches of {given.batch}, {given.device}, {given.threads} "
        f"threads{', bfloat16' if given.half else ''}"
    )
    print(
        f"bare forward {1000 * bare.wall / given.images:.2f} ms a mask, scoring "
        f"{1000 * whole.wall / given.images:.2f} ms"
    )
    print(
        f"scoring takes {wall:.3f} of the bare pass on the wall, {processor:.3f} by the processor"
    )
    within = (wall if given.device == "cuda" else processor) <= BUDGET
    print(f"{'within' if within else 'OVER'} the budget of {BUDGET}")
    return within


@torch.inference_mode()
def measure(scorer: MaskScorer, images: int, batch: int, rounds: int) -> list[tuple[Span, Span]]:
    """Spans of the bare passes and of scoring, in turn."""
    random = np.random.default_rng(0)
    pairs = []
    for _ in range(images):
        labels = np.zeros((HEIGHT, WIDTH), np.uint8)
        labels[40:200, 60:240] = 7
        pairs.append((random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8), labels))
    batches = []
    for first in range(0, images, batch):
        inputs = [network_input(*pair, scorer.size) for pair in pairs[first : first + batch]]
        seen = torch.from_numpy(np.stack(inputs)).permute(0, 3, 1, 2)
        ready = torch.cat([TORCHVISION.batch(seen[:, :3]), seen[:, 3:].float()], dim=1)
        batches.append(ready.contiguous(memory_format=torch.channels_last).to(scorer.device))

    def bare() -> None:
        with torch.autocast(scorer.device, torch.bfloat16, enabled=scorer.half):
            for each in batches:
                scorer.network(each)

    def whole() -> None:
        for _ in scorer.scores(pairs, batch):
            pass

    for work in (bare, whole):
        work()
    return [(span(bare, scorer.device), span(whole, scorer.device)) for _ in range(rounds)]


def span(work: Callable[[], object], device: str) -> Span:
    """How long one call takes, the device's queue emptied before and after."""
    if device == "cuda":
        torch.cuda.synchronize()
    wall, processor = time.perf_counter(), time.process_time()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return Span(time.perf_counter() - wall, time.process_time() - processor)


def tell_memory(folder: Path, weights: Path, few: int, many: int) -> bool:
    """Prints the largest memory of two whole runs beside the budget; whether it is kept."""
    peaks = [peak_of(folder / str(count), weights, count) for count in (few, many)]
    more = peaks[1] - peaks[0]
    print(f"memory: {peaks[0]:.0f} MiB for {few} images, {peaks[1]:.0f} MiB for {many}")
    print(
        f"{more:.0f} MiB more; {'within' if more <= MORE_MEMORY_MIB else 'OVER'} the budget of "
        f"{MORE_MEMORY_MIB} MiB"
    )
    return more <= MORE_MEMORY_MIB


def peak_of(folder: Path, weights: Path, count: int) -> float:
    """The largest memory in MiB of a process that scores so many copies of an image."""
    random = np.random.default_rng(0)
    image = encode_jpeg(random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[40:200, 60:240] = 1
    for each in ("data/images", "maps", "run/labels"):
        (folder / each).mkdir(parents=True)
    (folder / "data" / "classes.txt").write_text("thing\n")
    rows = ["image,tags"]
    write_labels(folder / "labels.png", labels)
    (folder / "map.png").write_bytes(encode_png((labels > 0).astype(np.uint8) * 200))
    (folder / "image.jpg").write_bytes(image)
    for number in range(count):
        name = f"im{number:06d}"
        rows.append(f"{name},thing")
        (folder / "data" / "images" / f"{name}.jpg").hardlink_to(folder / "image.jpg")
        (folder / "maps" / f"{name}.png").hardlink_to(folder / "map.png")
        (folder / "run" / "labels" / f"{name}.png").hardlink_to(folder / "labels.png")
    (folder / "data" / "tags.csv").write_text("\n".join(rows) + "\n")
    command = [
        sys.executable, "-c", WITH_PEAK, "score", "--data", str(folder / "data"), "--from",
        str(folder / "run"), "--scorer", str(weights), "--crf", "none",
        "--saliency", f"folder:{folder / 'maps'}", "--out", str(folder / "out"), "--device", "cpu",
    ]  # fmt: skip
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(told.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    sys.exit(main())
