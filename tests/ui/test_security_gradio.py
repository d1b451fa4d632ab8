"""Gradio's own routes: none is answered but what the page is made of."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import fastapi
import pytest
from fastapi.testclient import TestClient

from backend import passwords
from backend.workspace import Workspace
from tests.ui.attacks import CLIMBS, OURS, endpoints, log_in, with_users
from ui.server import build_app

PAGES = frozenset({"/", "/theme.css", "/assets/{path:path}", "/static/{path:path}"})
"""All of Gradio that anybody is answered; one more needs a reason."""

UPLOAD = {"files": ("a.txt", b"brought in", "text/plain")}
EVENT = {"data": ["x"], "fn_index": 0, "session_hash": "s", "event_data": None, "trigger_id": 1}
SERVER_FUNCTION = {"component_id": 1, "fn_name": "ls", "data": [["/"]], "session_hash": "s"}


@pytest.fixture(scope="module")
def attackers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, TestClient]]:
    """Clients of an open workspace, of one to be looked at, and with and without a login."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setattr(passwords, "COST", 16)
        patch.setattr(passwords, "PARALLEL", 1)
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        found = {}
        for kind in ("open", "read-only", "logged out", "viewer", "trainer"):
            root = tmp_path_factory.mktemp("attacked") / "workspace"
            with Workspace.create(root, "Attacked", ("cat",)) as made:
                if kind in ("logged out", "viewer", "trainer"):
                    with_users(made)
            opened = stack.enter_context(Workspace.open(root, read_only=kind == "read-only"))
            app = build_app(opened, read_only=kind == "read-only")
            found[kind] = stack.enter_context(TestClient(app, headers=OURS))
            if kind in ("viewer", "trainer"):
                assert log_in(found[kind], {"viewer": "vera", "trainer": "tom"}[kind]).is_success
        yield found


@pytest.fixture(params=["open", "read-only", "logged out", "viewer", "trainer"])
def attacker(request: pytest.FixtureRequest, attackers: dict[str, TestClient]) -> TestClient:
    return attackers[request.param]


def _gradios(app: fastapi.FastAPI) -> list[tuple[str, str]]:
    return [
        (each.method, each.path)
        for each in endpoints(app)
        if not each.ours and each.path not in PAGES
    ]


def test_no_other_route_of_gradios_is_answered(attacker: TestClient) -> None:
    routes = _gradios(attacker.app)
    # So that this cannot pass because none was found.
    assert ("POST", "/gradio_api/upload") in routes
    assert ("POST", "/gradio_api/queue/join") in routes
    assert ("GET", "/gradio_api/file={path_or_url:path}") in routes
    assert len(routes) > 60
    for method, path in routes:
        for word in ("1", "predict", "/etc/passwd", "http://127.0.0.1:1/"):
            at = path.replace("{path_or_url:path}", word).replace("{url_path:path}", word)
            at = at.replace("{api_name}", word).replace("{session_hash}", word)
            answer = attacker.request(method, at, json=EVENT if method == "POST" else None)
            assert answer.status_code in (401, 403, 404), (method, at, answer.status_code)
            assert "root:" not in answer.text


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/gradio_api/upload", {"files": UPLOAD}),
        ("/gradio_api/upload?upload_id=1", {"files": UPLOAD}),
        ("/gradio_api/upload/", {"files": UPLOAD}),
        ("//gradio_api/upload", {"files": UPLOAD}),
        ("/gradio_api//upload", {"files": UPLOAD}),
        ("/gradio_api/./upload", {"files": UPLOAD}),
        ("/GRADIO_API/UPLOAD", {"files": UPLOAD}),
        ("/tagmask/../gradio_api/upload", {"files": UPLOAD}),
        ("/gradio_api/queue/join", {"json": EVENT}),
        ("/gradio_api/queue/join?__theme=dark", {"json": EVENT}),
        ("/gradio_api/run/predict", {"json": EVENT}),
        ("/gradio_api/api/predict", {"json": EVENT}),
        ("/gradio_api/call/predict", {"json": EVENT}),
        ("/gradio_api/component_server", {"json": SERVER_FUNCTION}),
        ("/gradio_api/reset", {"json": {"event_id": "x"}}),
        ("/gradio_api/cancel", {"json": {"session_hash": "s", "fn_index": 0, "event_id": "x"}}),
        ("/gradio_api/stream/x", {"json": EVENT}),
        ("/gradio_api/vibe-edit", {"json": {"prompt": "import os"}}),
        ("/login", {"data": {"username": "tom", "password": "x"}}),
        ("/", {"json": EVENT}),
        ("/config", {"json": {}}),
    ],
)
def test_uploads_and_events_are_refused_and_leave_nothing(
    attacker: TestClient, path: str, sent: dict
) -> None:
    root = attacker.app.state.context.workspace.root
    temporary = Path(os.environ["GRADIO_TEMP_DIR"])
    before = _content(root)
    assert attacker.post(path, **sent).status_code in (401, 403)
    assert _content(root) == before
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("word", CLIMBS)
def test_no_file_comes_out_by_its_path(attacker: TestClient, word: str) -> None:
    for folder in (
        "/gradio_api/file=", "/gradio_api/file/", "/gradio_api/proxy=", "/file=", "/proxy=",
        "/assets/", "/static/", "/svelte/", "/theme.css?v=", "/gradio_api/custom_component/",
        "/gradio_api/stream/", "/tagmask/static/", "/tagmask/static/fonts/",
    ):  # fmt: skip
        answer = attacker.get(f"{folder}{word}")
        for kept in ("root:x", "SQLite format", '"format"', "OPENSSH"):
            assert kept not in answer.text, (folder, word)
        if not folder.startswith("/theme.css"):
            assert answer.status_code in (400, 401, 403, 404, 405), (folder, word)


def test_the_heartbeat_and_the_queue_hold_no_connection_open(attacker: TestClient) -> None:
    """Each would be a stream that lasts for as long as the client likes."""
    for path in ("/gradio_api/heartbeat/s", "/gradio_api/queue/data?session_hash=s"):
        assert attacker.get(path).status_code in (401, 404)


def test_what_the_page_is_made_of_is_still_served(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    scripts = [part.split('"')[0] for part in page.text.split('src="./assets/')[1:]]
    scripts = scripts or [part.split('"')[0] for part in page.text.split("/assets/")[1:]]
    assert scripts
    assert client.get(f"/assets/{scripts[0]}").status_code == 200
    assert client.get("/theme.css").status_code == 200


@pytest.mark.parametrize(
    "header", ["X-Forwarded-Host", "X-Gradio-Server", "Forwarded", "X-Original-URL", "X-Host"]
)
def test_no_header_makes_the_page_name_another_server(client: TestClient, header: str) -> None:
    """Gradio believes X-Forwarded-Host and writes it into the page as the address of its API."""
    for value in ("evil.example", "http://evil.example", 'for=1;host="evil.example"'):
        page = client.get("/", headers={header: value, "X-Forwarded-Proto": "https"}).text
        assert "evil.example" not in page
        assert "https://testserver" not in page


def _content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        # The trainer is asked what it can do when the app starts, and its answer kept in a log.
        if path.is_file() and not path.name.endswith(("-shm", "-wal")) and path.parts[-2] != "logs"
    }
