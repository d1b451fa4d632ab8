"""Scoring the labels of a run, one image after the other, into a scores.jsonl.

What is kept of an image is a line. The network is asked in batches of neighbours, always the same
ones, so that a run that was killed and goes on ends with the same bytes.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backend.atomic import write_whole
from backend.errors import DataError, ImageError, RefinementError, SaliencyError
from backend.exchange.sources import Item
from backend.images import read_image, require_usable
from backend.mask_scorer import MaskScorer, network_input
from training.candidate_masks import labels_of
from training.references import References
from training.run import Run
from training.scored_masks import Measure, distribution
from training.scores import SCORES
from training.streaming import stream

CLASSES = "classes.jsonl"


@dataclass(frozen=True)
class Scored:
    """An image's line, what the network is still to be asked about each part of its labels, and
    their classes (None: all); or a sentence why there is nothing.
    """

    item: Item
    line: dict[str, Any]
    parts: list[dict[str, Any]]
    inputs: list[np.ndarray]
    troubles: list[str]
    usable: bool = True


@dataclass(frozen=True)
class Coarse:
    """Makes an image's reference mask and coarse scores, and what a scorer of a size (0: none) is
    asked; safe to share between threads. methods: how each image's labels were made.
    """

    references: References
    measure: Measure
    size: int
    classes: Mapping[int, str]
    methods: Mapping[str, str]
    otherwise: str

    def __call__(self, item: Item) -> Scored:
        """The coarse scores of an image's labels, which are its mask."""
        try:
            image = require_usable(read_image(item.image), item.name)
            mask = mask_digest(item)
            labels = labels_of(item, image)
            reference = self.references.of(item, image)
        except (ImageError, DataError, SaliencyError, RefinementError) as problem:
            why = f"{item.name} is left out: {problem}"
            return Scored(item, {}, [], [], [why], usable=False)
        likely = self.measure.of_image(image)
        parts, inputs = [], []
        for part in self.measure.parts(labels, item.tags):
            name = "" if part.id is None else self.classes[part.id]
            ac = self.measure.accuracy(part, reference, likely)
            parts.append({"class": name, "AC": ac, "empty": not part.mask.any()})
            if self.size:
                inputs.append(network_input(image, part.mask, self.size))
        cd = distribution(labels, item.tags)
        ac = float(np.mean([part["AC"] for part in parts]))
        method = self.methods.get(item.name, self.otherwise)
        told = {"image": item.name, "mask": mask, "method": method}
        line = {**told, "AC": ac, "CD": cd, "SC": ac * cd}
        return Scored(item, line, parts, inputs, self._doubts(item, labels, reference))

    def _doubts(self, item: Item, labels: np.ndarray, reference: np.ndarray) -> list[str]:
        """Sentences about labels or a reference that leave nothing to compare."""
        found = set(np.unique(labels).tolist()) - {0, 255}
        said = []
        if not found:
            said.append(f"{item.name} has no pixel of a class; its scores are 0.")
        else:
            lost = [self.classes[id] for id in item.tags if id not in found]
            if lost:
                said.append(f"{item.name} is tagged {', '.join(lost)}, but no pixel of it is.")
            if ((labels != 0) & (labels != 255)).all():
                said.append(f"The mask of {item.name} covers all of it.")
        if not reference.any():
            said.append(f"Nothing is salient in {item.name}: its reference is empty, so AC is 0.")
        return said


def score_all(
    run: Run,
    items: Sequence[Item],
    coarse: Coarse,
    scorer: MaskScorer | None,
    batch: int,
    threads: int,
) -> Iterator[dict[str, Any]]:
    """The line of every image, old and new; the new ones are written to scores.jsonl, a batch at a
    time, and with the classes apart to classes.jsonl where these are measured.

    What a killed run wrote is kept up to its last whole batch.
    """
    paths = [run.folder / SCORES, run.folder / CLASSES]
    kept, start = begin(run, items, coarse, batch)
    yield from kept
    if start:
        run.message(f"{start} images were done before; {len(items) - start} remain.")
    waiting: list[Scored] = []
    work = stream(
        run, items[start:], coarse, threads, total=len(items), done=start, stage="scoring"
    )
    with paths[0].open("a", encoding="utf-8") as scores:
        for number, each in enumerate(work, start=start + 1):
            for sentence in each.troubles:
                run.message(sentence)
            if each.usable:
                waiting.append(each)
            if number % batch and number < len(items):
                continue
            if scorer is not None:
                ask(scorer, waiting, batch)
            lines = [json.dumps(one.line, ensure_ascii=False) + "\n" for one in waiting]
            if coarse.measure.per_class:
                apart = [classes_of(one) for one in waiting]
                with paths[1].open("a", encoding="utf-8") as file:
                    file.write("".join(apart))
            scores.write("".join(lines))
            scores.flush()
            yield from (one.line for one in waiting)
            waiting = []


