"""Attention methods over HTTP: what can be chosen, what the frames say, ImageNet's classifiers."""

import json
import struct
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

import backend.torchvision_shim  # noqa: F401  (before any import of torchvision)
from backend.history import History, history_path, write_history
from backend.images import encode_png
from backend.inspection.methods.method import OUR_KINDS
from backend.inspectors import KEPT_NETWORKS
from backend.labels import encode_labels
from backend.networks import CAFFE
from backend.weights import KINDS, WeightsCard, classifiers, save
from backend.workspace import Workspace

CLASSES = ("cat", "dog")


def finished_run(workspace: Workspace, kind: str, **arguments: Any) -> str:
    """The choice of a finished run with an untrained slim network of this kind."""
    torch.manual_seed(0)
    given: dict[str, Any] = {"head_start": "he", **arguments}
    if kind not in ("ecsnet", "dcsp"):
        given |= {"head_channels": 8, "head_layers": 1}
    network: Any = KINDS[kind]("slim", len(CLASSES), **given)
    card = WeightsCard(
        name=kind, kind=kind, backbone="slim", stride=network.backbone.stride, classes=CLASSES,
        class_ids=(1, 2), normalisation=CAFFE, input_size=32, architecture=network.settings,
    )  # fmt: skip
    folder = workspace.runs / kind
    folder.mkdir()
    save(folder / "weights.safetensors", network.eval(), card)
    id = workspace.store.runs.add(kind, kind, folder)
    workspace.store.runs.finish(id, {}, "weights.safetensors")
    return f"run:{id}"


def frames(answer: Any) -> list[tuple[dict, bytes]]:
    assert answer.status_code == 200, answer.text
    data, found = answer.content, []
    while data:
        (length,) = struct.unpack_from("<I", data)
        header = json.loads(data[4 : 4 + length])
        end = 4 + length + header["bytes"]
        found.append((header, data[4 + length : end]))
        data = data[end:]
    return found


def inspect(client: TestClient, weights: str, **body: Any) -> list[tuple[dict, bytes]]:
    given = {"image": "image0", "weights": weights, **body}
    return frames(client.post("/tagmask/api/inspect", json=given))


def headers(client: TestClient, weights: str, **body: Any) -> dict[str, dict]:
    return {header["stage"]: header for header, _ in inspect(client, weights, **body)}


def options(client: TestClient) -> dict:
    return client.get("/tagmask/api/inspect/options").json()


