"""Weights and saliency of an order: names that the page was told of, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.networks import CAFFE, CamClassifier
from backend.weights import WeightsCard, save
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


def test_saliency_networks_that_are_offered_are_taken(
    client: TestClient, workspace: Workspace, saliency_weights: Path
) -> None:
    folder = workspace.runs / "1-saliency"
    folder.mkdir()
    (folder / "weights.safetensors").write_bytes(saliency_weights.read_bytes())
    run = workspace.store.runs.add("saliency 1", "saliency", folder)
    workspace.store.runs.finish(run, {}, "weights.safetensors")
    name = f"saliency 1 (run {run})"
    assert name in client.get("/tagmask/api/train/setup").json()["saliency"]
    asked = {"recipe": "labels", "weights": "shipped:scenes-slim"}
    status, line = command(client, **asked, saliency=name)
    assert status == 200
    assert f"--saliency network:{folder / 'weights.safetensors'}" in line


def test_a_workspace_may_name_a_network_or_the_classical_detector(
    client: TestClient, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"recipe": "labels", "weights": "shipped:scenes-slim", "saliency": "mine"}
    (tmp_path / "net").mkdir()
    for where, word in (
        (f"network:{tmp_path / 'net'}", f"network:{tmp_path / 'net'}"),
        ("network:some-name", "network:some-name"),
        ("classical", "classical"),
        (f"folder:{tmp_path}", f"folder:{tmp_path}"),
    ):
        monkeypatch.setitem(workspace.settings, "saliency", {"mine": where})
        assert f"--saliency {word}" in command(client, **asked)[1]


@pytest.mark.parametrize(
    ("recipe", "name"),
    [("saliency", "masks"), ("saliency", "validation"), ("segment", "strong"), ("dsrg", "strong")],
)
def test_a_page_is_not_asked_for_lists_and_folders_of_a_disk(
    client: TestClient, recipe: str, name: str
) -> None:
    options = client.get("/tagmask/api/train/setup").json()["recipes"][recipe]["options"]
    assert name not in {option["name"] for option in options}
    status, said = command(client, recipe, **{name: "/etc"})
    assert status == 400
    assert said == f"--{name} cannot be given from the page; use the command line."


def test_affinity_weights_are_those_of_a_run(client: TestClient) -> None:
    asked = {"recipe": "labels", "weights": "shipped:scenes-slim", "refine": "walk"}
    for given in ("/etc/passwd", "run:7", "shipped:../x"):
        status, said = command(client, **asked, affinity=given)
        assert status == 400
        assert said.startswith("There are no affinity weights ")
    assert client.get("/tagmask/api/train/setup").json()["affinities"] == []


def test_a_segmenter_tells_what_it_and_those_before_it_were_made_by(
    client: TestClient, workspace: Workspace
) -> None:
    def origin(recipe: str, policy: str | None, begun: dict | None) -> dict:
        told: dict[str, Any] = {"text": f"trained by the recipe {recipe}, preset light"}
        told["labels"] = {"masks": 3, **({"selection": {"policy": policy}} if policy else {})}
        return told | ({"begun": begun} if begun else {})

    first = origin("segment", None, None)
    second = origin("sal", "curated", {"name": "1-segment", "digest": "x", "origin": first})
    damaged = {"text": ["no text"], "labels": [], "begun": {"name": 7, "origin": "none"}}
    for number, (kind, told) in enumerate(
        (("segment", first), ("sal", second), ("sal", damaged)), start=1
    ):
        network = CamClassifier("slim", 2, head_channels=8, head_layers=1)
        card = WeightsCard(
            f"{number}-{kind}", kind, "slim", 4, ("cat", "dog"), (1, 2), CAFFE, 32,
            origin=told, architecture=network.settings,
        )  # fmt: skip
        folder = workspace.runs / f"{number}-{kind}"
        folder.mkdir()
        save(folder / "weights.safetensors", network.eval(), card)
        run = workspace.store.runs.add(card.name, kind, f"runs/{folder.name}", {}, None)
        workspace.store.runs.finish(run, {}, "weights.safetensors")
    newest, middle, oldest = client.get("/tagmask/api/train/setup").json()["segmenters"]
    by_segment = {
        "name": "1-segment", "by": "trained by the recipe segment, preset light", "policy": "",
    }  # fmt: skip
    assert (oldest["id"], oldest["backbone"], oldest["made"]) == ("run:1", "slim", [by_segment])
    by_sal = {
        "name": "2-sal", "by": "trained by the recipe sal, preset light", "policy": "curated",
    }  # fmt: skip
    assert middle["made"] == [by_sal, by_segment]
    assert newest["made"] == [{"name": "3-sal", "by": "", "policy": ""}]


@pytest.mark.parametrize(
    ("recipe", "first"), [("oaaplus", "Train “Online attention"), ("fuse", "Train a recipe that")]
)
def test_where_no_run_can_be_learnt_from_it_says_how_one_comes_to_be(
    client: TestClient, workspace: Workspace, recipe: str, first: str
) -> None:
    def said() -> str:
        status, sentence = command(client, recipe)
        assert status == 400
        return sentence

    assert "there is none yet. " + first in said()
    folder = workspace.runs / "1-oaa"
    network = CamClassifier("slim", 2, head_channels=8, head_layers=1)
    card = WeightsCard(
        "oaa 1", "oaa", "slim", 4, ("cat", "dog"), (1, 2), CAFFE, 32, architecture=network.settings
    )
    save(folder / "weights.safetensors", network.eval(), card)
    run = workspace.store.runs.add("oaa 1", "oaa", "runs/1-oaa", {}, None)
    assert "there is none yet" in said()
    workspace.store.runs.finish(run, {}, "weights.safetensors")
    assert said() == "Choose the run whose maps this one is to learn from."
