"""Leases, assignment, agreement, history and revert through the web routes."""

import pytest

from backend.workspace import Workspace

PEOPLE = "/tagmask/api/people"


@pytest.fixture
def rows(client):
    return client.get("/tagmask/api/curate/queue").json()["rows"]


def who(name="ada", action="a1", **more):
    return {"reviewer": name, "session": f"{name}'s", "action_id": action} | more


def decide(client, row, verdict, name="ada", action="d1"):
    body = who(name, action, candidate=row["id"], digest=row["digest"], verdict=verdict)
    assert client.post("/tagmask/api/curate/decide", json=body).status_code == 200


def lease(client, image, name, **more):
    body = {"image": image, "reviewer": name, "session": f"{name}'s"} | more
    return client.post(f"{PEOPLE}/lease", json=body)


def test_a_lease_refused_says_who_has_it_and_no_secret_of_theirs(client, rows):
    image = rows[0]["image_id"]
    assert lease(client, image, "ada").status_code == 200
    refused = lease(client, image, "bob")
    assert refused.status_code == 409
    assert "ada is editing this image" in refused.json()["error"]
    assert refused.json()["lease"]["reviewer"] == "ada"
    assert "ada's" not in refused.text
    seen = client.get(f"{PEOPLE}/lease/{image}", params={"session": "bob's"})
    assert seen.json()["lease"]["reviewer"] == "ada"
    assert "ada's" not in seen.text
    assert client.get(f"{PEOPLE}/lease/{image}?session=ada's").json() == {"lease": None}


def test_a_lease_is_taken_over_on_request_and_given_back(client, rows):
    image = rows[0]["image_id"]
    lease(client, image, "ada")
    assert lease(client, image, "bob", steal=True).status_code == 200
    assert lease(client, image, "ada").status_code == 409
    body = {"image": image, "reviewer": "bob", "session": "bob's"}
    assert client.post(f"{PEOPLE}/release", json=body).json() == {"released": True}
    assert lease(client, image, "ada").status_code == 200


def test_images_are_shared_out_after_a_look_at_what_it_comes_to(client, rows):
    body = who("lead", reviewers=["ada", "bob"], overlap=0.34, seed=1)
    told = client.post(f"{PEOPLE}/assign", json=body | {"dry_run": True}).json()
    assert client.get(f"{PEOPLE}/summary").json()["open"] == 3
    made = client.post(f"{PEOPLE}/assign", json=body).json()
    assert made == told
    assert sum(each["images"] for each in made["shares"]) == 4
    summary = client.get(f"{PEOPLE}/summary").json()
    assert summary["open"] == 0
    assert {each["reviewer"]: each["judged"] for each in summary["reviewers"]} == {
        "ada": 0,
        "bob": 0,
    }
    mine = client.get("/tagmask/api/curate/queue", params={"assigned": "ada"}).json()
    assert mine["total"] == next(e["images"] for e in made["shares"] if e["reviewer"] == "ada")
    gone = client.post(f"{PEOPLE}/withdraw", json=who("lead", "a2", whose="ada")).json()
    assert gone == {"images": mine["total"]}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"reviewers": ["ada"], "overlap": 0.5}, "only where two are named"),
        ({"reviewers": ["ada", "ADA"]}, "more than once"),
    ],
)
def test_what_cannot_be_shared_out_is_refused_with_a_sentence(client, body, sentence):
    answer = client.post(f"{PEOPLE}/assign", json=who("lead") | body)
    assert answer.status_code == 409
    assert sentence in answer.json()["error"]


def test_two_who_share_an_image_judge_it_without_a_hint(client, rows):
    """The queue, its counts and the history show each their own, until both have judged."""
    body = who("lead", reviewers=["ada", "bob"], overlap=1)
    client.post(f"{PEOPLE}/assign", json=body)
    decide(client, rows[0], "reject", "ada")
    theirs = client.get("/tagmask/api/curate/queue", params={"assigned": "bob"}).json()
    first = next(row for row in theirs["rows"] if row["id"] == rows[0]["id"])
    assert (first["verdict"], first["reviewer"]) == ("undecided", None)
    image = rows[0]["image_id"]
    told = client.get(f"{PEOPLE}/history/{image}", params={"reviewer": "bob"}).json()
    assert told["withheld"] == ["ada"]
    assert not [each for each in told["events"] if each["kind"] == "decision"]
    decide(client, rows[0], "accept", "bob", "d2")
    told = client.get(f"{PEOPLE}/history/{image}", params={"reviewer": "bob"}).json()
    assert [each["by"] for each in told["events"] if each["kind"] == "decision"] == ["ada", "bob"]
    [whole, *_] = client.get(f"{PEOPLE}/agreement").json()["verdicts"]
    assert (whole["masks"], whole["same"], whole["kappa"]) == (1, 0, 0.0)
    assert client.get(f"{PEOPLE}/agreement").json()["apart"][0]["keep"] == ["bob"]
    assert client.get(f"{PEOPLE}/agreement/masks").json() == {"masks": []}


