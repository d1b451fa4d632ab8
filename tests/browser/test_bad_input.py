"""Bad input in a real browser: a sentence on the page, nothing lost, and the app goes on."""

import base64
import json
import shutil
import socket
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from backend.images import encode_png

TIMEOUT = 30_000
DROP = """([selector, files]) => {
  const transfer = new DataTransfer();
  for (const { name, type, data } of files) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  const target = document.querySelector(selector);
  for (const kind of ["dragenter", "dragover", "drop"]) {
    const event = new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true });
    target.dispatchEvent(event);
  }
}"""


def noise(seed: int, side: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)


def jpeg(seed: int) -> bytes:
    return cv2.imencode(".jpg", noise(seed))[1].tobytes()


BAD = {
    "letter.txt": ("text/plain", b"Dear reader, this is no photograph."),
    "cut.jpg": ("image/jpeg", jpeg(1)[:900]),
    "empty.png": ("image/png", b""),
    "notes.zip": ("application/zip", b"PK\x03\x04 and then nothing"),
}


def drop(page: Any, selector: str, files: dict[str, tuple[str, bytes]]) -> None:
    """Drops files onto an element as a person does, by drag and drop events."""
    given = [
        {"name": name, "type": kind, "data": base64.b64encode(data).decode()}
        for name, (kind, data) in files.items()
    ]
    page.evaluate(DROP, [selector, given])


def count(workspace: Path, table: str) -> int:
    with sqlite3.connect(workspace / "tagmask.db") as database:
        return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def open_tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()
    page.locator(f"#tm-{name.lower()}").wait_for(timeout=TIMEOUT)


def inspect_is_up(page: Any) -> None:
    page.locator("#tm-inspect .tmv-thumb").first.wait_for(timeout=TIMEOUT)


# ---------------------------------------------------------------- dropping


def test_what_is_no_photograph_is_told_where_it_was_dropped_and_the_app_goes_on(
    page: Any, app: Any
) -> None:
    inspect_is_up(page)
    before = count(app.workspace, "images")
    drop(page, "#tm-inspect", BAD)
    report = page.locator("#tm-inspect .tmv-report:visible")
    report.wait_for(timeout=TIMEOUT)
    told = report.inner_text()
    assert "4 refused" in told
    for name in BAD:
        assert name in told
    assert count(app.workspace, "images") == before
    # The next drop is a good one, and is shown.
    drop(page, "#tm-inspect", {"good.png": ("image/png", encode_png(noise(2)))})
    page.locator("#tm-inspect .tmv-image-name", has_text="good").wait_for(timeout=TIMEOUT)
    assert count(app.workspace, "images") == before + 1
    drop(page, "#tm-inspect", {"twice.png": ("image/png", encode_png(noise(2)))})
    page.get_by_text("twice.png is here already, as good.").wait_for(timeout=TIMEOUT)
    assert count(app.workspace, "images") == before + 1


def test_the_data_tab_tells_the_same(page: Any, app: Any) -> None:
    open_tab(page, "Data")
    page.locator("#tm-data .da-drop").wait_for(timeout=TIMEOUT)
    before = count(app.workspace, "images")
    drop(page, "#tm-data .da-drop", {**BAD, "fine.png": ("image/png", encode_png(noise(3)))})
    results = page.locator("#tm-data .da-results")
    results.get_by_text("1 added, 4 refused.").wait_for(timeout=TIMEOUT)
    for name in BAD:
        assert name in results.inner_text()
    assert count(app.workspace, "images") == before + 1


def test_an_unknown_tag_is_refused_by_name_and_the_field_goes_on(page: Any, app: Any) -> None:
    inspect_is_up(page)
    before = count(app.workspace, "image_tags")
    field = page.locator("#tm-inspect").get_by_role("combobox", name="Add a tag")
    field.fill("unicorn")
    field.press("Enter")
    page.get_by_text("unicorn").first.wait_for(timeout=TIMEOUT)
    assert count(app.workspace, "image_tags") == before
    assert not page.locator("#tm-inspect .tmv-chip", has_text="unicorn").count()


def test_an_app_that_went_away_is_told_and_the_page_recovers(page: Any, app: Any) -> None:
    inspect_is_up(page)
    app.stop()
    page.locator("#tm-inspect .tmv-thumb").nth(1).click()
    page.get_by_text("The server does not answer").first.wait_for(timeout=TIMEOUT)
    app.start()
    page.get_by_role("button", name="Try again").first.click()
    page.locator("#tm-inspect .tmv-problem").wait_for(state="hidden", timeout=TIMEOUT)


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("image=no-such-image", "There is no image 'no-such-image' in this workspace"),
        ("image=../../etc/passwd", "There is no image '../../etc/passwd'"),
        ("weights=run:999", "There are no weights 'run:999'"),
    ],
)
def test_an_address_of_something_unknown_says_so_and_shows_the_first_image(
    page: Any, app: Any, address: str, told: str
) -> None:
    page.goto("about:blank")
    page.goto(f"{app.url}/#{address}")
    page.get_by_text(told).first.wait_for(timeout=TIMEOUT)
    page.locator('#tm-inspect .tmv-thumb[aria-selected="true"]').wait_for(timeout=TIMEOUT)


