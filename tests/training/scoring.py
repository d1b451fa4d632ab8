"""Labels of known quality and saliency for the painted cats and dogs, as a run leaves them."""

import json
from pathlib import Path

import cv2
import numpy as np
import torch

from backend.labels import read_labels, write_labels
from backend.networks.normalisation import TORCHVISION
from backend.networks.scorer import ScorerNetwork
from backend.weights import WeightsCard, save
from training.cli import main
from training.run import write_config

from .conftest import events_of

CAT, DOG = 8, 12
NAMES = [f"im{number}" for number in range(12)]
# Twelve masks from as they should be to hardly any: so many rows are cut off from the top.
CUT = dict(zip(NAMES, (0, 0, 0, 1, 0, 2, 4, 10, 12, 14, 38, 40), strict=True))
HOW = ["--crf", "none", "--device", "cpu", "--precision", "32"]
TRAIN = [
    "--preset", "scenes", "--size", "24", "--channels", "4", "--width", "4", "--batch", "4",
    "--high", "6", "--low", "3", "--changed", "6", "--composites", "4", "--grown", "2",
    "--swapped", "2", "--warmup", "0", "--precision", "32", "--device", "cpu", "--crf", "none",
    "--held-out", "0.25",
]  # fmt: skip


def truth_of(data: Path, name: str) -> np.ndarray:
    return read_labels(data / "SegmentationClass" / f"{name}.png")


def label_run(data: Path, out: Path, cut: dict[str, int] | None = None) -> Path:
    """A finished run whose labels are the true ones with rows cut off."""
    for name, rows in (CUT if cut is None else cut).items():
        labels = truth_of(data, name)
        labels[:rows] = 0
        write_labels(out / "labels" / f"{name}.png", labels)
    write_config(out, {"recipe": "fuse", "settings": {}})
    lines = [{"image": "im0", "method": "oaa.seenet · of a test", "AC": 1.0}]
    (out / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return out


def saliency_maps(data: Path, out: Path) -> Path:
    """Maps of the true foreground, a bit too wide."""
    out.mkdir()
    for name in NAMES:
        salient = (truth_of(data, name) > 0).astype(np.uint8) * 255
        cv2.imwrite(str(out / f"{name}.png"), cv2.dilate(salient, np.ones((3, 3), np.uint8)))
    return out


def save_scorer(path: Path, seed: int) -> Path:
    """A scorer of another class list, of random weights."""
    torch.manual_seed(seed)
    network = ScorerNetwork(4, 4)
    torch.nn.init.normal_(network.layer9.weight, std=0.3)
    card = WeightsCard(
        name="small", kind="scorer", backbone="none", stride=8, classes=("cow",), class_ids=(3,),
        normalisation=TORCHVISION, input_size=24, architecture=network.settings,
    )  # fmt: skip
    save(path, network, card)
    return path


def score(data: Path, labels: Path, maps: Path, out: Path, *more: str) -> int:
    given = ["--data", str(data), "--from", str(labels), "--saliency", f"folder:{maps}"]
    return main(["score", *given, "--out", str(out), *HOW, *more])


def lines_of(out: Path, name: str = "scores.jsonl") -> list[dict]:
    return [json.loads(line) for line in (out / name).read_text().splitlines()]


def said(out: Path) -> str:
    return " ".join(event["text"] for event in events_of(out) if event["kind"] == "message")
