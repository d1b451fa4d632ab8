"""Jobs, their states and their events."""

import json
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.errors import JobError
from backend.store import ENDED, STATES, Store, create_store, open_store


def submit(store: Store, key: str | None = None, priority: int = 0) -> int:
    return store.jobs.submit("classify", ["--seed", "0"], by="ada", key=key, priority=priority).id


def test_a_job_comes_back_as_it_was_submitted(store: Store) -> None:
    job = store.jobs.submit("classify", {"preset": "light", "seed": 0}, by="ada", key="k")
    assert (job.state, job.recipe, job.submitted_by) == ("queued", "classify", "ada")
    assert job.arguments == {"preset": "light", "seed": 0}
    assert store.jobs.get(job.id) == job


def test_a_key_submits_once(store: Store) -> None:
    assert submit(store, "k") == submit(store, "k")
    assert submit(store) != submit(store)
    with pytest.raises(JobError, match="belongs to job 1"):
        store.jobs.submit("classify", ["--seed", "1"], by="ada", key="k")


def test_the_oldest_job_of_the_highest_priority_is_claimed(store: Store) -> None:
    low, high, high_too = submit(store), submit(store, priority=5), submit(store, priority=5)
    claimed = [store.jobs.claim("one") for _ in range(4)]
    assert [job.id if job else None for job in claimed] == [high, high_too, low, None]
    job = store.jobs.get(high)
    assert (job.state, job.supervisor, job.attempts) == ("running", "one", 1)
    assert job.started_at is not None


def test_two_supervisors_never_claim_the_same_job(store: Store) -> None:
    for _ in range(40):
        submit(store)
    claimed: list[int] = []

    def work(name: str) -> None:
        with open_store(store.path, store.files.root) as own:
            while job := own.jobs.claim(name):
                claimed.append(job.id)

    threads = [threading.Thread(target=work, args=(f"s{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == list(range(1, 41))


def brought_to(store: Store, state: str) -> int:
    """A new job in this state."""
    id = submit(store)
    if state == "queued":
        return id
    while (job := store.jobs.claim("s")) and job.id != id:
        pass
    if state == "stopping":
        store.jobs.request_cancel(id)
    elif state != "running":
        store.jobs.update(id, state=state)
    return id


@pytest.mark.parametrize("before", STATES)
def test_only_legal_states_follow(store: Store, before: str) -> None:
    for after in STATES:
        id = brought_to(store, before)
        if after == before or after in STATES[before]:
            assert store.jobs.update(id, state=after).state == after
        else:
            with pytest.raises(JobError, match=f"is {before} and cannot become {after}"):
                store.jobs.update(id, state=after)
            assert store.jobs.get(id).state == before


def test_an_end_is_dated_and_final(store: Store) -> None:
    id = brought_to(store, "running")
    assert store.jobs.get(id).finished_at is None
    done = store.jobs.update(id, state="done", exit_code=0)
    assert done.finished_at is not None
    assert done.exit_code == 0
    with pytest.raises(JobError):
        store.jobs.resume(id)


def test_cancelling_stops_what_runs_and_ends_what_waits(store: Store) -> None:
    assert store.jobs.request_cancel(brought_to(store, "queued")).state == "cancelled"
    running = brought_to(store, "running")
    stopping = store.jobs.request_cancel(running)
    assert stopping.state == "stopping"
    assert stopping.cancel_requested_at is not None
    assert store.jobs.request_cancel(running) == stopping
    done = brought_to(store, "done")
    assert store.jobs.request_cancel(done).state == "done"


@pytest.mark.parametrize("state", ["failed", "cancelled", "lost"])
def test_what_ended_badly_can_be_resumed(store: Store, state: str) -> None:
    id = brought_to(store, "running")
    store.jobs.update(id, run_folder=Path("runs/1"), pid=7)
    store.jobs.update(id, state=state, error="why")
    again = store.jobs.resume(id)
    assert (again.state, again.run_folder, again.pid) == ("queued", "runs/1", None)
    assert (again.error, again.finished_at) == (None, None)
    claimed = store.jobs.claim("s")
    assert claimed is not None
    assert (claimed.id, claimed.attempts) == (id, 2)


def test_unknown_fields_and_states_are_refused(store: Store) -> None:
    id = submit(store)
    with pytest.raises(JobError, match="recipe cannot be set"):
        store.jobs.update(id, recipe="oaa")
    with pytest.raises(JobError, match="no state of a job"):
        store.jobs.update(id, state="paused")
    with pytest.raises(JobError, match="no job 99"):
        store.jobs.update(99, pid=1)


def test_jobs_are_listed_newest_first(store: Store) -> None:
    ids = [brought_to(store, state) for state in ("running", "stopping", "done", "queued")]
    assert [job.id for job in store.jobs.all()] == ids[::-1]
    assert [job.id for job in store.jobs.all(2)] == ids[:1:-1]
    assert [job.id for job in store.jobs.all(states=ENDED)] == [ids[2]]
    assert [job.id for job in store.jobs.active()] == ids[:2]


def event(seq: int, kind: str = "message", **body: object) -> dict[str, object]:
    return {"seq": seq, "time": 10.0 + seq, "kind": kind, **body}


def test_events_come_back_in_order(store: Store) -> None:
    id = submit(store)
    told = [event(1, text="b"), event(0, "started"), event(2, "progress", step=3)]
    assert store.jobs.append_events(id, told) == 3
    events = store.jobs.events(id)
    assert [(each.seq, each.time, each.kind) for each in events] == [
        (0, 10.0, "started"),
        (1, 11.0, "message"),
        (2, 12.0, "progress"),
    ]
    assert events[1].body == {"text": "b"}
    assert [each.seq for each in store.jobs.events(id, 0, ("progress", "message"))] == [1, 2]
    assert [each.seq for each in store.jobs.events(id, limit=2)] == [0, 1]
    assert store.jobs.last_seq(id) == 2
    assert store.jobs.last_seq(submit(store)) == -1


def test_an_event_is_kept_once_and_never_changed(store: Store) -> None:
    id = submit(store)
    assert store.jobs.append_events(id, [event(0, text="first"), event(0, text="second")]) == 1
    assert store.jobs.append_events(id, [event(0, text="third"), event(1)]) == 1
    assert store.jobs.events(id)[0].body == {"text": "first"}


def test_events_progress_and_offset_are_stored_together(store: Store) -> None:
    id = submit(store)
    store.jobs.append_events(id, [event(0, "progress", step=1)], offset=50)
    job = store.jobs.get(id)
    assert (job.progress, job.events_offset) == ({"step": 1}, 50)
    with pytest.raises(JobError):
        store.jobs.append_events(id, [event(1, "progress", step=2), {"seq": 2}], offset=90)
    assert store.jobs.get(id) == job
    assert store.jobs.last_seq(id) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"seq": "0", "time": 0.0, "kind": "x"},
        {"seq": -1, "time": 0.0, "kind": "x"},
        {"seq": True, "time": 0.0, "kind": "x"},
        {"seq": 0, "time": None, "kind": "x"},
        {"seq": 0, "time": 0.0, "kind": 5},
        {"seq": 0, "time": 0.0, "kind": "x", "loss": float("nan")},
        {"seq": 0, "time": 10**400, "kind": "x"},
    ],
)
def test_what_is_no_event_is_refused(store: Store, wrong: dict[str, object]) -> None:
    id = submit(store)
    with pytest.raises(JobError, match="is not one"):
        store.jobs.append_events(id, [wrong])
    assert store.jobs.events(id) == []


