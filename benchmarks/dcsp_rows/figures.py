"""What the rounds of a finished training of DCSP measure: its cues, and what its networks label."""

import subprocess
import sys
import tempfile
from collections.abc import Set
from pathlib import Path
from typing import Any

from backend.exchange.sources import open_source
from benchmarks.attention_rows.cache import ROOT
from training.evaluation import evaluate_maps, evaluate_predictions

SCALES = ("--scales", "1,0.75,0.5", "--fusion", "max")
CRF = "dcsp"


def of(folder: Path, data: Path, split: str, val: str, wanted: Set[str]) -> dict[str, Any]:
    """The wanted figures of a training's folder by name: attention, cues-N on the images learnt
    from; round-N, round-N-crf and not-joint on those held out.
    """
    taught, held = (open_source(data, each).tagged() for each in (split, val))
    truth, classes = data / "SegmentationClass", taught.classes
    learnt = [item.name for item in taught.items]
    strange = [item.name for item in held.items]
    found = {}
    with tempfile.TemporaryDirectory(dir=folder) as made:
        for name in sorted(wanted):
            kind, _, number = name.removesuffix("-crf").partition("-")
            if kind == "attention":
                found[name] = evaluate_maps(folder / "maps", truth, classes, learnt)
            elif kind == "cues":
                labels = folder / "cues" / number / "labels"
                found[name] = evaluate_predictions(labels, truth, classes, learnt)
            elif kind == "not":
                found[name] = evaluate_predictions(folder / "predictions", truth, classes, strange)
            else:
                (network,) = folder.glob(f"checkpoint-*-joint-{number}")
                out = Path(made) / name
                _predict(network, data, val, out, CRF if name.endswith("-crf") else "none")
                found[name] = evaluate_predictions(out, truth, classes, strange)
    return found


def _predict(network: Path, data: Path, split: str, out: Path, crf: str) -> None:
    """Predictions as the paper makes them."""
    words = ["--run", network, "--data", data, "--split", split, "--out", out, "--crf", crf]
    subprocess.run(
        [sys.executable, "-m", "training", "predict", *map(str, words), *SCALES],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
