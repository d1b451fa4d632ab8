"""A real app process on a real workspace, and a real headless Chromium that looks at it."""

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from backend.supervisor import held
from backend.supervisor.lock import WorkspaceLock

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.path).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))
    # Last, because playwright keeps an event loop in the main thread while its browser is open.
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@dataclass
class App:
    """One running `python app.py`: where it listens and how to stop and start it again."""

    workspace: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.workspace.parent / f"app-{self.port}.log"

    def start(self, *words: str) -> None:
        command = [sys.executable, "app.py", "--workspace", str(self.workspace)]
        command += ["--port", str(self.port), *words]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(self.url, timeout=5) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
        raise RuntimeError(f"the app did not start:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None


def stop_jobs(workspace: Path) -> None:
    """Ends the supervisor of a workspace and its trainers, which by design outlive the app."""
    lock = workspace / "supervisor.lock"
    words = lock.read_text().split() if lock.exists() else []
    pids = words[:1] if words and words[0].isdigit() else []
    with contextlib.closing(sqlite3.connect(workspace / "tagmask.db")) as database:
        alive = "SELECT pid FROM jobs WHERE state IN ('running', 'stopping') AND pid IS NOT NULL"
        pids += [str(pid) for (pid,) in database.execute(alive)]
    if pids:
        subprocess.run(["kill", "-TERM", *pids], check=False, capture_output=True)


@contextlib.contextmanager
def without_supervisors(workspace: Path) -> Iterator[None]:
    """Keeps supervisors, the app's own too, away from jobs that a test plays itself."""
    stop_jobs(workspace)
    end = time.monotonic() + 20
    while held(workspace) and time.monotonic() < end:
        time.sleep(0.05)
    lock = WorkspaceLock(workspace)
    lock.take()
    try:
        yield
    finally:
        # Whoever reads the pid there means to end that process, which is this one.
        lock.path.write_text("")
        lock.release()


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Headless Chromium; missing is a skip on a desk and a failure in the gate."""
    if not CHROMIUM:
        reason = "no chromium here (on Debian: apt-get install chromium)"
        if os.environ.get("TAGMASK_BROWSER_REQUIRED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def scenes_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two dozen Scenes images and candidates; copy it, do not change it."""
    folder = tmp_path_factory.mktemp("seed") / "workspace"
    command = [sys.executable, "-m", "backend", "init", str(folder), "--scenes", "24"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def app(scenes_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app on its own copy of the Scenes workspace, one for the tests of a file."""
    workspace = tmp_path_factory.mktemp("app") / "workspace"
    shutil.copytree(scenes_workspace, workspace)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = App(workspace, port)
    running.start()
    yield running
    running.stop()
    stop_jobs(workspace)


@pytest.fixture
def page(browser, app: App) -> Iterator[object]:
    """A fresh page at 1440x900; fails the test if the page logged an error or left this host."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    tab = context.new_page()
    problems: list[str] = []
    outside: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on(
        "request",
        lambda request: (
            outside.append(request.url)
            if not request.url.startswith((app.url, "data:", "blob:"))
            else None
        ),
    )
    tab.goto(app.url)
    yield tab
    context.close()
    assert not problems, problems
    assert not outside, f"the page asked other hosts: {outside}"
