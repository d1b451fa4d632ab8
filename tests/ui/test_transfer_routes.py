"""Archives in pieces and snapshots out, through the routes that the page uses."""

import io
import json
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from backend.images import encode_png
from backend.transfers import place_of
from backend.workspace import Workspace


def photograph(seed: int) -> bytes:
    return encode_png(np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8))


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


ARCHIVE = packed({f"{name}/{n}.png": photograph(n) for n, name in enumerate(("cat", "dog", "cat"))})


def post(client: TestClient, path: str, body: object = None) -> dict:
    answer = client.post(f"/tagmask/api/transfers/{path}", json=body or {})
    assert answer.status_code == 200, answer.text
    return answer.json()


def begun(client: TestClient, name: str = "pets.zip", data: bytes = ARCHIVE) -> dict:
    return post(
        client, "upload", {"name": name, "size": len(data), "changed": 5, "reviewer": "ada"}
    )


def send(client: TestClient, id: int, offset: int, data: bytes) -> "object":
    return client.post(
        f"/tagmask/api/transfers/{id}/piece?offset={offset}",
        content=data,
        headers={"Content-Type": "application/octet-stream"},
    )


def ended(client: TestClient, id: int) -> dict:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        rows = client.get("/tagmask/api/transfers").json()["transfers"]
        found = next(row for row in rows if row["id"] == id)
        if found["state"] in ("done", "failed", "interrupted"):
            return found
        time.sleep(0.1)
    raise AssertionError(f"transfer {id} did not end")


def test_an_archive_comes_in_pieces_and_goes_on_where_it_broke(
    client: TestClient, workspace: Workspace
) -> None:
    one = begun(client)
    assert one["received"] == 0
    half = len(ARCHIVE) // 2
    assert send(client, one["id"], 0, ARCHIVE[:half]).json()["received"] == half
    again = begun(client)
    assert (again["id"], again["received"]) == (one["id"], half)
    assert send(client, one["id"], 0, ARCHIVE[:half]).status_code == 200
    assert send(client, one["id"], half + 1, ARCHIVE[half + 1 :]).status_code == 409
    refused = client.post(f"/tagmask/api/transfers/{one['id']}/start", json={})
    assert refused.status_code == 409
    assert "not come in full" in refused.json()["error"]
    assert send(client, one["id"], half, ARCHIVE[half:]).json()["received"] == len(ARCHIVE)
    before = workspace.store.images.count()
    post(client, f"{one['id']}/start", {"masks": "none", "by_folders": True})
    done = ended(client, one["id"])
    assert (done["state"], done["counts"]["new"]) == ("done", 3), done
    assert workspace.store.images.count() == before + 3
    cat = next(each for each in workspace.store.classes.all() if each.name == "cat")
    image = workspace.store.images.by_name("cat_0")
    assert image is not None
    assert image.tags == (cat.id,)
    assert image.source == "pets.zip, uploaded by ada"
    assert not place_of(workspace.root, one["id"]).exists()


def test_an_archive_that_is_none_fails_with_a_sentence_without_paths(
    client: TestClient, workspace: Workspace
) -> None:
    data = packed({"../up.png": photograph(1), "/etc/x.png": photograph(2)})
    one = begun(client, "../../evil/../bad.zip", data)
    assert one["name"] == "bad.zip"
    send(client, one["id"], 0, data)
    post(client, f"{one['id']}/start")
    failed = ended(client, one["id"])
    assert failed["state"] == "failed"
    assert "holds no image that can be read" in " ".join(failed["said"])
    assert str(workspace.root) not in json.dumps(failed)
    assert not list(workspace.root.parent.rglob("up.png"))
    post(client, f"{one['id']}/cancel")
    assert not place_of(workspace.root, one["id"]).exists()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("upload", {"name": "", "size": 5, "reviewer": "a"}),
        ("upload", {"name": "a.zip", "size": 0, "reviewer": "a"}),
        ("upload", {"name": "a.zip", "size": 2**50, "reviewer": "a"}),
        ("export", {"snapshot": "../../etc", "format": "voc", "reviewer": "a"}),
        ("export", {"snapshot": "0" * 64, "format": "tar", "reviewer": "a"}),
        ("export", {"snapshot": "0" * 64, "format": "voc", "reviewer": "a"}),
        ("999/start", {}),
        ("999/resume", {}),
        ("../1/resume", {}),
        ("x/cancel", {}),
    ],
)
def test_wrong_wishes_are_refused(client: TestClient, path: str, body: dict) -> None:
    answer = client.post(f"/tagmask/api/transfers/{path}", json=body)
    assert 400 <= answer.status_code < 500
    assert client.get("/tagmask/api/transfers").json()["transfers"] == []


def test_a_piece_cannot_be_larger_than_said(client: TestClient, workspace: Workspace) -> None:
    one = begun(client)
    assert send(client, one["id"], 0, ARCHIVE + b"more").status_code == 409
    assert send(client, one["id"], -5, b"x").status_code in (409, 422)
    assert send(client, one["id"], 0, b"x" * (8 * 2**20 + 1)).status_code == 413
    assert not (place_of(workspace.root, one["id"]) / "upload.zip").exists()


@pytest.mark.parametrize("format", ["voc", "bundle"])
def test_a_snapshot_leaves_and_its_zip_can_be_fetched_and_removed(
    client: TestClient, workspace: Workspace, format: str
) -> None:
    row = workspace.store.candidates.queue().rows[0]
    workspace.store.decisions.record(
        row.id, row.digest, "accept", reviewer="ada", session="s", action_id="1"
    )
    frozen = workspace.store.snapshots.freeze("one", "ada")
    wish = {"snapshot": frozen.digest, "format": format, "reviewer": "ada"}
    done = ended(client, post(client, "export", wish)["id"])
    assert done["state"] == "done", done
    answer = client.get(f"/tagmask/api/transfers/{done['id']}/file")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert any(Path(name).suffix == ".png" for name in archive.namelist())
    assert post(client, f"{done['id']}/remove")["file"] is None
    assert client.get(f"/tagmask/api/transfers/{done['id']}/file").status_code == 404
    assert list((workspace.root / "exports").iterdir()) == []


def test_other_files_are_never_given_out_as_exports(
    client: TestClient, workspace: Workspace
) -> None:
    """A transfer that the command line made may lie anywhere on the disk."""
    secret = workspace.root.parent / "secret.zip"
    secret.write_bytes(b"x")
    transfers = workspace.store.transfers
    made = transfers.begin("export", "voc", str(secret), {}, "root")
    transfers.end(made.id, "done", [])
    assert client.get(f"/tagmask/api/transfers/{made.id}/file").status_code == 404
    post(client, f"{made.id}/remove")
    assert secret.exists()


def test_duplicates_are_listed(client: TestClient, workspace: Workspace) -> None:
    image = workspace.store.images.page().rows[0]
    data = workspace.store.files.read(image.digest)
    workspace.store.images.add("another name", data, source="test")
    told = client.get("/tagmask/api/data/duplicates").json()
    assert told["same"][0]["also"] == ["another_name"]
    assert client.get("/tagmask/api/data/duplicates?within=40").status_code == 422
    with workspace.store.connections.write() as database:
        database.execute("UPDATE images SET phash = NULL")
    assert client.get("/tagmask/api/data/duplicates").json()["unhashed"] > 0
    assert client.post("/tagmask/api/data/duplicates", json={}).json()["unhashed"] == 0
