"""A short pipeline of OAA over a dozen scenes, and what can be asked of one carried out."""

from collections.abc import Sequence
from pathlib import Path

from training.cli import main

from .conftest import events_of

HOW = [
    "--preset", "scenes", "--method", "oaa", "--weights", "none", "--device", "cpu",
    "--precision", "32", "--checkpoint-every", "0", "--set",
    "attention.size=48", "attention.batch=4", "attention.steps=9", "attention.warmup=0",
    "attention.gate=none", "attention.warmup_passes=1", "labels.crf=none",
    "segmenter.size=48", "segmenter.batch=4", "segmenter.steps=9", "segmenter.warmup=0",
]  # fmt: skip
ALL = ["attention", "labels", "segmenter", "predictions"]


def pipe(data: Path, out: Path, *more: str, how: Sequence[str] = HOW) -> int:
    """The pipeline within this process, its stages as children; the exit status."""
    return main(["pipeline", "--data", str(data), "--out", str(out), *how, *more])


def chain(out: Path) -> list[dict]:
    """The rows of the last event that tells of them."""
    return [event["stages"] for event in events_of(out) if event["kind"] == "chain"][-1]


def states(out: Path) -> dict[str, str]:
    return {row["name"]: row["state"] for row in chain(out)}


def folder_of(out: Path, name: str) -> Path:
    return Path(next(row["folder"] for row in chain(out) if row["name"] == name))


def files(out: Path) -> dict[str, bytes]:
    """The labels and predictions that a pipeline put out, and the labels of its segmenter."""
    made = [*(out / "labels").iterdir(), *(out / "predictions").iterdir()]
    own = folder_of(out, "segmenter") / "labels"
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in made} | {
        f"segmenter/{path.name}": path.read_bytes() for path in own.iterdir()
    }


def listed(scenes: Path, name: str) -> set[str]:
    return set((scenes / "ImageSets" / "Segmentation" / f"{name}.txt").read_text().split())