def ask(scorer: MaskScorer, waiting: Sequence[Scored], batch: int) -> None:
    """Asks the network about what waits, and writes P and SF into its lines."""
    inputs = [each for one in waiting for each in one.inputs]
    found: list[float] = []
    for first in range(0, len(inputs), batch):
        found += scorer.predict(inputs[first : first + batch]).tolist()
    for one in waiting:
        own, found = found[: len(one.parts)], found[len(one.parts) :]
        for part, p in zip(one.parts, own, strict=True):
            # A tag without a pixel has no mask that could be good.
            part["P"] = 0.0 if part["empty"] and part["class"] else p
        p = float(np.mean([part["P"] for part in one.parts]))
        one.line.update({"P": p, "SF": p * one.line["CD"]})


def classes_of(one: Scored) -> str:
    """The scores of an image's classes, as a line."""
    told = {
        part["class"]: {name: part[name] for name in ("AC", "P") if name in part}
        for part in one.parts
        if part["class"]
    }
    return json.dumps({"image": one.line["image"], "classes": told}, ensure_ascii=False) + "\n"


def begin(
    run: Run, items: Sequence[Item], coarse: Coarse, batch: int
) -> tuple[list[dict[str, Any]], int]:
    """The lines to keep of an earlier start, and how many images they and what was left out among
    them stand for: whole batches, in order, with their reference masks.

    The files are cut to these. From the first image on whose mask is another than was scored, or
    that was left out and can be scored now, all is scored again: each batch is then what it would
    be in a run that was never stopped.
    """
    place = {item.name: number for number, item in enumerate(items)}
    lines = lines_in(run.folder / SCORES) if run.resume else []
    kept: list[dict[str, Any]] = []
    for line in lines:
        number = place.get(line["image"], -1)
        after = place[kept[-1]["image"]] if kept else -1
        if number <= after or not coarse.references.path(line["image"]).is_file():
            break
        if any(coarse(item).usable for item in items[after + 1 : number]):
            break
        if line.get("mask") != mask_digest(items[number]):
            break
        kept.append(line)
    last = place[kept[-1]["image"]] + 1 if kept else 0
    start = last if last == len(items) else last // batch * batch
    kept = [line for line in kept if place[line["image"]] < start]
    names = {line["image"] for line in kept}
    _rewrite(run.folder / SCORES, kept)
    apart = [line for line in lines_in(run.folder / CLASSES) if line["image"] in names]
    if coarse.measure.per_class:
        _rewrite(run.folder / CLASSES, apart)
    else:
        (run.folder / CLASSES).unlink(missing_ok=True)
    return kept, start


def mask_digest(item: Item) -> str:
    """sha256, hex, of the label PNG that is an item's mask; DataError where it cannot be read."""
    assert item.mask is not None
    try:
        return hashlib.sha256(item.mask.read_bytes()).hexdigest()
    except OSError as problem:
        raise DataError(f"{item.mask} could not be read: {problem.strerror or problem}.") from None


def lines_in(path: Path) -> list[dict[str, Any]]:
    """The lines of a file up to the first that is torn; [] without a file."""
    found: list[dict[str, Any]] = []
    if not path.is_file():
        return found
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            told = json.loads(text)
        except ValueError:
            break
        if not isinstance(told, dict) or not isinstance(told.get("image"), str):
            break
        found.append(told)
    return found


def _rewrite(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    write_whole(path, text.encode())
