"""What the Inspect tab asks for, over HTTP: choices, the stream, uploads, tags, candidates."""

import errno
import io
import json
import logging
import struct
import zipfile
import zlib
from hashlib import sha256
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

from backend.images import encode_png
from backend.labels import decode_labels
from backend.networks import CAFFE, CamClassifier
from backend.weights import WeightsCard, save
from backend.workspace import Workspace


def finished_run(workspace: Workspace, classes: tuple[str, ...]) -> int:
    """A finished run with the slim network, untrained but for a seed, that knows these classes."""
    torch.manual_seed(0)
    network = CamClassifier("slim", len(classes), head_channels=8, head_layers=1)
    with torch.no_grad():  # so that attention is above zero somewhere
        network.head[-1].bias += 0.05
    card = WeightsCard(
        name="small", kind="cam", backbone="slim", stride=network.backbone.stride,
        classes=classes, class_ids=tuple(range(1, len(classes) + 1)), normalisation=CAFFE,
        input_size=32, architecture=network.settings,
    )  # fmt: skip
    folder = workspace.runs / "first"
    folder.mkdir()
    save(folder / "weights.safetensors", network.eval(), card)
    id = workspace.store.runs.add("First run", "classify", folder)
    workspace.store.runs.finish(id, {}, "weights.safetensors")
    return id


@pytest.fixture
def run(workspace: Workspace) -> int:
    """A finished run whose weights know cat and bird."""
    return finished_run(workspace, ("cat", "bird"))


def frames(answer: Any) -> list[tuple[dict, bytes]]:
    """The frames of a streamed answer, read as the browser reads them."""
    assert answer.status_code == 200, answer.text
    data, found = answer.content, []
    while data:
        (length,) = struct.unpack_from("<I", data)
        header = json.loads(data[4 : 4 + length])
        end = 4 + length + header["bytes"]
        found.append((header, data[4 + length : end]))
        data = data[end:]
    return found


def inspect(client: TestClient, run: int, **body: Any) -> list[tuple[dict, bytes]]:
    given = {"image": "image0", "weights": f"run:{run}", **body}
    return frames(client.post("/tagmask/api/inspect", json=given))


def pixels(header: dict, payload: bytes) -> np.ndarray:
    raw = zlib.decompress(payload) if header["encoding"] == "deflate" else payload
    return np.frombuffer(raw, header["dtype"]).reshape(header["height"], header["width"])


def test_options_list_classes_weights_and_the_table_of_stages(client: TestClient, run: int) -> None:
    options = client.get("/tagmask/api/inspect/options").json()
    names = {each["name"]: each for each in options["classes"]}
    assert {"cat", "dog", "bird"} <= set(names)
    assert names["cat"]["own"]
    assert not names["bird"]["own"]
    assert len({each["id"] for each in options["classes"]}) == len(options["classes"])
    chosen = next(each for each in options["weights"] if each["id"] == f"run:{run}")
    assert chosen["classes"] == ["cat", "bird"]
    stages = {stage["name"]: stage for stage in options["stages"]}
    assert next(iter(stages)) == "image"
    assert stages["fusion.dcsp"]["reads"] == ["gamma"]
    assert options["settings"]["gamma"] == 0.4


def test_a_run_whose_weights_are_gone_is_reported_and_hides_no_other(
    client: TestClient, run: int, workspace: Workspace
) -> None:
    lost = workspace.store.runs.add("Lost", "classify", workspace.runs / "lost")
    workspace.store.runs.finish(lost, {}, "weights.safetensors")
    options = client.get("/tagmask/api/inspect/options").json()
    assert f"run:{run}" in [each["id"] for each in options["weights"]]
    assert any(f"Run {lost}" in problem for problem in options["weight_problems"])


def test_images_come_in_pages_and_are_found_by_name(client: TestClient) -> None:
    page = client.get("/tagmask/api/inspect/images", params={"limit": 2}).json()
    assert [row["name"] for row in page["rows"]] == ["image0", "image1"]
    assert page["total"] == 3
    assert page["rows"][0]["tags"] == ["cat"]
    found = client.get("/tagmask/api/inspect/images", params={"query": "GE2"}).json()
    assert [row["name"] for row in found["rows"]] == ["image2"]
    assert client.get("/tagmask/api/inspect/images", params={"limit": 10**6}).status_code == 200


