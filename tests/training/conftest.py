"""A tiny data set in VOC layout, and short trainings on it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from backend.labels import write_labels
from training.cli import main

PROJECT = Path(__file__).resolve().parents[2]
# Four small layers and 48-pixel samples: a training of a second.
SHORT = [
    "--preset",
    "scenes",
    "--weights",
    "none",
    "--epochs",
    "2",
    "--batch",
    "3",
    "--size",
    "48",
    "--head-layers",
    "0",
    "--precision",
    "32",
    "--device",
    "cpu",
]


# A training of a few steps of any method, on the smallest trunk; classify's own flags are SHORT.
TINY = [
    "--preset",
    "scenes",
    "--weights",
    "none",
    "--size",
    "48",
    "--batch",
    "4",
    "--warmup",
    "0",
    "--precision",
    "32",
    "--device",
    "cpu",
]


def train(recipe: str, data: Path, out: Path, *more: str) -> int:
    """`python -m training RECIPE` within this process; its exit status."""
    # A few steps end within the passes that the preset leaves out, which is refused.
    short = recipe == "oaa" and "--steps" in more and "--warmup-passes" not in more
    given = [*TINY, *(["--warmup-passes", "0"] if short else []), *more]
    return main([recipe, "--data", str(data), "--out", str(out), *given])


def paint_voc(root: Path, count: int = 8, side: int = 48) -> Path:
    """Images of a red square (cat), a green disc (dog) or both, with true masks; VOC's names."""
    random = np.random.default_rng(0)
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    rows = ["image,tags"]
    names = [f"im{number}" for number in range(count)]
    for number, name in enumerate(names):
        image = random.integers(90, 130, (side, side, 3), dtype=np.uint8)
        labels = np.zeros((side, side), np.uint8)
        tags = []
        if number % 3 != 1:
            tags.append("cat")
            image[6:26, 4:24] = (200, 30, 30)
            labels[6:26, 4:24] = 8
        if number % 3 != 0:
            tags.append("dog")
            disc = np.zeros((side, side), np.uint8)
            cv2.circle(disc, (34, 32), 9, 1, -1)
            image[disc == 1] = (30, 200, 40)
            labels[disc == 1] = 12
        cv2.imwrite(str(root / "JPEGImages" / f"{name}.jpg"), image[..., ::-1])
        write_labels(root / "SegmentationClass" / f"{name}.png", labels)
        rows.append(f"{name},{' '.join(tags)}")
    (root / "tags.csv").write_text("\n".join(rows) + "\n")
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text("\n".join(names) + "\n")
    return root


@pytest.fixture(scope="session")
def tiny_voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight painted images of cats and dogs; not to be changed by a test."""
    return paint_voc(tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture(scope="session")
def trained(tiny_voc: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one finished short training; not to be changed by a test."""
    out = tmp_path_factory.mktemp("runs") / "trained"
    assert main(["classify", "--data", str(tiny_voc), "--out", str(out), *SHORT]) == 0
    return out


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dozen scenes of 64 pixels, ten in the list train; not to be changed by a test."""
    out = tmp_path_factory.mktemp("data") / "scenes"
    how = ["--count", "12", "--size", "64", "--workers", "1"]
    assert main(["scenes", "--out", str(out), *how]) == 0
    return out


@pytest.fixture(scope="session")
def oaa_run(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of oaa over the scenes; not to be changed by a test."""
    out = tmp_path_factory.mktemp("runs") / "oaa"
    flags = ["--steps", "9", "--warmup-passes", "1", "--gate", "none", "--fusion", "max"]
    assert train("oaa", scenes, out, *flags) == 0
    return out


@pytest.fixture(scope="session")
def piped(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that nothing happened to; whatever a test spoils is mended by it."""
    from .pipelines import pipe

    out = tmp_path_factory.mktemp("pipelines") / "whole"
    assert pipe(scenes, out) == 0
    return out


def events_of(folder: Path) -> list[dict[str, Any]]:
    """Every event of a run; a line that is not one fails the test."""
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def start(*arguments: str) -> "subprocess.Popen[str]":
    """`python -m training ...` as a process with one computing thread, as the tests have."""
    return subprocess.Popen(
        [sys.executable, "-m", "training", *arguments],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def stop_after(
    process: "subprocess.Popen[str]",
    folder: Path,
    seen: Callable[[str], bool],
    number: signal.Signals,
) -> int:
    """Signals a trainer once its events satisfy `seen`; its exit status."""
    path = folder / "events.jsonl"
    while process.poll() is None:
        if path.exists() and seen(path.read_text()):
            process.send_signal(number)
            break
        time.sleep(0.01)
    return process.wait(timeout=120)
