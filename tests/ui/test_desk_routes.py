"""The review desk through its routes: flags, whole sets, choices, newer masks, comparing, pace."""

import time

import pytest
from fastapi.testclient import TestClient

from backend.workspace import Workspace
from tests.ui.test_curate_routes import act

API = "/tagmask/api/curate/"
WHO = {"reviewer": "ada", "session": "s"}


@pytest.fixture
def rows(client: TestClient) -> list[dict]:
    return client.get(f"{API}queue").json()["rows"]


@pytest.fixture
def second(workspace: Workspace) -> int:
    """A second mask of the first image: id of the candidate."""
    import numpy as np

    from backend.labels import encode_labels

    labels = np.zeros((24, 32), np.uint8)
    labels[4:12, 13:27] = 1
    return workspace.store.candidates.add(1, None, "other", encode_labels(labels), {"SC": 0.9})


def test_a_flag_is_kept_and_filters_the_queue(client: TestClient, rows: list[dict]) -> None:
    image = rows[1]["image_id"]
    body = WHO | {"image": image, "flagged": True, "action_id": "f1"}
    for _ in range(2):
        answer = client.post(f"{API}flag", json=body)
        assert answer.status_code == 200
        assert answer.json()["flag"]["flagged"] is True
    found = client.get(f"{API}queue", params={"flagged": "yes"}).json()
    assert [row["image_name"] for row in found["rows"]] == ["image1"]
    assert found["rows"][0]["flagged"] is True
    assert client.get(f"{API}queue", params={"flagged": "no"}).json()["total"] == 2


def test_what_comes_back_into_a_share_does_not_say_what_another_said(
    client: TestClient, rows: list[dict]
) -> None:
    body = {"candidate": rows[0]["id"], "digest": rows[0]["digest"], "session": "s"}
    for who, verdict in (("ada", "accept"), ("bob", "reject")):
        said = body | {"reviewer": who, "verdict": verdict, "action_id": who}
        assert client.post(f"{API}decide", json=said).status_code == 200
    share = client.post(f"{API}undo", json=WHO | {"action_id": "u", "assigned": "ada"}).json()
    assert (share["row"]["verdict"], share["row"]["reviewer"]) == ("undecided", None)
    # Outside of a share the mask is as it stands for everybody.
    again = client.post(f"{API}undo", json=WHO | {"action_id": "u"}).json()
    assert (again["row"]["verdict"], again["row"]["reviewer"]) == ("reject", "bob")


def test_a_set_is_looked_at_decided_and_taken_back(
    client: TestClient, workspace: Workspace, rows: list[dict]
) -> None:
    query = {"tag": 1}
    told = client.get(f"{API}batch", params=query).json()
    assert (told["total"], told["verdicts"]["undecided"]) == (2, 2)
    body = WHO | {"filter": query, "digest": told["digest"], "verdict": "accept", "action_id": "b"}
    assert client.post(f"{API}batch", json=body).json() == {"count": 2}
    assert client.post(f"{API}batch", json=body).json() == {"count": 2}
    assert workspace.store.decisions.count() == 2
    assert client.get(f"{API}counts").json()["verdicts"]["accept"] == 2
    undone = client.post(f"{API}undo", json=WHO | {"action_id": "u"}).json()
    assert undone["count"] == 2
    assert undone["row"]["verdict"] == "undecided"
    assert client.get(f"{API}counts").json()["verdicts"]["undecided"] == 3


def test_a_set_that_changed_is_refused_with_a_sentence(
    client: TestClient, workspace: Workspace, rows: list[dict]
) -> None:
    told = client.get(f"{API}batch").json()
    client.post(f"{API}decide", json=act(rows[0], reviewer="bob"))
    body = WHO | {"filter": {}, "digest": told["digest"], "verdict": "reject", "action_id": "b"}
    answer = client.post(f"{API}batch", json=body)
    assert answer.status_code == 409
    assert "Look at it again" in answer.json()["error"]
    assert workspace.store.decisions.count() == 1


