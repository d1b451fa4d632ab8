"""Trainings for a table, each made once: a row is kept beside the digest of all that made it.

The digest covers the settings, the seed, the images with their tags and true masks, the initial
weights, the rows that it stands on, and the code of the method (without comments, docstrings and
layout): what COMMON_CODE and CODE_OF list. The loop and the command line are not in it. Each figure
of a row has a digest of its own, of the code that makes it of the finished run.
"""

import ast
import hashlib
import json
import shutil
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from backend.exchange.sources import Source, open_source  # noqa: E402
from backend.weights import backbone_weights  # noqa: E402
from training.cli import recipe_parser  # noqa: E402
from training.machine import Machine  # noqa: E402
from training.options import options_of, settle  # noqa: E402
from training.recipes import find_recipe  # noqa: E402

PRESET = "light"
LOCKS: dict[Path, threading.Lock] = defaultdict(threading.Lock)
COMMON_CODE = (
    "backend/maps/attention.py",
    "backend/networks/backbone.py",
    "backend/networks/backbones.py",
    "backend/networks/classifier.py",
    "backend/networks/head.py",
    "backend/networks/normalisation.py",
    "training/bench.py",
    "training/data.py",
    "training/evaluation.py",
    "training/maps_export.py",
    "training/networks.py",
    "training/views.py",
)
CODE_OF = {
    "oaa": ("backend/maps/accumulation.py", "training/accumulating.py", "training/view_maps.py"),
    "oaaplus": ("training/gathered.py", "training/losses.py", "training/view_maps.py"),
    "seenet": ("backend/maps/zones.py", "backend/networks/seenet.py"),
    "ecsnet": ("backend/networks/ecsnet.py", "backend/networks/refine.py"),
    "dcsp": (
        "backend/maps/erasing.py",
        "backend/maps/fusion.py",
        "backend/networks/deeplab.py",
        "backend/networks/fcan.py",
        "backend/saliency_barrier.py",
        "backend/saliency_classical.py",
        "training/class_pixels.py",
        "training/hierarchical.py",
        "training/losses.py",
        "training/painting.py",
        "training/phased.py",
        "training/predicting.py",
        "training/segmenting.py",
        "training/viewing.py",
    ),
}


@dataclass(frozen=True)
class Training:
    """One training by its command-line words; `on` is the training whose run it takes by --from."""

    name: str
    recipe: str
    words: tuple[str, ...] = ()
    on: "Training | None" = None

    def folder(self, at: Path, seed: int) -> Path:
        return at / f"{self.name}-{seed}"


@dataclass(frozen=True)
class Kept:
    """A finished row: its figures by name, each {"miou", "threshold", "sweep", "iou", "code"}."""

    digest: str
    name: str
    recipe: str
    words: list[str]
    seed: int
    figures: dict[str, dict[str, Any]]
    made_of: dict[str, Any]
    seconds: float
    machine: str = field(default="")


def digest_of(training: Training, data: Path, split: str, seed: int) -> tuple[str, dict[str, Any]]:
    """The digest of all that makes a training's figures, and what went into it."""
    settings = settings_of(training.recipe, training.words)
    made_of: dict[str, Any] = {
        "settings": settings,
        "seed": seed,
        "data": data_digest(data, split),
        "trunk": trunk_digest(settings["backbone"], settings["weights"], data),
        "code": code_digest(training.recipe),
    }
    if training.on is not None:
        made_of["on"] = digest_of(training.on, data, split, seed)[0]
    text = json.dumps(made_of, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16], made_of


def settings_of(name: str, words: Sequence[str]) -> dict[str, Any]:
    """Every number of a recipe that these words of a command line leave it with, but for those that
    change nothing of what it makes.
    """
    recipe = find_recipe(name)
    given = vars(recipe_parser(recipe).parse_args(["--out", "-", *words]))
    options = {each.name: each for each in options_of(recipe.settings)}
    parsed = {
        name: options[name].parse(value) if isinstance(value, str) else value
        for name, value in given.items()
        if name != "out"
    }
    settings = settle(recipe.settings, PRESET, parsed)
    unimportant = {each.name for each in fields(Machine)} | {"watch_every", "watch_images"}
    return {name: getattr(settings, name) for name in options if name not in unimportant}


