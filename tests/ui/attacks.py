"""What the tests of safety share: every route there is, people to log in as, a raw socket."""

import re
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import fastapi
from fastapi.testclient import TestClient

from backend.workspace import Workspace

ORIGIN = "http://testserver"
OURS = {"X-Tagmask": "1", "Origin": ORIGIN}
PASSWORD = "correct horse battery"
ROLE_OF = {"vera": "viewer", "rita": "reviewer", "tom": "trainer"}

CLIMBS = (
    "../../../../../../etc/passwd",
    "..%2f..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/%2e%2e/workspace.json",
    "....//....//workspace.json",
    "..\\..\\workspace.json",
    "/etc/passwd",
    "//etc/passwd",
    "%2fetc%2fpasswd",
    "file:///etc/passwd",
    "http://evil.example/x",
    "workspace.json",
    "tagmask.db",
    "../tagmask.db",
    "..%252f..%252ftagmask.db",
    "a%00b",
    "%00/etc/passwd",
    "C:\\Windows\\win.ini",
    "~root/.ssh/id_rsa",
    "'; DROP TABLE decisions; --",
    "a" * 5000,
)
"""What somebody sends who wants another file than the one that is meant."""


@dataclass(frozen=True)
class Endpoint:
    """One address and method that something answers."""

    method: str
    path: str
    route: Any = field(compare=False, hash=False)

    @property
    def ours(self) -> bool:
        return self.path.startswith("/tagmask")

    def filled(self, word: str = "1") -> str:
        """The path with a word in place of each parameter."""
        return re.sub(r"\{[^}]+\}", lambda _: word, self.path)


def endpoints(app: fastapi.FastAPI) -> list[Endpoint]:
    """Every route of the application, Gradio's own included; a mount of files as its GET."""
    return sorted(set(_walk(app.routes)), key=lambda each: (each.path, each.method))


def _walk(routes: Iterable[Any], prefix: str = "") -> Iterator[Endpoint]:
    for route in routes:
        if hasattr(route, "effective_candidates"):
            yield from _walk(route.effective_candidates(), prefix)
            continue
        path = prefix + route.path
        inner = getattr(getattr(route, "app", None), "routes", None)
        if inner is not None:
            yield from _walk(inner, path)
        elif getattr(route, "methods", None):
            original = getattr(route, "original_route", route)
            yield from (Endpoint(method, path, original) for method in route.methods)
        else:
            yield Endpoint("GET", f"{path}/{{path}}", route)


def with_users(workspace: Workspace) -> None:
    """A viewer, a reviewer and a trainer, all with the same password."""
    for name, role in ROLE_OF.items():
        workspace.store.users.add(name, role, PASSWORD)


def log_in(client: TestClient, name: str, password: str = PASSWORD) -> Any:
    """The answer to logging in; the client keeps the cookie."""
    return client.post("/tagmask/api/login", json={"name": name, "password": password})


def raw(port: int, sent: bytes, seconds: float = 5.0) -> bytes:
    """What a server answers to these very bytes, until it closes or has said nothing for long."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(sent)
        got = b""
        try:
            while piece := connection.recv(65536):
                got += piece
        except TimeoutError:
            return got
        except ConnectionResetError:
            return got
    return got