def test_the_stream_brings_every_stage_with_pixels_of_the_image(
    client: TestClient, run: int, workspace: Workspace
) -> None:
    found = inspect(client, run)
    assert [header["stage"] for header, _ in found] == [
        "start", "image", "cam", "zones", "saliency", "fusion.seenet", "fusion.dcsp",
        "fusion.oaa", "crf", "sal.score", "done",
    ]  # fmt: skip
    by_stage = {header["stage"]: (header, payload) for header, payload in found}
    assert by_stage["start"][0]["tags"][0]["name"] == "cat"
    png = cv2.imdecode(np.frombuffer(by_stage["image"][1], np.uint8), cv2.IMREAD_COLOR)
    stored = workspace.store.files.read(workspace.store.images.by_name("image0").digest)
    original = cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(png, original)
    heat = pixels(*by_stage["cam"])
    assert heat.shape == (24, 32)
    assert heat.max() == 255
    assert set(np.unique(pixels(*by_stage["zones"]))) <= {-1, 0, 1}
    assert set(np.unique(pixels(*by_stage["fusion.dcsp"]))) <= {0, 1}


def test_a_moved_setting_brings_only_what_stands_after_it(client: TestClient, run: int) -> None:
    inspect(client, run)
    found = inspect(client, run, settings={"high": 0.5}, after=["high"])
    assert [header["stage"] for header, _ in found] == ["start", "zones", "done"]
    found = inspect(client, run, settings={"gamma": 0.2}, after=["gamma"], only=["fusion.dcsp"])
    assert [header["stage"] for header, _ in found] == ["start", "fusion.dcsp", "done"]


def test_a_class_that_only_the_weights_know_can_be_looked_for(
    client: TestClient, run: int, workspace: Workspace
) -> None:
    found = inspect(client, run, tags=["Bird", "bird", "CAT"])
    assert [header["tag"] for header, _ in found if header["stage"] == "cam"] == ["cat", "bird"]
    start = found[0][0]
    borrowed = next(tag for tag in start["tags"] if tag["name"] == "bird")
    assert borrowed["id"] not in {each.id for each in workspace.store.classes.all()}
    assert "bird" not in workspace.store.classes.by_name()


def test_an_id_borrowed_for_one_class_and_then_another_shows_each_its_own_map(
    client: TestClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.inspectors.choices.shipped", list)
    run = finished_run(workspace, ("train", "tram"))

    def look(tag: str) -> tuple[int, dict[str, tuple[dict, bytes]]]:
        found = inspect(client, run, tags=[tag], settings={"gamma": 0.05})
        return found[0][0]["tags"][0]["id"], {header["stage"]: (header, b) for header, b in found}

    borrowed, train = look("train")
    client.post("/tagmask/api/inspect/tags", json={"image": "image2", "tags": ["train"]})
    passed_on, tram = look("tram")
    assert (borrowed, passed_on) == (254, 254)
    client.app.state.context.inspectors._kept.clear()
    _, cold = look("tram")
    for stage in ("cam", "zones", "fusion.seenet", "fusion.dcsp", "fusion.oaa"):
        assert tram[stage][1] == cold[stage][1], stage
        assert tram[stage][0]["numbers"] == cold[stage][0]["numbers"], stage
    assert tram["cam"][1] != train["cam"][1]


def test_more_classes_than_a_mask_can_hold_leave_the_rest_out(
    client: TestClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.inspectors.choices.shipped", list)
    finished_run(workspace, tuple(f"kind {number}" for number in range(254)))
    options = client.get("/tagmask/api/inspect/options").json()
    assert sorted(each["id"] for each in options["classes"]) == list(range(1, 255))


def test_a_tag_the_weights_do_not_know_is_a_note_in_the_stream(
    client: TestClient, run: int
) -> None:
    found = inspect(client, run, tags=["dog"])
    notes = [header for header, _ in found if header.get("kind") == "note"]
    assert "'dog'" in notes[0]["caption"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"image": "nobody"}, "nobody"),
        ({"image": "../../etc/passwd"}, "no image"),
        ({"tags": ["catt"]}, "cat"),
        ({"weights": "run:999"}, "run:999"),
        ({"weights": "shipped:../x"}, "weights"),
        ({"settings": {"gamma": 7}}, "gamma"),
        ({"settings": {"saliency": "folder:/etc"}}, "saliency source"),
        ({"settings": {"saliency": []}}, "saliency was []"),
        ({"settings": {"crf": {"iterations": "10"}}}, "iterations"),
        ({"settings": {"crf": {"iterations": 10**30}}}, "iterations"),
        ({"after": ["nothing"]}, "nothing"),
    ],
)
def test_what_cannot_be_inspected_is_a_sentence(
    client: TestClient, run: int, body: dict, said: str
) -> None:
    given = {"image": "image0", "weights": f"run:{run}", **body}
    answer = client.post("/tagmask/api/inspect", json=given)
    if answer.status_code == 200:
        captions = [header.get("caption", "") for header, _ in frames(answer)]
        assert any(said in caption for caption in captions)
    else:
        assert answer.status_code == 400
        assert said in answer.json()["error"]


