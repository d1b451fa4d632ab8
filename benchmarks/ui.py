"""How long the review desk lets people wait, on a workspace of 20,000 photographs.

    python -m benchmarks.ui [--images 20000] [--at FOLDER] [--only keys crowd ...]

Builds the workspace in FOLDER (500x375 JPEGs, two tags and two masks each), or uses the one that is
there, serves a copy of its database with app.py and measures, beside the budget of each:

    keys      from a key to the next mask painted, in Chromium at 1440x900     p95 100 ms
    decision  from sending a decision to its answer, one after the other       p95 10 ms
    crowd     50 reviewers at once for a minute, one decision a second each,
              and then each as fast as it is answered; none lost, none twice   p95 200 ms
    queue     pages of the queue over HTTP, in every order                     p95 50 ms
    gallery   frames while the grid of all images is scrolled                  none over 100 ms

How soon a brush stroke is seen is `benchmarks.editor`'s to say, how fast images come in
`benchmarks.importing`'s. Exits with 1 where a budget was missed.
"""

import argparse
import http.client
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.desk import crowd, page
from benchmarks.desk.photographs import PHOTOGRAPHS
from benchmarks.large_workspace import PROJECT, prepare, queries, served

PARTS = ("keys", "decision", "crowd", "queue", "gallery")
KEY_MS, DECISION_MS, CROWD_MS, QUEUE_MS = 100.0, 10.0, 200.0, 50.0


def main() -> int:
    """Builds where needed, serves, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument(
        "--at", type=Path, help="kept from run to run; else in the temporary folder"
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--presses", type=int, default=150)
    parser.add_argument("--reviewers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    root = options.at or Path(tempfile.gettempdir()) / f"tagmask-desk-{options.images}"
    prepare(root, options.images, PHOTOGRAPHS)
    missed: list[str] = []
    with undecided(root), served(root) as (port, _, _):
        if "keys" in options.only:
            for name, times in page.next_masks(port, options.presses, 400).items():
                say(missed, f"key to next mask, {name}", times, KEY_MS)
        if "decision" in options.only:
            say(missed, "a decision, sent to answered", decisions(port, 500), DECISION_MS)
        if "crowd" in options.only:
            for name, seconds, pause in (
                ("a decision a second", options.seconds, 1.0),
                ("no pause", options.seconds / 3, 0.0),
            ):
                many(missed, root, port, options.reviewers, seconds, pause, name)
        if "queue" in options.only:
            queries(port, options.images)
        if "gallery" in options.only:
            frames = page.scrolled(port, 200)
            print(f"grid of all images scrolled, frame to frame: {page.told(frames)}")
            stalls = sum(frame > page.STALL_MS for frame in frames)
            print(f"  frames over {page.STALL_MS:.0f} ms: {stalls} of {len(frames)}")
            if stalls:
                missed.append("gallery")
    for name in missed:
        print(f"over its budget: {name}", file=sys.stderr)
    return 1 if missed else 0


@contextmanager
def undecided(root: Path) -> Iterator[None]:
    """What is decided while measuring is forgotten afterwards, so that every run begins alike."""
    kept = root.with_name(f"{root.name}.before")
    shutil.copyfile(root / "tagmask.db", kept)
    try:
        yield
    finally:
        for left in ("tagmask.db-wal", "tagmask.db-shm"):
            (root / left).unlink(missing_ok=True)
        kept.replace(root / "tagmask.db")


def say(missed: list[str], name: str, times: list[float], budget: float) -> None:
    """Prints the times beside their budget, and remembers what was over it."""
    print(f"{name}: {page.told(times)}   budget p95 {budget:.0f} ms", flush=True)
    if np.percentile(times, 95) > budget:
        missed.append(name)


def decisions(port: int, count: int) -> list[float]:
    """One reviewer over one connection: milliseconds from sending a decision to its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    draw, times = random.Random(0), []
    for mask in crowd.waiting(port, count)[:count]:
        begun = time.perf_counter()
        status = crowd.decide(connection, mask, "one", uuid.uuid4().hex, draw)
        times.append(1000 * (time.perf_counter() - begun))
        assert status == 200, status
    return times


def many(
    missed: list[str],
    root: Path,
    port: int,
    reviewers: int,
    seconds: float,
    pause: float,
    name: str,
) -> None:
    """Reviewers at once, from a process of their own; what was acknowledged is sought on disk."""
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        words = [str(port), str(reviewers), str(seconds), str(pause), out.name]
        subprocess.run(
            [sys.executable, "-m", "benchmarks.desk.crowd", *words], cwd=PROJECT, check=True
        )
        told: list[dict[str, Any]] = json.loads(Path(out.name).read_text())
    refused = [each for each in told if each["status"] != 200]
    with sqlite3.connect(f"file:{root / 'tagmask.db'}?mode=ro", uri=True) as database:
        rows = [act for (act,) in database.execute("SELECT action_id FROM decisions")]
    times = [each["ms"] for each in told]
    say(missed, f"{reviewers} reviewers, {name}", times, CROWD_MS)
    sent = {each["act"] for each in told}
    lost, doubled = len(sent - set(rows)), len(rows) - len(set(rows))
    rate = len(times) / seconds
    print(f"  {rate:.0f} a second; refused {len(refused)}, lost {lost}, twice {doubled}")
    if refused or lost or doubled:
        missed.append(f"{reviewers} reviewers: refused, lost or doubled")


if __name__ == "__main__":
    sys.exit(main())
