"""A small data set and pipelines that are planned, or stand as if they had been carried out."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.labels import write_labels
from training.options import settle
from training.pipeline_options import Pipeline
from training.run import Run
from training.stages.plan import Plan
from training.stages.record import Record, outputs_of
from training.stages.verdicts import Verdict


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """Six images of 40x32 in the lists train (four) and val (two), with true masks of cats."""
    root = tmp_path / "voc"
    random = np.random.default_rng(0)
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    names = [f"im{number}" for number in range(6)]
    for name in names:
        pixels = random.integers(0, 255, (32, 40, 3), dtype=np.uint8)
        cv2.imwrite(str(root / "JPEGImages" / f"{name}.jpg"), pixels)
        labels = np.zeros((32, 40), np.uint8)
        labels[:16] = 8
        write_labels(root / "SegmentationClass" / f"{name}.png", labels)
    rows = ["image,tags", *(f"{name},cat" for name in names)]
    (root / "tags.csv").write_text("\n".join(rows) + "\n")
    lists = root / "ImageSets" / "Segmentation"
    (lists / "train.txt").write_text("\n".join(names[:4]) + "\n")
    (lists / "val.txt").write_text("\n".join(names[4:]) + "\n")
    return root


@pytest.fixture
def plan(voc: Path, tmp_path: Path) -> Callable[..., Plan]:
    """Plans a pipeline of the preset scenes into OUT; keywords are its options."""

    def make(split: str | None = None, seed: int = 0, preset: str = "scenes", **given) -> Plan:
        run = Run("pipeline", tmp_path / "out", data=voc, split=split, preset=preset, seed=seed)
        return Plan(settle(Pipeline, preset, given), run)

    return make


def stand_in(verdict: Verdict) -> None:
    """Leaves a stage as if it had been made: small files in the place of what it gives."""
    folder, gives = verdict.folder, verdict.stage.gives
    files = {
        "weights": "weights.safetensors",
        "maps": "maps/im0/cat.png",
        "labels": "labels/im0.png",
        "scores": "scores.jsonl",
        "predictions": "predictions/im4.png",
    }
    for what in gives:
        path = folder / files[what]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(what.encode())
    if "scores" in gives:
        (folder / "references").mkdir(exist_ok=True)
        for number in range(3):
            (folder / "references" / f"im{number}.png").write_bytes(f"reference {number}".encode())
    now = time.time()
    record = Record(verdict.stage.name, verdict.digest, verdict.made_of, started=now, finished=now)
    record.outputs = outputs_of(folder, gives)
    record.write(folder)


def carried_out(plan: Plan) -> list[Verdict]:
    """A pipeline as if all of it had been made, and on record."""
    found = plan.verdicts()
    for verdict in found:
        stand_in(verdict)
    rows = [{"name": each.stage.name, "digest": each.digest} for each in found]
    told = {"format": "tagmask-pipeline/1", "stages": rows}
    plan.run.folder.mkdir(exist_ok=True)
    (plan.run.folder / "pipeline.json").write_text(json.dumps(told))
    return found
