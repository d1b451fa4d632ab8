"""SAL's selection: which mask stands for each image and what it weighs, before any training.

Proposed masks come from a run (--from) or from the candidates of a snapshot, their scores from
scores.jsonl or from that snapshot. A policy (backend.policies) says how scores and decisions count.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from backend import policies
from backend.exchange.snapshot import EVERYTHING, is_manifest
from backend.exchange.sources import Item, Source, open_source
from backend.labels import read_labels
from backend.policies import BY, SCORES_ONLY, Known
from training.errors import TrainingError
from training.masks import with_labels, with_true_masks
from training.run import Run
from training.selection_scores import scores_of

WEIGHTS_OF_IMAGES = "weights.jsonl"
# The best thresholds of Table IV: those of VGG16, and those of ResNet-101.
TAU = {"SF": (0.55, 0.85), "SC": (0.55, 0.80)}


class Wanted(Protocol):
    """What a recipe's settings say of the selection."""

    @property
    def from_(self) -> str: ...
    @property
    def scores(self) -> str: ...
    @property
    def strong(self) -> str: ...
    @property
    def policy(self) -> str: ...
    @property
    def selection(self) -> bool: ...
    @property
    def by(self) -> str: ...
    @property
    def tau(self) -> float: ...
    @property
    def keep(self) -> int: ...
    @property
    def backbone(self) -> str: ...


@dataclass(frozen=True)
class Selection:
    """What was chosen: the images, `mask` being the one that stands for each, the rule and the
    score of each by its name, and what all weigh together.

    tau: the threshold that `by` was compared with, None where no image is judged by its score.
    """

    source: Source
    policy: str
    by: str
    tau: float | None
    rules: dict[str, str]
    scores: dict[str, float | None]

    def weight(self, name: str) -> float:
        """w_i of an image, 0 or 1. Source: SAL Eq. 9."""
        return policies.RULES[self.rules[name]].weight

    def told(self) -> dict[str, Any]:
        """For a run's record and the page: the policy, tau, and how many images a rule takes."""
        rows = policies.table(self.rules)
        return {
            "policy": self.policy,
            "about": self.about(),
            "by": self.by,
            "tau": self.tau,
            "images": len(self.rules),
            "weight": sum(self.weight(name) for name in self.rules),
            "rules": rows,
            "digest": self.digest(),
        }

    def about(self) -> str:
        """What the policy says, in a sentence; scores only where they are gone by."""
        if self.tau is not None or self.policy == policies.ACCEPTED_ONLY:
            return policies.POLICIES[self.policy]
        if "all" in self.rules.values():
            return policies.WITHOUT_SCORES[self.policy]
        return "No mask is judged by its score: the rules below take every image."

    def text(self) -> str:
        """The same as a table for a person."""
        against = "" if self.tau is None else f" tau is {self.tau:.4g}, of {self.by}."
        lines = [f"Policy {self.policy}: {self.about()}{against}"]
        lines.append(" images  weight  rule")
        lines += [
            f"{row['images']:>7}  {row['weight']:>6g}  {row['rule']}: {row['why']}"
            for row in policies.table(self.rules)
        ]
        return "\n".join(lines)

    def lines(self) -> bytes:
        """weights.jsonl: a line for each image with its rule, its weight and its score."""
        told = (
            {"image": name, "rule": rule, "weight": self.weight(name), self.by: self.scores[name]}
            for name, rule in self.rules.items()
        )
        return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in told).encode()

    def digest(self) -> str:
        """Of the weights of all images."""
        weights = sorted((name, self.weight(name)) for name in self.rules)
        return hashlib.sha256(json.dumps(weights).encode()).hexdigest()


def select(wanted: Wanted, run: Run) -> Selection:
    """The selection over the images of --data; of a snapshot its undecided ones too.

    Raises TrainingError where --tau and --keep are both given, where scores are gone by and none is
    there, and where nothing is left to learn from, DataError and ImageError for unusable data.
    """
    if -1 < wanted.tau < 0:
        raise TrainingError(
            f"--tau {wanted.tau:g} is no score: give one from 0 to 1, or -1 for the paper's."
        )
    if wanted.keep and wanted.tau >= 0:
        raise TrainingError(
            f"--keep {wanted.keep} finds tau by itself, so --tau {wanted.tau:g} has no place beside"
            " it. Leave one of them out."
        )
    source = opened(run)
    source = with_proposed(source, wanted.policy, wanted.from_)
    if wanted.strong:
        source = with_true_masks(run, source, wanted.strong)
    seen = {item.name: _known(item, wanted) for item in source.items}
    by_score = {name for name, each in seen.items() if policies.is_scored(wanted.policy, each)}
    if not wanted.selection:
        by_score = set()
    scores = scores_of(source, by_score, wanted.by, wanted.scores, wanted.from_, run)
    known = {name: replace(each, score=scores.get(name)) for name, each in seen.items()}
    judged = {name: known[name] for name in by_score}
    tau = _tau(wanted, run, judged) if judged else None
    if wanted.keep and not judged:
        run.message(f"--keep {wanted.keep} changes nothing: no mask is judged by its score here.")
    rules = {
        name: policies.rule_of(
            wanted.policy, each, tau if tau is not None else 0.0, selection=wanted.selection
        )
        for name, each in known.items()
    }
    told = {item.name: scores.get(item.name) for item in source.items}
    chosen = Selection(source, wanted.policy, wanted.by, tau, rules, told)
    if not any(chosen.weight(name) for name in rules):
        advice = (
            "Accept or fix some masks, freeze them in a snapshot and name it with --data, or "
            "choose another --policy."
            if wanted.policy == policies.ACCEPTED_ONLY
            else "Lower --tau, choose another --policy, accept some masks, or name with --from a "
            "run that made labels."
        )
        raise TrainingError(f"No mask is left to learn from.\n{chosen.text()}\n{advice}")
    return chosen


