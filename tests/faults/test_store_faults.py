"""The store under kill -9, full disks and read-only disks: real processes, real mounts."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.errors import StoreError, WorkspaceError
from backend.images import encode_png
from backend.labels import encode_labels
from backend.store import QueueRow, Store, open_store
from backend.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
CANDIDATES = 6

DECIDE = """
import sys
from pathlib import Path
from backend.store import open_store
root, began = Path(sys.argv[1]), sys.argv[2]
store = open_store(root / "tagmask.db", root / "files")
rows = store.candidates.queue("newest", verdict="all").rows
number = 0
while True:
    number += 1
    row = rows[number % len(rows)]
    if number % 5:
        verdict = ("accept", "reject", "fix", "skip")[number % 4]
        made = store.decisions.record(row.id, row.digest, verdict, reviewer="ada", session=began,
                                      action_id=f"{began} {number}")
    else:
        made = store.decisions.undo("ada", began, f"{began} {number}")
    print(made.action_id, made.id, flush=True)
"""


def fill(workspace: Workspace) -> None:
    """Six candidates to decide on."""
    workspace.store.classes.add("cat")
    for number in range(CANDIDATES):
        photo = encode_png(np.full((4, 4, 3), number, np.uint8))
        image = workspace.store.images.add(f"image {number}", photo, source="test").image
        labels = encode_labels(np.ones((4, 4), np.uint8))
        workspace.store.candidates.add(image.id, None, "dcsp", labels)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of a closed workspace."""
    with Workspace.create(tmp_path / "ws") as workspace:
        fill(workspace)
    return tmp_path / "ws"


