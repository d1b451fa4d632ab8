"""Weights and saliency of an order: names that the page was told of, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.workspace import Workspace

FILE = "squeezenet1_1-caffe.safetensors"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What $TAGMASK_WEIGHTS names: one weights file, and one that is none."""
    made = tmp_path / "trunks"
    made.mkdir()
    (made / FILE).write_bytes(b"weights")
    (made / "notes.txt").write_bytes(b"no weights")
    monkeypatch.setenv("TAGMASK_WEIGHTS", str(made))
    return made


def command(client: TestClient, recipe: str = "classify", **options: Any) -> tuple[int, str]:
    """The status and the command line, or the sentence, of an order."""
    order = {"recipe": recipe, "data": "tagged", "options": options}
    answer = client.get("/tagmask/api/train/command", params={"order": json.dumps(order)})
    return answer.status_code, answer.json().get("command") or answer.json()["error"]


@pytest.mark.parametrize("recipe", ["classify", "labels"])
@pytest.mark.parametrize(
    "given",
    [
        "{folder}/" + FILE,
        FILE,
        "file:../trunks/" + FILE,
        "file:{folder}/" + FILE,
        "file:notes.txt",
        "shipped:../weights",
        "shipped:none",
        "torchvision:resnet50",
        "run:1/../2",
        "run:" + "9" * 30,
        "/etc/passwd",
        "..",
    ],
)
def test_weights_that_were_not_listed_are_refused_in_a_sentence(
    client: TestClient, workspace: Workspace, folder: Path, recipe: str, given: str
) -> None:
    weights = given.format(folder=folder)
    status, said = command(client, recipe, weights=weights)
    assert status == 400
    assert said.startswith("There are no weights ")
    assert "$TAGMASK_WEIGHTS" in said
    order = {"recipe": recipe, "data": "tagged", "options": {"weights": weights}}
    assert client.post("/tagmask/api/train/submit", json=order).status_code == 400
    assert workspace.store.jobs.all() == []


def test_a_file_where_weights_are_looked_for_is_listed_and_taken_by_its_name(
    client: TestClient, folder: Path
) -> None:
    files = client.get("/tagmask/api/train/setup").json()["files"]
    assert FILE in files
    assert "notes.txt" not in files
    assert not [name for name in files if "/" in name]
    status, line = command(client, weights=f"file:{FILE}")
    assert status == 200
    assert f"--weights {folder / FILE}" in line


@pytest.mark.parametrize(
    ("given", "word"), [("none", "none"), ("shipped:scenes-slim", "scenes-slim")]
)
def test_shipped_weights_and_random_ones_can_be_asked_for(
    client: TestClient, given: str, word: str
) -> None:
    status, line = command(client, weights=given)
    assert status == 200
    assert f"--weights {word}" in line


def test_candidates_are_not_made_with_random_weights(client: TestClient) -> None:
    status, said = command(client, "labels", weights="none")
    assert status == 400
    assert "Choose the weights" in said


def test_saliency_is_chosen_among_the_folders_that_the_workspace_names(
    client: TestClient, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(workspace.settings, "saliency", {"my maps": str(tmp_path / "maps")})
    asked = {"recipe": "labels", "weights": "shipped:scenes-slim"}
    status, line = command(client, **asked, saliency="my maps")
    assert status == 200
    assert f"--saliency folder:{tmp_path / 'maps'}" in line
    for path in (f"folder:{tmp_path}", "/etc", "folder:.."):
        status, said = command(client, **asked, saliency=path)
        assert status == 400
        assert said.startswith(f"There is no saliency {path[:60]!r} here; there are classical")
    assert "--saliency classical" in command(client, **asked, saliency="classical")[1]
