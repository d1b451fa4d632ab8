"""The scores that SAL's selection goes by: read, and given to the masks that they were taken of."""

import filecmp
import hashlib
import json
import math
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.exchange.names import some
from backend.exchange.sources import Item, Source
from training.errors import TrainingError
from training.masks import LABELS
from training.run import CONFIG, Run, read_config
from training.scores import SCORES

# The recipe that measures the labels of another run.
SCORE = "score"


@dataclass(frozen=True)
class Scored:
    """A score, and the sha256 of the label PNG that it was taken of, "" where nobody says."""

    value: float
    mask: str = ""


def scores_of(
    source: Source, judged: Set[str], by: str, named: str, proposed: str, run: Run
) -> dict[str, float]:
    """The score of each image's mask: those of `named` (--scores), else those beside the
    `proposed` labels (--from); of an image that these do not score, and whose mask is the
    snapshot's candidate, those of the snapshot.

    judged: the images whose masks are gone by their score. One that was taken of another mask than
    theirs is none, and a message counts them. Raises TrainingError where `named` is not there, has
    no score of this kind, or has those of other masks throughout.
    """
    own = {
        item.name: item.scores[by]
        for item in source.items
        # The snapshot's scores are those of its candidates, and other masks have none of them.
        if item.candidate is not None and item.mask == item.candidate and by in item.scores
    }
    path = _named(named) if named else Path(proposed) / SCORES
    if not named and not (proposed and path.is_file()):
        return own
    found = read_scores(path, by, run)
    if named and judged and not found:
        other = {"SF": "SC", "SC": "SF"}[by]
        raise TrainingError(
            f"{named} has no {by} of any image. SF needs `python -m training score --scorer`; name "
            f"other scores with --scores, or go by another one with --by {other}."
        )
    if named and proposed:
        _require_of(path.parent, Path(proposed))
    return own | _of_these_masks(found, source, judged, path, run)


def read_scores(path: Path, by: str, run: Run) -> dict[str, Scored]:
    """One score of each image of a scores.jsonl; of two lines of an image the last counts.

    Lines that cannot be read, and scores that are no numbers from 0 to 1, are counted in a message,
    as are images that have several lines.
    """
    found: dict[str, Scored] = {}
    bad, twice = [], []
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            told = json.loads(line)
            name = told["image"]
            if not isinstance(name, str):
                raise TypeError(name)
            score = told.get(by)
            if score is not None:
                read = Scored(_number(score), str(told.get("mask") or ""))
                if name in found:
                    twice.append(name)
                found[name] = read
        except (ValueError, TypeError, KeyError):
            bad.append(number)
    if bad:
        run.message(
            f"{len(bad)} lines of {path} have no score from 0 to 1 that can be read, and are "
            f"passed over: {some(bad)}."
        )
    if twice:
        run.message(f"Of several lines of {path} about an image the last counts: {some(twice)}.")
    return found


def _number(score: Any) -> float:
    if not isinstance(score, int | float) or isinstance(score, bool) or not math.isfinite(score):
        raise ValueError(score)
    if not 0 <= score <= 1:
        raise ValueError(score)
    return float(score)


def _named(scores: str) -> Path:
    path = Path(scores)
    path = path / SCORES if path.is_dir() else path
    if not path.is_file():
        raise TrainingError(
            f"There are no scores at {scores}. Name with --scores a folder that `python -m "
            "training score` wrote, or its scores.jsonl."
        )
    return path


def _of_these_masks(
    found: dict[str, Scored], source: Source, judged: Set[str], path: Path, run: Run
) -> dict[str, float]:
    """The scores that were taken of the masks that now stand for their images."""
    asked = [item for item in source.items if item.name in found and item.name in judged]
    others = [item.name for item in asked if _is_of_another(item, found[item.name])]
    if others and len(others) == len(asked):
        raise TrainingError(
            f"{path} has the scores of other masks: none of the {len(others)} is the one that is "
            "proposed for its image here. Score these with `python -m training score`, and name "
            "that run with --scores."
        )
    if others:
        are, count = ("is", "counts") if len(others) == 1 else ("are", "count")
        run.message(
            f"{len(others)} of {len(asked)} masks {are} not what {path} has scored, and {count} as "
            f"unscored: {some(others)}. `python -m training score` scores them."
        )
    left_out = set(others)
    return {name: each.value for name, each in found.items() if name not in left_out}


def _is_of_another(item: Item, scored: Scored) -> bool:
    if not scored.mask or item.mask is None or not item.mask.is_file():
        # Nobody says whose score it is, or the mask is complained of where it is read.
        return False
    return hashlib.sha256(item.mask.read_bytes()).hexdigest() != scored.mask


def _require_of(scores: Path, proposed: Path) -> None:
    """TrainingError where a run of `score` says that it measured other labels than the proposed.

    Scores that do not say whose they are, such as those that a pipeline put out, are taken as they
    are.
    """
    if not (scores / CONFIG).is_file():
        return
    config = read_config(scores)
    measured = config["settings"].get("from_") if config.get("recipe") == SCORE else None
    if measured and not _same_labels(Path(measured), proposed):
        raise TrainingError(
            f"{scores} has the scores of the labels of {measured}, but the proposed masks are "
            f"those of {proposed} (--from). Score these with `python -m training score --from "
            f"{proposed}` and name that run with --scores."
        )


def _same_labels(measured: Path, proposed: Path) -> bool:
    """Whether two runs' folders are one, or the second has all labels of the first, as a copy
    does.
    """
    if measured.resolve() == proposed.resolve():
        return True
    if not measured.is_dir():
        # Moved away since: a folder keeps its name where all that speaks of it is moved with it.
        return measured.name == proposed.name
    one, other = measured / LABELS, proposed / LABELS
    names = [path.name for path in one.glob("*.png")]
    return bool(names) and all(
        (other / name).is_file() and filecmp.cmp(one / name, other / name, shallow=False)
        for name in names
    )
