"""The web process: its page, its headers, whom it refuses, and app.py's own sentences."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import app
from backend.errors import WorkspaceError
from backend.workspace import Workspace
from ui.access import Access, host_name
from ui.security import Guard
from ui.server import build_app

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def read_only(workspace: Workspace) -> Iterator[TestClient]:
    """The same workspace, opened to be looked at."""
    opened = Workspace.open(workspace.root, read_only=True)
    with TestClient(
        build_app(opened, read_only=True), headers={"X-Tagmask": "1", "Origin": "http://testserver"}
    ) as client:
        yield client
    opened.close()


def test_the_page_has_four_tabs_and_names_the_workspace(client: TestClient) -> None:
    page = client.get("/").text
    assert "Test bench · Tagmask" in page
    for tab in ("Inspect", "Curate", "Train", "Data"):
        assert f'"{tab}"' in page


def test_the_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/").text
    loaded = re.findall(r'<(?:script|link|img|iframe)[^>]+(?:src|href)="(https?:[^"]+)"', page)
    assert loaded == []
    assert not re.search(
        r"https?://(?!testserver|www\.w3\.org)", page.split("<script>window.gradio")[0]
    )
    assert "fonts.googleapis" not in page
    assert "/tagmask/static/tokens.css" in page.split("</head>")[0]
    theme = client.get("/theme.css").text
    assert "url(http" not in theme
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy.replace("'self'", "")


def test_fonts_and_modules_are_served_from_here(client: TestClient) -> None:
    font = client.get("/tagmask/static/fonts/inter-latin-wght-normal.woff2")
    assert font.status_code == 200
    assert font.content[:4] == b"wOF2"
    assert client.get("/tagmask/static/ui.js").headers["cache-control"] == "no-cache"
    assert client.get("/tagmask/static/../server.py").status_code == 404


def test_every_answer_carries_the_headers_that_keep_it_at_home(client: TestClient) -> None:
    for path in ("/", "/tagmask/api/inspect/options", "/tagmask/files/nothing"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Tagmask": "1", "Origin": "http://testserver"}, 200),
        ({"X-Tagmask": "1", "Origin": "http://evil.example"}, 403),
        ({"X-Tagmask": "1", "Origin": "null"}, 403),
        ({"X-Tagmask": "", "Origin": "http://testserver"}, 403),
    ],
)
def test_a_change_needs_our_own_page(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    answer = client.post(
        "/tagmask/api/inspect/tags", json={"image": "image0", "tags": ["dog"]}, headers=headers
    )
    assert answer.status_code == status
    assert ("error" in answer.json()) == (status == 403)


def test_gradios_own_routes_refuse_other_origins_too(client: TestClient) -> None:
    answer = client.post(
        "/gradio_api/queue/join", json={}, headers={"Origin": "http://evil.example"}
    )
    assert answer.status_code == 403


def test_read_only_is_kept_by_the_server_and_still_lets_people_look(
    read_only: TestClient, workspace: Workspace
) -> None:
    before = workspace.store.images.by_name("image0")
    for path in ("/tagmask/api/inspect/tags", "/tagmask/api/upload"):
        answer = read_only.post(path, json={"image": "image0", "tags": ["dog"]})
        assert answer.status_code == 403
        assert "read-only" in answer.json()["error"]
    assert workspace.store.images.by_name("image0") == before
    assert read_only.get("/tagmask/api/inspect/images").json()["total"] == 3
    assert read_only.get("/tagmask/api/inspect/options").json()["read_only"] is True


def test_a_name_rebound_to_this_machine_is_refused(workspace: Workspace) -> None:
    with TestClient(build_app(workspace, access=Access(frozenset(app.LOCAL_NAMES)))) as client:
        assert client.get("/", headers={"Host": "127.0.0.1:7860"}).status_code == 200
        answer = client.get("/", headers={"Host": "rebound.example"})
    assert answer.status_code == 421
    assert "rebound.example" in answer.json()["error"]


def test_a_request_that_is_not_understood_gets_a_sentence(client: TestClient) -> None:
    answer = client.post("/tagmask/api/inspect", json={"tags": 3})
    assert answer.status_code == 422
    assert "image" in answer.json()["error"]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost:7860", "localhost"),
        ("LOCALHOST", "localhost"),
        ("[::1]:7860", "::1"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_host_headers_name_is_read_without_its_port(host: str, name: str) -> None:
    assert host_name(host) == name


def test_the_guard_lets_lifespan_pass() -> None:
    passed = []

    async def inner(scope, receive, send) -> None:
        passed.append(scope["type"])

    import anyio

    anyio.run(Guard(inner, access=Access(frozenset({"nowhere"}))), {"type": "lifespan"}, None, None)
    assert passed == ["lifespan"]


def test_a_taken_port_is_said_before_anything_is_made(tmp_path: Path, capsys) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert app.main(["--workspace", str(tmp_path / "new"), "--port", str(port)]) == 2
    assert f"Port {port}" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_listening_to_others_without_login_needs_a_word(tmp_path: Path, capsys) -> None:
    assert app.main(["--workspace", str(tmp_path / "new"), "--host", "0.0.0.0"]) == 2
    assert "--insecure" in capsys.readouterr().err


def test_a_missing_workspace_is_not_made_read_only(tmp_path: Path, capsys) -> None:
    options = ["--workspace", str(tmp_path / "new"), "--port", "0", "--read-only"]
    assert app.main(options) == 2
    assert str(tmp_path / "new") in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, capsys) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    assert app.main(["--workspace", str(tmp_path), "--port", "0"]) == 2
    assert capsys.readouterr().err.startswith("tagmask: ")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_cuda_that_is_absent_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(WorkspaceError, match="--device cpu"):
        app.check_device("cuda")
    app.check_device("auto")


def test_a_second_app_on_one_workspace_is_sent_to_the_first(workspace: Workspace, capsys) -> None:
    with workspace.lock_app("http://127.0.0.1:1234"):
        assert app.main(["--workspace", str(workspace.root), "--port", "0"]) == 2
    assert "http://127.0.0.1:1234" in capsys.readouterr().err


def test_help_is_quick_and_needs_neither_gradio_nor_torch() -> None:
    code = (
        "import sys, app\n"
        "try: app.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'gradio', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith("[]")


def test_answers_are_not_held_back_for_an_acknowledgement() -> None:
    """asyncio turns Nagle's algorithm off for sockets named TCP only; else answers wait 40 ms."""
    with (
        app.listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()[:2]),
        listener.accept()[0] as accepted,
    ):
        assert accepted.proto == socket.IPPROTO_TCP
