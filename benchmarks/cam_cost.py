"""What class maps cost over the bare forward pass of the same network.

    nice python -m benchmarks.cam_cost [--backbone squeezenet1_1] [--batch 8] [--size 224]

The bare pass is the network's logits with gradients off; the maps' pass ends in attention maps in
0..1 as numpy arrays (normalised by their maximum, as every method takes them). Passes alternate, so
that other load on the machine falls on both alike; printed are medians and the median of the ratio
of neighbours. The ratio should stay at or below 1.1.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from backend.maps.attention import normalise
from backend.networks import CamClassifier, backbone_names

LIMIT = 1.1


def seconds(work: Callable[[], object], device: str) -> float:
    """How long one call takes, the device's queue emptied before and after."""
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backbone", choices=backbone_names(), default="squeezenet1_1")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    network = CamClassifier(arguments.backbone, arguments.classes).eval().to(arguments.device)
    shape = (arguments.batch, 3, arguments.size, arguments.size)
    images = torch.randn(shape, device=arguments.device)

    def bare() -> None:
        network(images).scores.cpu()

    def maps() -> None:
        output = network(images)
        output.scores.cpu()
        for raw in output.maps.cpu().numpy():
            normalise(raw, how="max")

    with torch.inference_mode():
        for work in (bare, maps):
            work()
        pairs = [
            (seconds(bare, arguments.device), seconds(maps, arguments.device))
            for _ in range(arguments.rounds)
        ]
    forward, cam = np.median(pairs, axis=0) * 1000
    ratio = float(np.median([later / earlier for earlier, later in pairs]))
    verdict = "within" if ratio <= LIMIT else "over"
    print(
        f"{arguments.backbone}, batch {arguments.batch} of {arguments.size}x{arguments.size}, "
        f"{arguments.device}, {torch.get_num_threads()} threads"
    )
    print(f"bare forward {forward:.1f} ms, class maps {cam:.1f} ms, ratio {ratio:.3f}")
    print(f"{verdict} the limit of {LIMIT}")


if __name__ == "__main__":
    main()
