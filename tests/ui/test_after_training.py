"""From a run of SAL on: its policy counted before, and after it scores and candidates."""

import json
import shutil
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from backend.intake.scores import RECIPE
from backend.labels import encode_labels, read_labels
from backend.store import Job
from backend.workspace import Workspace
from training.run import write_config

API = "/tagmask/api/train/"


def finished(workspace: Workspace, recipe: str, settings: dict, *, job: bool = True) -> Path:
    """The folder of a finished run, with its job's number in its name."""
    store = workspace.store
    made = store.jobs.submit(recipe, ["--from", "before"], by="ada") if job else None
    number = made.id if made else 99
    name = f"runs/{number}-{recipe}"
    folder = workspace.root / name
    folder.mkdir(parents=True)
    write_config(folder, {"recipe": recipe, "settings": settings})
    end = {"seq": 0, "time": 1.0, "kind": "finished", "metrics": {}}
    (folder / "events.jsonl").write_text(json.dumps(end) + "\n")
    run = store.runs.add(f"{recipe} {number}", recipe, name, {}, number if job else None)
    store.runs.finish(run, {}, None)
    if made:
        store.jobs.update(number, state="running")
        store.jobs.update(number, state="done", run_id=run, run_folder=name)
    return folder


@pytest.fixture
def labelled(workspace: Workspace) -> Path:
    """A finished run of sal (job 1, run 1) that labelled every image, each mask mirrored."""
    folder = finished(workspace, "sal", {})
    (folder / "labels").mkdir()
    for row in workspace.store.candidates.queue("name").rows:
        mask = read_labels(workspace.store.files.path(row.digest))[:, ::-1]
        (folder / "labels" / f"{row.image_name}.png").write_bytes(encode_labels(mask.copy()))
    return folder


