"""Who may ask for what: a rule for every route there is, and the rule is kept."""

import json
from collections.abc import Iterator
from typing import Any

import fastapi
import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from backend import passwords
from backend.store import ROLES
from backend.workspace import Workspace
from tests.ui.attacks import OURS, ROLE_OF, Endpoint, endpoints, log_in, with_users
from ui import rules
from ui.server import build_app


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "COST", 16)
    monkeypatch.setattr(passwords, "PARALLEL", 1)


@pytest.fixture
def shut(workspace: Workspace) -> Iterator[fastapi.FastAPI]:
    """The application of a workspace with a viewer, a reviewer and a trainer."""
    with_users(workspace)
    return build_app(workspace)


def test_every_route_has_a_rule(client: TestClient) -> None:
    """Fails for a route that was added without one: give it a line in ui/rules.py."""
    missing = [
        f"{each.method} {each.path}"
        for each in endpoints(client.app)
        if each.ours
        if not (
            rules.stated(each.path)
            if each.method == "POST"
            else rules.rule_of(each.method, each.filled())
        )
    ]
    assert missing == [], "add them to POSTS in ui/rules.py"


def test_every_rule_is_of_a_route(client: TestClient) -> None:
    """A rule of a route that is gone, or is spelt otherwise, protects nothing."""
    there = {each.path for each in endpoints(client.app) if each.method == "POST"}
    assert set(rules.POSTS) <= there


def test_a_route_without_a_rule_is_a_trainers_and_shut_where_nothing_may_change() -> None:
    assert rules.rule_of("POST", "/tagmask/api/made/yesterday") == rules.TRAINER
    assert rules.rule_of("GET", "/tagmask/api/made/yesterday") == rules.VIEWER
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "POST "):
        assert rules.rule_of(method, "/tagmask/api/curate/decide") is None
    for path in ("/gradio_api/upload", "/login", "/logout", "/config", "/tagmask", ""):
        assert rules.rule_of("POST", path) is None


def test_a_part_of_a_path_stands_for_one_part_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "POSTS", {"/tagmask/api/a/{id}/go": rules.VIEWER})
    monkeypatch.setattr(rules, "_PATTERNS", rules.patterns(rules.POSTS))
    assert rules.stated("/tagmask/api/a/7/go") == rules.VIEWER
    assert rules.stated("/tagmask/api/a/7/8/go") is None
    assert rules.stated("/tagmask/api/a/7/go/on") is None
    assert rules.stated("/tagmask/api/a//go") is None


def test_only_looking_changes_nothing() -> None:
    """What stays open in a read-only workspace, by name: a new line here is a decision."""
    looking = {
        path.removeprefix(rules.API) for path, rule in rules.POSTS.items() if not rule.changes
    }
    assert looking == {"/login", "/logout", "/inspect"}
    assert all(rules.POSTS[path].role in (None, *ROLES) for path in rules.POSTS)


def test_nobody_is_answered_without_a_login_but_by_the_login_page(shut: fastapi.FastAPI) -> None:
    with TestClient(shut, headers=OURS, follow_redirects=False) as client:
        for each in endpoints(shut):
            if each.path.startswith(("/tagmask/login", "/tagmask/static")):
                continue
            answer = client.request(each.method, each.filled(), content=b"")
            if each.path in ("/tagmask/api/login", "/tagmask/api/logout"):
                assert answer.status_code in (200, 415, 422), each
            elif each.path == "/" and each.method == "GET":
                assert answer.status_code == 303
                assert answer.headers["location"] == "/tagmask/login?next=/"
            else:
                assert answer.status_code in (401, 403, 404), (each, answer.status_code)
                assert "Test bench" not in answer.text
        assert client.get("/tagmask/login").status_code == 200
        assert client.get("/tagmask/static/login/login.js").status_code == 200


def test_each_role_may_what_its_rules_say_and_no_more(shut: fastapi.FastAPI) -> None:
    posts = [each for each in endpoints(shut) if each.method == "POST" and each.ours]
    for name, role in ROLE_OF.items():
        with TestClient(shut, headers=OURS) as client:
            assert log_in(client, name).status_code == 200
            assert client.get("/tagmask/api/me").json()["role"] == role
            for each in posts:
                rule = rules.stated(each.path) or rules.TRAINER
                if each.path.endswith(("/login", "/logout")):
                    continue
                may = ROLES.index(role) >= ROLES.index(rule.role or "viewer")
                answer = _nonsense(client, each, rule)
                assert (answer.status_code == 403) == (not may), (name, each, answer.text)


def test_only_a_trainer_has_the_trainer_asked(shut: fastapi.FastAPI) -> None:
    """Each order that is looked at starts a process; a viewer could start hundreds."""
    assert set(rules.GETS) <= {each.path for each in endpoints(shut) if each.method == "GET"}
    assert f"{rules.API}/train/command" in rules.GETS
    with TestClient(shut, headers=OURS) as client:
        for name, role in ROLE_OF.items():
            log_in(client, name)
            for path in rules.GETS:
                answer = client.get(path, params={"order": "{}"})
                assert answer.status_code == (400 if role == "trainer" else 403), (name, path)


def test_a_viewer_is_offered_what_somebody_is_who_only_looks(shut: fastapi.FastAPI) -> None:
    with TestClient(shut, headers=OURS) as client:
        for name, look, train in (
            ("vera", True, True),
            ("rita", False, True),
            ("tom", False, False),
        ):
            log_in(client, name)
            assert client.get("/tagmask/api/curate/setup").json()["read_only"] is look
            assert client.get("/tagmask/api/train/setup").json()["read_only"] is train


def test_read_only_shuts_every_change_even_to_a_trainer(workspace: Workspace) -> None:
    with_users(workspace)
    with Workspace.open(workspace.root, read_only=True) as opened:
        shut = build_app(opened, read_only=True)
        with TestClient(shut, headers=OURS) as client:
            assert log_in(client, "tom").status_code == 200
            for each in endpoints(shut):
                if each.method != "POST" or each.path.endswith(("/login", "/logout")):
                    continue
                rule = (rules.stated(each.path) if each.ours else None) or rules.TRAINER
                answer = _nonsense(client, each, rule)
                assert (answer.status_code == 403) == rule.changes, (each, answer.text)
            for path in rules.GETS:
                assert client.get(path, params={"order": "{}"}).status_code == 403
            assert client.get("/tagmask/api/inspect/images").json()["total"] == 3


def test_every_field_that_says_who_acts_is_the_one_that_the_guard_fills_in(
    client: TestClient,
) -> None:
    """Fails for a body with another word for its author (by, user, ...): call it `reviewer`, or
    for a form use `ui.who.named`."""
    authors = {"by", "user", "who", "author", "person", "name_of", "made_by", "submitted_by"}
    wrong = []
    for each in endpoints(client.app):
        field = getattr(each.route, "body_field", None)
        model = getattr(getattr(field, "field_info", None), "annotation", None)
        if each.ours and isinstance(model, type) and issubclass(model, BaseModel):
            wrong += [f"{each.path}: {name}" for name in authors & set(model.model_fields)]
    assert wrong == []


def _nonsense(client: TestClient, each: Endpoint, rule: rules.Rule) -> Any:
    """A request that no route does anything for, but that is of the kind the route takes."""
    if rule.body == "form":
        return client.post(each.filled(), files={"other": ("a.txt", b"")})
    kind = {"Content-Type": "application/json"}
    return client.post(each.filled(), content=json.dumps({"nonsense": 1}), headers=kind)
