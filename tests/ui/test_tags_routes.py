"""The Tags tab's routes: lists, acts, undo, what a classifier says, and the job that asks it."""

import pytest

from backend.store import TagView

CAT, DOG = 1, 2
WHO = {"reviewer": "ada", "session": "s"}


def change(client, action, *edits, **who):
    body = WHO | {"action_id": action, "edits": list(edits)} | who
    return client.post("/tagmask/api/tags/change", json=body)


def rows(client, *ids):
    answer = client.get("/tagmask/api/tags/rows", params={"ids": ",".join(map(str, ids))})
    return {row["id"]: row for row in answer.json()["rows"]}


def ids(client, **view):
    return client.get("/tagmask/api/tags/ids", params=view).json()["ids"]


def test_a_list_is_its_ids_and_rows_come_as_asked(client, workspace):
    assert ids(client) == [1, 2, 3]
    assert ids(client, tag=DOG) == [2]
    assert ids(client, query="2") == [3]
    found = rows(client, 3, 1)
    assert list(found) == [3, 1]
    image = workspace.store.images.get(3)
    assert found[3] == {
        "id": 3, "name": "image2", "digest": image.digest, "width": 32, "height": 24,
        "tags": [CAT], "scores": [],
    }  # fmt: skip


def test_tags_are_given_to_many_and_taken_back(client, workspace):
    answer = change(client, "a", {"images": [1, 2, 3], "add": [DOG]})
    assert answer.json() == {"action_id": "a", "images": [1, 3], "changed": 2, "undoes": None}
    assert {id: row["tags"] for id, row in rows(client, 1, 2, 3).items()} == {
        1: [CAT, DOG], 2: [DOG], 3: [CAT, DOG],
    }  # fmt: skip
    # The answer was lost and the page sends it again.
    assert change(client, "a", {"images": [1, 2, 3], "add": [DOG]}).json() == answer.json()
    undone = client.post("/tagmask/api/tags/undo", json=WHO | {"action_id": "u"}).json()["act"]
    assert (undone["undoes"], undone["changed"]) == ("a", 2)
    assert workspace.store.images.get(1).tags == (CAT,)
    none = client.post("/tagmask/api/tags/undo", json=WHO | {"action_id": "u2"})
    assert none.json() == {"act": None}
    log = client.get("/tagmask/api/tags/log/1").json()["changes"]
    assert [(each["by"], each["before"], each["after"]) for each in log] == [
        ("ada", [CAT, DOG], [CAT]),
        ("ada", [CAT], [CAT, DOG]),
        ("test", [], [CAT]),
    ]
    assert not any(each["action_id"] for each in log)


def test_the_numbers_say_what_there_is_to_do(client, workspace):
    store = workspace.store
    run = store.runs.add("suggest 4", "suggest", "runs/4")
    store.suggestions.enter({1: {CAT: 0.1, DOG: 0.8}, 2: {DOG: 0.9, CAT: 0.3}}, run)
    setup = client.get("/tagmask/api/tags/setup").json()
    assert setup["counts"] == {
        "all": 3, "untagged": 0, "suggested": 1, "doubted": 1, "changed": 0,
    }  # fmt: skip
    assert [(c["name"], c["images"], c["suggested"], c["doubted"]) for c in setup["classes"]] == [
        ("cat", 2, 0, 1),
        ("dog", 1, 1, 0),
    ]
    assert (setup["suggestions"]["run"], setup["suggestions"]["images"]) == ("suggest 4", 2)
    assert setup["since"] is None
    assert setup["classifiers"][0]["id"].startswith("shipped:")
    lower = client.get("/tagmask/api/tags/setup", params={"least": 0.25, "most": 0.05}).json()
    assert (lower["counts"]["suggested"], lower["counts"]["doubted"]) == (2, 0)


