"""The Data tab: an archive in, with a choice about its masks; a snapshot out; duplicates."""

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from backend.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 60_000


@pytest.fixture(scope="module")
def archive(app: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COCO zip of two accepted candidates of the workspace itself, which has a snapshot now."""
    with Workspace.open(app.workspace) as workspace:
        store = workspace.store
        for row in store.candidates.queue(limit=2).rows:
            store.decisions.record(
                row.id, row.digest, "accept", reviewer="ada", session="s", action_id=f"x{row.id}"
            )
        store.snapshots.freeze("two", "ada")
        image = store.images.page().rows[0]
        store.images.add("seen before", store.files.read(image.digest), source="test")
    out = tmp_path_factory.mktemp("out") / "two-coco.zip"
    command = [sys.executable, "-m", "backend", "export", str(app.workspace), "two", str(out)]
    subprocess.run([*command, "--format", "coco"], cwd=ROOT, check=True, capture_output=True)
    return out


@pytest.fixture
def data(page: Any, archive: Path) -> Any:
    page.get_by_role("tab", name="Data").click(timeout=TIMEOUT)
    page.locator("#tm-data .da-drop").wait_for(timeout=TIMEOUT)
    return page


def test_an_archive_comes_in_as_candidates_of_a_named_source(data, app: Any, archive: Path) -> None:
    data.set_input_files("#da-files", str(archive))
    data.get_by_text("two-coco.zip").wait_for(timeout=TIMEOUT)
    data.get_by_label("candidates").check()
    data.get_by_label("What to call the source").fill("team A")
    data.get_by_role("button", name="Bring in").click()
    row = data.locator(".da-transfer", has_text="two-coco.zip")
    row.locator("text=2 here already, 2 masks to review").wait_for(timeout=TIMEOUT)
    with Workspace.open(app.workspace, read_only=True) as workspace:
        methods = [row.method for row in workspace.store.candidates.queue(limit=500).rows]
    assert methods.count("team A") == 2


def test_a_snapshot_leaves_by_the_keyboard_and_is_a_whole_zip(data: Any, tmp_path: Path) -> None:
    menu = data.locator(".da-menu summary").first
    menu.focus()
    on_the_list = "document.activeElement.getAttribute('role') === 'menuitem'"
    data.keyboard.press("Enter")
    data.wait_for_function(on_the_list, timeout=TIMEOUT)
    data.keyboard.press("Escape")
    assert menu.evaluate("node => node === document.activeElement")
    data.keyboard.press("Enter")
    data.wait_for_function(on_the_list, timeout=TIMEOUT)
    for _ in range(4):
        data.keyboard.press("ArrowDown")
    data.keyboard.press("Enter")
    link = data.locator(".da-transfer", has_text="Bundle export").get_by_role("link")
    link.wait_for(timeout=TIMEOUT)
    with data.expect_download() as download:
        link.click()
    download.value.save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.testzip() is None
        assert any(name.endswith("decisions.json") for name in archive.namelist())


def test_duplicates_take_the_tables_place_and_give_it_back(data: Any) -> None:
    data.get_by_role("button", name="Show them").click(timeout=TIMEOUT)
    data.get_by_text("Also came in as").wait_for(timeout=TIMEOUT)
    assert data.get_by_text("seen_before").is_visible()
    data.get_by_role("button", name="Back to the images").click()
    data.locator("#tm-data .tm-table").wait_for(timeout=TIMEOUT)
