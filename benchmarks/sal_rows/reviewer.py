"""A reviewer who knows the true masks, sitting before a real workspace: decides on so many
candidates in some order, freezes a snapshot, and SAL is trained again on it.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.exchange.sources import open_source
from backend.intake import take_in_labels, take_in_source
from backend.intake.scores import take_in_scores
from backend.labels import IGNORE, read_labels
from backend.workspace import Workspace
from benchmarks.attention_rows.cache import Kept, kept
from benchmarks.sal_rows.base import FIT, Base
from benchmarks.sal_rows.rows import MORE_CODE, digest_of, keep_alone, learn, machine, measured
from training.selection import default_tau

BUDGETS = (20, 50, 100)
RANDOM, LOWEST, NEAREST, DISAGREE = "random", "lowest SF", "nearest tau", "most disagreement"
ORDERS = (RANDOM, LOWEST, NEAREST, DISAGREE)
ACCEPTS, FIXES = "accepts or rejects", "accepts or fixes"
WAYS = (ACCEPTS, FIXES)
ENOUGH = 0.6
TAU = default_tau("SF", "squeezenet1_1")


@dataclass(frozen=True)
class Cell:
    """One training after so many decisions; budget 0 is that of nobody."""

    way: str
    order: str
    budget: int

    @property
    def name(self) -> str:
        if not self.budget:
            return "curate-0"
        return f"curate-{WAYS.index(self.way)}-{ORDERS.index(self.order)}-{self.budget}"


CELLS = (
    Cell(ACCEPTS, RANDOM, 0),
    *(Cell(way, order, budget) for way in WAYS for order in ORDERS for budget in BUDGETS),
)


def made(cell: Cell, base: Base, data: Path, at: Path, rows: Path) -> Kept:
    """A row from the store of rows, or decided, trained and measured now."""
    words = ["--policy", "curated"]
    digest, made_of = digest_of(cell.name, words, base, at / "data", more=MORE_CODE)
    row = kept(rows, digest)
    if row is not None:
        return row
    folder = at / f"{cell.name}-{base.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    snapshot, counts = decided(cell, base, data, at, folder / "workspace")
    run = folder / "run"
    given = ["--data", str(snapshot), "--policy", "curated", "--begin-with", str(base.labels)]
    seconds = learn(given, base.seed, run, digest)
    found = measured(run, data, run)
    found["decisions"] = {"miou": float(sum(counts.values())), **counts}
    row = Kept(
        digest, cell.name, "sal", words, base.seed, found, made_of, round(seconds, 1), machine()
    )
    keep_alone(rows, row)
    shutil.rmtree(folder)
    return row


def decided(
    cell: Cell, base: Base, data: Path, at: Path, folder: Path
) -> tuple[Path, dict[str, int]]:
    """The manifest of a snapshot after the cell's decisions, and how many of each verdict."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(untouched(base, data, at), folder)
    counts = {"accept": 0, "reject": 0, "fix": 0}
    truth = {item.name: item.truth for item in open_source(data, FIT).items}
    with Workspace.open(folder) as workspace:
        store = workspace.store
        scores = {}
        for item in truth:
            image = store.images.by_name(item)
            for candidate in store.candidates.of_image(image.id) if image else ():
                scores[item] = candidate
        for name in in_order({n: c.scores for n, c in scores.items()}, cell.order, base.seed)[
            : cell.budget
        ]:
            candidate, true = scores[name], truth[name]
            assert true is not None
            verdict = "accept"
            if overlap(store.files.path(candidate.digest), true) < ENOUGH:
                verdict = "fix" if cell.way == FIXES else "reject"
            id, digest = candidate.id, candidate.digest
            if verdict == "fix":
                image_id = candidate.image_id
                id = store.candidates.add(image_id, None, "by hand", true, parent_id=candidate.id)
                digest = store.candidates.get(id).digest
            store.decisions.record(
                id, digest, verdict, reviewer="benchmark", session="benchmark", action_id=name
            )
            counts[verdict] += 1
        snapshot = store.snapshots.freeze(cell.name, "benchmark", with_undecided=True)
        return snapshot.path, counts


def untouched(base: Base, data: Path, at: Path) -> Path:
    """A workspace with the photographs of `fit`, DSRG's masks as candidates and their scores."""
    key = hashlib.sha256(json.dumps(base.content()).encode()).hexdigest()[:12]
    folder = at / f"workspace-{base.seed}-{key}"
    if folder.is_dir():
        return folder
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with Workspace.create(partial) as workspace:
        take_in_source(workspace.store, open_source(data, FIT), origin="benchmark")
        take_in_labels(workspace.store, base.labels, None)
        take_in_scores(workspace.store, base.scores, None)
    partial.rename(folder)
    return folder


def in_order(scores: dict[str, dict[str, float]], order: str, seed: int) -> list[str]:
    """Images in the order in which a queue offers them; ties by name."""
    names = sorted(scores)
    if order == RANDOM:
        return [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    keys = {
        LOWEST: lambda each: each["SF"],
        NEAREST: lambda each: abs(each["SF"] - TAU),
        DISAGREE: lambda each: -abs(each["SC"] - each["SF"]),
    }
    return sorted(names, key=lambda name: (keys[order](scores[name]), name))


def overlap(labels: Path, true: Path) -> float:
    """The mean IoU of the classes that either mask has, without the background."""
    found, truth = read_labels(labels), read_labels(true)
    known = truth != IGNORE
    ids: Sequence[int] = sorted(set(np.unique(found[known])) | set(np.unique(truth[known])))
    ious = []
    for id in ids:
        if id not in (0, IGNORE):
            ours, theirs = (found == id) & known, (truth == id) & known
            ious.append((ours & theirs).sum() / (ours | theirs).sum())
    return float(np.mean(ious)) if ious else 1.0
