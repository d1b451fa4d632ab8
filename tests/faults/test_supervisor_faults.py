"""Supervisors, trainers and disks that die: real processes, killed for real."""

import os
import resource
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.launchers import LocalLauncher, Process
from backend.store import Job
from backend.supervisor import ensure_supervisor, held, resubmit
from backend.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
FAKE = shlex.join([sys.executable, str(ROOT / "tests" / "fake_trainer.py")])
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "ws", classes=["cat", "dog"]) as made:
        yield made
        for job in made.store.jobs.active():
            if job.pid:
                LocalLauncher([]).kill(Process(job.pid, job.process_started or 0.0))


@pytest.fixture
def start(workspace: Workspace) -> Iterator[Start]:
    """Starts supervisors of the workspace; ends those that are left."""
    made: list[subprocess.Popen[str]] = []

    def build(*words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "backend.supervisor", "--workspace", str(workspace.root)]
        made.append(
            subprocess.Popen(
                [*command, "--trainer", FAKE, "--pause", "0.05", *words],
                cwd=ROOT,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return made[-1]

    yield build
    for process in made:
        process.kill()
        process.communicate()


def until(workspace: Workspace, job: Job, condition: Callable[[Job], object]) -> Job:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        now = workspace.store.jobs.get(job.id)
        if condition(now):
            return now
        time.sleep(0.03)
    raise AssertionError(f"it did not happen in time: {now}")


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.03)
    raise AssertionError("it did not happen in time")


def over(job: Job) -> bool:
    return job.state in ("done", "failed", "cancelled", "lost")


def reached(step: int) -> Callable[[Job], bool]:
    return lambda job: job.progress.get("step", 0) >= step


def steps(workspace: Workspace, job: Job) -> list[int]:
    events = workspace.store.jobs.events(job.id, kinds=["progress"])
    return [event.body["step"] for event in events]


def submit(workspace: Workspace, *words: str) -> Job:
    return workspace.store.jobs.submit("classify", list(words), by="ada")


def test_a_killed_supervisors_run_goes_on_and_is_adopted(
    workspace: Workspace, start: Start, long_sweep: bool
) -> None:
    total = 200 if long_sweep else 60
    job = submit(workspace, "--steps", str(total), "--pause", "0.05")
    at = range(5, total - 10, 10 if long_sweep else 25)
    for step in at:
        supervisor = start()
        until(workspace, job, reached(step))
        supervisor.kill()
        supervisor.wait()
        assert workspace.store.jobs.get(job.id).state == "running"
    start()
    done = until(workspace, job, over)
    assert (done.state, done.attempts) == ("done", 1)
    assert steps(workspace, job) == list(range(1, total + 1))


def test_a_supervisor_told_to_end_leaves_its_run_alive(workspace: Workspace, start: Start) -> None:
    job = submit(workspace, "--steps", "60", "--pause", "0.05")
    supervisor = start()
    running = until(workspace, job, reached(3))
    supervisor.terminate()
    assert supervisor.wait(20) == 0
    assert LocalLauncher([]).ended(Process(running.pid, running.process_started)) is None
    start()
    assert until(workspace, job, over).state == "done"


def test_a_killed_trainer_is_lost_resumed_and_finishes(workspace: Workspace, start: Start) -> None:
    start()
    job = submit(workspace, "--steps", "60", "--pause", "0.05")
    running = until(workspace, job, reached(5))
    os.kill(running.pid, signal.SIGKILL)
    lost = until(workspace, job, over)
    assert lost.state == "lost"
    assert "SIGKILL" in str(lost.error)
    assert "Resume goes on from its last checkpoint." in str(lost.error)
    resubmit(workspace.store, job.id)
    done = until(workspace, job, over)
    assert (done.state, done.attempts) == ("done", 2)
    assert sorted(set(steps(workspace, job))) == list(range(1, 61))


def test_both_killed_the_job_is_lost_and_can_be_resumed(workspace: Workspace, start: Start) -> None:
    supervisor = start()
    job = submit(workspace, "--steps", "40", "--pause", "0.05")
    running = until(workspace, job, reached(5))
    supervisor.kill()
    os.kill(running.pid, signal.SIGKILL)
    supervisor.wait()
    start()
    assert until(workspace, job, over).state == "lost"
    resubmit(workspace.store, job.id)
    assert until(workspace, job, lambda now: now.state == "done").attempts == 2


def test_a_cancel_asked_for_while_no_supervisor_lived_is_honoured(
    workspace: Workspace, start: Start
) -> None:
    supervisor = start()
    job = submit(workspace, "--steps", "9999", "--pause", "0.05")
    until(workspace, job, reached(3))
    supervisor.kill()
    supervisor.wait()
    workspace.store.jobs.request_cancel(job.id)
    start()
    assert until(workspace, job, over).state == "cancelled"
    kinds = [event.kind for event in workspace.store.jobs.events(job.id)]
    assert kinds[-1] == "cancelled"


def test_a_second_supervisor_refuses_and_says_why(workspace: Workspace, start: Start) -> None:
    first = start()
    wait_for(lambda: held(workspace.root))
    second = start()
    _, said = second.communicate(timeout=30)
    assert second.returncode == 2
    assert f"Another supervisor (process {first.pid}) already runs the jobs" in said
    assert first.poll() is None


def test_a_folder_that_is_no_workspace_is_refused_in_a_sentence(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "backend.supervisor", "--workspace", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"tagmask: There is no workspace at {tmp_path}.")
    assert list(tmp_path.iterdir()) == []


def test_it_outlives_who_started_it_and_holds_nothing_of_theirs(workspace: Workspace) -> None:
    code = (
        "import sys; from pathlib import Path; from backend.supervisor import ensure_supervisor\n"
        "print(ensure_supervisor(Path(sys.argv[1])))"
    )
    # The pipe ends only when nobody holds it any more: a supervisor that did would hang this.
    answer = subprocess.run(
        [sys.executable, "-c", code, str(workspace.root)],
        cwd=ROOT,
        env=os.environ | {"TAGMASK_TRAINER": FAKE},
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    assert answer.stdout == "True\n"
    wait_for(lambda: held(workspace.root))
    pid = int((workspace.root / "supervisor.lock").read_text())
    try:
        assert os.getsid(pid) == pid
        assert ensure_supervisor(workspace.root) is False
        job = submit(workspace, "--steps", "3")
        assert until(workspace, job, over).state == "done"
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not held(workspace.root))


def test_a_full_disk_delays_events_and_loses_none(workspace: Workspace, start: Start) -> None:
    supervisor = start()
    job = submit(workspace, "--steps", "80", "--pause", "0.03")
    until(workspace, job, reached(3))
    _, hard = resource.prlimit(supervisor.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(supervisor.pid, resource.RLIMIT_FSIZE, (0, hard))
    stuck = workspace.store.jobs.get(job.id).progress["step"]
    time.sleep(1.0)
    assert workspace.store.jobs.get(job.id).progress["step"] <= stuck + 5
    assert supervisor.poll() is None
    resource.prlimit(supervisor.pid, resource.RLIMIT_FSIZE, (hard, hard))
    done = until(workspace, job, over)
    assert (done.state, done.attempts) == ("done", 1)
    assert steps(workspace, job) == list(range(1, 81))


def test_a_database_locked_for_long_delays_events_and_loses_none(
    workspace: Workspace, start: Start, long_sweep: bool
) -> None:
    supervisor = start()
    job = submit(workspace, "--steps", "60", "--pause", "0.03")
    until(workspace, job, reached(3))
    other = sqlite3.connect(workspace.root / "tagmask.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    time.sleep(20 if long_sweep else 6)
    other.execute("ROLLBACK")
    other.close()
    done = until(workspace, job, over)
    assert (done.state, done.attempts) == ("done", 1)
    assert steps(workspace, job) == list(range(1, 61))
    assert supervisor.poll() is None


def test_a_supervisor_whose_workspace_was_moved_leaves(workspace: Workspace, start: Start) -> None:
    supervisor = start()
    wait_for(workspace.store.jobs.last_supervisor)
    moved = workspace.root.with_name("moved")
    workspace.root.rename(moved)
    assert supervisor.wait(30) == 0
    assert not held(moved)
    moved.rename(workspace.root)


def test_a_job_queued_while_it_leaves_for_idleness_is_still_run(
    workspace: Workspace, start: Start
) -> None:
    for _ in range(5):
        start("--idle-exit", "0.2")
        wait_for(lambda: held(workspace.root))
        wait_for(lambda: not held(workspace.root) or workspace.store.jobs.last_supervisor())
        job = submit(workspace, "--steps", "1")
        if not held(workspace.root):
            start("--idle-exit", "0.2")
        assert until(workspace, job, over).state == "done"
        wait_for(lambda: not held(workspace.root))
