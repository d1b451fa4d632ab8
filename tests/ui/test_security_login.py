"""Logging in: guessing, timing, cookies, proxies, and in whose name things are written."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend import passwords
from backend.images import encode_png
from backend.workspace import Workspace
from tests.ui.attacks import OURS, PASSWORD, log_in, with_users
from ui.access import Access
from ui.login import Door, Refused
from ui.login_rate import BY_ADDRESS, BY_BOTH, BY_NAME, KEPT, WINDOW, Attempts
from ui.server import build_app

COOKIE_PARTS = {"HttpOnly", "Path=/", "SameSite=lax"}


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "COST", 16)
    monkeypatch.setattr(passwords, "PARALLEL", 1)


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    """The application of a workspace with a viewer, a reviewer and a trainer; nobody logged in."""
    with_users(workspace)
    with TestClient(build_app(workspace), headers=OURS) as made:
        yield made


def decide(client: TestClient, **more: Any) -> Any:
    row = client.get("/tagmask/api/curate/queue").json()["rows"][0]
    act = {
        "reviewer": "boss", "session": "s", "action_id": str(time.monotonic_ns()),
        "candidate": row["id"], "digest": row["digest"], "verdict": "accept",
    }  # fmt: skip
    return client.post("/tagmask/api/curate/decide", json=act | more)


def test_the_first_user_shuts_an_open_workspace_without_a_restart(workspace: Workspace) -> None:
    with TestClient(build_app(workspace), headers=OURS) as client:
        assert decide(client).status_code == 200
        assert log_in(client, "tom").status_code == 409
        with_users(workspace)
        assert decide_without_looking(client).status_code == 401
        # Shutting everybody out does not open it again.
        for name in ("vera", "rita", "tom"):
            workspace.store.users.disable(name)
        assert decide_without_looking(client).status_code == 401


def decide_without_looking(client: TestClient) -> Any:
    return client.post("/tagmask/api/curate/undo", json={"nonsense": 1})


def test_a_login_is_a_cookie_that_no_script_and_no_other_site_gets(client: TestClient) -> None:
    answer = log_in(client, "rita")
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert set(cookie.split("; ")) >= COOKIE_PARTS
    token = cookie.partition("=")[2].partition(";")[0]
    assert len(token) >= 43
    assert token not in answer.text
    assert decide(client).status_code == 200


def test_over_https_the_cookie_is_not_sent_in_the_clear(workspace: Workspace) -> None:
    with_users(workspace)
    headers = {"X-Tagmask": "1", "Origin": "https://testserver"}
    with TestClient(build_app(workspace), "https://testserver", headers=headers) as client:
        assert "Secure" in log_in(client, "rita").headers["set-cookie"]


def test_logging_out_ends_the_login_for_whoever_kept_the_cookie(client: TestClient) -> None:
    log_in(client, "rita")
    stolen = dict(client.cookies)
    assert client.post("/tagmask/api/logout").status_code == 200
    assert client.get("/tagmask/api/me").status_code == 401
    client.cookies.update(stolen)
    assert client.get("/tagmask/api/me").status_code == 401


def test_a_cookie_that_was_there_before_never_becomes_a_login(client: TestClient) -> None:
    door_cookie = log_in(client, "vera").headers["set-cookie"].partition("=")[0]
    client.cookies.clear()
    client.cookies.set(door_cookie, "chosen-by-the-attacker")
    log_in(client, "tom")
    with_chosen = {"Cookie": f"{door_cookie}=chosen-by-the-attacker"}
    client.cookies.clear()
    assert client.get("/tagmask/api/me", headers=with_chosen).status_code == 401


def test_every_failure_says_the_same(client: TestClient) -> None:
    for name, password in (
        ("rita", "wrong password"),
        ("rita", PASSWORD + " "),
        ("nobody", PASSWORD),
        ("rita' OR 1=1 --", PASSWORD),
        ("%", PASSWORD),
        ("rita\x00", PASSWORD),
        ("rita", "x" * 2000),
    ):
        answer = log_in(client, name, password)
        assert answer.status_code == 401, name
        assert answer.json() == {"error": "This name and password do not go together."}
        assert "set-cookie" not in answer.headers
    for body in ('{"name": "rita"}', '{"name": ["rita"], "password": {"$ne": 1}}', "[]", "null"):
        headers = {"Content-Type": "application/json"}
        assert client.post("/tagmask/api/login", content=body, headers=headers).status_code == 422


def test_a_disabled_user_fails_as_everybody_does_and_is_out_at_once(
    client: TestClient, workspace: Workspace
) -> None:
    log_in(client, "rita")
    workspace.store.users.disable("rita")
    assert client.get("/tagmask/api/me").status_code == 401
    assert log_in(client, "rita").json() == log_in(client, "nobody").json()


def test_another_role_counts_from_the_next_request_on(
    client: TestClient, workspace: Workspace
) -> None:
    log_in(client, "rita")
    workspace.store.users.set_role("rita", "viewer")
    assert decide(client).status_code == 403


def test_names_cannot_be_told_by_the_time_an_answer_takes(
    client: TestClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted instead of timed, because this machine has other work: as many hashes, as costly."""
    monkeypatch.undo()
    workspace.store.users.set_password("rita", PASSWORD)
    asked: list[tuple[int, int, int]] = []
    hashing = passwords._scrypt

    def counted(word: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
        asked.append((cost, block, parallel))
        return hashing(word, salt, 16, 8, 1)

    monkeypatch.setattr(passwords, "_scrypt", counted)
    for name in ("rita", "nobody"):
        log_in(client, name, "wrong password")
    assert asked == [(2**14, 8, 5), (2**14, 8, 5)]


def test_guessing_is_stopped_and_says_how_long(client: TestClient) -> None:
    for _ in range(BY_BOTH):
        assert log_in(client, "rita", "wrong password").status_code == 401
    stopped = log_in(client, "rita", PASSWORD)
    assert stopped.status_code == 429
    assert int(stopped.headers["retry-after"]) > 800
    assert "15 minutes" in stopped.json()["error"]
    # In any spelling that finds the same user; but others at the same address still get in.
    for spelt in ("RITA", " rita", "rita\u2003", "\trita ", "ｒｉｔａ", " " * 100 + "rita"):
        assert log_in(client, spelt, PASSWORD).status_code == 429, spelt
    assert log_in(client, "tom").status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP"])
def test_nobody_gets_more_tries_by_naming_another_address(client: TestClient, header: str) -> None:
    statuses = [
        client.post(
            "/tagmask/api/login",
            json={"name": "rita", "password": "wrong password"},
            headers={header: f"10.1.2.{n}"},
        ).status_code
        for n in range(BY_BOTH + 2)
    ]
    assert statuses == [401] * BY_BOTH + [429] * 2


def test_tries_at_once_are_counted_before_they_are_looked_at(workspace: Workspace) -> None:
    with_users(workspace)
    door = Door(workspace.store, Access(), "w")

    async def attack() -> list[bool]:
        async def one() -> bool:
            try:
                await door.enter("rita", "wrong password", "10.0.0.1")
            except Refused as refused:
                return refused.wait > 0
            raise AssertionError("a wrong password came in")

        return list(await asyncio.gather(*(one() for _ in range(40))))

    assert asyncio.run(attack()).count(False) == BY_BOTH


def test_limits_by_address_and_by_name_and_that_they_end() -> None:
    clock = [0.0]
    attempts = Attempts(lambda: clock[0])
    assert [attempts.begin(f"u{n}", "10.0.0.1") for n in range(BY_ADDRESS)] == [0.0] * BY_ADDRESS
    assert attempts.begin("new", "10.0.0.1") > 0
    assert attempts.begin("new", "10.0.0.2") == 0
    for n in range(BY_NAME):
        assert attempts.begin("victim", f"10.1.{n}.1") == 0
    assert attempts.begin("VICTIM", "10.9.9.9") > 0
    clock[0] = WINDOW + 1
    assert attempts.begin("victim", "10.9.9.9") == 0
    assert attempts.begin("new", "10.0.0.1") == 0


def test_nobody_locks_somebody_out_of_where_they_logged_in_before() -> None:
    attempts = Attempts()
    attempts.begin("rita", "10.0.0.1")
    attempts.succeeded("rita", "10.0.0.1")
    for n in range(3 * BY_NAME):
        attempts.begin("rita", f"10.1.{n}.1")
    assert attempts.begin("rita", "10.9.9.9") > 0
    # But there, too, no more than anywhere are tried.
    assert [attempts.begin("Rita", "10.0.0.1") for _ in range(BY_BOTH)] == [0.0] * BY_BOTH
    assert attempts.begin("rita", "10.0.0.1") > 0


def test_one_machine_does_not_get_an_address_a_try_by_ipv6() -> None:
    attempts = Attempts()
    waits = [attempts.begin("rita", f"2001:db8::{n:x}") for n in range(BY_BOTH + 1)]
    assert waits[:-1] == [0.0] * BY_BOTH
    assert waits[-1] > 0
    assert attempts.begin("rita", "2001:db8:0:1::1") == 0


def test_a_flood_of_names_fills_no_memory_and_success_forgives() -> None:
    attempts = Attempts()
    for n in range(KEPT):
        attempts.begin(f"name{n}", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    assert len(attempts._failed) <= KEPT
    for _ in range(3 * BY_ADDRESS):
        assert attempts.begin("rita", "10.200.0.1") == 0
        attempts.succeeded("rita", "10.200.0.1")


def test_what_is_logged_of_a_try_holds_no_password_and_no_line_of_its_own(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        log_in(client, "rita\nINFO tom logged in", "wrong password")
        log_in(client, "rita")
    assert PASSWORD not in caplog.text
    assert "wrong password" not in caplog.text
    assert r"rita\nINFO tom" in caplog.text


def test_what_is_decided_bears_the_name_of_the_login(
    client: TestClient, workspace: Workspace
) -> None:
    log_in(client, "rita")
    assert decide(client).json()["decision"]["reviewer"] == "rita"
    twice = json.dumps({"x": 1})[:-1] + ', "reviewer": "boss", "reviewer": "boss", "session": "s",'
    twice += ' "action_id": "u", "client_time": 1}'
    headers = {"Content-Type": "application/json; charset=utf-8"}
    undone = client.post("/tagmask/api/curate/undo", content=twice, headers=headers)
    assert undone.json()["decision"]["reviewer"] == "rita"
    sent = {"image": "image0", "tags": ["dog"], "reviewer": "boss"}
    for content, status in (
        (json.dumps(sent).encode("utf-16"), 200),
        (b"{" + b'"a":' * 1, 400),
        (b"[" * 100_000, 400),
        (b'{"reviewer": "boss", "n": ' + b"9" * 5000 + b"}", 400),
    ):
        answer = client.post("/tagmask/api/inspect/tags", content=content, headers=headers)
        assert answer.status_code == status, answer.text
    image = workspace.store.images.by_name("image0")
    assert image is not None
    # The first are the tags that it came in with.
    _, *changes = workspace.store.images.tag_changes(image.id)
    assert {each.by for each in changes} == {"rita"}


def test_a_request_that_leaves_its_author_out_bears_the_name_all_the_same(
    client: TestClient, workspace: Workspace
) -> None:
    """Where a route has a word of its own for whoever says nothing, that word is not taken."""
    log_in(client, "rita")
    sent = {"image": "image0", "tags": ["dog"]}
    assert client.post("/tagmask/api/inspect/tags", json=sent).is_success
    image = workspace.store.images.by_name("image0")
    assert image is not None
    assert workspace.store.images.tag_changes(image.id)[-1].by == "rita"


@pytest.mark.parametrize(
    "kind", ["application/vnd.tagmask+json", "text/plain", "", "application/x-www-form-urlencoded"]
)
def test_a_body_that_the_name_cannot_be_put_into_is_refused(client: TestClient, kind: str) -> None:
    log_in(client, "rita")
    body = json.dumps({"image": "image0", "tags": ["dog"], "reviewer": "boss"})
    answer = client.post("/tagmask/api/inspect/tags", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 415


def test_what_is_uploaded_bears_the_name_of_the_login(
    client: TestClient, workspace: Workspace
) -> None:
    import numpy as np

    log_in(client, "tom")
    photograph = encode_png(np.full((30, 30, 3), 77, np.uint8))
    answer = client.post(
        "/tagmask/api/upload",
        files={"files": ("new.png", photograph, "image/png")},
        data={"reviewer": "boss"},
    )
    assert answer.json()["counts"]["added"] == 1
    added = workspace.store.images.by_name("new")
    assert added is not None
    assert "tom" in added.source
    assert "boss" not in added.source


def test_the_page_knows_who_is_logged_in_and_nothing_in_a_name_becomes_markup(
    workspace: Workspace,
) -> None:
    name = '"><script>alert(1)</script>'
    workspace.store.users.add(name, "viewer", PASSWORD)
    with TestClient(build_app(workspace), headers=OURS) as client:
        assert log_in(client, name).status_code == 200
        page = client.get("/").text
    assert "<script>alert(1)" not in page
    assert 'content="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;" data-role="viewer"' in page


def test_a_read_only_workspace_lets_people_in_and_writes_nothing_down(
    workspace: Workspace,
) -> None:
    with_users(workspace)
    with (
        Workspace.open(workspace.root, read_only=True) as opened,
        TestClient(build_app(opened, read_only=True), headers=OURS) as client,
    ):
        assert log_in(client, "rita").status_code == 200
        assert client.get("/tagmask/api/me").json()["name"] == "rita"
        workspace.store.users.disable("rita")
        assert client.get("/tagmask/api/me").status_code == 401
