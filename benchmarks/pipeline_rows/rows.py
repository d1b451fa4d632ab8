"""Pipelines for a table, each carried out once: a row is kept with the digests of its stages.

The digests are the pipeline's own (training.stages): settings, images, initial weights, saliency,
code, and the stages that each stands on.
"""

import json
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PRESET = "light"


@dataclass(frozen=True)
class Wanted:
    """One pipeline: a method on a list of images, its test list, and words for its stages."""

    name: str
    method: str
    split: str
    test: str
    words: tuple[str, ...] = ()

    def folder(self, at: Path, seed: int) -> Path:
        return at / f"{self.name}-{self.split}-{seed}"


@dataclass(frozen=True)
class Row:
    """What a pipeline measured: figures by stage, in per cent where they are mIoU."""

    name: str
    split: str
    test: str
    seed: int
    digests: dict[str, str]
    figures: dict[str, dict[str, float]]
    seconds: dict[str, float]
    saliency: str
    made: float
    machine: str = field(default="")


def carry_out(wanted: Wanted, data: Path, at: Path, saliency: str, seed: int) -> Row:
    """Runs the pipeline as anyone would from the command line; what is made already is not made
    again. Its predictions lie in its folder.
    """
    folder = wanted.folder(at, seed)
    words = [
        "pipeline", "--method", wanted.method, "--data", str(data), "--out", str(folder),
        "--preset", PRESET, "--seed", str(seed), "--split", wanted.split, "--test", wanted.test,
        "--stages", str(at / "stages"), "--saliency", saliency,
    ]  # fmt: skip
    if wanted.words:
        words += ["--set", *wanted.words]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("a", encoding="utf-8") as log:
        subprocess.run(
            [sys.executable, "-m", "training", *words],
            cwd=ROOT,
            check=True,
            stdout=log,
            stderr=log,
        )
    told = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
    stages: list[dict[str, Any]] = told["stages"]
    return Row(
        wanted.name,
        wanted.split,
        wanted.test,
        seed,
        {stage["name"]: stage["digest"] for stage in stages},
        {stage["name"]: stage["figures"] for stage in stages},
        {stage["name"]: stage["seconds"] for stage in stages},
        saliency.partition(":")[0],
        time.time(),
        platform.machine(),
    )


def keep(rows: Path, row: Row) -> None:
    """Writes a row in the place of an earlier one of the same pipeline and stages."""
    rows.mkdir(parents=True, exist_ok=True)
    last = list(row.digests.values())[-1]
    path = rows / f"{row.name}-{row.split}-{row.seed}-{last}.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(row), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(path)


def kept(rows: Path, wanted: Wanted, seed: int) -> Row | None:
    """The newest row of a pipeline, None where it was never carried out."""
    found = [
        Row(**json.loads(path.read_text(encoding="utf-8")))
        for path in rows.glob(f"{wanted.name}-{wanted.split}-{seed}-*.json")
    ]
    return max(found, key=lambda row: row.made, default=None)
