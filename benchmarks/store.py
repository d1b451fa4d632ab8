"""How quick the store is on a workspace of many images.

    python -m benchmarks.store [--images 20000] [--reviewers 50]

Builds a workspace of tiny images with two candidates each, then prints: images brought in a second;
opening; a page of the queue in every order and filter; counts; a decision, durable on disk; and
many reviewers deciding at once. Times are milliseconds, p50 and p95.
"""

import argparse
import itertools
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.images import encode_png
from backend.intake import BATCH
from backend.labels import encode_labels
from backend.store import Filter
from backend.workspace import Workspace

CLASSES = tuple(f"class {number}" for number in range(1, 11))
SIDE = 8


def main() -> None:
    """Builds, measures, prints, tidies up."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--reviewers", type=int, default=50)
    parser.add_argument("--at", type=Path, help="where to build it; else a temporary folder")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="tagmask-store-", dir=options.at))
    try:
        took = elapsed(lambda: build(root / "workspace", options.images, options.seed))
        rate = options.images / took
        print(f"built {options.images:,} images, 2 candidates each: {rate:.0f} images a second")
        openings(root / "workspace")
        with Workspace.open(root / "workspace") as workspace:
            mark(workspace, options.images)
            pages(workspace, options.images)
            decisions(workspace)
            at_once(workspace, options.reviewers)
            pages(workspace, options.images)
            took = elapsed(lambda: workspace.store.snapshots.freeze("benchmark", "benchmark"))
            print(f"freeze a snapshot: {took * 1000:.1f} ms")
    finally:
        shutil.rmtree(root)


@dataclass(frozen=True)
class Look:
    """What the images of a made workspace are: their size, and how one and its mask are drawn."""

    height: int
    width: int
    image: Callable[[np.random.Generator, int, int], bytes]
    mask: Callable[[random.Random, int, int, int], np.ndarray]


def noise(pixels: np.random.Generator, height: int, width: int) -> bytes:
    """A PNG of random pixels: tiny images, so that nothing but the database is at work."""
    return encode_png(pixels.integers(0, 256, (height, width, 3), np.uint8))


def lower_rows(numbers: random.Random, tag: int, height: int, width: int) -> np.ndarray:
    """The tag from some row downwards."""
    labels = np.full((height, width), tag, np.uint8)
    labels[: numbers.randrange(height)] = 0
    return labels


def tiny(side: int) -> Look:
    """Square images of random pixels."""
    return Look(side, side, noise, lower_rows)


def build(root: Path, count: int, seed: int, look: Look | None = None) -> None:
    """A workspace of `count` images, each with two tags and two scored candidates."""
    look = look or tiny(SIDE)
    height, width = look.height, look.width
    pixels = np.random.default_rng(seed)
    numbers = random.Random(seed)
    with Workspace.create(root, classes=CLASSES) as workspace:
        store = workspace.store
        for start in range(0, count, BATCH):
            checked = []
            with store.files.batch() as files:
                for index in range(start, min(start + BATCH, count)):
                    data = look.image(pixels, height, width)
                    image = store.images.check(f"image {index:06d}", data, into=files)
                    checked.append((image, numbers.sample(range(1, 11), 2)))
            masks = []
            added = [each.image for each in store.images.enter(checked, source="benchmark")]
            with store.files.batch() as files:
                for image, method in itertools.product(added, ("seenet", "dcsp")):
                    labels = look.mask(numbers, image.tags[0], height, width)
                    scores, png = {"SC": numbers.random()}, encode_labels(labels)
                    masks.append(store.candidates.check(image.id, method, png, scores, into=files))
            store.candidates.enter(masks)


def mark(workspace: Workspace, count: int) -> None:
    """What the desk's filters and orders ask for: flags, losses, shares, comparisons."""
    draw = random.Random(2)
    some = max(1, count // 20)
    first = workspace.store.candidates.compare
    report("compare the masks of all images", [elapsed(first) / count])
    with workspace.store.connections.write() as database:
        for image in range(1, count + 1):
            told = "UPDATE images SET loss = ?, flagged = ? WHERE id = ?"
            database.execute(told, [draw.random(), int(image % 50 == 0), image])
            if image % some < some // 2:
                shared = "INSERT INTO assignments VALUES (?, 'one', 'benchmark', 0)"
                database.execute(shared, [image])
        database.execute(
            "UPDATE images SET truth_digest = (SELECT digest FROM candidates AS c"
            " WHERE c.image_id = images.id LIMIT 1) WHERE id % 4 = 0"
        )


def openings(root: Path) -> None:
    """Opening, with the check of the whole database, and the first page."""

    def once() -> None:
        with Workspace.open(root) as workspace:
            workspace.store.candidates.queue()

    report("open, check, first page", [elapsed(once) for _ in range(10)])


def pages(workspace: Workspace, count: int) -> None:
    """A page of 50, in every order and with every filter, at the front and far behind."""
    queue, draw = workspace.store.candidates.queue, random.Random(1)
    questions: dict[str, Callable[[], object]] = {
        "score": lambda: queue("score"),
        "score, far behind": lambda: queue("score", offset=draw.randrange(2 * count)),
        "best": lambda: queue("best"),
        "newest": lambda: queue("newest"),
        "name": lambda: queue("name"),
        "methods disagree": lambda: queue("methods"),
        "rarest class": lambda: queue("rarity"),
        "rarest class, far behind": lambda: queue("rarity", offset=draw.randrange(2 * count)),
        "rarest class, all, flagged": lambda: queue("rarity", verdict="all", flagged=True),
        "highest loss": lambda: queue("loss"),
        "highest loss, far behind": lambda: queue("loss", offset=draw.randrange(2 * count)),
        "flagged": lambda: queue("score", flagged=True),
        "not flagged, with truth": lambda: queue("score", flagged=False, truth=True),
        "none kept yet": lambda: queue("score", kept=False),
        "decided by one reviewer": lambda: queue("newest", verdict="all", reviewer="one"),
        "assigned to one": lambda: queue("score", assigned="one"),
        "assigned to one, all": lambda: queue("score", assigned="one", verdict="all"),
        "random": lambda: queue("random", seed=draw.randrange(1000)),
        "accepted": lambda: queue("newest", verdict="accept"),
        "all verdicts": lambda: queue("score", verdict="all"),
        "one tag": lambda: queue("score", tag=draw.randrange(1, 11)),
        "score range": lambda: queue("score", min_score=0.4, max_score=0.6),
        "part of a name": lambda: queue("score", query=str(draw.randrange(100, 999))),
        "images by name": lambda: workspace.store.images.page(query=str(draw.randrange(100, 999))),
        "counts": lambda: workspace.store.candidates.counts(by_class=False),
        "counts by class": workspace.store.candidates.counts,
    }
    for name, ask in questions.items():
        report(f"page: {name}", [elapsed(ask) for _ in range(20)])


def decisions(workspace: Workspace) -> None:
    """Decisions one after the other, each on disk before the next; and undo."""
    store = workspace.store
    rows = store.candidates.queue("random", limit=500).rows
    acts = iter(range(1_000_000))

    def decide(index: int) -> None:
        row = rows[index]
        store.decisions.record(
            row.id,
            row.digest,
            "accept" if index % 3 else "reject",
            reviewer="one",
            session="benchmark",
            action_id=f"one {next(acts)}",
        )

    def undo(_: int) -> None:
        store.decisions.undo("one", "benchmark", f"undo {next(acts)}")

    page = elapsed(lambda: store.decisions.filtered(Filter()))
    report("preview of a batch, everything", [page])
    report("decision, durable", [elapsed(lambda i=i: decide(i)) for i in range(len(rows))])
    report("undo, durable", [elapsed(lambda i=i: undo(i)) for i in range(100)])
    batch = Filter(tag=1)
    digest = store.decisions.filtered(batch).digest
    told = {"digest": digest, "reviewer": "two", "session": "benchmark", "action_id": "batch"}
    count = store.decisions.filtered(batch).total
    # None of the set itself: decided on between preview and act it would have that refused.
    others = itertools.cycle([i for i, row in enumerate(rows) if 1 not in row.tags])
    whole: dict[str, Callable[[], object]] = {
        f"a batch of {count:,}": lambda: store.decisions.record_all(batch, "reject", **told),
        "its undo": lambda: store.decisions.undo("two", "benchmark", "take back"),
    }
    for name, act in whole.items():
        # Somebody else decides meanwhile: how long do they wait?
        waited: list[float] = []
        took: list[float] = []
        thread = threading.Thread(target=lambda act=act, took=took: took.append(elapsed(act)))
        thread.start()
        while thread.is_alive():
            waited.append(elapsed(lambda: decide(next(others))))
            time.sleep(0.02)
        thread.join()
        report(name, took)
        report("  a decision meanwhile, durable", waited)


def at_once(workspace: Workspace, reviewers: int, each: int = 40) -> None:
    """Many reviewers deciding as fast as they can; nothing lost, nothing doubled."""
    store = workspace.store
    rows = store.candidates.queue("random", limit=reviewers * each).rows
    before, times = store.decisions.count(), []

    def review(number: int) -> None:
        for row in rows[number::reviewers]:
            began = time.perf_counter()
            store.decisions.record(
                row.id,
                row.digest,
                "accept",
                reviewer=f"reviewer {number}",
                session="benchmark",
                action_id=f"{number} {row.id}",
            )
            times.append(time.perf_counter() - began)

    threads = [threading.Thread(target=review, args=(number,)) for number in range(reviewers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report(f"decision, {reviewers} reviewers at once", times)
    lost = len(rows) - (store.decisions.count() - before)
    print(f"decisions lost or doubled: {lost} of {len(rows):,}")


def elapsed(act: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def report(what: str, seconds: list[float]) -> None:
    """A line with p50 and p95 in milliseconds."""
    p50, p95 = np.percentile(seconds, (50, 95)) * 1000
    print(f"{what:<34} p50 {p50:8.2f} ms   p95 {p95:8.2f} ms", flush=True)


if __name__ == "__main__":
    main()
