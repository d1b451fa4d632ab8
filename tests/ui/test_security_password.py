"""Changing one's own password: the old one asked, guessing stopped, every other login ended."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from backend import passwords
from backend.workspace import Workspace
from tests.ui.attacks import OURS, PASSWORD, log_in, with_users
from ui.login_rate import BY_BOTH
from ui.server import build_app

NEW = "a staple of another kind"


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "COST", 16)
    monkeypatch.setattr(passwords, "PARALLEL", 1)


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    """A viewer who is logged in."""
    with_users(workspace)
    with TestClient(build_app(workspace), headers=OURS) as made:
        assert log_in(made, "vera").is_success
        yield made


def change(client: TestClient, old: str = PASSWORD, new: str = NEW, **more: str) -> int:
    body = {"old": old, "new": new, **more}
    return int(client.post("/tagmask/api/password", json=body).status_code)


def test_every_other_login_ends_and_this_one_gets_another_token(client: TestClient) -> None:
    mine = dict(client.cookies)
    log_in(other := TestClient(client.app, headers=OURS), "vera")
    answer = client.post("/tagmask/api/password", json={"old": PASSWORD, "new": NEW})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert client.get("/tagmask/api/me").json()["name"] == "vera"
    assert other.get("/tagmask/api/me").status_code == 401
    # Whoever copied the cookie before is out as well.
    assert dict(client.cookies) != mine
    thief = TestClient(client.app, headers=OURS, cookies=mine)
    assert thief.get("/tagmask/api/me").status_code == 401
    assert log_in(other, "vera", PASSWORD).status_code == 401
    assert log_in(other, "vera", NEW).status_code == 200


def test_it_takes_the_old_password_and_guessing_it_is_stopped(
    client: TestClient, workspace: Workspace
) -> None:
    assert [change(client, "a wrong one") for _ in range(BY_BOTH)] == [403] * BY_BOTH
    assert change(client) == 429
    assert workspace.store.users.check("vera", PASSWORD) is not None
    # A wrong old password is not the end of a login.
    assert client.get("/tagmask/api/me").status_code == 200


@pytest.mark.parametrize("new", ["short", "aaaaaaaaaaaaaa", PASSWORD, "x" * 1500])
def test_what_can_be_no_password_is_refused(client: TestClient, new: str) -> None:
    assert change(client, new=new) == 400
    assert client.get("/tagmask/api/me").status_code == 200


def test_nobody_changes_the_password_of_somebody_else(
    client: TestClient, workspace: Workspace
) -> None:
    assert change(client, name="tom", reviewer="tom", user="tom") == 200
    assert workspace.store.users.check("tom", PASSWORD) is not None
    assert workspace.store.users.check("vera", NEW) is not None
    client.cookies.clear()
    assert change(client, NEW, PASSWORD) == 401


def test_a_password_that_was_given_meanwhile_stays(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who knows the old one must not win against whoever takes it from them."""
    workspace.store.users.add("vera", "viewer", PASSWORD)
    secret_of = passwords.secret_of
    given: list[str] = []

    def slow(password: str) -> str:
        if not given:
            given.append(password)
            workspace.store.users.set_password("vera", "what the keeper gave")
        return secret_of(password)

    monkeypatch.setattr(passwords, "secret_of", slow)
    assert workspace.store.users.change_password("vera", PASSWORD, NEW) is None
    assert workspace.store.users.check("vera", "what the keeper gave") is not None


def test_where_nobody_has_to_log_in_there_is_none_to_change(workspace: Workspace) -> None:
    with TestClient(build_app(workspace), headers=OURS) as client:
        assert change(client) == 409


def test_another_password_ends_the_logins_of_a_read_only_process_too(workspace: Workspace) -> None:
    """It writes none of them down, so it has to look for itself."""
    with_users(workspace)
    with (
        Workspace.open(workspace.root, read_only=True) as opened,
        TestClient(build_app(opened, read_only=True), headers=OURS) as client,
    ):
        assert log_in(client, "rita").is_success
        assert change(client) == 403
        assert client.get("/tagmask/api/me").status_code == 200
        workspace.store.users.set_password("rita", NEW)
        assert client.get("/tagmask/api/me").status_code == 401
