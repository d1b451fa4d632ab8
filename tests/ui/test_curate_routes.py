"""Decisions through the web routes: recorded, idempotent, undone, refused with a sentence."""

import json
import sqlite3

import numpy as np
import pytest


def act(row, verdict="accept", action="a1", **changes):
    body = {
        "candidate": row["id"],
        "digest": row["digest"],
        "verdict": verdict,
        "reviewer": "ada",
        "session": "s",
        "action_id": action,
    }
    return body | changes


@pytest.fixture
def rows(client):
    return client.get("/tagmask/api/curate/queue").json()["rows"]


def test_the_queue_begins_with_the_lowest_score_and_says_why(rows):
    assert [row["image_name"] for row in rows] == ["image0", "image1", "image2"]
    assert "0.20" in rows[0]["why"]
    assert "no score" in rows[2]["why"]


def test_labels_arrive_as_exact_ids(client, rows):
    answer = client.get(f"/tagmask/api/curate/labels/{rows[1]['digest']}")
    ids = np.frombuffer(answer.content, np.uint8)
    ids = ids.reshape(int(answer.headers["X-Height"]), int(answer.headers["X-Width"]))
    assert ids.shape == (24, 32)
    assert ids[5, 7] == 2
    assert ids[0, 1] == 255
    assert np.count_nonzero(ids == 2) == 8 * 14


def test_a_decision_is_in_the_database_when_the_answer_comes(client, workspace, rows):
    answer = client.post("/tagmask/api/curate/decide", json=act(rows[0], reason="sharp"))
    assert answer.status_code == 200
    database = sqlite3.connect(workspace.root / "tagmask.db")
    stored = database.execute(
        "SELECT candidate_id, mask_digest, verdict, reviewer, reason FROM decisions"
    ).fetchall()
    assert stored == [(rows[0]["id"], rows[0]["digest"], "accept", "ada", "sharp")]
    left = client.get("/tagmask/api/curate/queue").json()
    assert [row["id"] for row in left["rows"]] == [rows[1]["id"], rows[2]["id"]]
    assert client.get("/tagmask/api/curate/counts").json()["verdicts"]["accept"] == 1


def test_the_same_act_sent_twice_is_recorded_once(client, workspace, rows):
    first = client.post("/tagmask/api/curate/decide", json=act(rows[0])).json()
    second = client.post("/tagmask/api/curate/decide", json=act(rows[0])).json()
    assert first == second
    assert workspace.store.decisions.count() == 1


def test_undo_brings_back_the_candidate_and_any_number_of_steps(client, rows):
    client.post("/tagmask/api/curate/decide", json=act(rows[0], "reject", "a1"))
    client.post("/tagmask/api/curate/decide", json=act(rows[1], "accept", "a2"))
    undo = {"reviewer": "ada", "session": "another"}
    back = [
        client.post("/tagmask/api/curate/undo", json=undo | {"action_id": f"u{i}"}).json()["row"]
        for i in range(3)
    ]
    assert [row and (row["id"], row["verdict"]) for row in back] == [
        (rows[1]["id"], "undecided"),
        (rows[0]["id"], "undecided"),
        None,
    ]


def test_a_verdict_on_a_mask_that_was_not_seen_is_refused(client, workspace, rows):
    answer = client.post("/tagmask/api/curate/decide", json=act(rows[0], digest="0" * 64))
    assert answer.status_code == 409
    assert "Look at it again" in answer.json()["error"]
    assert workspace.store.decisions.count() == 0


@pytest.mark.parametrize(
    "change",
    [{"verdict": "love"}, {"candidate": 999}, {"digest": "../../etc/passwd"}, {"reviewer": ""}],
)
def test_nonsense_is_refused_with_a_sentence_and_changes_nothing(client, workspace, rows, change):
    answer = client.post("/tagmask/api/curate/decide", json=act(rows[0]) | change)
    assert 400 <= answer.status_code < 500
    assert len(answer.json()["error"]) > 10
    assert workspace.store.decisions.count() == 0


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"tag": 2}, ["image1"]),
        ({"min_score": 0.3}, ["image1"]),
        ({"max_score": 0.3}, ["image0"]),
        ({"query": "ge2"}, ["image2"]),
        ({"order": "newest"}, ["image2", "image1", "image0"]),
        ({"verdict": "accept"}, []),
        ({"limit": 1, "offset": 1}, ["image1"]),
    ],
)
def test_filters_and_orders(client, query, names):
    rows = client.get("/tagmask/api/curate/queue", params=query).json()["rows"]
    assert [row["image_name"] for row in rows] == names


def test_an_unknown_order_is_refused_with_the_known_ones(client):
    answer = client.get("/tagmask/api/curate/queue", params={"order": "vibes"})
    assert answer.status_code == 409
    assert "newest" in answer.json()["error"]


def test_requests_without_the_pages_header_change_nothing(client, workspace, rows):
    answer = client.post(
        "/tagmask/api/curate/decide", json=act(rows[0]), headers={"X-Tagmask": "0"}
    )
    assert answer.status_code == 403
    assert workspace.store.decisions.count() == 0


def test_a_page_of_another_site_changes_nothing(client, workspace, rows):
    answer = client.post(
        "/tagmask/api/curate/decide", json=act(rows[0]), headers={"Origin": "http://evil.example"}
    )
    assert answer.status_code == 403
    assert workspace.store.decisions.count() == 0


def test_history_names_who_said_what_in_order(client, rows):
    client.post("/tagmask/api/curate/decide", json=act(rows[0], "reject", "a1"))
    client.post("/tagmask/api/curate/decide", json=act(rows[0], "accept", "a2", reviewer="bob"))
    history = client.get(f"/tagmask/api/curate/history/{rows[0]['image_id']}").json()["decisions"]
    assert [(each["reviewer"], each["verdict"]) for each in history] == [
        ("ada", "reject"),
        ("bob", "accept"),
    ]


@pytest.mark.parametrize("number", [10**25, -(10**25), 2**63])
def test_numbers_beyond_any_id_are_refused_with_a_sentence(client, workspace, rows, number):
    answers = [
        client.get(f"/tagmask/api/curate/history/{number}"),
        client.post("/tagmask/api/curate/decide", json=act(rows[0], candidate=number)),
        client.get("/tagmask/api/curate/counts", params={"run": number}),
    ]
    for name in ("tag", "run", "seed", "offset"):
        answers.append(client.get("/tagmask/api/curate/queue", params={name: number}))
    for answer in answers:
        assert answer.status_code == 422
        assert answer.json()["error"]
    assert workspace.store.decisions.count() == 0


def test_a_time_that_is_no_number_is_refused(client, workspace, rows):
    body = json.dumps(act(rows[0], client_time=float("inf")))
    kind = {"Content-Type": "application/json"}
    answer = client.post("/tagmask/api/curate/decide", content=body, headers=kind)
    assert answer.status_code == 422
    assert "client_time" in answer.json()["error"]
    assert workspace.store.decisions.count() == 0
