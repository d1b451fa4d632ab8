"""The Data tab's routes: numbers, classes, tags, snapshots and their export."""

import io
import zipfile

import numpy as np

from backend.labels import decode_labels


def decide(client, row, verdict, action):
    body = {"candidate": row["id"], "digest": row["digest"], "verdict": verdict}
    body |= {"reviewer": "ada", "session": "s", "action_id": action}
    assert client.post("/tagmask/api/curate/decide", json=body).status_code == 200


def test_the_summary_counts_what_is_there(client):
    summary = client.get("/tagmask/api/data/summary").json()
    assert (summary["images"], summary["tagged"], summary["with_truth"]) == (3, 3, 0)
    assert {each["name"]: each["images"] for each in summary["classes"]} == {"cat": 2, "dog": 1}
    assert summary["candidates"]["verdicts"]["undecided"] == 3


def test_a_new_class_is_there_once_whatever_its_case(client):
    first = client.post("/tagmask/api/data/classes", json={"name": "Sheep"}).json()
    second = client.post("/tagmask/api/data/classes", json={"name": "sheep"}).json()
    assert first["id"] == second["id"] == 3


def test_nothing_accepted_is_said_in_a_sentence(client):
    answer = client.post("/tagmask/api/data/snapshots", json={"name": "one", "reviewer": "ada"})
    assert answer.status_code == 409
    assert "Accept some candidates" in answer.json()["error"]


def test_a_snapshot_holds_the_accepted_masks_and_exports_as_voc(client):
    rows = client.get("/tagmask/api/curate/queue").json()["rows"]
    decide(client, rows[0], "accept", "a1")
    decide(client, rows[1], "reject", "a2")
    frozen = client.post("/tagmask/api/data/snapshots", json={"name": "one", "reviewer": "ada"})
    assert frozen.json()["count"] == 1
    assert frozen.json()["new"]
    again = client.post("/tagmask/api/data/snapshots", json={"name": "two", "reviewer": "bob"})
    assert again.json()["digest"] == frozen.json()["digest"]
    assert not again.json()["new"]
    archive = client.get(f"/tagmask/api/data/snapshots/{frozen.json()['digest']}.zip")
    with zipfile.ZipFile(io.BytesIO(archive.content)) as packed:
        masks = [name for name in packed.namelist() if "SegmentationClass/" in name]
        assert [name.rsplit("/", 1)[1] for name in masks] == ["image0.png"]
        labels = decode_labels(packed.read(masks[0]))
    assert np.count_nonzero(labels == 1) == 8 * 14


def test_a_snapshot_holds_what_was_not_accepted_where_that_is_asked_for(client):
    rows = client.get("/tagmask/api/curate/queue").json()["rows"]
    decide(client, rows[0], "accept", "a1")
    decide(client, rows[1], "reject", "a2")
    body = {"name": "all", "reviewer": "ada", "with_undecided": True}
    frozen = client.post("/tagmask/api/data/snapshots", json=body).json()
    assert frozen["count"] == 3
    # The Train tab freezes the same set, and what leaves as VOC are the accepted masks.
    again = client.post("/tagmask/api/train/freeze", json=body).json()
    assert (again["digest"], again["new"]) == (frozen["digest"], False)
    archive = client.get(f"/tagmask/api/data/snapshots/{frozen['digest']}.zip")
    with zipfile.ZipFile(io.BytesIO(archive.content)) as packed:
        assert len([name for name in packed.namelist() if "SegmentationClass/" in name]) == 1


def test_an_unknown_snapshot_is_not_found(client):
    answer = client.get("/tagmask/api/data/snapshots/deadbeefdeadbeef.zip")
    assert answer.status_code == 404
    assert "no snapshot" in answer.json()["error"]
