"""A segmenter trained from the page on accepted masks: its form, its card, its use."""

import secrets
import sqlite3

import pytest

from backend.workspace import Workspace

TIMEOUT = 30_000


def rows(app, query: str) -> list[tuple]:
    with sqlite3.connect(app.workspace / "tagmask.db") as database:
        return database.execute(query).fetchall()


@pytest.fixture
def accepted(app) -> int:
    """Half of the workspace's candidates, accepted; how many."""
    found = rows(app, "SELECT id, digest FROM candidates ORDER BY id")[::2]
    with Workspace.open(app.workspace) as workspace:
        for number, digest in found:
            workspace.store.decisions.record(
                number, digest, "accept", reviewer="ada", session="test",
                action_id=secrets.token_hex(8),
            )  # fmt: skip
    return len(found)


def test_a_segmenter_learns_the_accepted_masks_and_is_no_attention_source(page, app, accepted):
    page.get_by_role("tab", name="Train", exact=True).click()
    page.locator("#tm-train .tr-freeze-go:enabled").click(timeout=TIMEOUT)
    page.locator("#tr-data option", has_text="Accepted 1").wait_for(
        state="attached", timeout=TIMEOUT
    )
    page.locator("#tr-recipe").select_option("segment")
    page.locator("#tm-train [data-preset='scenes']").click()
    chooser = page.locator("#tr-segment-from_")
    assert chooser.locator("option:checked").inner_text() == "The snapshot's own masks"
    for name, value in (("epochs", "2"), ("weights", "none")):
        field = page.locator(f"#tr-segment-{name}")
        if name == "weights":
            field.select_option(value)
        else:
            field.fill(value)
            field.press("Tab")
    page.wait_for_function(
        "() => document.querySelector('#tm-train .tr-command').textContent.includes('--epochs 2')"
    )
    command = page.locator("#tm-train .tr-command").inner_text()
    assert "segment" in command
    assert "--from" not in command
    page.locator("#tm-train .tr-go:enabled").click()

    # The card of the finished run: what it measured, its film, and nothing that it cannot do.
    detail = page.locator("#tm-train .tr-detail")
    detail.locator('.tr-title [data-state="done"]').wait_for(timeout=240_000)
    numbers = detail.locator(".tr-numbers")
    numbers.get_by_text("Pixel accuracy").first.wait_for(timeout=TIMEOUT)
    assert "mIoU on training images" in numbers.inner_text()
    detail.locator(".tr-film canvas").first.wait_for(timeout=TIMEOUT)
    page.wait_for_timeout(1500)
    assert detail.locator(".tr-inspect, .tr-candidates").count() == 0
    job = rows(app, "SELECT run_folder FROM jobs ORDER BY id DESC LIMIT 1")[0][0]
    assert len(list((app.workspace / job / "labels").glob("*.png"))) == accepted

    # It is chosen nowhere as a source of attention.
    page.locator("#tr-recipe").select_option("labels")
    offered = page.locator("#tr-labels-weights option").all_inner_texts()
    assert not any("segment" in text for text in offered)
    page.get_by_role("tab", name="Inspect", exact=True).click()
    sources = page.locator("#tm-inspect .tmv-weights select option")
    sources.first.wait_for(state="attached", timeout=TIMEOUT)
    assert not any("segment" in text for text in sources.all_inner_texts())