@cache
def data_digest(data: Path, split: str) -> str:
    """Of the names, tags, pixels and true masks of a list of images."""
    source: Source = open_source(data, split).tagged()
    told = hashlib.sha256()
    for item in source.items:
        told.update(f"{item.name} {item.tags}".encode())
        told.update(item.image.read_bytes())
        told.update(b"" if item.truth is None else item.truth.read_bytes())
    return told.hexdigest()[:16]


@cache
def trunk_digest(backbone: str, weights: str, data: Path) -> str:
    start = backbone_weights(backbone, weights or None, data=data)
    return "random" if start is None else hashlib.sha256(start.path.read_bytes()).hexdigest()[:16]


@cache
def code_digest(recipe: str) -> str:
    """Of the method's code as Python reads it."""
    return digest_of_code([*COMMON_CODE, *CODE_OF[recipe], f"training/recipes/{recipe}.py"])


def digest_of_code(files: Sequence[str], *sources: str) -> str:
    """Of these files of the project and these pieces of code, as Python reads them."""
    told = hashlib.sha256()
    for code in (*((ROOT / name).read_text(encoding="utf-8") for name in files), *sources):
        told.update(written(bare(ast.parse(code))).encode())
    return told.hexdigest()[:16]


def written(part: Any) -> str:
    """A syntax tree as text, the same under every version of Python: what is empty is left out,
    since versions differ in which empty parts a tree has.
    """
    if isinstance(part, ast.AST):
        inner = [(name, value) for name, value in ast.iter_fields(part) if value not in (None, [])]
        said = ",".join(f"{name}={written(value)}" for name, value in inner)
        return f"{type(part).__name__}({said})"
    if isinstance(part, list):
        return f"[{','.join(map(written, part))}]"
    return repr(part)


def bare(tree: ast.Module) -> ast.Module:
    """A module without docstrings, without classes of settings (their values stand in the digest
    by themselves) and without its RECIPE.
    """
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            node.body = body[1:]  # type: ignore[attr-defined]
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.ClassDef) and "option" in ast.dump(node))
        and not (isinstance(node, ast.Assign) and "RECIPE" in ast.dump(node.targets[0]))
    ]
    return tree


def kept(rows: Path, digest: str) -> Kept | None:
    """A finished row, None where it is still to be made."""
    path = rows / f"{digest}.json"
    return Kept(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def keep(rows: Path, row: Kept) -> None:
    rows.mkdir(parents=True, exist_ok=True)
    partial = rows / f".{row.digest}.partial"
    partial.write_text(json.dumps(asdict(row), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(rows / f"{row.digest}.json")


def train(training: Training, data: Path, split: str, seed: int, at: Path, digest: str) -> float:
    """Trains as anyone would from the command line; the seconds it took. A run that was cut goes
    on, one of another digest begins anew, a finished one is left alone. A folder is worked in by
    one at a time: several rows stand on the same run.
    """
    folder = training.folder(at, seed)
    with LOCKS[folder]:
        return _train(training, folder, data, split, seed, at, digest)


def _train(
    training: Training, folder: Path, data: Path, split: str, seed: int, at: Path, digest: str
) -> float:
    mark = folder / "digest.txt"
    if folder.exists() and (not mark.is_file() or mark.read_text() != digest):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(digest)
    words = [training.recipe, "--data", str(data), "--split", split, "--out", str(folder)]
    words += ["--preset", PRESET, "--seed", str(seed), "--watch-every", "-1", *training.words]
    if training.on is not None:
        words += ["--from", str(training.on.folder(at, seed))]
    if (folder / "config.json").exists():
        words.append("--resume")
    began = time.monotonic()
    with (folder / "log.txt").open("a", encoding="utf-8") as log:
        subprocess.run(
            [sys.executable, "-m", "training", *words],
            cwd=ROOT,
            check=True,
            stdout=log,
            stderr=log,
        )
    return time.monotonic() - began
