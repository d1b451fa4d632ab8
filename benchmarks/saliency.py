"""Saliency on photographs, of detectors and networks: MAE, max F, S-measure and time.

    nice python -m benchmarks.saliency [--data ../shared/data/ecssd] [--half report|tune|all]
    nice python -m benchmarks.saliency --run FOLDER [--saliency network:NAME folder:DIR ...]

DATA holds images/NAME.jpg and masks/NAME.png (0 or 255, white salient). The classical detector's
constants were chosen on the half `tune` (every other name, from the first); its numbers to publish
come from the half `report`. With --run all are measured on the images that a run of the recipe
saliency held out, its network among them; where FOLDER has no run, one is trained there first with
the preset light. Times are processor time of one thread, over the images at their own size.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from backend.images import read_image
from backend.saliency import SaliencySource, classical, saliency_source
from backend.saliency_classical import centre_prior
from training.cli import main as training
from training.saliency_measures import SaliencyScores

Detector = Callable[[np.ndarray, str], np.ndarray]


def detectors(more: list[str]) -> dict[str, Detector]:
    """What is compared; OpenCV's own detectors where its contrib modules are installed."""
    found: dict[str, Detector] = {
        "classical": lambda image, name: classical(image),
        "centre prior": lambda image, name: centre_prior(image.shape),
    }
    if hasattr(cv2, "saliency"):
        for name in ("StaticSaliencyFineGrained", "StaticSaliencySpectralResidual"):
            one = getattr(cv2.saliency, f"{name}_create")()
            found[name] = lambda image, _, one=one: one.computeSaliency(image)[1].clip(0, 1)
    for spec in more:
        source: SaliencySource = saliency_source(spec)
        found[source.short_name] = source
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = Path(__file__).resolve().parents[2] / "shared" / "data" / "ecssd"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--half", choices=("report", "tune", "all"), default="report")
    parser.add_argument("--run", type=Path, help="a run of the recipe saliency, or where to train")
    parser.add_argument("--saliency", nargs="*", default=[], help="more: network:NAME, folder:DIR")
    arguments = parser.parse_args()
    paths = sorted((arguments.data / "images").glob("*.jpg"))
    if not paths:
        raise SystemExit(f"There are no images/*.jpg in {arguments.data}.")
    more = list(arguments.saliency)
    if arguments.run:
        held_out = trained(arguments.run, arguments.data)
        paths = [path for path in paths if path.stem in held_out]
        more.insert(0, f"network:{arguments.run}")
        which = f"held out by {arguments.run.name}"
    else:
        paths = {"tune": paths[0::2], "report": paths[1::2], "all": paths}[arguments.half]
        which = f"half: {arguments.half}"
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    print(f"{len(paths)} photographs of {arguments.data.name}, {which}")
    print(f"{'detector':40} {'MAE':>6} {'max F':>6} {'at':>5} {'S':>6} {'ms':>6} {'ms 95%':>7}")
    for name, detect in detectors(more).items():
        measure(name, detect, paths, arguments.data / "masks")


def trained(run: Path, data: Path) -> set[str]:
    """The names that the run held out; it is trained, or gone on with, where it is not finished."""
    if not (run / "weights.safetensors").is_file():
        more = ["--resume"] if (run / "config.json").is_file() else ["--preset", "light"]
        if training(["saliency", "--data", str(data), "--out", str(run), *more]):
            raise SystemExit("The network was not trained; the reason stands above.")
    return set((run / "validation.txt").read_text().split())


def measure(name: str, detect: Detector, paths: list[Path], masks: Path) -> None:
    """Prints the row of one detector."""
    scores, seconds = SaliencyScores(), []
    detect(read_image(paths[0]), paths[0].stem)
    for path in paths:
        image = read_image(path)
        truth = read_image(masks / f"{path.stem}.png")[..., 0] > 127
        start = time.process_time()
        heat = detect(image, path.stem)
        seconds.append(time.process_time() - start)
        scores.add(heat, truth.astype(np.uint8))
    found = scores.result()
    middle, slow = np.percentile(seconds, [50, 95]) * 1000
    print(
        f"{name:40} {found['mae']:6.3f} {found['max_f']:6.3f} {found['max_f_at']:5.2f} "
        f"{found['s_measure']:6.3f} {middle:6.1f} {slow:7.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
