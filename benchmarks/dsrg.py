"""SEC and DSRG on photographs, beside the same network on the plain thresholded attention.

    python -m benchmarks.dsrg --data ../shared/data/msrc [--seeds 0] [--saliency classical]
                              [--at build/dsrg] [--only NAME ...]

Learns from the tags of the list `fit` with the preset `light`: OAA's maps, of which SEC and DSRG
take their cues; a segmenter on the labels that these maps give at their best threshold on `fit`;
and one on each of SEC's and DSRG's labels, as SAL retrains. Measured are the labels of `fit` and
the predictions on `val`. What is trained already under --at is not trained again, unless it was
trained with other words, and a training that was cut goes on. One seed takes about half an hour of
a core: OAA 5 minutes, SEC and DSRG 7 each, each of the three segmenters 4.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from backend.exchange.sources import Source, open_source
from backend.labels import read_heat, write_labels
from backend.maps.attention import resize
from training.evaluation import THRESHOLDS, class_iou, threshold_sweep
from training.label_quality import measure_labels

ROOT = Path(__file__).resolve().parents[1]
FIT, PRESET = "fit", "light"
# Name -> the recipe, the run that it learns from, more words.
RUNS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "oaa": ("oaa", "", ()),
    "thresholded": ("segment", "thresholded-labels", ()),
    "sec": ("dsrg", "oaa", ("--method", "sec")),
    "dsrg": ("dsrg", "oaa", ("--method", "dsrg")),
    "sec, retrained": ("segment", "sec", ()),
    "dsrg, retrained": ("segment", "dsrg", ()),
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the MSRC folder, in VOC layout")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--saliency", default="classical", help="of the background's cues")
    parser.add_argument("--at", type=Path, default=ROOT / "build" / "dsrg")
    parser.add_argument("--only", nargs="+", choices=[*RUNS])
    given = parser.parse_args()
    data = given.data.absolute()
    source = open_source(data, FIT)
    print("| seed | trained on | labels of fit | predictions on val | seconds |")
    print("| --- | --- | --- | --- | --- |")
    for seed in given.seeds:
        at = given.at.absolute() / str(seed)
        for name, (recipe, earlier, words) in RUNS.items():
            if given.only and name not in given.only:
                continue
            more = [*words, *(["--from", str(at / earlier)] if earlier else [])]
            if recipe == "dsrg":
                more += ["--saliency", given.saliency]
            threshold = ""
            if earlier == "thresholded-labels":
                threshold = f" at {threshold_labels(source, at / 'oaa', at / earlier):g}"
            told, seconds = trained(recipe, data, at / name, seed, more)
            if recipe == "oaa":
                continue
            labels = at / (name if recipe == "dsrg" else earlier) / "labels"
            quality = measure_labels(source, labels)["label_miou"]
            print(
                f"| {seed} | {name}{threshold} | {quality:.1f} | {told['miou']:.1f} | "
                f"{seconds:.0f} |",
                flush=True,
            )
    return 0


def trained(
    recipe: str, data: Path, folder: Path, seed: int, more: list[str]
) -> tuple[dict[str, Any], float]:
    """A run's metrics and the seconds that it took, trained now if it is not finished."""
    note, spoken = folder / "seconds.txt", folder / "words.txt"
    said = " ".join([recipe, *more])
    if spoken.is_file() and spoken.read_text() != said:
        shutil.rmtree(folder)
    finished = finished_with(folder)
    if finished is None:
        words = ["--data", str(data), "--split", FIT, "--preset", PRESET, "--seed", str(seed)]
        words += ["--resume"] if (folder / "config.json").exists() else more
        folder.mkdir(parents=True, exist_ok=True)
        spoken.write_text(said)
        begun = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "training", recipe, "--out", str(folder), *words],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        note.write_text(f"{time.monotonic() - begun:.1f}")
        finished = finished_with(folder)
    assert finished is not None
    return finished, float(note.read_text()) if note.is_file() else float("nan")


def finished_with(folder: Path) -> dict[str, Any] | None:
    """What a run measured; None where it is not at its end."""
    events = folder / "events.jsonl"
    if not events.is_file():
        return None
    told = [json.loads(line) for line in events.read_text().splitlines()]
    ends = [event for event in told if event["kind"] == "finished"]
    metrics: dict[str, Any] | None = ends[-1]["metrics"] if ends else None
    return metrics


def threshold_labels(source: Source, run: Path, folder: Path) -> float:
    """Writes the labels of a run's maps at the threshold that suits them best; which one that is.

    A pixel is the tag with the largest map, and background where that is under the threshold.
    """
    count = max(source.classes) + 1
    found = [maps_of(source, run, item) for item in source.items]
    truths = [source.truth(item) for item in source.items]
    tags = [item.tags for item in source.items]
    swept = threshold_sweep(zip(found, tags, truths, strict=True), count)
    best = THRESHOLDS[int(np.argmax([np.nanmean(class_iou(matrix)) for matrix in swept]))]
    for item, maps, truth in zip(source.items, found, truths, strict=True):
        large = resize(maps, truth.shape)
        ids = np.array(item.tags, np.uint8)[large.argmax(axis=0)]
        write_labels(
            folder / "labels" / f"{item.name}.png",
            np.where(large.max(axis=0) >= best, ids, 0).astype(np.uint8),
        )
    return best


def maps_of(source: Source, run: Path, item: Any) -> np.ndarray:
    """A run's maps of an image's tags, float32 (K,h,w)."""
    paths = [run / "maps" / item.name / f"{source.classes[tag]}.png" for tag in item.tags]
    return np.stack([read_heat(path) for path in paths])


if __name__ == "__main__":
    sys.exit(main())
