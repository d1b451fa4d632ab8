"""A real `python app.py`: bytes that no client sends, slowness, whom it serves, whom it asks."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import app
from backend.errors import WorkspaceError
from backend.workspace import Workspace
from tests.ui.attacks import PASSWORD, raw
from ui import patience

ROOT = Path(__file__).resolve().parents[2]
HEAD = b"Host: 127.0.0.1\r\nX-Tagmask: 1\r\nContent-Type: application/json\r\n"

# Started instead of app.py: every connection and every name that is asked for is written down.
WATCHED = """
import socket, sys
said = open(sys.argv.pop(1), "a", buffering=1)
def watched(kind, old):
    def call(*given, **more):
        said.write(f"{kind} {given!r}\\n")
        return old(*given, **more)
    return call
socket.getaddrinfo = watched("name", socket.getaddrinfo)
socket.gethostbyname = watched("name", socket.gethostbyname)
class Socket(socket.socket):
    def connect(self, where):
        said.write(f"connect {where!r}\\n")
        return super().connect(where)
    def connect_ex(self, where):
        said.write(f"connect {where!r}\\n")
        return super().connect_ex(where)
    def sendto(self, *given):
        said.write(f"sendto {given[1:]!r}\\n")
        return super().sendto(*given)
socket.socket = Socket
from ui import patience
patience.HEADERS_WITHIN = 1.0
from ui import bodies
bodies.PATIENCE = 1.0
import app
sys.exit(app.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """(port, where its connections are written down) of an app with one user, rita."""
    folder = tmp_path_factory.mktemp("served")
    with Workspace.create(folder / "workspace", "Served", ("cat",)) as made:
        made.store.users.add("rita", "trainer", PASSWORD)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "watched.py").write_text(WATCHED)
    command = [sys.executable, str(folder / "watched.py"), str(folder / "said")]
    command += ["--workspace", str(folder / "workspace"), "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    deadline = time.monotonic() + 120
    while b"Tagmask serves" not in (folder / "log").read_bytes():
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    yield port, folder / "said"
    process.terminate()
    process.wait(30)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


UNDO = b"POST /tagmask/api/curate/undo HTTP/1.1\r\n"
INNER = b"GET /tagmask/api/data/summary HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        # Two ways to say how long a body is: what one reader takes as body, another as a request.
        UNDO + HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
        UNDO + HEAD + b"Content-Length: 0\r\nContent-Length: 90\r\n\r\n" + INNER,
        UNDO + HEAD + b"Content-Length: +5\r\n\r\nhello" + INNER,
        UNDO + HEAD + b"Content-Length: -1\r\n\r\n" + INNER,
        UNDO + HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + INNER,
        UNDO + HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n" + INNER,
        UNDO + HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + INNER,
        UNDO + HEAD + b" folded: yes\r\n\r\n" + INNER,
        UNDO + b"Host: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        UNDO + b"Host : 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /%00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /tagmask/static/../../server.py HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /tagmask/static/%2e%2e/%2e%2e/server.py HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /tagmask/login/..%2fapi/data/summary HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /tagmask/static/..%2fapi%2fdata%2fsummary HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /tagmask/login;/../api/data/summary HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET //tagmask/api/data/summary HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /tagmask/api/data/summary?x=/tagmask/login HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /gradio_api/file=/etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST /gradio_api/./upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
        b"X" * 100_000,
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    ],
)
def test_nothing_is_smuggled_past_the_guard(served: tuple[int, Path], sent: bytes) -> None:
    answer = raw(served[0], sent, 2.5)
    # Refused or cut off; and never a second answer, to what stood in the body.
    assert status(answer) in (0, 400, 401, 403, 404, 405, 411, 413, 415, 421, 431), answer[:300]
    assert answer.count(b"HTTP/1.1 2") == 0
    for kept in (b"root:x", b"Served", b"def build_app", b'"classes"'):
        assert kept not in answer


def test_the_server_does_not_say_what_it_is_made_of(served: tuple[int, Path]) -> None:
    answer = raw(served[0], b"GET /tagmask/login HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 1)
    assert status(answer) == 200
    assert b"uvicorn" not in answer.lower()


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET / HT",
        b"GET /tagmask/login HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        UNDO + HEAD + b"Content-Length: 1000\r\n\r\n{",
        b"POST /tagmask/api/login HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000\r\n\r\n{",
    ],
)
def test_who_says_nothing_or_too_slowly_is_cut_off(served: tuple[int, Path], begun: bytes) -> None:
    """A byte now and then keeps other servers waiting for ever."""
    with socket.create_connection(("127.0.0.1", served[0]), timeout=0.3) as connection:
        connection.sendall(begun)
        began, open_still = time.monotonic(), True
        while open_still and time.monotonic() - began < 12:
            try:
                if begun:
                    connection.sendall(b"x")
                open_still = bool(connection.recv(65536)) or not begun
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                open_still = False
            else:
                if not begun:
                    open_still = False
        assert not open_still
        assert time.monotonic() - began < 12


