"""Requests that are not the page's own: other sites, other names, other methods, too large, too
slow; and every parameter tried as a path."""

import asyncio
import inspect as inspecting
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException

from backend.workspace import Workspace
from tests.ui.attacks import CLIMBS, OURS, endpoints
from ui import bodies
from ui.access import Access
from ui.bodies import Incoming
from ui.rules import MEGABYTE, POSTS, REVIEWER, Rule
from ui.security import HEADERS, Guard
from ui.server import build_app

TAGS = {"image": "image0", "tags": ["dog"]}
SECRET = "what stands outside of the workspace"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One application for all tests here: what is refused changes nothing."""
    root = tmp_path_factory.mktemp("requests") / "workspace"
    (root.parent / "secret.txt").write_text(SECRET)
    with ExitStack() as stack:
        made = stack.enter_context(Workspace.create(root, "Requests", ("cat", "dog")))
        import numpy as np

        from backend.images import encode_png

        made.store.images.add(
            "image0", encode_png(np.zeros((24, 32, 3), np.uint8)), source="test", tags=[1]
        )
        access = Access(
            frozenset({"testserver"}), public=frozenset({"masks.lab", "masks.lab:8443"})
        )
        yield stack.enter_context(TestClient(build_app(made, access=access), headers=OURS))


def tags_of(client: TestClient) -> list[str]:
    return client.get("/tagmask/api/inspect/image?name=image0").json()["tags"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://testserver.evil.example"},
        {"Origin": "http://evil.example#testserver"},
        {"Origin": "http://testserver:8888"},
        {"Origin": "http://testserver@evil.example"},
        {"Origin": "file://testserver"},
        {"Origin": "http://[testserver"},
        {"Origin": "http://masks.lab:9999"},
        {"Origin": "http://evil.example", "Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"X-Tagmask": ""},
        {"X-Tagmask": "0"},
        {"X-Tagmask": "1, 1"},
    ],
)
def test_a_page_of_another_site_changes_nothing(client: TestClient, headers: dict) -> None:
    answer = client.post("/tagmask/api/inspect/tags", json=TAGS, headers=headers)
    assert answer.status_code in (403, 421)
    assert tags_of(client) == ["cat"]


def test_what_a_form_of_another_site_can_send_is_refused(client: TestClient) -> None:
    """A form or a beacon sends these without asking; it cannot send X-Tagmask."""
    del client.headers["X-Tagmask"]
    del client.headers["Origin"]
    try:
        for path in POSTS:
            for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data"):
                at = re.sub(r"\{\w+\}", "1", path)
                answer = client.post(at, content=b"a=1", headers={"Content-Type": kind})
                assert answer.status_code == 403, path
    finally:
        client.headers.update(OURS)


def test_pictures_and_data_are_not_for_other_sites_pages(client: TestClient) -> None:
    for path in ("/tagmask/api/data/summary", "/tagmask/files/" + "0" * 64, "/theme.css"):
        for site in ("cross-site", "same-site"):
            headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
            assert client.get(path, headers=headers).status_code == 403
    # But an address that somebody was sent can be opened.
    sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/?image=1", headers=sent).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "testserver.evil.example", "evil.example:80", "", "[::1", "127.0.0.1"]
)
def test_another_name_for_this_server_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/tagmask/api/data/summary", headers={"Host": host})
    assert answer.status_code == 421


def test_by_number_is_allowed_where_others_reach_us_and_names_are_not() -> None:
    access = Access(frozenset({"localhost"}), by_number=True)
    for host in ("192.168.1.5:7860", "[fe80::1]:7860", "localhost"):
        assert access.knows(host)
    for host in ("rebound.example", "192.168.1.5.rebound.example", "1.2.3.4.5", "0x7f.1", ""):
        assert not access.knows(host)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "FOO"])
def test_other_methods_and_words_for_them_do_nothing(client: TestClient, method: str) -> None:
    assert client.request(method, "/tagmask/api/inspect/tags", json=TAGS).status_code == 405
    for header in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        got = client.get("/tagmask/api/inspect/tags", headers={header: "POST"})
        assert got.status_code in (404, 405)
    assert tags_of(client) == ["cat"]


def test_no_answer_invites_other_origins(client: TestClient) -> None:
    asking = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    for path in ("/", "/tagmask/api/data/summary", "/theme.css"):
        for answer in (client.options(path, headers=asking), client.get(path, headers=asking)):
            assert not [name for name in answer.headers if name.startswith("access-control")]


def test_every_answer_has_the_headers_refusals_included(client: TestClient) -> None:
    for path in ("/", "/tagmask/login", "/tagmask/api/me", "/nothing", "/tagmask/files/x"):
        answer = client.get(path)
        for name in HEADERS:
            assert name.lower() in answer.headers, (path, name)
    assert client.get("/", headers={"Host": "evil"}).headers["x-frame-options"] == "SAMEORIGIN"
    login = client.get("/tagmask/login").headers["content-security-policy"]
    assert "'unsafe" not in login
    assert "frame-ancestors 'none'" in login
    assert client.get("/tagmask/api/me").headers["cache-control"] == "private, no-cache"


def test_the_login_page_stands_by_itself(client: TestClient) -> None:
    page = client.get("/tagmask/login?next=https://evil.example/<script>").text
    assert "evil.example" not in page
    assert "Requests" not in page
    assert not re.search(r"<script(?![^>]*src=)", page)
    for address in re.findall(r'(?:src|href|action)="([^"]+)"', page):
        assert address.startswith("/tagmask/")
        if "api" not in address:
            assert client.get(address).status_code == 200


def test_a_body_that_says_it_is_too_large_is_not_read(client: TestClient) -> None:
    for path, rule in POSTS.items():
        size = {"Content-Length": str(rule.largest + 1), "Content-Type": "application/json"}
        at = re.sub(r"\{\w+\}", "1", path)
        answer = client.post(at, content=b"{}", headers=size)
        assert answer.status_code == 413, path


def test_a_body_that_hides_its_size_is_cut_off(client: TestClient) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'{"image": "'
        while sent < 40 * MEGABYTE:
            sent += 65536
            yield b"x" * 65536

    headers = {"Content-Type": "application/json"}
    answer = client.post("/tagmask/api/inspect/tags", content=endless(), headers=headers)
    assert answer.status_code == 413
    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = client.post("/tagmask/api/inspect/tags", content=b"\x1f\x8b", headers=packed)
    assert answer.status_code == 415


def test_a_body_has_to_come_quickly_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PATIENCE", 0.2)

    async def trickle() -> dict[str, Any]:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def attack() -> None:
        await Incoming(trickle, REVIEWER).whole()

    with pytest.raises(HTTPException) as refused:
        asyncio.run(attack())
    assert refused.value.status_code == 408


def test_what_is_whole_may_be_worked_on_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PATIENCE", 0.05)
    messages = [{"type": "http.request", "body": b"{}", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await asyncio.sleep(0.2)
        return {"type": "http.disconnect"}

    async def work() -> str:
        incoming = Incoming(receive, Rule("viewer"))
        await incoming()
        return (await incoming())["type"]

    assert asyncio.run(work()) == "http.disconnect"


def test_websockets_are_refused() -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def never(*_: Any) -> None:
        raise AssertionError("it came through")

    scope = {"type": "websocket", "path": "/gradio_api/queue/join", "headers": []}
    asyncio.run(Guard(never)(scope, never, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("word", CLIMBS)
def test_no_parameter_is_a_path(client: TestClient, word: str) -> None:
    """Every GET of ours, the word in every part of its path and in every search parameter."""
    root = client.app.state.context.workspace.root
    canaries = (SECRET, "root:x:0", "SQLite format 3", str(root / "workspace.json"))
    for each in endpoints(client.app):
        if not each.ours or each.method != "GET":
            continue
        names = (
            [*inspecting.signature(each.route.endpoint).parameters]
            if hasattr(each.route, "endpoint")
            else []
        )
        queries = [{name: word} for name in names if name not in ("request", "self")]
        paths = {each.filled(word), each.filled()}
        for path in paths:
            for query in [{}, *queries] if path == each.filled() else [{}]:
                answer = client.get(path, params=query)
                assert answer.status_code < 500, (path, query, answer.text[:300])
                for canary in canaries:
                    assert canary not in answer.text, (path, query)


@pytest.mark.parametrize("number", ["9" * 30, "-" + "9" * 30, str(2**63)])
def test_a_number_that_no_database_keeps_is_refused(client: TestClient, number: str) -> None:
    """Every number in a path, of a GET or a POST: a sentence, and no trace in the log."""
    for each in endpoints(client.app):
        if not each.ours or "{" not in each.path:
            continue
        kind = {"Content-Type": "application/octet-stream"} if "piece" in each.path else {}
        answer = client.request(each.method, each.filled(number), headers=kind, content=b"")
        assert answer.status_code < 500, (each, answer.text[:300])


def test_json_that_is_too_deep_is_refused(client: TestClient) -> None:
    for path in ("/tagmask/api/figure.png", "/tagmask/api/train/command"):
        asked = {"image": "image0", "column": "image", "settings": "[" * 9000, "order": "[" * 9000}
        assert client.get(path, params=asked).status_code == 400, path


def test_a_drawing_that_is_opened_by_itself_runs_nothing(client: TestClient) -> None:
    asked = {"image": "image0", "column": "image=<script>alert(1)</script>"}
    answer = client.get("/tagmask/api/figure.svg", params=asked)
    assert answer.status_code == 200
    assert "<script" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert policy.endswith("sandbox")


def test_a_stored_file_comes_by_its_digest_and_a_link_does_not(client: TestClient) -> None:
    workspace = client.app.state.context.workspace
    digest = workspace.store.images.page(0, 1).rows[0].digest
    assert client.get(f"/tagmask/files/{digest}").status_code == 200
    for wrong in (digest.upper(), digest[:-1], digest + "0", f"{digest}.png", "0" * 64):
        assert client.get(f"/tagmask/files/{wrong}").status_code == 404
    outside = Path(workspace.root).parent / "secret.txt"
    folder = workspace.root / "files" / "ab"
    folder.mkdir(exist_ok=True)
    link = folder / ("ab" * 32 + ".json")
    link.symlink_to(outside)
    for kind in ("files", "thumbs", "api/curate/labels"):
        answer = client.get(f"/tagmask/{kind}/{'ab' * 32}")
        assert answer.status_code == 404, kind
        assert SECRET not in answer.text


def test_names_of_uploads_are_names_and_nothing_else(client: TestClient) -> None:
    import numpy as np

    from backend.images import encode_png

    root = Path(client.app.state.context.workspace.root)
    around = {path.name for path in root.parent.iterdir()}
    for number, word in enumerate(CLIMBS):
        photograph = encode_png(np.full((20, 20 + number, 3), number, np.uint8))
        answer = client.post("/tagmask/api/upload", files={"files": (word, photograph)})
        assert answer.status_code in (200, 400, 422), word
    assert {path.name for path in root.parent.iterdir()} == around
    kept = {path.name for path in (root / "files").rglob("*") if path.is_file()}
    assert all(re.fullmatch(r"[0-9a-f]{64}\.\w+", name) for name in kept)
