"""`python app.py --read-only`, attacked from the page itself: nothing changes, looking goes on."""

import hashlib
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import App
from ui.rules import POSTS

TIMEOUT = 60_000
GRADIOS = (
    "/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/run/predict", "/gradio_api/cancel",
    "/gradio_api/api/predict", "/gradio_api/call/predict", "/gradio_api/component_server",
    "/gradio_api/reset", "/gradio_api/stream/1", "/gradio_api/vibe-edit", "/login", "/config",
)  # fmt: skip
POST = """async ([paths, kind]) => {
  const found = {};
  for (const path of paths) {
    const form = new FormData();
    form.append("files", new File(["brought in"], "new.png"));
    const json = JSON.stringify({ image: 1, candidate: 1, action_id: "a", reviewer: "r",
      session: "s", name: "new", tags: ["cat"], job: 1, data: [], fn_index: 0 });
    const options = kind === "form" ? { body: form, headers: { "X-Tagmask": "1" } }
      : { body: json, headers: { "X-Tagmask": "1", "Content-Type": "application/json" } };
    found[path] = (await fetch(path, { method: "POST", ...options })).status;
  }
  return found;
}"""


@pytest.fixture(scope="module")
def app(scenes_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app on its own copy of the workspace, opened to be looked at."""
    workspace = tmp_path_factory.mktemp("look") / "workspace"
    shutil.copytree(scenes_workspace, workspace)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = App(workspace, port)
    running.start("--read-only")
    yield running
    running.stop()


def content(folder: Path) -> dict[str, str]:
    """Every file and its digest; a read-only workspace has not even a lock or a log more."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_no_attack_from_the_page_changes_a_byte(page: Any, app: App) -> None:
    before = content(app.workspace)
    page.get_by_text("read-only", exact=True).first.wait_for(timeout=TIMEOUT)
    changing = [path.replace("{", "").replace("}", "") for path, r in POSTS.items() if r.changes]
    for kind in ("json", "form"):
        statuses = page.evaluate(POST, [[*changing, *GRADIOS], kind])
        assert set(statuses.values()) == {403}, statuses
    # Buttons that were hidden or disabled are shown and pressed all the same.
    for tab in page.get_by_role("tab").all():
        tab.click()
        page.wait_for_timeout(500)
        page.evaluate(
            "() => { for (const node of document.querySelectorAll('button, input, select')) {"
            " node.disabled = false; node.hidden = false; } }"
        )
        for key in ("a", "x", "z", "f", " "):
            page.keyboard.press(key)
        page.evaluate(
            "() => { for (const node of document.querySelectorAll('#tm-curate button,"
            " #tm-train .tm-button, #tm-data .tm-button')) if (node.offsetParent) node.click(); }"
        )
        page.wait_for_timeout(500)
        # What opened over the page would be in the way of the next tab.
        page.evaluate("() => document.querySelectorAll('dialog').forEach((each) => each.close())")
    assert content(app.workspace) == before


def test_a_dropped_photograph_goes_nowhere(page: Any, app: App) -> None:
    before = content(app.workspace)
    page.locator("#tm-inspect").wait_for(timeout=TIMEOUT)
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["x"], "new.png", { type: "image/png" }));
          const drop = { dataTransfer: data, bubbles: true, cancelable: true };
          for (const node of document.querySelectorAll("#tm-inspect, #tm-inspect *, body"))
            node.dispatchEvent(new DragEvent("drop", drop));
        }"""
    )
    page.wait_for_timeout(500)
    assert content(app.workspace) == before


def test_looking_goes_on(page: Any) -> None:
    page.get_by_role("tab", name="Curate", exact=True).click()
    page.locator("#tm-curate[data-shown]").wait_for(timeout=TIMEOUT)
    first = page.locator("#tm-curate").get_attribute("data-shown")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "first => document.querySelector('#tm-curate').dataset.shown !== first",
        arg=first,
        timeout=TIMEOUT,
    )
    looked = page.evaluate(
        "() => fetch('/tagmask/api/inspect/images').then((r) => r.json()).then((b) => b.total)"
    )
    assert looked == 24