def start(code: str, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_every_acknowledged_decision_survives_kill_9(root: Path, long_sweep: bool) -> None:
    draw = random.Random(0)
    acknowledged: dict[str, int] = {}
    for round in range(50 if long_sweep else 2):
        process = start(DECIDE, str(root), f"round {round}")
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        end = time.monotonic() + draw.uniform(0.0, 0.4)
        while time.monotonic() < end:
            lines.append(process.stdout.readline())
        process.kill()
        rest, _ = process.communicate()
        # The last line may be torn: the kill came between the disk and the word.
        for line in [*lines, *rest.splitlines(keepends=True)]:
            if line.endswith("\n"):
                action, _, id = line.rpartition(" ")
                acknowledged[action] = int(id)
    with open_store(root / "tagmask.db", root / "files") as store:
        assert store.check() == []
        log = {row.action_id: row.id for row in store.decisions.latest(1_000_000)}
        assert len(log) == store.decisions.count()
        assert acknowledged.items() <= log.items()
        # Beside those, each kill may have caught one that was stored and not yet told.
        assert len(log) - len(acknowledged) <= (50 if long_sweep else 2)
        undone = store.decisions.undo("ada", "after", "undo after the crash")
        assert undone is not None


def test_a_killed_import_is_finished_by_the_next(tmp_path: Path) -> None:
    source = tmp_path / "photos"
    source.mkdir()
    draw = np.random.default_rng(0)
    for number in range(600):
        photo = encode_png(draw.integers(0, 256, (24, 24, 3), np.uint8))
        (source / f"{number:04d}.png").write_bytes(photo)
    root = tmp_path / "ws"
    Workspace.create(root).close()
    bring = [sys.executable, "-m", "backend", "import", str(root), str(source)]
    with subprocess.Popen(bring, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        with open_store(root / "tagmask.db", root / "files", read_only=True) as watching:
            while watching.images.count() == 0 and process.poll() is None:
                time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with open_store(root / "tagmask.db", root / "files") as store:
        before = store.images.count()
        assert store.check() == []
        for image in store.images.page(0, 1000).rows:
            assert store.files.intact(image.digest)
    done = subprocess.run(bring, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{600 - before:,} new image")
    with open_store(root / "tagmask.db", root / "files") as store:
        names = [image.name for image in store.images.page(0, 1000).rows]
        assert sorted(names) == [f"{number:04d}" for number in range(600)]


def test_a_damaged_database_with_a_log_left_behind_is_not_touched(root: Path) -> None:
    process = start(DECIDE, str(root), "before")
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    database, log = root / "tagmask.db", root / "tagmask.db-wal"
    assert log.stat().st_size > 0
    data = database.read_bytes()
    database.write_bytes(data[:100] + os.urandom(len(data) - 100))
    before = database.read_bytes(), log.read_bytes()
    with pytest.raises(StoreError, match="damaged"):
        open_store(database, root / "files")
    assert (database.read_bytes(), log.read_bytes()) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system to fill")
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tagmask-test", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this container does not let root mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def stuff(disk: Path) -> Path:
    """Leaves no room on a disk; the file that takes it."""
    path = disk / "stuffing"
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return path


def decide_until_refused(store: Store, rows: list[QueueRow]) -> tuple[list[str], str]:
    """The actions that were acknowledged, and the sentence that refused the next."""
    told: list[str] = []
    for number in range(100_000):
        row = rows[number % len(rows)]
        try:
            made = store.decisions.record(
                row.id,
                row.digest,
                "accept",
                reviewer="ada",
                session="s",
                action_id=f"{number}",
                reason="because " * 100,
            )
        except StoreError as error:
            return told, str(error)
        told.append(made.action_id)
    raise AssertionError("the disk never filled")


def test_a_full_disk_refuses_a_decision_and_keeps_the_rest(small_disk: Path) -> None:
    with Workspace.create(small_disk / "ws") as workspace:
        fill(workspace)
        store = workspace.store
        rows = store.candidates.queue().rows
        stuffing = stuff(small_disk)
        told, sentence = decide_until_refused(store, rows)
        assert "full" in sentence
        assert "Make room" in sentence
        assert store.decisions.count() == len(told)
        stuffing.unlink()
        store.decisions.record(
            rows[0].id, rows[0].digest, "reject", reviewer="ada", session="s", action_id="room"
        )
        assert store.check() == []
    with Workspace.open(small_disk / "ws") as workspace:
        log = [row.action_id for row in workspace.store.decisions.latest(100_000)]
        assert log == ["room", *told[::-1]]
        assert workspace.store.check() == []


def test_a_full_disk_refuses_a_file_and_leaves_nothing_of_it(small_disk: Path) -> None:
    with Workspace.create(small_disk / "ws") as workspace:
        fill(workspace)
        store, files = workspace.store, workspace.files
        kept = sorted(path for path in files.root.rglob("*") if path.is_file())
        stuffing = stuff(small_disk)
        photo = encode_png(np.random.default_rng(1).integers(0, 256, (99, 99, 3), np.uint8))
        with pytest.raises(StoreError, match=r"No space left.*make room"):
            store.images.add("big", photo, source="test")
        with pytest.raises(StoreError, match="No space left"), files.batch() as batch:
            batch.put(photo, ".png")
        with pytest.raises(StoreError, match=r"could not be written|full"):
            store.backup(small_disk / "backup.db")
        assert sorted(path for path in files.root.rglob("*") if path.is_file()) == kept
        assert store.images.count() == CANDIDATES
        assert not list(small_disk.glob("*backup*"))
        stuffing.unlink()
        assert store.images.add("big", photo, source="test").new


def test_a_full_disk_freezes_nothing(small_disk: Path) -> None:
    with Workspace.create(small_disk / "ws") as workspace:
        fill(workspace)
        store = workspace.store
        for row in store.candidates.queue().rows:
            store.decisions.record(
                row.id, row.digest, "accept", reviewer="a", session="s", action_id=row.image_name
            )
        stuffing = stuff(small_disk)
        with pytest.raises(StoreError, match=r"Nothing was frozen|full"):
            store.snapshots.freeze("full", "ada")
        assert store.snapshots.all() == []
        stuffing.unlink()
        store.snapshots.verify(store.snapshots.freeze("room", "ada").digest)


LIMITED = """
import resource, signal, sys
sys.path.insert(0, "tests/faults")
from pathlib import Path
from backend.errors import StoreError
from backend.store import open_store
root = Path(sys.argv[1])
store = open_store(root / "tagmask.db", root / "files")
row = store.candidates.queue().rows[0]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
for number in range(100_000):
    try:
        store.decisions.record(row.id, row.digest, "accept", reviewer="ada", session="s",
                               action_id=str(number), reason="because " * 100)
    except StoreError as error:
        print(number, error)
        break
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.decisions.record(row.id, row.digest, "reject", reviewer="ada", session="s", action_id="room")
"""


def test_a_file_that_may_not_grow_refuses_a_decision(root: Path) -> None:
    """What a quota does; needs no mount, so it runs for every user."""
    limit = (root / "tagmask.db").stat().st_size + 50 * resource.getpagesize()
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(root), str(limit)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    number, _, sentence = done.stdout.partition(" ")
    assert "full or failing" in sentence
    with open_store(root / "tagmask.db", root / "files") as store:
        log = [row.action_id for row in store.decisions.latest(100_000)]
        assert log == ["room", *map(str, range(int(number) - 1, -1, -1))]
        assert store.check() == []


def test_a_read_only_disk_can_be_looked_at_and_not_worked_in(small_disk: Path) -> None:
    root = small_disk / "ws"
    with Workspace.create(root) as workspace:
        fill(workspace)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(WorkspaceError, match=r"cannot be written by this user.*--read-only"):
        Workspace.open(root)
    with Workspace.open(root, read_only=True) as workspace:
        assert workspace.store.candidates.queue().total == CANDIDATES
        with pytest.raises(StoreError, match="reading only"):
            workspace.store.classes.add("dog")
    with pytest.raises(WorkspaceError, match="cannot be made in"):
        Workspace.create(small_disk / "other")
