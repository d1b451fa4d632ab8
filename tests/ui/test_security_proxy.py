"""A proxy in front: whose word is taken, about whom, and that nobody else can speak for it."""

import asyncio
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.errors import WorkspaceError
from backend.workspace import Workspace
from tests.ui.attacks import OURS
from ui.access import Access, Heard, hear, networks
from ui.login import Door
from ui.login_rate import BY_BOTH
from ui.server import build_app

ACCESS = Access(
    hosts=frozenset({"localhost"}),
    public=frozenset({"masks.lab"}),
    proxies=networks(["10.0.0.5"]),
    header="X-User",
)


def heard(address: str, headers: Any, access: Access = ACCESS) -> Heard:
    pairs = headers.items() if isinstance(headers, dict) else headers
    raw = [
        (name.lower().encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in pairs
    ]
    scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http", "headers": raw}
    return hear(scope | {"client": (address, 5000)}, access)


def who(workspace: Workspace, address: str, headers: Any) -> Any:
    door = Door(workspace.store, ACCESS, "w")
    return asyncio.run(door.who(heard(address, headers)))


def test_its_word_is_taken_with_the_role_that_is_known_here(workspace: Workspace) -> None:
    workspace.store.users.add("rita", "reviewer", None)
    known = who(workspace, "10.0.0.5", {"X-User": "Rita"})
    assert (known.name, known.role, known.how) == ("rita", "reviewer", "proxy")
    new = who(workspace, "::ffff:10.0.0.5", {"X-User": "Jürgen"})
    assert (new.name, new.role) == ("Jürgen", "viewer")
    workspace.store.users.disable("rita")
    assert who(workspace, "10.0.0.5", {"X-User": "rita"}) is None


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("10.0.0.6", {"X-User": "rita"}),
        ("127.0.0.1", {"X-User": "rita"}),
        ("10.0.0.6", {"X-User": "rita", "X-Forwarded-For": "10.0.0.5"}),
        ("10.0.0.6", {"X-User": "rita", "Forwarded": "for=10.0.0.5"}),
        ("::ffff:10.0.0.6", {"X-User": "rita"}),
        ("", {"X-User": "rita"}),
        ("10.0.0.5", {}),
        ("10.0.0.5", {"X-User": ""}),
        ("10.0.0.5", {"X_User": "rita"}),
        ("10.0.0.5", {"X-User": b"a\x07b"}),
        # The client's own and the proxy's: nobody knows which is which.
        ("10.0.0.5", [("X-User", "boss"), ("x-user", "rita")]),
    ],
)
def test_nobody_else_is_believed(workspace: Workspace, address: str, headers: Any) -> None:
    workspace.store.users.add("rita", "reviewer", None)
    assert who(workspace, address, headers) is None


def test_of_others_every_hearsay_is_taken_away_before_gradio_sees_it() -> None:
    names = ("X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-User", "X-Gradio-Server")
    lied = heard("10.0.0.6", {name: "https" for name in names} | {"Host": "localhost"})
    assert lied.scope["headers"] == [(b"host", b"localhost")]
    assert (lied.scope["scheme"], lied.address) == ("http", "10.0.0.6")


def test_of_the_proxy_scheme_and_public_name_are_heard_and_no_other_name() -> None:
    said = {"Host": "localhost", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "masks.lab"}
    told = heard("10.0.0.5", said)
    assert (told.scope["scheme"], told.scope["headers"]) == ("https", [(b"host", b"masks.lab")])
    other = heard("10.0.0.5", said | {"X-Forwarded-Host": "evil.example"})
    assert other.scope["headers"] == [(b"host", b"localhost")]


def test_the_nearest_address_that_is_no_proxy_is_the_clients(workspace: Workspace) -> None:
    access = Access(proxies=networks(["10.0.0.0/29"]))
    chain = {"X-Forwarded-For": "1.2.3.4, 9.9.9.9, 10.0.0.3"}
    assert heard("10.0.0.5", chain, access).address == "9.9.9.9"
    assert heard("10.0.0.9", chain, access).address == "10.0.0.9"
    assert heard("10.0.0.5", {}, access).address == "10.0.0.5"


def test_the_whole_application_behind_it(workspace: Workspace) -> None:
    workspace.store.users.add("rita", "reviewer", None)
    app = build_app(workspace, access=ACCESS)
    origin = {"X-Tagmask": "1", "Origin": "https://masks.lab", "Host": "localhost"}
    with TestClient(app, client=("10.0.0.5", 5000), headers=origin) as proxy:
        person = {"X-User": "rita", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "masks.lab"}
        sent = {"image": "image0", "tags": ["dog"], "reviewer": "boss"}
        assert proxy.post("/tagmask/api/inspect/tags", json=sent).status_code == 401
        assert proxy.post("/tagmask/api/inspect/tags", json=sent, headers=person).is_success
        assert "https://masks.lab" in proxy.get("/", headers=person).text
        nobody = proxy.get("/", headers={"Host": "masks.lab"}, follow_redirects=False)
        assert nobody.status_code == 401
        assert "proxy" in nobody.json()["error"]
    with TestClient(app, client=("10.0.0.6", 5000), headers=OURS | {"Host": "localhost"}) as other:
        assert other.get("/tagmask/api/me", headers=person).status_code == 401
    image = workspace.store.images.by_name("image0")
    assert image is not None
    # The first is what it came in with.
    assert [each.by for each in workspace.store.images.tag_changes(image.id)] == ["test", "rita"]


def test_tries_are_counted_by_the_address_the_proxy_names(workspace: Workspace) -> None:
    workspace.store.users.add("rita", "reviewer", None)
    app = build_app(workspace, access=Access(proxies=networks(["10.0.0.5"])))
    with TestClient(app, client=("10.0.0.5", 5000), headers=OURS) as proxy:

        def status(chain: str) -> int:
            return proxy.post(
                "/tagmask/api/login",
                json={"name": "rita", "password": "wrong password"},
                headers={"X-Forwarded-For": chain},
            ).status_code

        statuses = [status(f"1.2.3.{n}, 9.9.9.9") for n in range(BY_BOTH + 1)]
        assert statuses == [401] * BY_BOTH + [429]
        assert status("8.8.8.8") == 401


def test_proxies_are_named_by_address() -> None:
    with pytest.raises(WorkspaceError, match="by address"):
        networks(["proxy.lab"])