def test_a_mistake_within_a_stage_ends_the_stream_with_a_sentence_and_is_logged(
    client: TestClient,
    run: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("index 3 is out of bounds for axis 0")

    monkeypatch.setattr("backend.maps.zones.ternary_mask", broken)
    with caplog.at_level(logging.ERROR, "tagmask"):
        found = [header for header, _ in inspect(client, run)]
    assert [header["stage"] for header in found] == ["start", "image", "cam", "error", "done"]
    said = found[-2]["caption"]
    assert "image0" in said
    assert "RuntimeError" in said
    assert "out of bounds" not in said
    assert said.endswith(".")
    assert "out of bounds" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("number", [10**22, -(10**22), 2**63])
@pytest.mark.parametrize("name", ["offset", "limit", "tag"])
def test_numbers_beyond_any_image_are_refused_with_a_sentence(
    client: TestClient, name: str, number: int
) -> None:
    answer = client.get("/tagmask/api/inspect/images", params={name: number})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(f"{name}: ")


def test_an_image_too_small_to_inspect_says_so_in_the_stream(
    client: TestClient, run: int, workspace: Workspace
) -> None:
    workspace.store.images.add("dot", encode_png(np.zeros((1, 1, 3), np.uint8)), source="test")
    found = inspect(client, run, image="dot", tags=["cat"])
    assert found[1][0]["stage"] == "error"
    assert "too small" in found[1][0]["caption"]


def test_without_weights_the_sentence_says_what_to_do(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.inspectors.choices.shipped", list)
    client.app.state.context.inspectors._choices._shipped = None
    answer = client.post("/tagmask/api/inspect", json={"image": "image0"})
    assert answer.status_code == 400
    assert "Train" in answer.json()["error"]


def upload(client: TestClient, *files: tuple[str, bytes]) -> dict:
    sent = [("files", (name, data, "application/octet-stream")) for name, data in files]
    answer = client.post("/tagmask/api/upload", files=sent, data={"reviewer": "ada"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def photograph(seed: int) -> bytes:
    return encode_png(np.random.default_rng(seed).integers(0, 255, (20, 30, 3), dtype=np.uint8))


def test_each_dropped_file_gets_its_own_sentence(client: TestClient, workspace: Workspace) -> None:
    told = upload(
        client, ("a.png", photograph(1)), ("again.png", photograph(1)), ("b.jpg", photograph(2)),
        ("letter.png", b"Dear reader"), ("empty.png", b""), ("cut.png", photograph(3)[:200]),
    )  # fmt: skip
    assert [result["outcome"] for result in told["results"]] == [
        "added", "duplicate", "added", "refused", "refused", "refused",
    ]  # fmt: skip
    assert told["counts"] == {"added": 2, "duplicate": 1, "refused": 3}
    assert all(result["file"] in result["sentence"] for result in told["results"])
    assert workspace.store.images.count() == 5
    assert workspace.store.images.by_name("a").source == "upload by ada"


def test_names_with_folders_are_stripped_to_the_last_part(
    client: TestClient, workspace: Workspace
) -> None:
    told = upload(client, ("../../up.png", photograph(4)), ("C:\\my\\win.png", photograph(5)))
    assert [result["image"]["name"] for result in told["results"]] == ["up", "win"]
    assert not (workspace.root.parent / "up.png").exists()


def test_a_zip_is_unpacked_and_what_was_refused_in_it_is_told(
    client: TestClient, workspace: Workspace
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("folder/one.png", photograph(6))
        archive.writestr("two.png", photograph(7))
        archive.writestr("../outside.png", photograph(8))
    told = upload(client, ("photos.zip", packed.getvalue()))
    assert told["counts"] == {"added": 2, "duplicate": 0, "refused": 1}
    assert any("outside.png" in result["sentence"] for result in told["results"])
    assert not list(workspace.root.glob("upload-*"))


def test_a_broken_zip_is_refused_by_its_own_name(client: TestClient) -> None:
    told = upload(client, ("photos.zip", b"PK\x03\x04 and then nothing"))
    assert told["counts"]["refused"] == 1
    assert "photos.zip" in told["results"][0]["sentence"]


def test_a_full_disk_refuses_the_file_and_keeps_the_process(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("backend.store.images.Images.add", full)
        told = upload(client, ("late.png", photograph(9)))
        assert told["counts"]["refused"] == 1
        assert "No space left" in told["results"][0]["sentence"]
        patched.setattr("backend.store.images.Images.set_tags", full)
        body = {"image": "image0", "tags": ["dog"]}
        answer = client.post("/tagmask/api/inspect/tags", json=body)
        assert answer.status_code == 507
        assert "nothing was changed" in answer.json()["error"]
    assert upload(client, ("late.png", photograph(9)))["counts"]["added"] == 1


def test_tags_are_kept_with_who_set_them_and_new_classes_come_from_the_weights(
    client: TestClient, run: int, workspace: Workspace
) -> None:
    answer = client.post(
        "/tagmask/api/inspect/tags",
        json={"image": "image1", "tags": ["bird", "DOG", "dog"], "reviewer": "ada"},
    ).json()
    assert sorted(answer["tags"]) == ["bird", "dog"]
    assert "bird" in workspace.store.classes.by_name()
    image = workspace.store.images.by_name("image1")
    assert workspace.store.images.tag_changes(image.id)[-1].by == "ada"


def test_an_unknown_tag_changes_nothing_and_names_the_nearest(
    client: TestClient, workspace: Workspace
) -> None:
    before = workspace.store.images.by_name("image1").tags
    answer = client.post("/tagmask/api/inspect/tags", json={"image": "image1", "tags": ["dgo"]})
    assert answer.status_code == 400
    assert "dog" in answer.json()["error"]
    assert workspace.store.images.by_name("image1").tags == before


def test_the_mask_on_the_page_becomes_a_candidate_with_its_scores(
    client: TestClient, run: int, workspace: Workspace
) -> None:
    chosen = {"gamma": 0.05}
    shown = {
        header["stage"]: (header, payload)
        for header, payload in inspect(client, run, settings=chosen)
    }
    body = {"image": "image0", "weights": f"run:{run}", "settings": chosen, "stage": "fusion.dcsp"}
    made = client.post("/tagmask/api/inspect/candidate", json=body).json()
    assert made["new"]
    candidate = workspace.store.candidates.get(made["candidate"])
    digest = sha256((workspace.runs / "first" / "weights.safetensors").read_bytes()).hexdigest()
    assert candidate.method == f"cam.dcsp · small ({digest[:8]}) · classical"
    assert candidate.run_id == run
    assert set(candidate.scores) == {"AC", "CD", "SC"}
    labels = decode_labels(workspace.store.files.read(candidate.digest))
    assert np.array_equal(labels, pixels(*shown["fusion.dcsp"]))
    again = client.post("/tagmask/api/inspect/candidate", json=body).json()
    assert again == {**made, "new": False}


def test_an_empty_mask_is_not_offered(client: TestClient, run: int, workspace: Workspace) -> None:
    before = workspace.store.candidates.counts()
    body = {"image": "image0", "weights": f"run:{run}", "settings": {"gamma": 1.0}}
    answer = client.post("/tagmask/api/inspect/candidate", json={**body, "stage": "fusion.dcsp"})
    assert answer.status_code == 400
    assert "no pixel" in answer.json()["error"]
    answer = client.post("/tagmask/api/inspect/candidate", json={**body, "stage": "cam"})
    assert answer.status_code == 400
    assert workspace.store.candidates.counts() == before


def test_files_are_served_by_digest_for_ever_and_by_nothing_else(
    client: TestClient, workspace: Workspace
) -> None:
    digest = workspace.store.images.by_name("image0").digest
    whole = client.get(f"/tagmask/files/{digest}")
    assert whole.content == workspace.store.files.read(digest)
    assert "immutable" in whole.headers["cache-control"]
    small = client.get(f"/tagmask/thumbs/{digest}", params={"side": 96})
    assert small.headers["content-type"] == "image/jpeg"
    for wrong in ("0" * 64, "workspace.json", "..%2Fworkspace.json", digest[:63], digest.upper()):
        for kind in ("files", "thumbs"):
            answer = client.get(f"/tagmask/{kind}/{wrong}")
            assert answer.status_code == 404
            assert b"Test bench" not in answer.content


def test_a_stored_file_that_is_no_picture_is_never_shown_as_a_page(
    client: TestClient, workspace: Workspace
) -> None:
    digest = workspace.store.files.put(b"<script>alert(1)</script>", ".json")
    answer = client.get(f"/tagmask/files/{digest}")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "html" not in answer.headers["content-type"]


def test_recent_inspections_are_kept_within_their_bytes(
    client: TestClient, run: int, workspace: Workspace
) -> None:
    inspectors = client.app.state.context.inspectors
    inspectors._kept_bytes = 1
    for name in ("image0", "image1", "image2"):
        inspect(client, run, image=name, tags=["cat"])
    digest = workspace.store.images.by_name("image2").digest
    assert {image for image, _, _ in inspectors._kept} == {digest}
