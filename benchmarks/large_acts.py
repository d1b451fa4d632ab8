"""What a decision waits for while somebody tags 20,000 images: python -m benchmarks.large_acts.

    python -m benchmarks.large_acts [--images 20000]

Makes a store of so many images (rows only, no files) in a temporary folder. One thread decides on
masks without a pause while another gives a tag to every image, takes it, undoes both, shares every
image out and withdraws that. Printed for each act: its seconds, and how long decisions took.
"""

import argparse
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from backend.store import Store, TagEdit, create_store

CLASSES = 20
PAUSE = 0.005


def main() -> None:
    """Builds, acts, prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=20_000)
    count = parser.parse_args().images
    with tempfile.TemporaryDirectory(prefix="tagmask-large-acts-") as folder:
        root = Path(folder)
        with create_store(root / "tagmask.db", root / "files") as store:
            build(store, count)
            measure(store, count)


def build(store: Store, count: int) -> None:
    """Images with two tags, two candidates and four things that a classifier says of each."""
    for number in range(CLASSES):
        store.classes.add(f"class {number}")
    ids = range(1, count + 1)
    pairs = [(id, 1 + (id + step) % (CLASSES - 1)) for id in ids for step in (0, 7)]
    with store.connections.write() as database:
        database.conn.executemany(
            "INSERT INTO images (id, name, digest, width, height, source, added)"
            " VALUES (?, ?, ?, 500, 375, 'benchmark', 1)",
            ((id, f"im{id:06d}", f"{id:064x}") for id in ids),
        )
        database.conn.executemany("INSERT INTO image_tags VALUES (?, ?)", pairs)
        database.conn.executemany(
            "INSERT INTO candidates (image_id, method, digest, shuffle, added)"
            " VALUES (?, ?, ?, 0, 1)",
            ((id, method, f"{id:064x}") for id in ids for method in ("dcsp", "oaa")),
        )
        database.conn.executemany(
            "INSERT INTO tag_suggestions (image_id, class_id, score, added) VALUES (?, ?, ?, 1)",
            ((id, (tag + step) % CLASSES + 1, 0.3) for id, tag in pairs for step in (0, 3)),
        )


def measure(store: Store, count: int) -> None:
    """One act after the other, with somebody who decides all the while."""
    everything = tuple(range(1, count + 1))
    who = {"reviewer": "ada", "session": "s"}
    by = {"made_by": "lead"}
    ended = threading.Event()
    times: list[tuple[float, float]] = []

    def decide() -> None:
        number = 0
        while not ended.is_set():
            number = number % count + 1
            began = time.perf_counter()
            store.decisions.record(
                2 * number, f"{number:064x}", "accept",
                reviewer="bob", session="s", action_id=uuid.uuid4().hex,
            )  # fmt: skip
            times.append((began, time.perf_counter() - began))
            time.sleep(PAUSE)

    def tag(add: tuple[int, ...], remove: tuple[int, ...]) -> None:
        edit = TagEdit(everything, add, remove)
        store.tags.change([edit], action_id=uuid.uuid4().hex, **who)

    acts: dict[str, Callable[[], object]] = {
        "nothing, for two seconds": lambda: time.sleep(2),
        "a tag given to all": lambda: tag((CLASSES,), ()),
        "and taken from all": lambda: tag((), (CLASSES,)),
        "that undone": lambda: store.tags.undo(action_id=uuid.uuid4().hex, **who),
        "and the first": lambda: store.tags.undo(action_id=uuid.uuid4().hex, **who),
        "all shared out, a fifth to two": lambda: store.assignments.share_out(
            ["ada", "bob", "cyd"], 0.2, action_id=uuid.uuid4().hex, **by
        ),
        "all withdrawn": lambda: store.assignments.withdraw(None, action_id=uuid.uuid4().hex, **by),
    }
    thread = threading.Thread(target=decide)
    thread.start()
    try:
        for name, act in acts.items():
            began = time.perf_counter()
            act()
            ended_at = time.perf_counter()
            time.sleep(0.2)
            took = sorted(1000 * each for at, each in times if began <= at < ended_at)
            middle, late = took[len(took) // 2], took[int(0.95 * (len(took) - 1))]
            print(
                f"{name:32} {ended_at - began:5.1f} s; {len(took):4} decisions, p50 {middle:.0f}, "
                f"p95 {late:.0f}, longest {took[-1]:.0f} ms",
                flush=True,
            )
    finally:
        ended.set()
        thread.join()


if __name__ == "__main__":
    main()
