"""The trainings of SAL's tables: each is one run of `training sal` on the same scored masks."""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from backend.atomic import write_whole
from backend.exchange.sources import open_source
from benchmarks.attention_rows.cache import (
    COMMON_CODE,
    Kept,
    data_digest,
    digest_of_code,
    keep,
    kept,
    settings_of,
    trunk_digest,
)
from benchmarks.sal_rows.base import FIT, PRESET, VAL, Base, trainer
from training.evaluation import evaluate_predictions

STRONG = "strong"
# As Table IX: the part of VOC's 10,582 images that have true masks there, 1,449.
STRONG_PART = 1449 / 10_582
# As the pipeline predicts with SAL-Net.
PREDICT = ("--scales", "0.75,1,1.25", "--flip", "--crf", "sal")
CODE = (
    "backend/networks/deeplab.py",
    "backend/networks/salnet.py",
    "backend/policies.py",
    "training/earlier_network.py",
    "training/losses.py",
    "training/masks.py",
    "training/painting.py",
    "training/predicting.py",
    "training/recipes/sal.py",
    "training/salnet.py",
    "training/segmenting.py",
    "training/selection.py",
    "training/selection_scores.py",
    "training/viewing.py",
)
# What decides of a simulated reviewer's snapshot beside that.
MORE_CODE = (
    "backend/intake/scores.py",
    "backend/store/snapshots.py",
    "benchmarks/sal_rows/reviewer.py",
)
KEEPING = threading.Lock()
# What a table says of a training that had nothing to learn from.
NO_MASK = "no mask"


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
        write_whole(lists / path.name, path.read_bytes())
    names = (lists / f"{FIT}.txt").read_text(encoding="utf-8").split()
    count = round(STRONG_PART * len(names))
    chosen = [names[round(place * len(names) / count)] for place in range(count)]
    write_whole(lists / f"{STRONG}.txt", ("\n".join(chosen) + "\n").encode())
    return folder


def made(wanted: Wanted, base: Base, data: Path, at: Path, rows: Path) -> Kept:
    """A row from the store of rows, or trained and measured now, its weights thrown away.

    The data set with the list `strong` lies at at/data (`with_strong_list`).
    """
    whole = at / "data"
    digest, made_of = digest_of(wanted.name, wanted.words, base, whole, new=wanted.new)
    row = kept(rows, digest)
    if row is not None:
        return row
    folder = at / f"{wanted.name}-{base.seed}"
    seconds, network = 0.0, base.labels
    if not wanted.only_predict:
        words = ["--data", str(whole), "--split", STRONG if wanted.alone else FIT, *wanted.words]
        if not wanted.alone:
            words += ["--from", str(base.labels), "--scores", str(base.scores)]
        if not wanted.new:
            words += ["--begin-with", str(base.labels)]
        network = folder
        try:
            seconds = learn(words, base.seed, folder, digest)
        except subprocess.CalledProcessError:
            if not refused(folder):
                raise
            made_of["refused"] = NO_MASK
    found = {} if "refused" in made_of else measured(network, data, folder)
    row = Kept(
        digest, wanted.name, "sal", list(wanted.words), base.seed, found, made_of,
        round(seconds, 1), machine(),
    )  # fmt: skip
    keep_alone(rows, row)
    shutil.rmtree(folder)
    return row


def digest_of(
    name: str,
    words: Sequence[str],
    base: Base,
    data: Path,
    *,
    new: bool = False,
    more: Sequence[str] = (),
) -> tuple[str, dict[str, Any]]:
    """The digest of all that makes a row, and what went into it.

    new: the trunk begins with ImageNet's weights; more: further files of code that decide it.
    """
    given = settings_of("sal", words)
    made_of: dict[str, Any] = {
        "name": name,
        "seed": base.seed,
        "settings": given,
        "predict": list(PREDICT),
        "on": base.content(),
        "data": [data_digest(data, FIT), data_digest(data, VAL)],
        "trunk": trunk_digest(given["backbone"], given["weights"], data) if new else "DSRG's",
        "code": code(more),
    }
    if given["strong"]:
        made_of["strong"] = data_digest(data, STRONG)
    made_of = json.loads(json.dumps(made_of))
    text = json.dumps(made_of, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16], made_of


@cache
def code(more: Sequence[str] = ()) -> str:
    """Of the code that decides what a row measures, as Python reads it."""
    return digest_of_code((*COMMON_CODE, *CODE, *more))


def is_of_today(row: Kept) -> bool:
    """Whether a row was made with the settings and the code that there are."""
    more = MORE_CODE if "decisions" in row.figures else ()
    same = row.made_of["code"] == code(more)
    return same and row.made_of["settings"] == json.loads(json.dumps(settings_of("sal", row.words)))


def learn(words: list[str], seed: int, folder: Path, digest: str) -> float:
    """One run of `sal`; the seconds that its attempts took together, from their first to their
    last event. What was cut goes on; of another digest it begins anew.
    """
    mark = folder / "digest.txt"
    if folder.exists() and (not mark.is_file() or mark.read_text() != digest):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(digest)
    words = ["sal", *words, "--out", str(folder), "--preset", PRESET, "--seed", str(seed),
             "--watch-every", "-1", "--no-labels"]  # fmt: skip
    if (folder / "config.json").exists():
        words.append("--resume")
    trainer(words, folder / "log.txt")
    seconds, last = 0.0, None
    for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if last is not None and event["kind"] != "started":
            seconds += event["time"] - last
        last = event["time"]
    return seconds


def refused(folder: Path) -> bool:
    """Whether a training ended because no mask reaches its tau."""
    last = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    return str(json.loads(last).get("error", "")).startswith("No mask is left")


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
    with KEEPING:
        keep(rows, row)
        for path in rows.glob("*.json"):
            told = json.loads(path.read_text(encoding="utf-8"))
            same = (told["name"], told["seed"]) == (row.name, row.seed)
            if same and told["digest"] != row.digest:
                path.unlink()


def machine() -> str:
    return f"{platform.machine()}, {os.environ.get('OMP_NUM_THREADS') or os.cpu_count()} threads"
