"""The editor's routes: a drawn mask arrives byte for byte, or is refused; snaps are bounded."""

import base64
import zlib

import numpy as np
import pytest
from fastapi.testclient import TestClient

from backend.labels import read_labels
from backend.maps import crf
from backend.workspace import Workspace

API = "/tagmask/api/fix"
WHO = {"reviewer": "ada", "session": "s"}


def packed(labels: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(labels.tobytes())).decode()


@pytest.fixture
def row(client: TestClient) -> dict:
    return client.get("/tagmask/api/curate/queue").json()["rows"][0]


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(5).choice([0, 1, 2, 255], (24, 32)).astype(np.uint8)


def fixing(row: dict, labels: np.ndarray, action: str = "a1", **changes) -> dict:
    body = {"candidate": row["id"], "digest": row["digest"], "labels": packed(labels)}
    return WHO | body | {"fixed": None, "action_id": action} | changes


def test_a_drawn_mask_is_kept_byte_for_byte(
    client: TestClient, workspace: Workspace, row: dict, labels: np.ndarray
) -> None:
    answer = client.post(API, json=fixing(row, labels))
    assert answer.status_code == 200
    came = answer.json()
    assert came["row"]["parent_id"] == row["id"]
    assert came["row"]["verdict"] == "fix"
    assert came["parent"]["verdict"] == "reject"
    path = workspace.store.files.path(came["row"]["digest"])
    assert path.suffix == ".png"
    np.testing.assert_array_equal(read_labels(path), labels)
    again = client.post(API, json=fixing(row, labels))
    assert again.json()["row"]["id"] == came["row"]["id"]
    assert workspace.store.candidates.count() == 4


def test_a_newer_mask_comes_back_with_a_409(
    client: TestClient, row: dict, labels: np.ndarray
) -> None:
    theirs = client.post(API, json=fixing(row, labels, "theirs", reviewer="ben")).json()["row"]
    begun = client.get(f"{API}/{row['id']}").json()
    assert begun["newer"]["id"] == theirs["id"]
    labels[0] = 1
    refused = client.post(API, json=fixing(row, labels))
    assert refused.status_code == 409
    assert refused.json()["newer"]["digest"] == theirs["digest"]
    assert "ben drew a newer mask" in refused.json()["error"]
    followed = client.post(API, json=fixing(row, labels, fixed=theirs["id"]))
    assert followed.status_code == 200
    assert client.get(f"{API}/{followed.json()['row']['id']}").json()["newer"] is None


def test_a_held_image_comes_back_with_who_holds_it(
    client: TestClient, row: dict, labels: np.ndarray
) -> None:
    lease = {"image": row["image_id"], "reviewer": "ben", "session": "elsewhere"}
    client.post("/tagmask/api/people/lease", json=lease)
    refused = client.post(API, json=fixing(row, labels))
    assert refused.status_code == 409
    assert refused.json()["lease"]["reviewer"] == "ben"


@pytest.mark.parametrize(
    "text",
    [
        "not base64!",
        base64.b64encode(b"not deflated").decode(),
        packed(np.zeros((24, 31), np.uint8)),
        packed(np.zeros((24, 33), np.uint8)),
        packed(np.zeros((24, 32), np.uint8))[:-8],
        # A bomb: 64 MB of zeros in a few kilobytes.
        base64.b64encode(zlib.compress(bytes(64 << 20))).decode(),
    ],
)
def test_what_does_not_arrive_whole_is_refused(
    client: TestClient, workspace: Workspace, row: dict, labels: np.ndarray, text: str
) -> None:
    answer = client.post(API, json=fixing(row, labels) | {"labels": text})
    assert answer.status_code == 400
    assert "24" in answer.json()["error"]
    assert workspace.store.candidates.count() == 3


def snapping(row: dict, labels: np.ndarray, **changes) -> dict:
    height, width = labels.shape
    body = {"candidate": row["id"], "class_id": 1, "reach": 4, "left": 0, "top": 0}
    return body | {"width": width, "height": height, "labels": packed(labels)} | changes


def test_a_snap_answers_the_part_that_was_sent_and_stores_nothing(
    client: TestClient, workspace: Workspace, row: dict
) -> None:
    if crf.missing():
        pytest.skip("pydensecrf is not installed")
    part = np.zeros((12, 20), np.uint8)
    part[3:9, 4:16] = 1
    answer = client.post(f"{API}/snap", json=snapping(row, part, left=6, top=5))
    assert answer.status_code == 200
    grown = np.frombuffer(answer.content, np.uint8).reshape(part.shape)
    assert set(np.unique(grown)) <= {0, 1}
    assert workspace.store.candidates.count() == 3
    assert workspace.store.decisions.count() == 0


def test_a_snap_outside_the_image_or_of_no_class_is_refused(client: TestClient, row: dict) -> None:
    part = np.zeros((12, 20), np.uint8)
    outside = client.post(f"{API}/snap", json=snapping(row, part, left=20))
    assert outside.status_code == 400
    assert "outside the image" in outside.json()["error"]
    empty = client.post(f"{API}/snap", json=snapping(row, part))
    assert "None of this class is in view" in empty.json()["error"]


def test_where_the_crf_is_missing_a_snap_says_so_and_all_else_works(
    client: TestClient, row: dict, labels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.app.state.context.crf, "_reason", "pydensecrf is missing.")
    assert client.get(f"{API}/{row['id']}").json()["snap"] == "pydensecrf is missing."
    part = np.zeros((12, 20), np.uint8)
    part[3:9, 4:16] = 1
    answer = client.post(f"{API}/snap", json=snapping(row, part))
    assert answer.status_code == 400
    assert answer.json()["error"] == "pydensecrf is missing."
    assert client.post(API, json=fixing(row, labels)).status_code == 200