def test_a_revert_is_a_row_more_and_tells_what_became_of_the_mask(client, workspace, rows):
    decide(client, rows[0], "accept", "ada", "d1")
    decide(client, rows[0], "reject", "bob", "d2")
    body = who("cyd", image=rows[0]["image_id"], key="decision:1", to="after", seen="decision:2")
    answer = client.post(f"{PEOPLE}/revert", json=body).json()
    assert answer["row"]["verdict"] == "accept"
    assert answer["event"]["says"] == "brought back ada's “accept” on the mask of test"
    assert client.post(f"{PEOPLE}/revert", json=body).json() == answer
    assert workspace.store.decisions.count() == 3
    assert "action_id" not in answer["event"]


def test_a_revert_of_an_older_history_is_refused_with_what_came_since(client, rows):
    decide(client, rows[0], "accept", "ada", "d1")
    decide(client, rows[0], "reject", "bob", "d2")
    body = who("cyd", image=rows[0]["image_id"], key="decision:1", to="before", seen="decision:1")
    answer = client.post(f"{PEOPLE}/revert", json=body)
    assert answer.status_code == 409
    assert answer.json()["current"] == "decision:2"
    assert "bob rejected the mask of test since you looked" in answer.json()["error"]


def test_nothing_of_it_goes_through_in_a_read_only_workspace(workspace: Workspace):
    from fastapi.testclient import TestClient

    from tests.ui.conftest import HEADERS
    from ui.server import build_app

    acts = {
        "lease": {"image": 1},
        "release": {"image": 1},
        "assign": {"reviewers": ["ada"], "dry_run": True},
        "withdraw": {},
        "revert": {"image": 1, "key": "tags:1", "to": "before", "seen": "tags:1"},
    }
    with TestClient(build_app(workspace, read_only=True), headers=HEADERS) as looking:
        for path, body in acts.items():
            answer = looking.post(f"{PEOPLE}/{path}", json=who() | body)
            assert answer.status_code == 403, path
        assert looking.get(f"{PEOPLE}/summary").json()["read_only"]
        assert looking.get(f"{PEOPLE}/history/1").status_code == 200
    assert workspace.store.images.get(1).tags == (1,)


def drawn(workspace, row, name, action, rows=3):
    """A mask that somebody drew over a candidate, through the store."""
    import numpy as np

    from backend.labels import encode_labels

    labels = np.zeros((24, 32), np.uint8)
    labels[:rows] = 1
    return workspace.store.fixes.record(
        row["id"], row["digest"], encode_labels(labels), fixed=None, reviewer=name,
        session=f"{name}'s", action_id=action,
    )  # fmt: skip


def test_what_another_drew_of_a_shared_image_is_no_hint_either(client, workspace, rows):
    body = who("lead", reviewers=["ada", "bob"], overlap=1)
    client.post(f"{PEOPLE}/assign", json=body)
    theirs = drawn(workspace, rows[0], "ada", "f1")
    image = rows[0]["image_id"]
    seen = client.get("/tagmask/api/curate/queue", params={"assigned": "bob"}).json()["rows"]
    assert rows[0]["id"] in [row["id"] for row in seen]
    assert theirs.candidate_id not in [row["id"] for row in seen]
    choices = f"/tagmask/api/curate/choices/{image}"
    of_bob = client.get(choices, params={"assigned": "bob"}).json()["rows"]
    assert [(row["id"], row["verdict"]) for row in of_bob] == [(rows[0]["id"], "undecided")]
    of_ada = client.get(choices, params={"assigned": "ada"}).json()["rows"]
    assert [row["id"] for row in of_ada] == [rows[0]["id"], theirs.candidate_id]
    fix = f"/tagmask/api/fix/{rows[0]['id']}"
    assert client.get(fix, params={"reviewer": "bob"}).json()["newer"] is None
    assert client.get(fix, params={"reviewer": "lead"}).json()["newer"]["id"] == theirs.candidate_id
    mine = drawn(workspace, rows[0], "bob", "f2", rows=4)
    assert mine.candidate_id != theirs.candidate_id
    [whole, *_] = client.get(f"{PEOPLE}/agreement/masks").json()["masks"]
    assert (whole["first"], whole["second"], whole["images"]) == ("ada", "bob", 1)
    assert whole["iou"] == pytest.approx(3 / 4)


def test_a_revert_that_would_pass_over_a_newer_drawn_mask_shows_that_mask(client, workspace, rows):
    decide(client, rows[0], "accept", "ada", "d1")
    decide(client, rows[0], "skip", "ada", "d2")
    image = rows[0]["image_id"]
    theirs = drawn(workspace, rows[0], "bob", "f1")
    [replaced] = [
        each["key"]
        for each in client.get(f"{PEOPLE}/history/{image}").json()["events"]
        if each["current"] and each["candidate_id"] == rows[0]["id"]
    ]
    back = {"image": image, "key": "decision:1", "to": "after", "seen": replaced}
    answer = client.post(f"{PEOPLE}/revert", json=who("ada", "r1", **back, fixed=None))
    assert answer.status_code == 409
    assert "bob drew a newer mask" in answer.json()["error"]
    assert answer.json()["row"]["id"] == theirs.candidate_id
    known = who("ada", "r2", **back, fixed=theirs.candidate_id)
    assert client.post(f"{PEOPLE}/revert", json=known).json()["row"]["verdict"] == "accept"
