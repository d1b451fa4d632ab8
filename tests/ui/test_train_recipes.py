"""What the Train tab can start with the real trainer, and a run that stands on another."""

import json

import pytest
from fastapi.testclient import TestClient

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
    assert offered == {name for name in recipe_names() if find_recipe(name).makes != ("data",)}


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
    assert "Choose the run" in said or "There is no" in said


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
