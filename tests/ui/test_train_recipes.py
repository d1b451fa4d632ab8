"""What the Train tab can start with the real trainer, and a run that stands on another."""

import json

import pytest
from fastapi.testclient import TestClient

from backend.networks import TORCHVISION
from backend.networks.deeplab import DeepLab
from backend.weights import WeightsCard, save
from backend.workspace import Workspace
from training.recipes import find_recipe, recipe_names
from training.run import write_config


def command(client: TestClient, **options: object) -> tuple[int, str]:
    """The status and the command line, or the sentence, of an order for OAA+."""
    order = {"recipe": "oaaplus", "data": "tagged", "options": {"preset": "scenes", **options}}
    answer = client.get("/tagmask/api/train/command", params={"order": json.dumps(order)})
    return answer.status_code, answer.json().get("command") or answer.text


@pytest.fixture
def oaa(workspace: Workspace) -> int:
    """A finished run of oaa, without its maps."""
    folder = workspace.root / "runs" / "1-oaa"
    folder.mkdir(parents=True)
    write_config(folder, {"recipe": "oaa", "settings": {}})
    end = {"seq": 0, "time": 1.0, "kind": "finished", "metrics": {}}
    (folder / "events.jsonl").write_text(json.dumps(end) + "\n")
    run = workspace.store.runs.add("oaa 1", "oaa", "runs/1-oaa", {}, None)
    workspace.store.runs.finish(run, {}, None)
    return run


def test_every_recipe_that_learns_or_labels_can_be_started(client: TestClient) -> None:
    offered = set(client.get("/tagmask/api/train/setup").json()["recipes"])
    recipes = {name for name in recipe_names() if find_recipe(name).makes != ("data",)}
    assert offered == {*recipes, "pipeline"}


def test_a_run_that_stands_on_another_gets_its_folder(
    client: TestClient, workspace: Workspace, oaa: int
) -> None:
    status, line = command(client, from_=f"run:{oaa}")
    assert status == 200
    assert f"--from {workspace.root / 'runs' / '1-oaa'}" in line


def test_a_run_of_another_recipe_is_refused_before_it_is_queued(
    client: TestClient, workspace: Workspace, oaa: int
) -> None:
    folder = workspace.root / "runs" / "1-oaa"
    write_config(folder, {"recipe": "seenet", "settings": {}})
    status, said = command(client, from_=f"run:{oaa}")
    assert status == 400
    assert "is a run of 'seenet'; oaaplus learns from the maps of a run of the recipe oaa" in said


@pytest.mark.parametrize("given", ["", "run:999", "run:x", "/etc", "shipped:scenes-slim"])
def test_a_run_that_is_not_there_is_refused_in_a_sentence(
    client: TestClient, oaa: int, given: str
) -> None:
    status, said = command(client, from_=given)
    assert 400 <= status < 500
    # This one left no weights, so it is none that could be chosen.
    assert "there is none yet" in said or "There is no" in said


@pytest.mark.parametrize(
    "path",
    [
        "film/99999999999999999999/photographs.jpg",
        "jobs?job=99999999999999999999",
        "jobs?job=1&after=99999999999999999999",
        "jobs?job=1&log=-99999999999999999999",
    ],
)
def test_numbers_beyond_what_a_database_keeps_are_refused(client: TestClient, path: str) -> None:
    assert 400 <= client.get(f"/tagmask/api/train/{path}").status_code < 500


def segment(client: TestClient, **options: object) -> tuple[int, str]:
    """The status and the command line, or the sentence, of an order for a segmenter."""
    order = {"recipe": "segment", "data": "tagged", "options": {"preset": "scenes", **options}}
    answer = client.get("/tagmask/api/train/command", params={"order": json.dumps(order)})
    return answer.status_code, answer.json().get("command") or answer.text


def test_a_segmenter_learns_from_its_snapshots_masks_or_from_a_runs_labels(
    client: TestClient, workspace: Workspace, oaa: int
) -> None:
    assert "--from" not in segment(client)[1]
    assert "--from" not in segment(client, from_="")[1]
    assert "--from" in segment(client, from_=f"run:{oaa}")[1]
    assert "There is no run 999" in segment(client, from_="run:999")[1]


def test_the_runs_that_made_labels_can_be_learnt_from(
    client: TestClient, workspace: Workspace, oaa: int
) -> None:
    runs = workspace.store.runs
    labels = runs.add("labels 2", "labels", "runs/2-labels", {}, None)
    runs.finish(labels, {}, None)
    (workspace.root / "runs/2-labels/labels").mkdir(parents=True)
    runs.add("labels 3", "labels", "runs/3-labels", {}, None)
    gone = runs.add("labels 4", "labels", "runs/4-labels", {}, None)
    runs.finish(gone, {}, None)
    told = client.get("/tagmask/api/train/setup").json()["labelled"]
    assert told == [{"id": f"run:{labels}", "title": f"labels 2 (run {labels})"}]


def test_a_segmenters_weights_are_no_attention_source(
    client: TestClient, workspace: Workspace
) -> None:
    folder = workspace.root / "runs" / "4-segment"
    network = DeepLab("slim", 2, channels=4)
    card = WeightsCard(
        "segment 4", "segment", "slim", 4, ("cat", "dog"), (1, 2), TORCHVISION, 96,
        architecture=network.settings,
    )  # fmt: skip
    save(folder / "weights.safetensors", network, card)
    run = workspace.store.runs.add("segment 4", "segment", "runs/4-segment", {}, None)
    workspace.store.runs.finish(run, {"miou": 50.0}, "weights.safetensors")
    offered = client.get("/tagmask/api/train/setup").json()["weights"]
    assert all(one["id"] != f"run:{run}" for one in offered)
    inspected = client.get("/tagmask/api/inspect/options")
    assert inspected.status_code == 200
    assert f"run:{run}" not in inspected.text


def test_dcsp_begins_at_the_beginning_or_with_another_runs_attention(
    client: TestClient, workspace: Workspace, oaa: int
) -> None:
    def line(**options: object) -> str:
        order = {"recipe": "dcsp", "data": "tagged", "options": {"preset": "scenes", **options}}
        answer = client.get("/tagmask/api/train/command", params={"order": json.dumps(order)})
        return answer.json().get("command") or answer.text

    assert "training dcsp" in line()
    assert "--from" not in line(from_="")
    assert f"--from {workspace.root / 'runs' / '1-oaa'} --adapt 2" in line(
        from_=f"run:{oaa}", adapt=2
    )
    assert "There is no run 999" in line(from_="run:999")
