"""The trainings of SAL's tables: each is one run of `training sal` on the same scored masks."""

import hashlib
import json
import os
import platform
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.exchange.sources import open_source
from benchmarks.attention_rows.cache import Kept, data_digest, keep, kept
from benchmarks.sal_rows.base import FIT, PRESET, VAL, Base, trainer
from training.evaluation import evaluate_predictions
from training.stages.code import code_of

STRONG = "strong"
# As Table IX: the part of VOC's 10,582 images that have true masks there, 1,449.
STRONG_PART = 1449 / 10_582
# As the pipeline predicts with SAL-Net.
PREDICT = ("--scales", "0.75,1,1.25", "--flip", "--crf", "sal")


@dataclass(frozen=True)
class Wanted:
    """A training by its words, which begins with DSRG's network as the pipeline's does; `new`: from
    ImageNet, since true masks are to be compared with and without the others'. On `alone` no
    proposed masks are given: the true ones of the list `strong` teach by themselves.
    `only_predict`: DSRG's own network, nothing is trained.
    """

    name: str
    words: tuple[str, ...] = ()
    new: bool = False
    alone: bool = False
    only_predict: bool = False


def with_strong_list(data: Path, at: Path) -> Path:
    """The data set with one list more, whose images have true masks; a folder of links."""
    folder = at / "data"
    lists = folder / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True, exist_ok=True)
    for each in data.iterdir():
        link = folder / each.name
        if each.name != "ImageSets" and not link.is_symlink():
            link.symlink_to(each)
    for path in (data / "ImageSets" / "Segmentation").glob("*.txt"):
        shutil.copyfile(path, lists / path.name)
    names = (lists / f"{FIT}.txt").read_text(encoding="utf-8").split()
    count = round(STRONG_PART * len(names))
    chosen = [names[round(place * len(names) / count)] for place in range(count)]
    (lists / f"{STRONG}.txt").write_text("\n".join(chosen) + "\n", encoding="utf-8")
    return folder


def made(wanted: Wanted, base: Base, data: Path, at: Path, rows: Path) -> Kept:
    """A row from the store of rows, or trained and measured now, its weights thrown away."""
    digest, made_of = digest_of(list(wanted.words), wanted.name, base, data)
    row = kept(rows, digest)
    if row is not None:
        return row
    folder = at / f"{wanted.name}-{base.seed}"
    if wanted.only_predict:
        seconds, network = 0.0, base.labels
    else:
        words = ["--data", str(with_strong_list(data, at)), "--split", FIT, *wanted.words]
        if wanted.alone:
            words[3] = STRONG
        else:
            words += ["--from", str(base.labels), "--scores", str(base.scores)]
        if not wanted.new:
            words += ["--begin-with", str(base.labels)]
        seconds = learn(words, base.seed, folder, digest)
        network = folder
    found = measured(network, data, folder)
    row = Kept(
        digest, wanted.name, "sal", list(wanted.words), base.seed, found, made_of,
        round(seconds, 1), machine(),
    )  # fmt: skip
    keep_alone(rows, row)
    shutil.rmtree(folder)
    return row


def digest_of(words: list[str], name: str, base: Base, data: Path) -> tuple[str, dict[str, Any]]:
    """The digest of all that makes a row, and what went into it."""
    code: dict[str, str] = {}
    for module in ("training.recipes.sal", "training.predictions"):
        code |= code_of(module)
    made_of = {
        "name": name,
        "words": words,
        "seed": base.seed,
        "on": {each: base.digests[each] for each in ("labels", "scores")},
        "data": [data_digest(data, FIT), data_digest(data, VAL)],
        "code": hashlib.sha256(json.dumps(code, sort_keys=True).encode()).hexdigest()[:16],
    }
    text = json.dumps(made_of, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16], made_of


def learn(words: list[str], seed: int, folder: Path, digest: str) -> float:
    """One run of `sal`; the seconds it took. What was cut goes on; of another digest, anew."""
    mark = folder / "digest.txt"
    if folder.exists() and (not mark.is_file() or mark.read_text() != digest):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(digest)
    words = ["sal", *words, "--out", str(folder), "--preset", PRESET, "--seed", str(seed),
             "--watch-every", "-1", "--no-labels"]  # fmt: skip
    if (folder / "config.json").exists():
        words.append("--resume")
    began = time.monotonic()
    trainer(words, folder / "log.txt")
    return time.monotonic() - began


def measured(network: Path, data: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """What a network labels on the held-out list, in several sizes with the CRF ("val") and as it
    sees a photograph once ("plain"; the brackets of Table VI).
    """
    source = open_source(data, VAL)
    names = [item.name for item in source.items]
    found = {}
    for name, how in (("val", PREDICT), ("plain", ())):
        out = folder / name
        words = ["predict", "--run", str(network), "--data", str(data), "--split", VAL]
        folder.mkdir(parents=True, exist_ok=True)
        trainer([*words, "--out", str(out), *how], folder / "log.txt")
        told = evaluate_predictions(out, data / "SegmentationClass", source.classes, names)
        found[name] = {"miou": told["miou"], "iou": told.get("iou", {})}
    return found


def keep_alone(rows: Path, row: Kept) -> None:
    """Keeps a row in the place of an earlier one of its name and seed."""
    keep(rows, row)
    for path in rows.glob("*.json"):
        told = json.loads(path.read_text(encoding="utf-8"))
        same = (told["name"], told["seed"]) == (row.name, row.seed)
        if same and told["digest"] != row.digest:
            path.unlink()


def machine() -> str:
    return f"{platform.machine()}, {os.environ.get('OMP_NUM_THREADS') or os.cpu_count()} threads"