def opened(run: Run) -> Source:
    """The images of --data. Of a snapshot all, whatever was decided, unless --split says more."""
    if run.data is None:
        raise TrainingError(
            "--data is missing. Name a VOC devkit, a folder with tags.csv or a snapshot's "
            "manifest.json."
        )
    if run.split is None and any(is_manifest(at) for at in (run.data, run.data / "manifest.json")):
        # What comes after reads the same images again, by this name.
        run.split = EVERYTHING
    source = open_source(run.data, run.split)
    for note in source.notes:
        run.message(note)
    return source


def with_proposed(source: Source, policy: str, earlier: str) -> Source:
    """The source with the mask that stands for each image: the one that people accepted or drew,
    where the policy heeds them, else a run's labels, else the candidate of the snapshot.
    """
    from_run = (
        {item.name: item.mask for item in with_labels(source, Path(earlier)).items}
        if earlier
        else {}
    )

    def mask(item: Item) -> Path | None:
        if policy != SCORES_ONLY and item.verdict in ("accept", "fix"):
            return item.mask
        # What a person drew is a decision, and stands for nothing where these are passed over.
        own = None if item.verdict == "fix" else item.mask
        return from_run.get(item.name) or item.candidate or own

    return replace(source, items=[replace(item, mask=mask(item)) for item in source.items])


def default_tau(by: str, backbone: str) -> float:
    """The paper's threshold for a score, of a trunk. Source: SAL, section IV-C."""
    vgg16, resnet = TAU[by]
    return resnet if backbone.startswith("resnet") else vgg16


def decided_in(folder: Path) -> set[str]:
    """The images that taught a run by a mask which a person saw to, or by their true one, as its
    weights.jsonl says; none where it has no such file.
    """
    path = folder / WEIGHTS_OF_IMAGES
    if not path.is_file():
        return set()
    told = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {each["image"] for each in told if each["rule"] in policies.DECIDED}


def _known(item: Item, wanted: Wanted) -> Known:
    is_true = bool(wanted.strong) and item.mask is not None and item.mask == item.truth
    verdict = item.verdict
    if verdict == "reject" and wanted.policy != SCORES_ONLY and not _is_as_rejected(item):
        # A run's mask in the place of the rejected one: nobody has seen it yet.
        verdict = "undecided"
    return Known(verdict, item.mask is not None, is_true)


def _is_as_rejected(item: Item) -> bool:
    """Whether the mask that stands for a rejected image is the candidate that was rejected, pixel
    by pixel; an image without a mask is as it was rejected.
    """
    if item.mask is None or item.mask == item.candidate:
        return True
    if item.candidate is None:
        return False
    return np.array_equal(read_labels(item.mask), read_labels(item.candidate))


def _tau(wanted: Wanted, run: Run, judged: dict[str, Known]) -> float:
    """The threshold that is asked for, or that keeps as many as are asked for."""
    found = [each.score for each in judged.values() if each.score is not None]
    if not found:
        where = wanted.scores or wanted.from_ or "the snapshot"
        other = BY[1 - BY.index(wanted.by)]
        raise TrainingError(
            f"None of the {len(judged)} masks that are judged by their score has {wanted.by} in "
            f"{where}. Make scores with `python -m training score`, name them with --scores, try "
            f"--by {other}, or let every mask count with --no-selection."
        )
    if not wanted.keep:
        return wanted.tau if wanted.tau >= 0 else default_tau(wanted.by, wanted.backbone)
    tau = policies.tau_keeping(found, wanted.keep)
    kept = sum(score >= tau for score in found)
    if kept > wanted.keep:
        run.message(
            f"{kept} masks are kept, not {wanted.keep} (--keep): {found.count(tau)} have the same "
            f"{wanted.by}, {tau:.4g}."
        )
    elif kept < wanted.keep:
        run.message(f"Only {kept} masks have a score, so --keep {wanted.keep} keeps them all.")
    return tau
