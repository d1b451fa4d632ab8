"""The supervisor with a real pipeline: a segmenter and candidates out of one job."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.images import encode_png
from backend.launchers import LocalLauncher
from backend.store import Job
from backend.supervisor.loop import Supervisor
from backend.weights import read_card
from backend.workspace import Workspace

HOW = [
    "--preset", "scenes", "--method", "seenet", "--weights", "none", "--device", "cpu",
    "--precision", "32", "--set",
    "attention.size=48", "attention.batch=4", "attention.steps=4", "attention.warmup=0",
    "segmenter.size=48", "segmenter.batch=4", "segmenter.steps=4", "segmenter.warmup=0",
]  # fmt: skip


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


def until(supervisor: Supervisor, job: Job, seen: Callable[[Job, list[str]], bool]) -> Job:
    """Lets the supervisor work until a job and the kinds of its events are as wanted."""
    end = time.monotonic() + 240
    while time.monotonic() < end:
        supervisor.tick()
        now = supervisor.store.jobs.get(job.id)
        if seen(now, [event.kind for event in supervisor.store.jobs.events(job.id)]):
            return now
        time.sleep(0.1)
    raise AssertionError("the pipeline did not get there in time")


def chain(workspace: Workspace, job: Job) -> list[dict]:
    return workspace.store.jobs.events(job.id, kinds=["chain"])[-1].body["stages"]


def test_a_pipeline_is_cancelled_resumed_and_leaves_a_segmenter_and_candidates(
    workspace: Workspace,
) -> None:
    store = workspace.store
    supervisor = Supervisor(workspace, LocalLauncher())
    snapshot = store.snapshots.freeze("all", "ada", include="tagged")
    words = [*HOW, "--stages", str(workspace.runs / "stages")]
    job = store.jobs.submit("pipeline", words, snapshot=snapshot.digest, by="ada")
    until(supervisor, job, lambda now, kinds: "chain" in kinds)
    store.jobs.request_cancel(job.id)
    stopped = until(supervisor, job, lambda now, kinds: now.state != "stopping")
    assert (stopped.state, stopped.error) == (
        "cancelled", "Resume goes on from its last checkpoint.",
    )  # fmt: skip
    store.jobs.resume(job.id)
    done = until(supervisor, job, lambda now, kinds: now.state in ("done", "failed", "lost"))
    supervisor.close()
    assert (done.state, done.error) == ("done", None)
    assert [row["name"] for row in chain(workspace, job)] == [
        "attention", "labels", "segmenter", "predictions",
    ]  # fmt: skip
    made = store.runs.of_job(job.id)
    assert read_card(workspace.root / made.folder / made.weights_path).kind == "segment"
    candidates = store.candidates.queue(order="newest", verdict="all")
    assert 0 < candidates.total <= 8
    assert {row.run_id for row in candidates.rows} == {made.id}
    assert candidates.rows[0].method.startswith("seenet.seenet · ")
    # A snapshot has no lists: the segmenter labels the images that it learnt from.
    assert len(list((workspace.root / made.folder / "predictions").iterdir())) == 8