def test_events_belong_to_a_job(store: Store) -> None:
    with pytest.raises(JobError, match="no job 99"):
        store.jobs.append_events(99, [event(0)])


@settings(max_examples=20, deadline=None)
@given(batches=st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=8))
def test_however_events_are_repeated_each_is_there_once(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]]
) -> None:
    folder = tmp_path_factory.mktemp("events")
    with create_store(folder / "tagmask.db", folder / "files") as store:
        id = submit(store)
        new = [
            store.jobs.append_events(id, [event(seq, text=str(seq)) for seq in batch])
            for batch in batches
        ]
        wanted = sorted({seq for batch in batches for seq in batch})
        assert [each.seq for each in store.jobs.events(id)] == wanted
        assert all(each.body == {"text": str(each.seq)} for each in store.jobs.events(id))
        assert sum(new) == len(wanted)


def test_the_supervisor_heard_from_last_is_known(store: Store) -> None:
    assert store.jobs.last_supervisor() is None
    store.jobs.beat("one", "here", 10)
    store.jobs.beat("two", "here", 20)
    store.jobs.beat("one", "here", 10)
    seen = store.jobs.last_supervisor()
    assert seen is not None
    assert (seen.id, seen.pid) == ("one", 10)
    assert seen.started_at <= seen.heartbeat_at


def test_arguments_are_kept_as_json(store: Store) -> None:
    arguments = ["--weights", "ä ö", "--seed", "7"]
    id = store.jobs.submit("oaa", arguments, by="ada").id
    with store.connections.read() as database:
        row = database.execute("SELECT arguments FROM jobs WHERE id = ?", [id]).fetchone()
    assert json.loads(row[0]) == arguments == store.jobs.get(id).arguments
