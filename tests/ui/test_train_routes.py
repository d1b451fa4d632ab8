"""The Train tab's routes, with a real supervisor and trainers that speak and do not train."""

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.store import Job
from backend.supervisor import held
from backend.supervisor.lock import WorkspaceLock
from backend.workspace import Workspace
from ui.job_view import MOST_LOG, tail

HEADERS = {"X-Tagmask": "1", "Origin": "http://testserver"}
FAKE = shlex.join([sys.executable, str(Path(__file__).resolve().parents[1] / "fake_trainer.py")])


@pytest.fixture
def client(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The web application; the supervisor it starts is ended with it."""
    from ui.server import build_app

    monkeypatch.setenv("TAGMASK_TRAINER", FAKE)
    with TestClient(build_app(workspace), headers=HEADERS) as test_client:
        yield test_client
    if held(workspace.root):
        os.kill(int((workspace.root / "supervisor.lock").read_text()), signal.SIGTERM)
        wait_for(lambda: not held(workspace.root))


@pytest.fixture
def idle(workspace: Workspace) -> Iterator[None]:
    """Keeps supervisors away: jobs stay as the test left them."""
    lock = WorkspaceLock(workspace.root)
    lock.take()
    yield
    lock.release()


def wait_for(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def accept(workspace: Workspace) -> None:
    row = workspace.store.candidates.queue(order="newest", verdict="all").rows[0]
    workspace.store.decisions.record(
        row.id, row.digest, "accept", reviewer="ada", session="s", client_time=1.0, action_id="a1"
    )


def order(**more: Any) -> dict[str, Any]:
    return {"recipe": "classify", "data": "tagged", "reviewer": "ada", **more}


def submit(client: TestClient, **more: Any) -> int:
    answer = client.post("/tagmask/api/train/submit", json=order(**more))
    assert answer.status_code == 200, answer.text
    return answer.json()["job"]


def news(client: TestClient, **query: Any) -> dict[str, Any]:
    return client.get("/tagmask/api/train/jobs", params=query).json()


def until_over(client: TestClient, job: int) -> dict[str, Any]:
    def row() -> dict[str, Any] | None:
        (found,) = [one for one in news(client)["jobs"] if one["id"] == job]
        return found if found["state"] in ("done", "failed", "cancelled", "lost") else None

    return wait_for(row)


def test_what_can_be_trained_is_told(client: TestClient, workspace: Workspace) -> None:
    accept(workspace)
    setup = client.get("/tagmask/api/train/setup").json()
    assert list(setup["recipes"]) == ["classify", "labels"]
    assert setup["trouble"] is None
    assert (setup["images"], setup["tagged"], setup["accepted"], setup["fixed"]) == (3, 3, 1, 0)
    assert setup["snapshots"] == []
    assert setup["preset"] == "scenes"


def test_a_broken_trainer_is_told_in_a_sentence(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ui.server import build_app

    monkeypatch.setenv("TAGMASK_TRAINER", f"{sys.executable} -c 'import no_such_module'")
    with TestClient(build_app(workspace), headers=HEADERS) as client:
        setup = client.get("/tagmask/api/train/setup").json()
        assert setup["recipes"] == {}
        assert "No module named 'no_such_module'" in setup["trouble"]
        answer = client.post("/tagmask/api/train/submit", json=order())
        assert answer.status_code == 400
        assert "could not describe" in answer.json()["error"]


def test_the_accepted_set_is_frozen_and_can_be_trained_on(
    client: TestClient, workspace: Workspace, idle: None
) -> None:
    accept(workspace)
    body = {"name": "Accepted 1", "reviewer": "ada"}
    frozen = client.post("/tagmask/api/train/freeze", json=body).json()
    assert (frozen["name"], frozen["count"], frozen["new"]) == ("Accepted 1", 1, True)
    again = client.post("/tagmask/api/train/freeze", json=body | {"name": "Accepted 2"}).json()
    assert (again["digest"], again["name"], again["new"]) == (frozen["digest"], "Accepted 1", False)
    job = workspace.store.jobs.get(submit(client, data=frozen["digest"]))
    assert (job.snapshot, job.submitted_by) == (frozen["digest"], "ada")


def test_nothing_accepted_cannot_be_frozen(client: TestClient) -> None:
    answer = client.post("/tagmask/api/train/freeze", json={"name": "Accepted 1"})
    assert answer.status_code == 409
    assert "Accept some candidates" in answer.json()["error"]


def test_all_tagged_images_are_frozen_when_a_run_is_queued(
    client: TestClient, workspace: Workspace, idle: None
) -> None:
    job = workspace.store.jobs.get(submit(client))
    assert job.snapshot is not None
    manifest = json.loads(workspace.store.snapshots.get(job.snapshot).path.read_text())
    assert [item["image"] for item in manifest["items"]] == ["image0", "image1", "image2"]
    assert [item["tags"] for item in manifest["items"]] == [[1], [2], [1]]


def test_the_command_line_shown_is_the_one_that_runs(
    client: TestClient, workspace: Workspace
) -> None:
    options = {"preset": "light", "steps": "3"}
    wanted = json.dumps(order(options=options))
    shown = client.get("/tagmask/api/train/command", params={"order": wanted}).json()["command"]
    job = submit(client, options=options)
    until_over(client, job)
    ran = news(client, job=job)["job"]["told"][0]["command"]
    snapshot = workspace.store.jobs.get(job).snapshot
    assert ran == shown.replace("ALL-TAGGED-IMAGES", str(snapshot)).replace("NUMBER", "00001")


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (order(options={"steps": "many"}), "--steps is 'many'; it takes a whole number."),
        (order(options={"colour": "red"}), "classify has no option 'colour'"),
        (order(options={"end": "--out=/etc"}), "a value cannot begin with a dash"),
        (order(options={"weights": "--out=/etc"}), "There are no weights '--out=/etc' here"),
        (order(options={"weights": "run:x"}), "There are no weights 'run:x' here"),
        (order(recipe="scenes"), "'scenes' cannot be run here"),
        (order(recipe="labels"), "Choose the weights"),
        (order(options={"end": "refused"}), "This order is refused."),
    ],
)
def test_an_order_that_cannot_be_run_is_refused_in_a_sentence(
    client: TestClient, workspace: Workspace, wanted: dict[str, Any], reason: str
) -> None:
    for answer in (
        client.post("/tagmask/api/train/submit", json=wanted),
        client.get("/tagmask/api/train/command", params={"order": json.dumps(wanted)}),
    ):
        assert answer.status_code == 400
        assert reason in answer.json()["error"]
    assert workspace.store.jobs.all() == []
    assert workspace.store.snapshots.all() == []


def test_no_command_is_shown_for_a_snapshot_that_is_none(client: TestClient) -> None:
    wanted = json.dumps(order(data="/etc"))
    answer = client.get("/tagmask/api/train/command", params={"order": wanted})
    assert answer.status_code == 409
    assert "/manifest.json" not in answer.text


@pytest.mark.parametrize("garbage", ["", "{", "[]", '{"recipe": 1}'])
def test_an_order_that_is_none_is_refused_in_a_sentence(client: TestClient, garbage: str) -> None:
    answer = client.get("/tagmask/api/train/command", params={"order": garbage})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("The order cannot be read")


def test_weights_of_a_run_are_named_by_their_path(
    client: TestClient, workspace: Workspace, idle: None
) -> None:
    run = workspace.store.runs.add("first", "classify", "runs/00001-classify")
    workspace.store.runs.finish(run, {}, "weights.safetensors")
    job = submit(client, recipe="labels", options={"weights": f"run:{run}"})
    path = workspace.root / "runs" / "00001-classify" / "weights.safetensors"
    assert workspace.store.jobs.get(job).arguments == ["--weights", str(path)]


def test_pressing_twice_queues_once(client: TestClient, workspace: Workspace, idle: None) -> None:
    assert submit(client, key="k") == submit(client, key="k")
    assert len(workspace.store.jobs.all()) == 1


def test_a_run_is_started_followed_and_done(client: TestClient, workspace: Workspace) -> None:
    job = submit(client, options={"steps": 30, "pause": 0.02})
    after, log, steps, text = -1, -1, [], ""
    while True:
        answer = news(client, job=job, after=after, log=log)
        one = answer["job"]
        at = one["columns"].index("step")
        steps += [row[at] for row in one["points"]]
        after = one["after"]
        if one["log"]:
            text += one["log"]["text"]
            log = one["log"]["end"]
        (row,) = answer["jobs"]
        if row["state"] == "done":
            break
        time.sleep(0.05)
    rest = news(client, job=job, after=after)["job"]
    steps += [each[at] for each in rest["points"]]
    assert steps == list(range(1, 31))
    assert "the fake trainer starts at step 0" in text
    assert row["result"] == ["miou", 47.5]
    assert rest["run"]["weights"] == "run:1"


def test_a_run_is_cancelled_and_resumed(client: TestClient) -> None:
    job = submit(client, options={"steps": 200, "pause": 0.02})
    wait_for(lambda: news(client)["jobs"][0]["progress"].get("step", 0) > 3)
    cancelled = client.post("/tagmask/api/train/cancel", json={"job": job}).json()
    assert cancelled["state"] == "stopping"
    over = until_over(client, job)
    assert over["state"] == "cancelled"
    assert news(client, job=job)["job"]["checkpoint"] is True
    assert client.post("/tagmask/api/train/resume", json={"job": job}).json()["state"] == "queued"
    wait_for(lambda: news(client)["jobs"][0]["attempts"] == 2)
    client.post("/tagmask/api/train/cancel", json={"job": job})
    until_over(client, job)


@pytest.mark.parametrize("action", ["cancel", "resume"])
def test_a_job_that_is_not_there_is_a_sentence(client: TestClient, action: str) -> None:
    answer = client.post(f"/tagmask/api/train/{action}", json={"job": 7})
    assert answer.status_code == 400
    assert "There is no job 7" in answer.json()["error"]


def test_a_done_run_cannot_be_resumed(client: TestClient) -> None:
    job = submit(client, options={"steps": 1})
    until_over(client, job)
    answer = client.post("/tagmask/api/train/resume", json={"job": job})
    assert answer.status_code == 400
    assert "is done" in answer.json()["error"]


def test_the_list_is_sent_only_when_it_changed(
    client: TestClient, workspace: Workspace, idle: None
) -> None:
    submit(client)
    first = news(client)
    assert len(first["jobs"]) == 1
    assert news(client, rev=first["rev"])["jobs"] is None
    workspace.store.jobs.request_cancel(1)
    assert news(client, rev=first["rev"])["jobs"][0]["state"] == "cancelled"


def test_a_long_curve_comes_in_pieces_without_gap_or_overlap(
    client: TestClient, workspace: Workspace, idle: None
) -> None:
    job = running(workspace)
    events = [
        {"seq": n, "time": 1.0, "kind": "progress", "step": n, "loss": {"total": 1.0, "edge": 2.0}}
        for n in range(1200)
    ]
    workspace.store.jobs.append_events(job.id, events, offset=0)
    steps: list[int] = []
    after, more = -1, True
    while more:
        one = news(client, job=job.id, after=after)["job"]
        at = {name: place for place, name in enumerate(one["columns"])}
        assert all(row[at["total"]] == 1.0 and row[at["edge"]] == 2.0 for row in one["points"])
        steps += [row[at["step"]] for row in one["points"]]
        after, more = one["after"], one["more"]
    assert steps == list(range(1200))


def test_counting_images_is_not_taken_for_a_step(
    client: TestClient, workspace: Workspace, idle: None
) -> None:
    job = running(workspace)
    event = {"seq": 0, "time": 1.0, "kind": "progress", "step": 1, "steps": 9, "stage": "maps"}
    workspace.store.jobs.append_events(job.id, [event], offset=0)
    answer = news(client, job=job.id)
    assert answer["job"]["points"] == []
    assert answer["jobs"][0]["progress"] == {"stage": "maps", "step": 1, "steps": 9}


def filmed(workspace: Workspace) -> tuple[Job, Path]:
    """A running job whose run folder holds a film, beside files that are nobody's business."""
    job = running(workspace)
    folder = workspace.root / "runs" / "00001-classify"
    (folder / "film").mkdir(parents=True)
    workspace.store.jobs.update(job.id, run_folder="runs/00001-classify")
    (folder / "film" / "photographs.jpg").write_bytes(b"photographs")
    (folder / "film" / "00000100.png").write_bytes(b"frame")
    (folder / "film" / "notes.png").write_bytes(b"not a frame")
    (folder / "weights.png").write_bytes(b"outside the film")
    (folder / "config.json").write_text("{}")
    (folder / "film" / "00000666.png").symlink_to(folder / "config.json")
    return workspace.store.jobs.get(job.id), folder


def test_a_films_files_are_served_as_pictures(
    client: TestClient, workspace: Workspace, idle: None
) -> None:
    job, _ = filmed(workspace)
    for name, content, media in (
        ("photographs.jpg", b"photographs", "image/jpeg"),
        ("00000100.png", b"frame", "image/png"),
    ):
        answer = client.get(f"/tagmask/api/train/film/{job.id}/{name}")
        assert answer.status_code == 200
        assert answer.content == content
        assert answer.headers["content-type"] == media
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_nothing_else_of_a_run_is_served(
    client: TestClient, workspace: Workspace, idle: None
) -> None:
    job, _ = filmed(workspace)
    names = ("00000200.png", "notes.png", "00000100.PNG", "00000666.png", "config.json", "", ".")
    escapes = ("00000100.png%00", "00000100.png%0A", "..%5Cweights.png", "%2Fetc%2Fpasswd")
    climbs = ("../weights.png", "..%2Fweights.png", "%2E%2E%2Fconfig.json", "film%2F00000100.png")
    for name in (*names, *escapes, *climbs):
        answer = client.get(f"/tagmask/api/train/film/{job.id}/{name}")
        assert answer.status_code == 404, name
        assert answer.headers["content-type"] == "application/json", name


def test_a_film_folder_that_is_a_link_is_not_followed(
    client: TestClient, workspace: Workspace, idle: None, tmp_path: Path
) -> None:
    job, folder = filmed(workspace)
    (folder / "film").rename(tmp_path / "elsewhere")
    (folder / "film").symlink_to(tmp_path / "elsewhere")
    assert client.get(f"/tagmask/api/train/film/{job.id}/00000100.png").status_code == 404


def test_the_film_of_a_job_that_is_not_there_or_not_begun_is_a_sentence(
    client: TestClient, workspace: Workspace, idle: None
) -> None:
    job = running(workspace)
    waiting = client.get(f"/tagmask/api/train/film/{job.id}/photographs.jpg")
    assert waiting.status_code == 404
    assert f"Job {job.id} has no film file of this name" in waiting.json()["error"]
    absent = client.get("/tagmask/api/train/film/77/photographs.jpg")
    assert absent.status_code == 400
    assert "There is no job 77" in absent.json()["error"]


def test_frames_and_validations_come_once_beside_the_points(
    client: TestClient, workspace: Workspace, idle: None
) -> None:
    job = running(workspace)
    place = {"image": "image0", "tag": "cat", "left": 0, "width": 96}
    seen = {"tag_accuracy": 0.75, "images": 8, "miou": 41.5, "threshold": 0.3, "looked_at": 6}
    events = [
        {"seq": 0, "time": 1.0, "kind": "progress", "step": 9, "loss": {"total": 1.0, "b": 0.5}},
        {"seq": 1, "time": 2.0, "kind": "validation", "step": 10, **seen},
        {"seq": 2, "time": 3.0, "kind": "film", "step": 10, "file": "film/00000010.png",
         "frame": [place]},
    ]  # fmt: skip
    workspace.store.jobs.append_events(job.id, events, offset=0)
    one = news(client, job=job.id)["job"]
    assert one["film"] == [
        {"seq": 2, "time": 3.0, "step": 10, "file": "film/00000010.png", "frame": [place]}
    ]
    assert one["told"] == [{"seq": 1, "time": 2.0, "kind": "validation", "step": 10, **seen}]
    assert set(one["columns"][-2:]) == {"total", "b"}
    later = news(client, job=job.id, after=one["after"])["job"]
    assert (later["film"], later["told"], later["points"]) == ([], [], [])


def running(workspace: Workspace) -> Job:
    workspace.store.jobs.submit("classify", [], by="ada")
    job = workspace.store.jobs.claim("test")
    assert job is not None
    return job


def test_a_waiting_job_without_a_supervisor_gets_one(
    client: TestClient, workspace: Workspace
) -> None:
    workspace.store.jobs.submit("classify", ["--steps", "1"], by="ada")
    assert until_over(client, 1)["state"] == "done"


def test_a_read_only_workspace_starts_nothing(workspace: Workspace) -> None:
    from ui.server import build_app

    workspace.store.jobs.submit("classify", [], by="ada")
    with TestClient(build_app(workspace, read_only=True), headers=HEADERS) as client:
        assert news(client)["supervisor"] is False
        assert client.post("/tagmask/api/train/submit", json=order()).status_code == 403
    assert not (workspace.root / "supervisor.lock").exists()


def test_another_sites_page_cannot_start_anything(client: TestClient, workspace: Workspace) -> None:
    elsewhere = {"Origin": "http://elsewhere.example"}
    assert (
        client.post("/tagmask/api/train/submit", json=order(), headers=elsewhere).status_code == 403
    )
    assert workspace.store.jobs.all() == []


def test_the_end_of_a_log_is_bounded_and_then_only_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    assert tail(path, -1) is None
    path.write_bytes(b"".join(b"line %05d\n" % n for n in range(10_000)))
    first = tail(path, -1)
    assert first is not None
    assert first["fresh"]
    assert first["cut"]
    assert len(first["text"]) <= MOST_LOG
    assert first["text"].startswith("line ")
    assert first["text"].endswith("line 09999\n")
    assert tail(path, first["end"]) is None
    with path.open("ab") as file:
        file.write("naïve".encode()[:3])
    second = tail(path, first["end"])
    assert second is not None
    assert (second["text"], second["fresh"]) == ("na", False)
    with path.open("ab") as file:
        file.write("naïve\n".encode()[3:])
    third = tail(path, second["end"])
    assert third is not None
    assert third["text"] == "ïve\n"


def test_a_log_that_became_shorter_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("short\n")
    again = tail(path, 500)
    assert again == {"text": "short\n", "fresh": True, "end": 6, "cut": False}
