"""The CRF over a folder by one process and by two, and what labels of many images take.

    python -m benchmarks.crf [--data ../shared/data/msrc] [--only folder memory]

folder: photographs and proxy labels of background and their tags are read, refined by a CrfPool
and written, as the recipes do it (`training.streaming`); one process and two take turns, so that
other load falls on both alike. Budget: two at least 1.8 times one. Refining all 21 of VOC's labels
instead of the tags' is timed beside it.

memory: `python -m training labels` over some images and over several times as many, each in a
process of its own: its peak memory, and what it writes for an image. Budget: memory does not grow.
Photographs beyond those of the folder are the same ones again under other names.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from backend.images import read_image
from backend.labels import read_labels, write_labels
from backend.maps import crf
from backend.refinement import CrfPool
from training.run import Run
from training.streaming import stream

ENOUGH = 1.8
PRESET = crf.PRESETS["dcsp"]
CLASS_IDS = (1, 2)
MOST_GROWTH = 1.1
TEN_THOUSAND = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/msrc"))
    parser.add_argument("--only", nargs="+", choices=("folder", "memory"), default=[])
    parser.add_argument("--images", type=int, default=24, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--counts", type=int, nargs=2, default=[100, 400])
    parser.add_argument("--weights", default="scenes-slim")
    given = parser.parse_args()
    photographs = sorted((given.data / "JPEGImages").glob("*.jpg"))
    if not photographs:
        raise SystemExit(f"There are no photographs in {given.data / 'JPEGImages'}.")
    if not given.only or "folder" in given.only:
        folder(photographs[: given.images], given.rounds)
    if not given.only or "memory" in given.only:
        memory(photographs, given.counts, given.weights)


def folder(photographs: Sequence[Path], rounds: int) -> None:
    """Prints images a second for one process and for two, and what 21 labels would take."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for number, path in enumerate(photographs):
            write_labels(root / "labels" / f"{path.stem}.png", blots(read_image(path), number))
        pools = {processes: CrfPool(processes) for processes in (1, 2)}
        try:
            rates: dict[int, list[float]] = {1: [], 2: []}
            for processes, pool in pools.items():
                refine_all(root, photographs[: 2 * processes], pool, processes)
            for _ in range(rounds):
                for processes, pool in pools.items():
                    rates[processes].append(refine_all(root, photographs, pool, processes))
            each = seconds_of_labels(photographs[0], pools[1])
        finally:
            for pool in pools.values():
                pool.close()
    one, two = (statistics.median(rates[processes]) for processes in (1, 2))
    ratio = statistics.median(b / a for a, b in zip(rates[1], rates[2], strict=True))
    verdict = "within" if ratio >= ENOUGH else "under"
    width, height = read_image(photographs[0]).shape[1::-1]
    print(f"CRF over {len(photographs)} photographs of about {width}x{height}, 3 labels")
    print(f"1 process {one:.2f} images/s, 2 processes {two:.2f} images/s")
    print(f"2 processes over 1: {ratio:.2f} ({verdict} the {ENOUGH} asked for)")
    print(f"one image: the tags' 3 labels {each[0]:.2f} s, all of VOC's 21 labels {each[1]:.2f} s")


def refine_all(root: Path, photographs: Sequence[Path], pool: CrfPool, threads: int) -> float:
    """Images a second of one round over a folder."""

    def refine(path: Path) -> None:
        image = read_image(path)
        labels = read_labels(root / "labels" / f"{path.stem}.png")
        evidence = crf.probabilities_from_labels(labels, CLASS_IDS, 0.9)
        refined = pool.refine(image, evidence, PRESET)
        made = crf.labels_from_probabilities(refined, CLASS_IDS)
        write_labels(root / "refined" / f"{path.stem}.png", made)

    begun = time.perf_counter()
    with silence():
        for _ in stream(
            Run("crf", root), photographs, refine, threads, total=len(photographs), stage="crf"
        ):
            pass
    return len(photographs) / (time.perf_counter() - begun)


def seconds_of_labels(path: Path, pool: CrfPool) -> tuple[float, float]:
    """Seconds for one image with the tags' labels, and with as many as VOC has."""
    image = read_image(path)
    labels = blots(image, 0)
    taken = []
    for ids in (CLASS_IDS, tuple(range(1, 21))):
        evidence = crf.probabilities_from_labels(labels, ids, 0.9)
        begun = time.perf_counter()
        pool.refine(image, evidence, PRESET)
        taken.append(time.perf_counter() - begun)
    return taken[0], taken[1]


def blots(image: np.ndarray, seed: int) -> np.ndarray:
    """Labels of two blots, as a fusion might make them."""
    random = np.random.default_rng(seed)
    height, width = image.shape[:2]
    rows, columns = np.indices((height, width))
    labels = np.zeros((height, width), np.uint8)
    for class_id in CLASS_IDS:
        y, x = random.uniform(0.25, 0.75, 2) * (height, width)
        far = ((rows - y) / (0.25 * height)) ** 2 + ((columns - x) / (0.2 * width)) ** 2
        labels[far < 1] = class_id
    return labels


def memory(photographs: Sequence[Path], counts: Sequence[int], weights: str) -> None:
    """Prints the peak memory of `labels` over so many images, and what it writes for one."""
    from backend.weights import load

    tag = load(weights)[1].classes[0]
    peaks = []
    for count in counts:
        with tempfile.TemporaryDirectory() as place:
            root = Path(place)
            tagged(root / "data", photographs, count, tag)
            peak, seconds = run_labels(root, weights)
            size = sum(path.stat().st_size for path in (root / "run").rglob("*.png"))
        peaks.append(peak)
        told = f"{count} images: peak memory {peak:.0f} MB, {count / seconds:.1f} images/s"
        print(f"{told}, {size / count / 1024:.0f} KB of PNG an image")
    growth = peaks[-1] / peaks[0]
    verdict = "flat" if growth <= MOST_GROWTH else "it grows"
    gigabytes = size / counts[-1] * TEN_THOUSAND / 1e9
    print(f"{counts[-1] / counts[0]:g} times the images: {growth:.2f} times the memory ({verdict})")
    print(f"{TEN_THOUSAND:,} such images would write {gigabytes:.2f} GB")


def tagged(root: Path, photographs: Sequence[Path], count: int, tag: str) -> None:
    """A folder with tags.csv of links to photographs."""
    (root / "images").mkdir(parents=True)
    rows = ["image,tags"]
    for number in range(count):
        link = root / "images" / f"image-{number:05}.jpg"
        link.symlink_to(photographs[number % len(photographs)].resolve())
        rows.append(f"{link.name},{tag}")
    (root / "tags.csv").write_text("\n".join(rows) + "\n")


def run_labels(root: Path, weights: str) -> tuple[float, float]:
    """Peak megabytes and seconds of a labels run over root/data."""
    command = [sys.executable, "-m", "training", "labels", "--data", str(root / "data")]
    command += ["--weights", weights, "--out", str(root / "run"), "--device", "cpu"]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}.")
    return usage.ru_maxrss / 1024, time.perf_counter() - begun


@contextmanager
def silence() -> Iterator[None]:
    """Keeps a run's own lines of progress off the terminal."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        before, sys.stderr = sys.stderr, nowhere
        try:
            yield
        finally:
            sys.stderr = before


if __name__ == "__main__":
    main()
