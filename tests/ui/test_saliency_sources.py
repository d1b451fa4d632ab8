"""Which saliency the Inspect tab offers, and what it says of each."""

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient

from backend.errors import SaliencyError
from backend.inspectors.saliency_sources import SaliencySources
from backend.networks import CAFFE, CamClassifier
from backend.weights import WeightsCard, load, networks, save
from backend.workspace import Workspace
from ui.server import build_app

from .conftest import HEADERS


@pytest.fixture
def shipping(saliency_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A release that ships this network alone."""
    folder = tmp_path / "release"
    folder.mkdir()
    network, card = load(saliency_weights)
    card = save(folder / "sal.safetensors", network, replace(card, name="tiny-saliency"))
    entry = {
        "name": "tiny-saliency", "file": "sal.safetensors", "backbone": "slim",
        "sha256": card.digest,
    }  # fmt: skip
    manifest = {"format": networks.MANIFEST_FORMAT, "weights": [entry]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(networks, "WEIGHTS_FOLDER", folder)
    return folder / "sal.safetensors"


def add_run(workspace: Workspace, recipe: str, weights: Path | None) -> int:
    folder = workspace.runs / f"{recipe}-x"
    folder.mkdir()
    if weights is not None:
        (folder / "weights.safetensors").write_bytes(weights.read_bytes())
    id = workspace.store.runs.add(f"{recipe} 7", recipe, folder)
    workspace.store.runs.finish(id, {}, "weights.safetensors")
    return id


@pytest.fixture
def classifier(workspace: Workspace, tmp_path: Path) -> str:
    torch.manual_seed(0)
    network = CamClassifier("slim", 1, head_channels=8, head_layers=1)
    with torch.no_grad():  # so that attention is above zero somewhere
        network.head[-1].bias += 0.05
    card = WeightsCard(
        "small", "cam", "slim", 4, ("cat",), (1,), CAFFE, 32, architecture=network.settings
    )
    save(tmp_path / "cam.safetensors", network.eval(), card)
    return f"run:{add_run(workspace, 'classify', tmp_path / 'cam.safetensors')}"


def offered(client: TestClient) -> list[str]:
    return client.get("/tagmask/api/inspect/options").json()["saliency"]


def saliency_stage(client: TestClient, weights: str, name: str) -> dict[str, Any]:
    body = {"image": "image0", "weights": weights, "settings": {"saliency": name}}
    data = client.post("/tagmask/api/inspect", json=body).content
    while data:
        (length,) = struct.unpack_from("<I", data)
        header = json.loads(data[4 : 4 + length])
        if header["stage"] == "saliency":
            return header
        data = data[4 + length + header["bytes"] :]
    raise AssertionError("no saliency stage")


def test_the_shipped_network_is_offered_and_looks(
    shipping: Path, workspace: Workspace, classifier: str
) -> None:
    with TestClient(build_app(workspace, device="cpu"), headers=HEADERS) as client:
        assert offered(client) == ["classical", "tiny-saliency"]
        made = saliency_stage(client, classifier, "tiny-saliency")
        digest = load(shipping)[1].digest
        assert made["kind"] == "heat"
        assert made["caption"].startswith(f"network:tiny-saliency ({digest[:8]})")
        # It makes no attention, so it is not among the weights.
        listed = client.get("/tagmask/api/inspect/options").json()["weights"]
        assert "shipped:tiny-saliency" not in [each["id"] for each in listed]


def test_a_mask_that_is_offered_names_the_weights_of_its_saliency(
    shipping: Path, workspace: Workspace, classifier: str
) -> None:
    with TestClient(build_app(workspace, device="cpu"), headers=HEADERS) as client:
        settings = {"saliency": "tiny-saliency", "fusion": "seenet", "weight": 5, "crf": None}
        body = {"image": "image0", "weights": classifier, "settings": settings}
        answer = client.post(
            "/tagmask/api/inspect/candidate", json={**body, "stage": "fusion.seenet"}
        )
        assert answer.status_code == 200, answer.text
        digest = load(shipping)[1].digest
        assert answer.json()["method"].endswith(f" · tiny-saliency ({digest[:8]})")


def test_a_run_that_finishes_while_the_app_runs_is_offered(
    workspace: Workspace, saliency_weights: Path, classifier: str
) -> None:
    with TestClient(build_app(workspace, device="cpu"), headers=HEADERS) as client:
        before = offered(client)
        id = add_run(workspace, "saliency", saliency_weights)
        assert offered(client) == [*before, f"saliency 7 (run {id})"]
        assert saliency_stage(client, classifier, f"saliency 7 (run {id})")["kind"] == "heat"


def test_what_is_damaged_stays_in_the_list_and_says_so(
    shipping: Path, workspace: Workspace, classifier: str
) -> None:
    shipping.write_bytes(shipping.read_bytes()[:-1] + b"\x07")
    id = add_run(workspace, "saliency", None)
    with TestClient(build_app(workspace, device="cpu"), headers=HEADERS) as client:
        assert offered(client) == ["classical", "tiny-saliency", f"saliency 7 (run {id})"]
        made = saliency_stage(client, classifier, "tiny-saliency")
        assert made["kind"] == "note"
        assert "not the ones the manifest names" in made["caption"]
        made = saliency_stage(client, classifier, f"saliency 7 (run {id})")
        assert "is gone" in made["caption"]
        assert saliency_stage(client, classifier, "classical")["kind"] == "heat"


def test_a_workspace_names_folders_and_networks_of_its_own(
    workspace: Workspace, saliency_weights: Path, tmp_path: Path
) -> None:
    (tmp_path / "maps").mkdir()
    given = {
        "plain": str(tmp_path / "maps"),
        "folder": f"folder:{tmp_path / 'maps'}",
        "mine": f"network:{saliency_weights}",
    }
    sources = SaliencySources(workspace.store, given)
    assert list(sources)[:4] == ["classical", "plain", "folder", "mine"]
    assert sources["plain"].name == sources["folder"].name == f"folder:{tmp_path / 'maps'}"
    assert sources["mine"].digest
    with pytest.raises(KeyError):
        sources["other"]
    with pytest.raises(SaliencyError, match="no weights at"):
        SaliencySources(workspace.store, {"mine": f"network:{tmp_path / 'gone.safetensors'}"})
