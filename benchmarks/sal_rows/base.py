"""What every row of SAL's benchmark stands on: one pipeline a seed, from tags to scored masks."""

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PRESET = "light"
FIT, VAL = "fit", "val"


@dataclass(frozen=True)
class Base:
    """A finished pipeline of the method sal: of each stage its folder, its digest, its figures."""

    seed: int
    folders: dict[str, Path]
    digests: dict[str, str]
    figures: dict[str, dict[str, float]]
    seconds: dict[str, float]

    def content(self) -> dict[str, str]:
        """Digests of what rows take of it: the masks, the scores, the network that they go on
        from. Other code that makes the same is the same.
        """
        masks = hashlib.sha256()
        for path in sorted((self.labels / "labels").glob("*.png")):
            masks.update(path.name.encode() + path.read_bytes())
        told = {"masks": masks.hexdigest()[:16]}
        for name, path in (
            ("scores", self.scores / "scores.jsonl"),
            ("network", self.labels / "weights.safetensors"),
        ):
            told[name] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        return told

    @property
    def labels(self) -> Path:
        """DSRG's run: the proposed masks, and the network that made them."""
        return self.folders["labels"]

    @property
    def scores(self) -> Path:
        return self.folders["scores"]


def carry_out(data: Path, at: Path, saliency: str, seed: int) -> Base:
    """Runs the pipeline as anyone would; what is made already is not made again."""
    folder = at / f"pipeline-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    words = [
        "pipeline", "--method", "sal", "--data", str(data), "--out", str(folder),
        "--preset", PRESET, "--seed", str(seed), "--split", FIT, "--test", VAL,
        "--stages", str(at / "stages"), "--saliency", saliency,
    ]  # fmt: skip
    trainer(words, folder / "log.txt")
    told = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
    stages: list[dict[str, Any]] = told["stages"]
    return Base(
        seed,
        {stage["name"]: Path(stage["folder"]) for stage in stages},
        {stage["name"]: stage["digest"] for stage in stages},
        {stage["name"]: stage["figures"] for stage in stages},
        {stage["name"]: stage["seconds"] for stage in stages},
    )


def trainer(words: list[str], log: Path) -> None:
    """`python -m training` with these words; CalledProcessError where it fails."""
    with log.open("a", encoding="utf-8") as told:
        subprocess.run(
            [sys.executable, "-m", "training", *words],
            cwd=ROOT,
            check=True,
            stdout=told,
            stderr=told,
        )