def test_a_suggestion_shows_its_score_and_waits_for_a_person(client, workspace):
    workspace.store.suggestions.enter({1: {CAT: 0.98, DOG: 0.8}}, None)
    assert rows(client, 1)[1]["tags"] == [CAT]
    assert rows(client, 1)[1]["scores"] == [[CAT, 0.98, False], [DOG, 0.8, False]]
    assert ids(client, show="suggested") == [1]
    change(client, "no", {"images": [1], "remove": [DOG]})
    assert rows(client, 1)[1]["tags"] == [CAT]
    assert rows(client, 1)[1]["scores"] == [[CAT, 0.98, False], [DOG, 0.8, True]]
    assert ids(client, show="suggested") == []


def test_changes_since_a_snapshot_are_listed(client, workspace):
    frozen = workspace.store.snapshots.freeze("one", "ada", include="tagged")
    change(client, "a", {"images": [2], "add": [CAT], "remove": [DOG]})
    setup = client.get("/tagmask/api/tags/setup").json()
    assert (setup["counts"]["changed"], setup["since"]["name"]) == (1, "one")
    assert ids(client, show="changed") == [2]
    told = client.get("/tagmask/api/tags/changed", params={"snapshot": frozen.digest}).json()
    assert told["total"] == 1
    assert told["changed"][0]["image"] == "image1"
    assert (told["changed"][0]["before"], told["changed"][0]["after"]) == ([DOG], [CAT])


def test_a_new_class_can_be_given_at_once(client, workspace):
    made = client.post("/tagmask/api/tags/classes", json={"name": "Sheep"}).json()
    assert made["id"] == 3
    change(client, "a", {"images": [1, 2], "add": [3]})
    assert ids(client, tag=3) == [1, 2]


@pytest.mark.parametrize(
    ("edits", "status"),
    [
        ([{"images": [1, 99], "add": [CAT]}], 409),
        ([{"images": [1], "add": [40]}], 409),
        ([{"images": [1], "add": [CAT], "remove": [CAT]}], 409),
        ([{"images": [1], "add": [0]}], 422),
        ([{"images": [1], "add": [255]}], 422),
        ([{"images": ["1; DROP TABLE images"], "add": [CAT]}], 422),
        ([{"images": [2**70], "add": [CAT]}], 422),
    ],
)
def test_what_cannot_be_is_refused_whole(client, workspace, edits, status):
    answer = change(client, "a", *edits)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert [workspace.store.images.get(id).tags for id in (1, 2, 3)] == [(1,), (2,), (1,)]


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("rows", {"ids": "1,x"}),
        ("rows", {"ids": ""}),
        ("rows", {"ids": ",".join("1" * 301)}),
        ("ids", {"show": "secrets"}),
        ("ids", {"least": "nan"}),
        ("ids", {"most": "2"}),
        ("changed", {"snapshot": "../../etc/passwd"}),
    ],
)
def test_what_is_asked_wrongly_is_said_so(client, path, params):
    answer = client.get(f"/tagmask/api/tags/{path}", params=params)
    assert answer.status_code in (409, 422)
    assert answer.json()["error"]


def test_a_name_with_wildcards_is_only_a_name(client, workspace):
    assert ids(client, query="%") == []
    assert workspace.store.tags.listed(TagView(query="_")) == []


def test_the_classifier_is_asked_about_every_image_by_a_job(client, workspace, monkeypatch):
    monkeypatch.setattr("ui.routes.train.ensure_supervisor", lambda root: None)
    workspace.store.images.set_tags(2, [], "ada")
    setup = client.get("/tagmask/api/tags/setup").json()
    order = {"recipe": "suggest", "data": "every", "reviewer": "ada"}
    refused = client.post("/tagmask/api/train/submit", json=order)
    assert refused.status_code == 400
    assert "Choose the weights that are to look for tags" in refused.json()["error"]
    order["options"] = {"weights": setup["classifiers"][0]["id"]}
    answer = client.post("/tagmask/api/train/submit", json=order)
    assert answer.status_code == 200, answer.text
    job = workspace.store.jobs.get(answer.json()["job"])
    assert job.recipe == "suggest"
    # A page that is opened meanwhile is told which job looks, so that nobody asks twice.
    assert setup["looking"] is None
    assert client.get("/tagmask/api/tags/setup").json()["looking"] == job.id
    assert workspace.store.snapshots.get(job.snapshot or "").count == 3
