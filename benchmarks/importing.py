"""How fast images come in, beside hashing and copying them bare.

    python -m benchmarks.importing [--images 10000] [--rounds 3] [--at DIR]

Writes a folder of JPEGs, then by turns hashes and copies them with nothing else done (one sync at
the end), and imports them into a new workspace: as a folder with tags, and as a zip. Ratios are to
the bare pass of the same round, so that other load falls on both alike. The budget is the disk's or
the hash's speed: an import may take about as long as reading, hashing, writing and syncing do.
"""

import argparse
import hashlib
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from backend.store.files import sync_disk
from backend.transfers import begin_import, run_import
from backend.workspace import Workspace

WIDTH, HEIGHT = 500, 375


def main() -> None:
    """Writes, measures, prints, tidies up."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at", type=Path, help="where to work; else a temporary folder")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="tagmask-importing-", dir=options.at))
    try:
        folder = write_photographs(root / "set", options.images)
        packed = Path(shutil.make_archive(str(root / "set"), "zip", folder))
        sync_disk(root)
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{options.images:,} JPEGs of {WIDTH}x{HEIGHT}, {size / 1e6:.0f} MB together")
        ratios: dict[str, list[float]] = {"folder": [], "zip": [], "again": []}
        for turn in range(options.rounds):
            before = time.process_time()
            bare = elapsed(lambda turn=turn: copy_bare(folder, root / f"bare-{turn}"))
            bare_work = time.process_time() - before
            hashed = elapsed(lambda: hash_bare(folder))
            before = time.process_time()
            folder_took = elapsed(lambda turn=turn: bring_in(root / f"ws-{turn}", folder))
            work = time.process_time() - before
            took = {
                "folder": folder_took,
                "again": elapsed(lambda turn=turn: bring_in(root / f"ws-{turn}", folder)),
                "zip": elapsed(lambda turn=turn: bring_in(root / f"zip-{turn}", packed)),
            }
            told = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items())
            print(f"hash alone {hashed:.1f} s, hash and copy {bare:.1f} s; import: {told}")
            each = 1000 / options.images
            print(f"processor: bare {bare_work * each:.2f}, import {work * each:.2f} ms an image")
            for name, seconds in took.items():
                ratios[name].append(seconds / bare)
            for place in (f"bare-{turn}", f"ws-{turn}", f"zip-{turn}"):
                shutil.rmtree(root / place)
        for name, found in ratios.items():
            print(f"{name}: {statistics.median(found):.2f} times hashing and copying bare")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory {peak:.0f} MB")
    finally:
        shutil.rmtree(root)


def write_photographs(folder: Path, count: int) -> Path:
    """A folder of JPEGs of a photograph's size on disk, no two alike, with tags.csv."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 40, (HEIGHT, WIDTH, 3), np.uint8)
    lines = ["image,tags"]
    for number in range(count):
        coarse = generator.integers(0, 216, (12, 16, 3), np.uint8)
        pixels = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR) + noise
        cv2.imwrite(str(folder / f"p{number:06d}.jpg"), pixels)
        lines.append(f"p{number:06d},cat")
    (folder / "tags.csv").write_text("\n".join(lines) + "\n")
    return folder


def copy_bare(folder: Path, target: Path) -> None:
    """Reads, hashes and writes every file once, and syncs."""
    target.mkdir()
    for path in folder.iterdir():
        data = path.read_bytes()
        (target / hashlib.sha256(data).hexdigest()).write_bytes(data)
    sync_disk(target)


def hash_bare(folder: Path) -> None:
    """Reads and hashes every file once."""
    for path in folder.iterdir():
        hashlib.sha256(path.read_bytes()).hexdigest()


def bring_in(root: Path, place: Path) -> None:
    """An import into a workspace, made where it is not there yet."""
    made = Workspace.open(root) if root.exists() else Workspace.create(root)
    with made as workspace:
        run_import(workspace, begin_import(workspace, place, "benchmark").id)
    os.sync()


def elapsed(act: Callable[[], object]) -> float:
    """Seconds."""
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