@pytest.fixture
def no_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs wait: what they are is looked at, they are not run."""
    monkeypatch.setattr("ui.routes.train.ensure_supervisor", lambda root: None)


def order(data: str, **options: object) -> dict[str, str]:
    return {"order": json.dumps({"recipe": "sal", "data": data, "options": options})}


def test_the_rules_of_a_policy_are_counted_before_training(
    client: TestClient, workspace: Workspace
) -> None:
    store = workspace.store
    rows = store.candidates.queue("name").rows
    store.candidates.rescore([(rows[0].id, {"SF": 0.7}), (rows[1].id, {"SF": 0.2})], None)
    store.decisions.record(
        rows[2].id, rows[2].digest, "accept", reviewer="ada", session="s", action_id="a"
    )
    frozen = client.post(
        f"{API}freeze", json={"name": "All", "reviewer": "ada", "with_undecided": True}
    ).json()
    asked = order(frozen["digest"], preset="scenes", tau=0.5)
    told = client.get(f"{API}preview", params=asked).json()
    assert {row["rule"]: row["images"] for row in told["rules"]} == {
        "accepted": 1,
        "above": 1,
        "below": 1,
    }
    assert (told["weight"], told["images"], told["tau"]) == (2, 3, 0.5)
    only = client.get(
        f"{API}preview", params=order(frozen["digest"], preset="scenes", policy="accepted-only")
    ).json()
    assert {row["rule"]: row["images"] for row in only["rules"]} == {"accepted": 1, "undecided": 2}
    # The trainer's own sentence where it would refuse.
    keep = order(frozen["digest"], preset="scenes", keep=1, tau=0.5)
    refused = client.get(f"{API}preview", params=keep)
    assert refused.status_code == 400
    assert "--keep 1 finds tau by itself" in refused.json()["error"]


def test_only_a_snapshot_can_be_counted(client: TestClient) -> None:
    answer = client.get(f"{API}preview", params=order("tagged"))
    assert answer.status_code == 400
    assert "Choose a snapshot" in answer.json()["error"]


def test_policies_come_with_their_sentence(client: TestClient) -> None:
    setup = client.get(f"{API}setup").json()
    (policy,) = (o for o in setup["recipes"]["sal"]["options"] if o["name"] == "policy")
    assert list(setup["policies"]) == policy["choices"]
    assert all(sentence.endswith(".") for sentence in setup["policies"].values())
    assert setup["recipes"]["sal"]["previews"]


def test_new_candidates_stand_beside_the_old(
    client: TestClient, workspace: Workspace, labelled: Path
) -> None:
    before = workspace.store.candidates.count()
    said = client.post(f"{API}offer", json={"job": 1}).json()["said"]
    assert said == ["New candidates for review: 3."]
    assert workspace.store.candidates.count() == before + 3
    again = client.post(f"{API}offer", json={"job": 1}).json()["said"]
    assert again == ["New candidates for review: 0, 3 known already."]


def test_a_run_without_labels_is_refused(client: TestClient, workspace: Workspace) -> None:
    finished(workspace, "scorer", {})
    for path in ("offer", "score"):
        answer = client.post(f"{API}{path}", json={"job": 1})
        assert answer.status_code == 400
        assert "made no label maps" in answer.json()["error"]


def test_scoring_again_is_done_as_it_was_done_last(
    client: TestClient, workspace: Workspace, labelled: Path, no_supervisor: None
) -> None:
    store = workspace.store
    words = ["--crf", "none", "--from", "elsewhere", "--form", "printed"]
    last = store.jobs.submit(RECIPE, words, by="ada")
    for state in ("running", "done"):
        store.jobs.update(last.id, state=state)
    answer = client.post(f"{API}score", json={"job": 1, "reviewer": "bob"})
    assert answer.status_code == 200, answer.text
    queued: Job = store.jobs.get(answer.json()["job"])
    assert (queued.recipe, queued.submitted_by, queued.state) == (RECIPE, "bob", "queued")
    assert queued.arguments == ["--from", str(labelled), "--crf", "none", "--form", "printed"]
    assert store.snapshots.get(queued.snapshot).count == 3


def test_the_first_scoring_takes_what_is_there(
    client: TestClient, workspace: Workspace, labelled: Path, no_supervisor: None
) -> None:
    answer = client.post(f"{API}score", json={"job": 1})
    assert answer.status_code == 200, answer.text
    queued = workspace.store.jobs.get(answer.json()["job"])
    assert queued.arguments[:2] == ["--from", str(labelled)]
    assert set(queued.arguments[2:3]) <= {"--scorer"}


def test_scoring_again_is_refused_where_the_scorer_is_gone(
    client: TestClient, workspace: Workspace, labelled: Path, no_supervisor: None
) -> None:
    store = workspace.store
    gone = workspace.root / "runs" / "gone" / "weights.safetensors"
    last = store.jobs.submit(RECIPE, ["--from", "x", "--scorer", str(gone)], by="ada")
    for state in ("running", "done"):
        store.jobs.update(last.id, state=state)
    answer = client.post(f"{API}score", json={"job": 1})
    assert answer.status_code == 400
    assert f"The mask scorer of the last scoring ({gone}) is gone" in answer.json()["error"]
    assert len(store.jobs.all(10)) == 2


def test_runs_whose_folders_are_gone_are_offered_no_more(
    client: TestClient, workspace: Workspace, labelled: Path
) -> None:
    folder = finished(workspace, RECIPE, {"from_": str(labelled)}, job=False)
    (folder / "scores.jsonl").write_text("")
    setup = client.get(f"{API}setup").json()
    assert [each["id"] for each in setup["scored"]] == ["run:2"]
    assert [each["id"] for each in setup["labelled"]] == ["run:1"]
    for gone in (folder, labelled):
        shutil.rmtree(gone)
    setup = client.get(f"{API}setup").json()
    assert (setup["scored"], setup["labelled"]) == ([], [])
    options = {"preset": "scenes", "scores": "run:2"}
    answer = client.get(f"{API}command", params=order("tagged", **options))
    assert "is gone; choose other scores" in answer.json()["error"]


def test_a_recipe_without_a_policy_has_nothing_to_count(client: TestClient) -> None:
    wanted = json.dumps({"recipe": "classify", "data": "tagged", "options": {}})
    answer = client.get(f"{API}preview", params={"order": wanted})
    assert answer.status_code == 400
    said = answer.json()["error"]
    assert "goes by no policy, so there is nothing to count" in said
    assert "--dry-run" not in said


def test_scores_and_labels_are_chosen_by_the_names_of_their_runs(
    client: TestClient, workspace: Workspace, labelled: Path
) -> None:
    folder = finished(workspace, RECIPE, {"from_": str(labelled)}, job=False)
    (folder / "scores.jsonl").write_text("")
    setup = client.get(f"{API}setup").json()
    assert setup["scored"] == [{"id": "run:2", "title": "score 99: of sal 1", "of": "run:1"}]
    options = {"preset": "scenes", "from_": "run:1", "scores": "run:2"}
    line = client.get(f"{API}command", params=order("tagged", **options)).json()["command"]
    assert f"--from {labelled}" in line
    assert f"--scores {folder}" in line
    two = {"recipe": "scorer", "data": "tagged", "options": {"from_": "run:1,run:1"}}
    said = client.get(f"{API}command", params={"order": json.dumps(two)}).json()["command"]
    assert said.count(f"--from {labelled}") == 2


@pytest.mark.parametrize(
    ("recipe", "options", "sentence"),
    [
        ("score", {}, "Choose the run whose label maps"),
        ("score", {"from_": "run:77"}, "There is no"),
        ("score", {"from_": "/etc"}, "There is no finished run"),
        ("score", {"from_": "run:1", "scorer": "/etc/passwd"}, "There is no mask scorer"),
        ("scorer", {"from_": "run:1,../.."}, "There is no finished run"),
        ("sal", {"from_": "run:1", "scores": "/etc"}, "There are no scores"),
        ("sal", {"from_": "run:1", "scores": "run:1"}, "There are no scores"),
    ],
)
def test_what_is_not_there_is_refused_in_a_sentence(
    client: TestClient, labelled: Path, recipe: str, options: dict, sentence: str
) -> None:
    wanted = {"recipe": recipe, "data": "tagged", "options": options}
    answer = client.get(f"{API}command", params={"order": json.dumps(wanted)})
    assert 400 <= answer.status_code < 500
    assert sentence in answer.json()["error"]