def test_a_hundred_slow_connections_keep_nobody_out(served: tuple[int, Path]) -> None:
    slow = [socket.create_connection(("127.0.0.1", served[0])) for _ in range(100)]
    try:
        for each in slow:
            each.sendall(b"GET / HTTP/1.1\r\nHost: ")
        answer = raw(served[0], b"GET /tagmask/login HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", 5)
        assert status(answer) == 200
    finally:
        for each in slow:
            each.close()


def test_the_process_asks_nobody_for_anything(served: tuple[int, Path]) -> None:
    """All that was opened since it started, with the page and its data asked for by a person."""
    port, said = served
    login = b'{"name": "rita", "password": "' + PASSWORD.encode() + b'"}'
    head = HEAD + b"Content-Length: %d\r\n\r\n" % len(login)
    answer = raw(port, b"POST /tagmask/api/login HTTP/1.1\r\n" + head + login, 3)
    cookie = answer.split(b"set-cookie: ")[1].split(b";")[0]
    for path in (b"/", b"/tagmask/api/train/setup", b"/tagmask/api/data/summary", b"/theme.css"):
        asked = b"GET " + path + b" HTTP/1.0\r\nHost: 127.0.0.1\r\nCookie: " + cookie
        assert status(raw(port, asked + b"\r\n\r\n", 20)) == 200, path
    outside = [
        line
        for line in said.read_text().splitlines()
        if not any(here in line for here in ("127.0.0.1", "::1", "localhost", "'/"))
    ]
    assert outside == []
    assert "name ('127.0.0.1'" in said.read_text()


def options(*words: str, root: Path | None = None) -> object:
    return app.parse_arguments(["--workspace", str(root or "nowhere"), *words])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "lab.example", "127.0.0.2"])
def test_others_are_served_with_a_login_or_by_the_word_insecure(host: str) -> None:
    with pytest.raises(WorkspaceError, match="--insecure"):
        app.require_login(options("--host", host), users=False)
    app.require_login(options("--host", host), users=True)
    app.require_login(options("--host", host, "--insecure"), users=False)
    header = ("--trust-proxy-header", "X-User", "--proxy", "10.0.0.5")
    app.require_login(options("--host", host, *header), users=False)


def test_a_proxy_in_front_of_localhost_makes_others_of_everybody() -> None:
    app.require_login(options(), users=False)
    for words in (("--proxy", "127.0.0.1"), ("--public-name", "masks.lab")):
        with pytest.raises(WorkspaceError, match="--insecure"):
            app.require_login(options(*words), users=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--trust-proxy-header", "X-User"), "--proxy ADDRESS"),
        (("--proxy", "proxy.lab"), "by address"),
        (("--certificate", "nowhere.pem"), "--key"),
        (("--certificate", "nowhere.pem", "--key", "nowhere.pem"), "nowhere.pem"),
    ],
)
def test_options_that_make_no_sense_are_said(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(WorkspaceError, match=said):
        app.how_reached(options(*words))


def test_on_this_machine_only_its_own_names_are_known() -> None:
    access = app.how_reached(options())
    assert access.knows("localhost:7860")
    assert not access.knows("192.168.1.5:7860")
    others = app.how_reached(options("--host", "0.0.0.0", "--public-name", "Masks.lab:8443"))
    for host in ("192.168.1.5:7860", socket.gethostname(), "masks.lab:8443"):
        assert others.knows(host)
    assert not others.knows("rebound.example")
    assert others.own("https://masks.lab:8443", "127.0.0.1:7860")


def test_https_is_served_with_a_certificate(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl here to make a certificate with")
    import ssl

    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    Workspace.create(tmp_path / "w", "Https").close()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["--workspace", str(tmp_path / "w"), "--port", str(port), "--read-only"]
    words += ["--certificate", str(certificate), "--key", str(key)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "app.py", *words], cwd=ROOT, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 120
        while b"https://127.0.0.1" not in (tmp_path / "log").read_bytes():
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        trust = ssl.create_default_context(cafile=str(certificate))
        with (
            socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
            trust.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            connection.sendall(b"GET /tagmask/login HTTP/1.0\r\nHost: localhost\r\n\r\n")
            assert status(connection.recv(65536)) == 200
    finally:
        process.terminate()
        process.wait(30)


def test_the_patience_that_the_tests_shorten_is_seconds_for_people() -> None:
    assert 5 <= patience.HEADERS_WITHIN <= 60