@pytest.fixture
def imagenet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A SqueezeNet of random weights where torchvision's would lie, named by its sha256."""
    from torchvision.models import squeezenet1_1

    torch.manual_seed(0)
    folder = tmp_path / "imagenet"
    folder.mkdir()
    torch.save(squeezenet1_1(weights=None).state_dict(), folder / "made.pth")
    digest = sha256((folder / "made.pth").read_bytes()).hexdigest()
    file = (folder / "made.pth").rename(folder / f"squeezenet1_1-{digest[:8]}.pth")
    offer = classifiers.OFFERED["squeezenet1_1"]._replace(files=(file.name,))
    monkeypatch.setitem(classifiers.OFFERED, "squeezenet1_1", offer)
    monkeypatch.setenv("TAGMASK_WEIGHTS", str(folder))
    return "torchvision:squeezenet1_1"


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file of torchvision's on this machine."""
    monkeypatch.setenv("TAGMASK_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))


def test_every_method_tells_its_table_and_its_sliders(client: TestClient) -> None:
    told = {each["name"]: each for each in options(client)["methods"]}
    assert list(told) == [
        "seenet", "oaa", "oaaplus", "ecsnet", "dcsp", "cam", "gradcam", "gradcampp", "layercam",
    ]  # fmt: skip
    assert told["seenet"]["settings"] == ["high", "low"]
    assert told["ecsnet"]["settings"] == ["scale", "erase", "sigma", "reliable"]
    assert told["seenet"]["final"] == "seenet.flipfused"
    stages = {stage["name"]: stage for stage in told["seenet"]["stages"]}
    assert stages["seenet.zones"] == {
        "name": "seenet.zones", "needs": ["seenet.initial"], "reads": ["high", "low"],
        "kind": "zones", "per_tag": False, "when": None,
    }  # fmt: skip
    assert stages["seenet.initial"]["per_tag"]
    assert stages["fusion.dcsp"]["needs"] == ["seenet.flipfused", "saliency"]


def test_weights_of_every_kind_are_listed_with_their_methods_and_numbers(
    client: TestClient, workspace: Workspace
) -> None:
    runs = {kind: finished_run(workspace, kind) for kind in OUR_KINDS}
    told = options(client)
    listed = {each["id"]: each for each in told["weights"]}
    for kind, id in runs.items():
        assert (listed[id]["kind"], listed[id]["methods"][0]) == (kind, kind)
        assert listed[id]["vocabulary"] == "workspace"
        assert listed[id]["absent"] is None
    assert listed[runs["ecsnet"]]["defaults"]["scale"] == 0.5
    assert listed[runs["seenet"]]["defaults"] == {"high": 0.7, "low": 0.05}
    assert told["limits"]["reliable"] == [0, 1]
    assert told["settings"]["method"] == ""


@pytest.mark.parametrize("kind", OUR_KINDS)
def test_the_stream_brings_the_stages_that_its_start_names(
    client: TestClient, workspace: Workspace, kind: str
) -> None:
    found = inspect(client, finished_run(workspace, kind))
    start = found[0][0]
    assert start["method"] == kind
    brought = dict.fromkeys(header["stage"] for header, _ in found)
    assert list(brought) == ["start", *start["stages"], "done"]
    assert not [stage for stage in start["stages"] if stage.startswith("truth")]
    for header, payload in found[1:-1]:
        assert header["details"] is not None
        if header["encoding"] == "deflate":
            assert len(zlib.decompress(payload)) == header["width"] * header["height"]


def test_weights_and_method_are_chosen_apart(client: TestClient, workspace: Workspace) -> None:
    run = finished_run(workspace, "seenet")
    made = headers(client, run, settings={"method": "layercam"})
    assert made["start"]["method"] == "layercam"
    assert "layercam" in made
    assert "zones" in made
    answer = client.post(
        "/tagmask/api/inspect",
        json={"image": "image0", "weights": run, "settings": {"method": "ecsnet"}},
    )
    assert answer.status_code == 400
    assert "ECS-Net" in answer.json()["error"]


def test_a_request_starts_from_what_the_network_was_trained_with(
    client: TestClient, workspace: Workspace
) -> None:
    run = finished_run(workspace, "ecsnet", sigma=0.05)
    own = headers(client, run)["ecsnet.erased"]["numbers"]["sigma"]
    asked = headers(client, run, settings={"sigma": 0.01})["ecsnet.erased"]["numbers"]["sigma"]
    assert (own, asked) == (pytest.approx(0.05 * 24), pytest.approx(0.01 * 24))


def test_the_reliable_set_travels_as_codes_with_a_legend(
    client: TestClient, workspace: Workspace
) -> None:
    run = finished_run(workspace, "ecsnet")
    found = inspect(client, run, settings={"reliable": 0.5}, only=["ecsnet.reliable"])
    ((header, payload),) = [each for each in found if each[0]["stage"] == "ecsnet.reliable"]
    assert (header["kind"], header["dtype"], header["encoding"]) == ("reliable", "uint8", "deflate")
    codes = {each["code"] for each in header["details"]["legend"]}
    assert set(zlib.decompress(payload)) <= codes == {0, 1, 253, 254}


def test_the_passes_of_an_image_of_the_run_can_be_played(
    client: TestClient, workspace: Workspace
) -> None:
    run = finished_run(workspace, "oaa")
    history = History(
        maps=np.full((3, 1, 6, 8), 200, np.uint8), seen=np.ones((3, 6, 8), bool),
        scores=np.array([[1], [2], [3]], np.float32), rival=np.full(3, 2.5, np.float32),
        rival_class=np.full(3, 2, np.int16), verdict=np.array([[1], [2], [0]], np.uint8),
        class_ids=np.array([1], np.int16),
    )  # fmt: skip
    write_history(history_path(workspace.runs / "oaa", "image0"), history)
    inspect(client, run)
    played = headers(
        client, run, settings={"oaa_pass": 2}, after=["oaa_pass"],
        only=["oaa.pass", "oaa.accumulated"],
    )  # fmt: skip
    assert list(played) == ["start", "oaa.pass", "oaa.accumulated", "done"]
    one = played["oaa.pass"]
    assert one["details"]["verdicts"] == ["warm-up", "refused", "accumulated"]
    assert "refused: 'cat' scored 2.00, not above 'dog' 2.50" in one["caption"]
    assert (one["numbers"]["t"], one["numbers"]["T"]) == (2, 3)


def test_a_true_mask_brings_its_stages_and_measures_every_mask(
    client: TestClient, workspace: Workspace
) -> None:
    labels = np.zeros((24, 32), np.uint8)
    labels[:, :16] = 1
    pixels = np.random.default_rng(9).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    workspace.store.images.add(
        "known", encode_png(pixels), source="test", tags=[1], truth=encode_labels(labels)
    )
    run = finished_run(workspace, "cam")
    made = headers(client, run, image="known", settings={"crf": None})
    assert made["start"]["stages"][-3:] == ["truth", "truth.attention", "truth.error"]
    assert made["truth"]["numbers"] == {"background": 0.5, "cat": 0.5}
    error = made["truth.error"]
    assert (error["kind"], error["dtype"]) == ("errors", "uint8")
    assert error["details"]["mask"] == "fusion.dcsp"
    assert set(error["details"]["iou"]) == {"background", "cat"}
    assert made["fusion.oaa"]["details"]["miou"] >= 0
    moved = headers(
        client, run, image="known", settings={"truth_threshold": 0.9}, after=["truth_threshold"]
    )
    assert list(moved) == ["start", "truth.attention", "done"]


def test_two_choices_on_one_image_are_kept_side_by_side(
    client: TestClient, workspace: Workspace
) -> None:
    runs = [finished_run(workspace, kind) for kind in ("seenet", "ecsnet")]
    inspectors = client.app.state.context.inspectors
    for run in runs:
        inspect(client, run)
    loaded = {name: inspectors.inspector(inspectors.choice(name)) for name in runs}
    passes = []
    for inspector in loaded.values():
        inspector.network.backbone.register_forward_hook(lambda *_: passes.append(1))
    for run in runs * 2:
        inspect(client, run)
    assert passes == []
    assert KEPT_NETWORKS >= 4
    assert len(inspectors._networks) <= KEPT_NETWORKS


def test_a_mask_of_a_method_is_offered_under_its_name(
    client: TestClient, workspace: Workspace
) -> None:
    run = finished_run(workspace, "seenet")
    body = {"image": "image0", "weights": run, "settings": {"gamma": 0.0, "weight": 3}}
    made = client.post("/tagmask/api/inspect/candidate", json={**body, "stage": "fusion.dcsp"})
    assert made.status_code == 200, made.text
    assert made.json()["method"].startswith("seenet.dcsp · seenet (")


def test_an_absent_classifier_is_listed_with_its_sentence_and_asking_for_it_says_so(
    client: TestClient, nowhere: None
) -> None:
    listed = {each["id"]: each for each in options(client)["weights"]}
    one = listed["torchvision:resnet50"]
    assert "python -m backend weights fetch torchvision:resnet50" in one["absent"]
    assert (one["vocabulary"], one["classes"], one["kind"]) == ("imagenet", [], "classifier")
    assert one["methods"] == ["gradcam", "gradcampp", "layercam"]
    for answer in (
        client.post("/tagmask/api/inspect", json={"image": "image0", "weights": one["id"]}),
        client.get("/tagmask/api/inspect/classes", params={"weights": one["id"]}),
    ):
        assert answer.status_code == 400
        assert "fetch torchvision:resnet50" in answer.json()["error"]


def test_an_absent_classifier_is_never_what_is_chosen_by_itself(
    client: TestClient, nowhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.inspectors.choices.shipped", list)
    client.app.state.context.inspectors._choices._shipped = None
    answer = client.post("/tagmask/api/inspect", json={"image": "image0"})
    assert answer.status_code == 400
    assert "Train" in answer.json()["error"]


def test_a_photograph_can_be_inspected_with_imagenets_classes_and_none_enters_the_workspace(
    client: TestClient, workspace: Workspace, imagenet: str
) -> None:
    before = [each.name for each in workspace.store.classes.all()]
    listed = {each["id"]: each for each in options(client)["weights"]}
    assert listed[imagenet]["absent"] is None
    names = client.get("/tagmask/api/inspect/classes", params={"weights": imagenet}).json()
    assert len(names["classes"]) == 1000
    found = inspect(client, imagenet, tags=["Tabby", "beagle"])
    start = found[0][0]
    assert [(tag["id"], tag["name"]) for tag in start["tags"]] == [(1, "Tabby"), (2, "beagle")]
    assert start["vocabulary"] == "imagenet"
    assert [header["tag"] for header, _ in found if header["stage"] == "gradcam"] == [
        "Tabby", "beagle",
    ]  # fmt: skip
    ((_, payload),) = [each for each in found if each[0]["stage"] == "fusion.seenet"]
    assert set(zlib.decompress(payload)) <= {0, 1, 2}
    assert [each.name for each in workspace.store.classes.all()] == before
    assert len(options(client)["classes"]) < 100


def test_workspace_tags_that_imagenet_does_not_have_ask_for_its_own(
    client: TestClient, imagenet: str
) -> None:
    made = [header for header, _ in inspect(client, imagenet) if header["stage"] == "gradcam"]
    assert [header["kind"] for header in made] == ["note", "note"]
    assert "'cat'" in made[0]["caption"]
    assert "among its own classes" in made[1]["caption"]


def test_the_start_tells_of_those_tags_alone_that_imagenet_has(
    client: TestClient, workspace: Workspace, imagenet: str
) -> None:
    assert inspect(client, imagenet)[0][0]["tags"] == [], "cat is no name of ImageNet's"
    fox = workspace.store.classes.add("Red Fox")
    image = workspace.store.images.by_name("image0")
    assert image is not None
    workspace.store.images.set_tags(image.id, [1, fox.id], "ada")
    found = inspect(client, imagenet)
    assert [(tag["id"], tag["name"]) for tag in found[0][0]["tags"]] == [(2, "Red Fox")]
    made = [(h["kind"], h["tag"]) for h, _ in found if h["stage"] == "gradcam"]
    assert made == [("note", "cat"), ("heat", "Red Fox")]
    asked = inspect(client, imagenet, tags=["tabby", "cat"])[0][0]["tags"]
    assert [tag["name"] for tag in asked] == ["tabby"]


def test_a_mask_in_imagenets_classes_is_not_offered(
    client: TestClient, workspace: Workspace, imagenet: str
) -> None:
    before = workspace.store.candidates.counts()
    body = {"image": "image0", "weights": imagenet, "tags": ["tabby"], "stage": "fusion.dcsp"}
    answer = client.post("/tagmask/api/inspect/candidate", json=body)
    assert answer.status_code == 400
    assert "cannot be offered" in answer.json()["error"]
    assert workspace.store.candidates.counts() == before
