"""The supervisor with the real trainer: tags in, weights out, masks offered for review."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.images import encode_png
from backend.launchers import LocalLauncher
from backend.store import Job
from backend.supervisor.loop import Supervisor
from backend.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Eight images of 48 pixels: red squares tagged 1, green ones tagged 2."""
    generator = np.random.default_rng(0)
    with Workspace.create(tmp_path / "ws", classes=["red", "green"]) as made:
        for index in range(8):
            pixels = generator.integers(90, 120, (48, 48, 3), dtype=np.uint8)
            pixels[12:36, 12:36, index % 2] = 230
            tag = 1 + index % 2
            made.store.images.add(f"image{index}", encode_png(pixels), source="test", tags=[tag])
        yield made


def run(supervisor: Supervisor, job: Job) -> Job:
    end = time.monotonic() + 240
    while time.monotonic() < end:
        supervisor.tick()
        now = supervisor.store.jobs.get(job.id)
        if now.state in ("done", "failed", "cancelled", "lost"):
            return now
        time.sleep(0.1)
    raise AssertionError("the trainer did not end in time")


def test_tags_become_weights_and_weights_become_candidates(workspace: Workspace) -> None:
    store = workspace.store
    supervisor = Supervisor(workspace, LocalLauncher())
    snapshot = store.snapshots.freeze("all", "ada", include="tagged")
    words = ["--preset", "scenes", "--epochs", "1", "--size", "48", "--batch", "4"]
    job = store.jobs.submit("classify", words, snapshot=snapshot.digest, by="ada")
    done = run(supervisor, job)
    assert (done.state, done.error) == ("done", None)
    trained = store.runs.of_job(job.id)
    assert trained is not None
    assert trained.weights_path is not None
    assert "tag_accuracy" in trained.metrics
    kinds = [event.kind for event in store.jobs.events(job.id)]
    assert kinds[:2] == ["attempt", "started"]
    assert {"progress", "epoch"} <= set(kinds)
    assert kinds[-1] == "finished"

    weights = workspace.root / trained.folder / trained.weights_path
    words = ["--weights", str(weights), "--crf", "none"]
    job = store.jobs.submit("labels", words, snapshot=snapshot.digest, by="ada")
    done = run(supervisor, job)
    supervisor.close()
    assert (done.state, done.error) == ("done", None)
    candidates = store.candidates.queue(order="newest", verdict="all")
    assert candidates.total == 8
    made = store.runs.of_job(job.id)
    assert made is not None
    assert {row.run_id for row in candidates.rows} == {made.id}
    (said,) = store.jobs.events(job.id, kinds=["message"])[-1:]
    assert said.body["text"] == "New candidates for review: 8."
