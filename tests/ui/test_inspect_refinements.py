"""Refinements and looks for saliency over HTTP: what is offered, what a choice brings."""

import json
import struct
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient

from backend.networks import CAFFE
from backend.networks.affinity import AffinityNet
from backend.networks.classifier import CamClassifier
from backend.weights import WeightsCard, save
from backend.workspace import Workspace

CLASSES = ("cat", "dog")


def add_run(workspace: Workspace, name: str, kind: str, network: Any, **more: Any) -> str:
    """The choice of a finished run with this network."""
    card = WeightsCard(
        name=name, kind=kind, backbone="slim", stride=network.backbone.stride,
        normalisation=CAFFE, input_size=32, architecture=network.settings, **more,
    )  # fmt: skip
    folder = workspace.runs / name
    folder.mkdir()
    save(folder / "weights.safetensors", network.eval(), card)
    id = workspace.store.runs.add(name, "affinity" if kind == "affinity" else "classify", folder)
    workspace.store.runs.finish(id, {}, "weights.safetensors")
    return f"run:{id}"


@pytest.fixture
def cam(workspace: Workspace) -> str:
    torch.manual_seed(0)
    network = CamClassifier("slim", 2, head_channels=8, head_layers=1, head_start="he")
    return add_run(workspace, "cam", "cam", network, classes=CLASSES, class_ids=(1, 2))


@pytest.fixture
def near(workspace: Workspace) -> str:
    torch.manual_seed(0)
    return add_run(workspace, "near", "affinity", AffinityNet("slim"), classes=(), class_ids=())


def inspect(client: TestClient, weights: str, **body: Any) -> dict[str, dict]:
    """The headers of a streamed answer by stage."""
    given = {"image": "image0", "weights": weights, **body}
    answer = client.post("/tagmask/api/inspect", json=given)
    assert answer.status_code == 200, answer.text
    data, found = answer.content, {}
    while data:
        (length,) = struct.unpack_from("<I", data)
        header = json.loads(data[4 : 4 + length])
        found[header["stage"]] = header
        data = data[4 + length + header["bytes"] :]
    return found


def test_affinity_weights_are_a_refinements_choice_and_make_no_maps_themselves(
    client: TestClient, cam: str, near: str
) -> None:
    options = client.get("/tagmask/api/inspect/options").json()
    assert [each["id"] for each in options["affinities"]] == [near]
    assert near not in [each["id"] for each in options["weights"]]
    stages = {each["name"]: each for each in options["stages"]}
    assert stages["walk"]["when"] == ["refine", "walk"]
    assert stages["saliency.step3.erased"]["when"] == ["erasing_steps", 3]
    assert options["settings"]["erase_above"] == [0.7, 0.8]
    answer = client.post("/tagmask/api/inspect", json={"image": "image0", "weights": near})
    assert answer.status_code >= 400


def test_a_choice_brings_its_stage_and_those_after_it(
    client: TestClient, cam: str, near: str
) -> None:
    for refine in ("walk", "grabcut"):
        found = inspect(client, cam, settings={"refine": refine}, after=["refine"])
        assert found["start"]["stages"] == [refine, "sal.score"]
        assert found[refine]["kind"] == "labels"
    assert "near" in inspect(client, cam, settings={"refine": "walk"})["walk"]["caption"]
    named = inspect(client, cam, settings={"refine": "walk", "affinity": near})
    assert named["walk"]["kind"] == "labels"
    gone = inspect(client, cam, settings={"refine": "walk", "affinity": "run:99"})
    assert gone["walk"]["kind"] == "note"
    assert gone["walk"]["caption"].startswith("There are no affinity weights 'run:99' here")


def test_without_affinity_weights_the_walk_is_a_sentence(client: TestClient, cam: str) -> None:
    assert client.get("/tagmask/api/inspect/options").json()["affinities"] == []
    found = inspect(client, cam, settings={"refine": "walk"})
    assert "Train some with the recipe affinity" in found["walk"]["caption"]
    assert found["sal.score"]["details"]["mask"] == "fusion.dcsp"


def test_looks_for_saliency_stream_their_three_pictures(client: TestClient, cam: str) -> None:
    settings = {"erasing_steps": 2, "erase_above": [0.5]}
    found = inspect(client, cam, settings=settings)
    steps = [stage for stage in found["start"]["stages"] if stage.startswith("saliency")]
    assert steps == [
        "saliency.step1", "saliency.step2.erased", "saliency.step2.raw", "saliency.step2",
        "saliency",
    ]  # fmt: skip
    assert [found[stage]["kind"] for stage in steps] == ["heat", "image", "heat", "heat", "heat"]
    assert found["saliency.step2.erased"]["numbers"]["threshold"] == 0.5


@pytest.mark.parametrize(
    ("stage", "method"), [("walk", "cam.walk · "), ("grabcut", "cam.dcsp.grabcut · ")]
)
def test_a_refined_mask_is_offered_under_its_name(
    client: TestClient, cam: str, near: str, stage: str, method: str
) -> None:
    settings = {"gamma": 0.0, "walk_steps": 0, "walk_alpha": 64, "erasing_steps": 2}
    body = {"image": "image0", "weights": cam, "settings": settings, "stage": stage}
    made = client.post("/tagmask/api/inspect/candidate", json=body)
    assert made.status_code == 200, made.text
    assert made.json()["method"].startswith(method)
    assert made.json()["method"].endswith("classical, 2 looks")
