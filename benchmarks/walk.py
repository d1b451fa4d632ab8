"""What the random walk of one image costs: time on one core, and memory.

    python -m benchmarks.walk [--width 500] [--height 375] [--tags 3] [--backbone squeezenet1_1]

From attention maps and AffinityNet's affinities to the walked maps: background, cells of 8 pixels,
transition matrix, 256 steps. Times are medians over the rounds, on the clock and of the processor
(which other load changes least); memory is the process's peak, interpreter and libraries included,
before anything of torch is imported. With --backbone the network's part comes after it: features of
the image and the affinities between neighbours. Budgets: 0.5 s and 300 MB.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np

from backend.maps import attention, walk

MOST_SECONDS, MOST_MEGABYTES = 0.5, 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--width", type=int, default=500)
    parser.add_argument("--height", type=int, default=375)
    parser.add_argument("--tags", type=int, nargs="+", default=[1, 3, 20])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--backbone", default="")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    size = (given.height, given.width)
    random = np.random.default_rng(0)
    grid = walk.grid_of(size)
    smooth = attention.resize(random.normal(size=(16, 6, 8)), grid)
    alike = walk.affinities(smooth + random.normal(0, 0.2, smooth.shape))
    print(
        f"{given.width}x{given.height}: {grid[1]}x{grid[0]} cells, {walk.STEPS} steps, one thread"
    )
    for tags in given.tags:
        heats = attention.resize(random.random((tags, *grid)), size)

        def whole(heats: np.ndarray = heats) -> np.ndarray:
            return walk.walk(walk.pooled(walk.with_background(heats)), alike)

        clock, processor = timed(whole, given.rounds)
        verdict = "within" if clock <= MOST_SECONDS else "over"
        taken = f"{clock:.3f} s, processor {processor:.3f} s"
        print(f"{tags:>3} tags: {taken} ({verdict} {MOST_SECONDS} s)")
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    verdict = "within" if megabytes <= MOST_MEGABYTES else "over"
    print(f"peak memory {megabytes:.0f} MB ({verdict} {MOST_MEGABYTES} MB)")
    if given.backbone:
        network(given.backbone, size, given.rounds)


def network(backbone: str, size: tuple[int, int], rounds: int) -> None:
    """Prints what the network's part takes, on one thread."""
    import torch

    from backend.networks.affinity import AffinityNet, pair_distances

    torch.set_num_threads(1)
    net = AffinityNet(backbone).eval()
    cell = net.backbone.stride
    image = torch.randn(1, 3, *(side * cell for side in walk.grid_of(size, cell)))
    with torch.inference_mode():
        features = net(image)
        seen = timed(lambda: net(image), rounds)
        near = timed(lambda: (-pair_distances(features)).exp(), rounds)
    for what, (clock, processor) in (("features", seen), ("affinities", near)):
        print(f"{backbone}, {what}: {clock:.3f} s, processor {processor:.3f} s")


def timed(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median seconds on the clock and of the processor, after one run that does not count."""
    work()
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter(), time.process_time()
        work()
        taken.append((time.perf_counter() - begun[0], time.process_time() - begun[1]))
    clocks, processors = zip(*taken, strict=True)
    return statistics.median(clocks), statistics.median(processors)


if __name__ == "__main__":
    main()