def test_nonsense_in_the_address_does_not_keep_the_page_from_starting(page: Any, app: Any) -> None:
    page.goto("about:blank")
    page.goto(f"{app.url}/#%%%&stage=nonsense&image&&x=%F0%9F")
    inspect_is_up(page)
    assert page.locator("#tm-inspect .tmv-image-name").inner_text()


# ---------------------------------------------------------------- read-only


@pytest.fixture(scope="module")
def looked_at(
    app: Any, scenes_workspace: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """The app with --read-only on a workspace of its own."""
    workspace = tmp_path_factory.mktemp("read-only") / "workspace"
    shutil.copytree(scenes_workspace, workspace)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = type(app)(workspace, port)
    running.start("--read-only")
    yield running
    running.stop()


def digests(workspace: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(workspace)): path.read_bytes()
        for path in sorted(workspace.rglob("*"))
        if path.is_file()
    }


def refused(url: str, path: str, body: dict[str, Any]) -> str:
    """The sentence that a POST, as the page sends it, is refused with."""
    headers = {"X-Tagmask": "1", "Origin": url, "Content-Type": "application/json"}
    request = urllib.request.Request(
        f"{url}/tagmask/api/{path}", json.dumps(body).encode(), headers
    )
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request, timeout=20)
    assert error.value.code == 403
    return str(json.load(error.value)["error"])


def test_read_only_shows_everything_and_changes_nothing(browser: Any, looked_at: Any) -> None:
    before = digests(looked_at.workspace)
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(looked_at.url)
    inspect_is_up(page)
    assert page.locator("#tm-header").get_by_text("read-only").is_visible()
    assert not page.locator("#tm-inspect .tmv-drop").count()
    drop(page, "#tm-inspect", {"good.png": ("image/png", encode_png(noise(4)))})
    page.locator("#tm-inspect .tmv-thumb").nth(1).click()
    page.locator('#tm-inspect [data-stage="image"] .tmv-picture').first.wait_for(timeout=TIMEOUT)

    open_tab(page, "Curate")
    page.locator("#tm-curate[data-shown]").wait_for(timeout=TIMEOUT)
    shown = page.locator("#tm-curate").get_attribute("data-shown")
    for name in ("Accept", "Reject", "Skip", "Undo"):
        button = page.locator("#tm-curate .cu-acts").get_by_role("button", name=name)
        assert button.is_disabled()
        assert "read-only" in (button.get_attribute("title") or "")
    for key in ("a", "x", "Space", "z"):
        page.keyboard.press(key)
    assert page.locator("#tm-curate").get_attribute("data-shown") == shown
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "shown => document.querySelector('#tm-curate').dataset.shown !== shown",
        arg=shown,
        timeout=TIMEOUT,
    )

    open_tab(page, "Train")
    page.locator("#tm-train .tr-go:disabled").wait_for(timeout=TIMEOUT)
    open_tab(page, "Data")
    page.locator("#tm-data .da-drop").wait_for(timeout=TIMEOUT)
    page.locator("#da-files:disabled").wait_for(state="attached", timeout=TIMEOUT)
    drop(page, "#tm-data .da-drop", {"good.png": ("image/png", encode_png(noise(4)))})
    page.wait_for_timeout(300)
    context.close()
    assert digests(looked_at.workspace) == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("curate/decide", {"candidate": 1, "digest": "0" * 64, "verdict": "accept"}),
        ("curate/undo", {"reviewer": "ada", "session": "s", "action_id": "a"}),
        ("inspect/tags", {"image": "x", "tags": ["train"]}),
        ("inspect/candidate", {"image": "x", "stage": "crf"}),
        ("train/submit", {"recipe": "classify", "data": "tagged", "reviewer": "ada"}),
        ("train/freeze", {"name": "x", "reviewer": "ada"}),
        ("data/classes", {"name": "bird"}),
        ("data/snapshots", {"name": "x", "reviewer": "ada"}),
        ("upload", {}),
    ],
)
def test_read_only_is_kept_by_the_server(looked_at: Any, path: str, body: dict) -> None:
    before = digests(looked_at.workspace)
    assert "read-only" in refused(looked_at.url, path, body)
    assert digests(looked_at.workspace) == before
