"""Attention maps on photographs, from tags alone: `classify --preset light` on MSRC, seed by seed.

    python -m benchmarks.msrc --data ../shared/data/msrc [--at build/msrc] [--seeds 0 1 2]

Trains as anyone would from the command line and prints the mIoU of the maps on the training images
at the best threshold. A finished run under --at is not made again; one that was cut goes on.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the MSRC folder, in VOC layout")
    parser.add_argument("--at", type=Path, default=ROOT / "build" / "msrc", help="where runs lie")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    found = []
    print("| seed | mIoU of the maps | best threshold | tag accuracy |\n| --- | --- | --- | --- |")
    for seed in options.seeds:
        metrics = trained(options.data.absolute(), (options.at / f"seed{seed}").absolute(), seed)
        found.append(metrics["miou"])
        print(
            f"| {seed} | {metrics['miou']:.1f} | {metrics['threshold']:.2f} "
            f"| {100 * metrics['tag_accuracy']:.1f} % |",
            flush=True,
        )
    if len(found) > 1:
        print(f"| mean | {statistics.mean(found):.1f} ± {statistics.stdev(found):.1f} | | |")
    return 0


def trained(data: Path, folder: Path, seed: int) -> dict[str, float]:
    """The numbers of one run, made where it is not there yet."""
    words = ["classify", "--data", str(data), "--out", str(folder), "--preset", "light"]
    words += ["--seed", str(seed), *(["--resume"] if (folder / "config.json").exists() else [])]
    subprocess.run(
        [sys.executable, "-m", "training", *words],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    last = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    metrics: dict[str, float] = json.loads(last)["metrics"]
    return metrics


if __name__ == "__main__":
    sys.exit(main())
