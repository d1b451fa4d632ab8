"""The supervisor's rounds, with a real store and real trainer processes."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.errors import JobError, StoreError
from backend.launchers import LocalLauncher
from backend.store import Job
from backend.supervisor import ensure_supervisor, held, resubmit
from backend.supervisor.lock import WorkspaceLock
from backend.supervisor.loop import Supervisor
from backend.supervisor.orders import trainer_arguments
from backend.workspace import Workspace

FAKE = [sys.executable, str(Path(__file__).resolve().parents[1] / "fake_trainer.py")]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "ws", classes=["cat", "dog"]) as made:
        yield made


@pytest.fixture
def supervise(workspace: Workspace) -> Iterator[Callable[..., Supervisor]]:
    """Makes supervisors; the trainers that any of them left are ended."""
    made: list[Supervisor] = []

    def build(trainer: list[str] = FAKE, **options: float) -> Supervisor:
        made.append(Supervisor(workspace, LocalLauncher(trainer), **options))
        return made[-1]

    yield build
    for supervisor in made:
        for watch in supervisor.watches.values():
            if watch.process is not None:
                supervisor.launcher.kill(watch.process)
        supervisor.close()


def submit(workspace: Workspace, *words: str, recipe: str = "classify") -> Job:
    return workspace.store.jobs.submit(recipe, list(words), by="ada")


def until(
    supervisor: Supervisor, job: Job, condition: Callable[[Job], object], seconds: float = 30
) -> Job:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        supervisor.tick()
        now = supervisor.store.jobs.get(job.id)
        if condition(now):
            return now
        time.sleep(0.02)
    raise AssertionError(f"it did not happen in time: {now}")


def ended(job: Job) -> bool:
    return job.state in ("done", "failed", "cancelled", "lost")


def kinds(workspace: Workspace, job: Job) -> list[str]:
    return [event.kind for event in workspace.store.jobs.events(job.id)]


def steps(workspace: Workspace, job: Job) -> list[int]:
    events = workspace.store.jobs.events(job.id, kinds=["progress"])
    return [event.body["step"] for event in events]


def test_a_job_runs_to_its_end_and_its_run_has_weights_and_numbers(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    job = submit(workspace, "--steps", "4")
    done = until(supervise(), job, ended)
    assert (done.state, done.error, done.exit_code) == ("done", None, 0)
    assert kinds(workspace, job) == ["attempt", "started", *["progress"] * 4, "finished"]
    assert steps(workspace, job) == [1, 2, 3, 4]
    run = workspace.store.runs.of_job(job.id)
    assert run is not None
    assert run.metrics == {"miou": 47.5}
    assert run.weights_path == "weights.safetensors"
    assert run.folder == done.run_folder == f"runs/{job.id:05d}-classify"
    assert (workspace.root / run.folder / run.weights_path).is_file()
    assert done.run_id == run.id


def test_the_exact_command_is_kept(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    job = submit(workspace, "--steps", "1")
    until(supervise(), job, ended)
    folder = workspace.runs / f"{job.id:05d}-classify"
    (attempt,) = workspace.store.jobs.events(job.id, kinds=["attempt"])
    wanted = f"{' '.join(FAKE)} classify --steps 1 --out {folder}"
    assert attempt.body == {"number": 1, "command": wanted}
    assert (folder / "log.txt").read_text().splitlines()[0] == f"$ {wanted}"


def test_jobs_run_one_after_the_other_in_their_order(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    first = submit(workspace, "--steps", "20")
    second = submit(workspace, "--steps", "1")
    supervisor = supervise()
    supervisor.tick()
    assert workspace.store.jobs.get(second.id).state == "queued"
    until(supervisor, second, ended)
    jobs = workspace.store.jobs
    assert jobs.get(first.id).finished_at <= jobs.get(second.id).started_at


def test_a_trainers_own_reason_becomes_the_jobs(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    job = until(supervise(), submit(workspace, "--end", "failed"), ended)
    assert (job.state, job.error) == ("failed", "The fake trainer was told to fail.")


def test_a_trainer_that_cannot_import_fails_with_the_last_line_of_its_log(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    job = until(supervise(), submit(workspace, "--end", "crash"), ended)
    assert job.state == "failed"
    assert job.error == (
        "The trainer ended with code 1: ModuleNotFoundError: No module named 'torch'"
    )


def test_ending_well_without_saying_so_is_a_failure(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    job = until(supervise(), submit(workspace, "--end", "silent"), ended)
    assert job.state == "failed"
    assert "without saying that it had finished" in str(job.error)


def test_a_trainer_that_is_not_there_fails_in_a_sentence(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    job = until(supervise(["/no/such/python"]), submit(workspace), ended)
    assert job.state == "failed"
    assert str(job.error).startswith("The trainer could not be started: /no/such/python")


def test_a_run_folder_that_cannot_be_made_fails_in_a_sentence(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    workspace.runs.rmdir()
    workspace.runs.write_text("in the way")
    job = until(supervise(), submit(workspace), ended)
    assert job.state == "failed"
    assert "cannot be written" in str(job.error)


def test_a_snapshot_that_is_gone_fails_in_a_sentence(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    digest = "ab" * 32
    with workspace.store.connections.write() as database:
        into = "INSERT INTO snapshots (digest, name, frozen_by, frozen_at, count)"
        database.execute(f"{into} VALUES (?, 'first', 'ada', 1.0, 3)", [digest])
    job = workspace.store.jobs.submit("classify", [], snapshot=digest, by="ada")
    job = until(supervise(), job, ended)
    assert job.state == "failed"
    assert "has no manifest" in str(job.error)


def test_cancelling_lets_the_trainer_save_and_resume_goes_on_there(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    supervisor = supervise()
    job = submit(workspace, "--steps", "40", "--pause", "0.03")
    until(supervisor, job, lambda now: now.progress.get("step", 0) >= 3)
    workspace.store.jobs.request_cancel(job.id)
    stopped = until(supervisor, job, ended)
    assert stopped.state == "cancelled"
    assert stopped.exit_code == 143
    assert stopped.error == "Resume goes on from its last checkpoint."
    assert steps(workspace, job)[-1] < 40
    assert kinds(workspace, job).count("stopping") == 1
    assert kinds(workspace, job)[-1] == "cancelled"

    again = resubmit(workspace.store, job.id)
    assert (again.id, again.state, again.run_folder) == (job.id, "queued", stopped.run_folder)
    done = until(supervisor, job, ended)
    assert (done.state, done.attempts) == ("done", 2)
    assert steps(workspace, job) == list(range(1, 41))
    attempts = workspace.store.jobs.events(job.id, kinds=["attempt"])
    assert [event.body["command"].endswith(" --resume") for event in attempts] == [False, True]


def test_a_deaf_trainer_is_ended_after_the_grace_period(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    supervisor = supervise(grace=0.3)
    job = submit(workspace, "--steps", "9999", "--end", "deaf")
    until(supervisor, job, lambda now: now.progress.get("step", 0) >= 2)
    workspace.store.jobs.request_cancel(job.id)
    stopped = until(supervisor, job, ended)
    assert stopped.state == "cancelled"
    assert stopped.exit_code == -9
    assert "did not stop in time" in str(stopped.error)


def test_a_waiting_job_is_cancelled_without_being_started(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    job = submit(workspace)
    workspace.store.jobs.request_cancel(job.id)
    supervise().tick()
    assert workspace.store.jobs.get(job.id).state == "cancelled"
    assert not list(workspace.runs.iterdir())


def test_a_killed_trainer_is_lost_and_can_be_resumed(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    supervisor = supervise()
    job = submit(workspace, "--steps", "30", "--pause", "0.03")
    running = until(supervisor, job, lambda now: now.progress.get("step", 0) >= 3)
    os.kill(running.pid, 9)
    lost = until(supervisor, job, ended)
    assert lost.state == "lost"
    assert str(lost.error).startswith("The trainer was ended by SIGKILL")
    assert str(lost.error).endswith("Resume goes on from its last checkpoint.")
    resubmit(workspace.store, job.id)
    done = until(supervisor, job, ended)
    assert done.state == "done"
    assert sorted(set(steps(workspace, job))) == list(range(1, 31))


def test_another_supervisor_adopts_a_live_run_and_takes_each_event_once(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    first = supervise()
    job = submit(workspace, "--steps", "40", "--pause", "0.03")
    running = until(first, job, lambda now: now.progress.get("step", 0) >= 3)
    second = supervise()
    second.tick()
    assert second.watches[job.id].process == first.watches[job.id].process
    done = until(second, job, ended)
    assert (done.state, done.attempts, done.pid) == ("done", 1, running.pid)
    assert steps(workspace, job) == list(range(1, 41))
    assert kinds(workspace, job).count("attempt") == 1


def test_a_run_that_finished_while_nobody_watched_is_done(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    first = supervise()
    job = submit(workspace, "--steps", "3")
    first.tick()
    process = first.watches[job.id].process
    assert process is not None
    while first.launcher.ended(process) is None:
        time.sleep(0.02)
    done = until(supervise(), job, ended)
    assert done.state == "done"
    assert done.exit_code is None


def test_a_run_that_died_while_nobody_watched_is_lost(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    first = supervise()
    job = submit(workspace, "--steps", "9999")
    running = until(first, job, lambda now: now.progress.get("step", 0) >= 2)
    os.kill(running.pid, 9)
    lost = until(supervise(), job, ended)
    assert lost.state == "lost"
    assert "without a last word" in str(lost.error)


def test_an_earlier_attempts_last_word_is_not_taken_for_this_ones(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    supervisor = supervise()
    job = submit(workspace, "--steps", "9999")
    until(supervisor, job, lambda now: now.progress.get("step", 0) >= 2)
    workspace.store.jobs.request_cancel(job.id)
    until(supervisor, job, ended)
    resubmit(workspace.store, job.id)
    again = supervise([sys.executable, "-c", "import time; time.sleep(60)"])
    running = until(again, job, lambda now: now.pid is not None)
    os.kill(running.pid, 9)
    lost = until(supervise(), job, ended)
    assert lost.state == "lost"
    assert "without a last word" in str(lost.error)


def test_a_trainer_started_by_one_who_died_before_noting_it_is_found(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    job = submit(workspace, "--steps", "40", "--pause", "0.03")
    claimed = workspace.store.jobs.claim("one who died")
    assert claimed is not None
    folder = workspace.runs / "00001-classify"
    workspace.store.jobs.update(job.id, run_folder="runs/00001-classify")
    process = LocalLauncher(FAKE).start(
        trainer_arguments("classify", claimed.arguments, folder), folder
    )
    while not (folder / "events.jsonl").exists():
        time.sleep(0.02)
    supervisor = supervise()
    done = until(supervisor, job, ended)
    assert (done.state, done.pid, done.attempts) == ("done", process.pid, 1)
    assert steps(workspace, job) == list(range(1, 41))
    assert kinds(workspace, job).count("attempt") == 1


def test_a_job_claimed_by_one_who_died_before_starting_it_is_run(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    job = submit(workspace, "--steps", "2")
    workspace.store.jobs.claim("one who died")
    done = until(supervise(), job, ended)
    assert (done.state, done.attempts) == ("done", 2)


def test_a_job_stopping_that_was_never_started_is_cancelled(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    job = submit(workspace)
    workspace.store.jobs.claim("one who died")
    workspace.store.jobs.request_cancel(job.id)
    assert until(supervise(), job, ended).state == "cancelled"


def test_a_hand_edited_events_file_neither_stops_the_run_nor_its_supervisor(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    supervisor = supervise()
    job = submit(workspace, "--steps", "30", "--pause", "0.03")
    until(supervisor, job, lambda now: now.progress.get("step", 0) >= 3)
    with (workspace.runs / "00001-classify" / "events.jsonl").open("ab") as file:
        file.write(b"\xff\x00 somebody's editor was here\n{}\n")
    done = until(supervisor, job, ended)
    assert done.state == "done"
    assert steps(workspace, job) == list(range(1, 31))
    (message,) = workspace.store.jobs.events(job.id, kinds=["message"])
    assert message.body["text"].startswith("2 lines")


def test_weights_that_a_run_claims_and_does_not_have_fail_it(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    code = (
        "import json, sys; folder = sys.argv[sys.argv.index('--out') + 1]\n"
        "line = {'seq': 0, 'time': 1.0, 'kind': 'finished', 'weights': '../../outside'}\n"
        "open(folder + '/events.jsonl', 'w').write(json.dumps(line) + chr(10))\n"
    )
    job = until(supervise([sys.executable, "-c", code]), submit(workspace), ended)
    assert job.state == "failed"
    assert "there is no such file" in str(job.error)


def test_what_a_complete_run_made_is_taken_in_without_running_it_again(
    workspace: Workspace, supervise: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("The disk is full.")

    job = submit(workspace, "--steps", "2")
    with monkeypatch.context() as patch:
        patch.setattr(type(workspace.store.runs), "finish", full)
        failed = until(supervise(), job, ended)
    assert failed.state == "failed"
    assert failed.error == "The run is complete, but not taken in: The disk is full."
    resubmit(workspace.store, job.id)
    done = until(supervise(["/no/such/python"]), job, ended)
    assert done.state == "done"
    run = workspace.store.runs.of_job(job.id)
    assert run is not None
    assert run.weights_path is not None


def test_a_store_that_refuses_for_a_while_costs_nothing(
    workspace: Workspace, supervise: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = supervise()
    job = submit(workspace, "--steps", "20", "--pause", "0.02")
    until(supervisor, job, lambda now: now.progress.get("step", 0) >= 2)

    def locked(*_: object, **__: object) -> None:
        raise StoreError("The database stayed locked.")

    with monkeypatch.context() as patch:
        for name in ("append_events", "update", "claim", "beat"):
            patch.setattr(type(workspace.store.jobs), name, locked)
        for _ in range(40):
            assert supervisor.tick()
            time.sleep(0.02)
    done = until(supervisor, job, ended)
    assert done.state == "done"
    assert steps(workspace, job) == list(range(1, 21))


@pytest.mark.parametrize("name", ["append_events", "update"])
def test_a_store_that_refuses_at_the_start_does_not_start_a_job_twice(
    name: str,
    workspace: Workspace,
    supervise: Callable[..., Supervisor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = submit(workspace, "--steps", "20", "--pause", "0.02")
    supervisor = supervise()

    def locked(*_: object, **__: object) -> None:
        raise StoreError("The database stayed locked.")

    with monkeypatch.context() as patch:
        patch.setattr(type(workspace.store.jobs), name, locked)
        supervisor.tick()
        supervisor.tick()
    done = until(supervisor, job, ended)
    assert done.state == "done"
    assert kinds(workspace, job).count("started") == 1


def test_resuming_what_is_not_over_is_refused(workspace: Workspace) -> None:
    job = submit(workspace)
    with pytest.raises(JobError, match="is queued"):
        resubmit(workspace.store, job.id)


def test_options_become_words(tmp_path: Path) -> None:
    words = trainer_arguments(
        "classify",
        {
            "preset": "light",
            "seed": 3,
            "learning_rate": 0.1,
            "fast": True,
            "slow": False,
            "x": None,
        },
        tmp_path,
        manifest=tmp_path / "manifest.json",
        resume=True,
    )
    assert words == [
        *("classify", "--data", str(tmp_path / "manifest.json"), "--preset", "light"),
        *("--seed", "3", "--learning-rate", "0.1", "--fast", "--no-slow"),
        *("--out", str(tmp_path), "--resume"),
    ]


@pytest.mark.parametrize("word", ["--out", "--out=/tmp", "--resume"])
def test_a_job_cannot_leave_its_run_folder(word: str, tmp_path: Path) -> None:
    with pytest.raises(JobError, match="run folder"):
        trainer_arguments("classify", [word], tmp_path)


def test_the_lock_is_one_workspaces_and_says_who_holds_it(tmp_path: Path) -> None:
    assert not held(tmp_path)
    lock, other = WorkspaceLock(tmp_path), WorkspaceLock(tmp_path)
    lock.take()
    assert held(tmp_path)
    with pytest.raises(JobError, match=rf"process {os.getpid()}\) already runs"):
        other.take()
    lock.release()
    assert not held(tmp_path)
    other.take()
    assert other.intact()
    other.path.unlink()
    assert not other.intact()
    other.release()


def test_a_supervisor_is_not_started_where_one_lives(tmp_path: Path) -> None:
    lock = WorkspaceLock(tmp_path)
    lock.take()
    assert ensure_supervisor(tmp_path) is False
    lock.release()


def test_idle_for_long_it_leaves(workspace: Workspace) -> None:
    from threading import Event

    seconds = iter(range(0, 100_000, 60))
    supervisor = Supervisor(workspace, LocalLauncher(FAKE), clock=lambda: float(next(seconds)))
    supervisor.run(Event(), pause=0.0, idle_exit=900.0)
    assert next(seconds) > 900
    supervisor.close()


def test_the_job_events_are_json_a_browser_can_read(
    workspace: Workspace, supervise: Callable[..., Supervisor]
) -> None:
    job = submit(workspace, "--steps", "1")
    until(supervise(), job, ended)
    for event in workspace.store.jobs.events(job.id):
        json.dumps(event.body, allow_nan=False)