def test_a_newer_drawn_mask_is_shown_instead_of_overwritten(
    client: TestClient, workspace: Workspace, rows: list[dict], second: int
) -> None:
    store = workspace.store
    digest = store.candidates.get(second).digest
    drawn = store.candidates.add(1, None, "fixed", digest, parent_id=rows[0]["id"])
    store.decisions.record(drawn, digest, "fix", reviewer="bob", session="s", action_id="fix")
    seen = act(rows[0]) | {"fixed": rows[0]["fixed_id"]}
    assert seen["fixed"] is None
    answer = client.post(f"{API}decide", json=seen)
    assert answer.status_code == 409
    assert answer.json()["row"]["id"] == drawn
    assert "bob drew a newer mask" in answer.json()["error"]
    assert store.decisions.count() == 1
    assert client.post(f"{API}decide", json=seen | {"fixed": drawn}).status_code == 200


def test_choices_are_the_masks_of_an_image_and_comparing_measures_them(
    client: TestClient, rows: list[dict], second: int
) -> None:
    found = client.get(f"{API}choices/1").json()["rows"]
    assert [(row["method"], row["choices"]) for row in found] == [("test", 2), ("other", 2)]
    state = client.get(f"{API}comparing").json()
    assert (state["running"], state["waiting"]) == (False, 1)
    client.post(f"{API}compare", json={})
    deadline = time.monotonic() + 20
    while client.get(f"{API}comparing").json()["running"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert client.get(f"{API}comparing").json()["waiting"] == 0
    first = client.get(f"{API}queue", params={"order": "methods"}).json()["rows"][0]
    # 8 rows of 14 pixels each, moved by 7: a third of both together is common.
    assert first["why"] == "methods 0.67 apart (1 − mean IoU)"


def test_the_pace_is_told_as_ages(client: TestClient, rows: list[dict]) -> None:
    assert client.get(f"{API}pace", params={"reviewer": "ada"}).json() == {"ages": []}
    client.post(f"{API}decide", json=act(rows[0]))
    (age,) = client.get(f"{API}pace", params={"reviewer": "ada"}).json()["ages"]
    assert 0 <= age < 60


def test_counts_by_class_are_told_where_they_are_asked_for(
    client: TestClient, rows: list[dict]
) -> None:
    client.post(f"{API}decide", json=act(rows[0]))
    assert client.get(f"{API}counts").json()["classes"] == {}
    by_class = client.get(f"{API}counts", params={"by_class": True}).json()["classes"]
    assert by_class["1"]["accept"] == 1
    assert by_class["1"]["undecided"] == 1
    assert client.get(f"{API}setup").json()["reviewers"] == ["ada"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("flag", {"image": 99, "flagged": True}),
        ("flag", {"image": 1, "flagged": "perhaps"}),
        ("batch", {"filter": {"verdict": "love"}, "digest": "0" * 64, "verdict": "accept"}),
        ("batch", {"filter": {}, "digest": "0" * 64, "verdict": "skip"}),
        ("batch", {"filter": {}, "digest": "0" * 64, "verdict": "accept"}),
        ("batch", {"filter": {"tag": 10**25}, "digest": "0" * 64, "verdict": "accept"}),
    ],
)
def test_nonsense_is_refused_with_a_sentence_and_changes_nothing(
    client: TestClient, workspace: Workspace, path: str, body: dict
) -> None:
    answer = client.post(f"{API}{path}", json=WHO | {"action_id": "n"} | body)
    assert 400 <= answer.status_code < 500
    assert len(answer.json()["error"]) > 10
    assert workspace.store.decisions.count() == 0
    assert workspace.store.flags.count() == 0


@pytest.mark.parametrize(
    "query", [{"flagged": "perhaps"}, {"reviewer": ""}, {"min_score": "nan"}, {"order": "vibes"}]
)
def test_a_filter_that_makes_no_sense_is_refused(client: TestClient, query: dict) -> None:
    answer = client.get(f"{API}queue", params=query)
    assert 400 <= answer.status_code < 500
    assert len(answer.json()["error"]) > 10


def test_read_only_flags_decides_and_compares_nothing(workspace: Workspace) -> None:
    from ui.server import build_app

    headers = {"X-Tagmask": "1", "Origin": "http://testserver"}
    with TestClient(build_app(workspace, read_only=True), headers=headers) as reader:
        told = reader.get(f"{API}batch").json()
        bodies = {
            "flag": {"image": 1, "flagged": True},
            "batch": {"filter": {}, "digest": told["digest"], "verdict": "accept"},
            "compare": {},
        }
        for path, body in bodies.items():
            answer = reader.post(f"{API}{path}", json=WHO | {"action_id": "r"} | body)
            assert answer.status_code == 403
    assert workspace.store.decisions.count() == 0
    assert workspace.store.flags.count() == 0
