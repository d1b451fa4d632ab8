"""What becomes of a drawing: drafts, new versions, a server that is away, two reviewers at once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.browser.editing import ROOT, TIMEOUT, Desk, make_workspace, open_curate, rows, stored


@pytest.fixture(scope="module")
def scenes_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Instead of the scenes that need weights: masks too large by four pixels all around."""
    return make_workspace(tmp_path_factory.mktemp("editor") / "workspace")


@pytest.fixture
def desk(page: Any, app: Any) -> Desk:
    open_curate(page)
    return Desk(page, app)


def test_what_was_drawn_is_offered_again_after_the_tab_was_closed(page: Any, app: Any) -> None:
    open_curate(page)
    desk = Desk(page, app)
    desk.press("b", desk.number(3))
    desk.brush(11)
    desk.drag((20.5, 80.5), (140.5, 80.5))
    desk.kept()
    context = page.context
    page.close(run_before_unload=False)
    again = context.new_page()
    again.goto(app.url)
    open_curate(again)
    again.get_by_role("button", name="Go on with scene").click(timeout=TIMEOUT)
    again.locator(".ed[data-ready]").wait_for(timeout=TIMEOUT)
    again.get_by_text("and did not save is back").wait_for(timeout=TIMEOUT)
    desk.page = again
    desk.painted((20.5, 80.5), (140.5, 80.5), 11, 3)
    np.testing.assert_array_equal(stored(app, desk.save()), desk.labels)
    # Saved, it is offered no more.
    again.reload()
    open_curate(again)
    again.wait_for_timeout(500)
    assert again.get_by_role("button", name="Go on with").count() == 0


def test_closing_the_editor_keeps_a_draft_and_begin_anew_drops_it(desk: Desk, app: Any) -> None:
    before = rows(app, "SELECT count(*) FROM candidates")
    desk.press("b", desk.number(3))
    desk.drag((20.5, 80.5), (140.5, 80.5))
    desk.press("Escape")
    desk.page.locator(".ed").wait_for(state="detached", timeout=TIMEOUT)
    desk.open()
    desk.page.get_by_role("button", name="Begin anew").click(timeout=TIMEOUT)
    desk.press("s")
    desk.page.get_by_text("Nothing differs from the mask").wait_for(timeout=TIMEOUT)
    desk.press("Escape")
    desk.page.locator(".ed").wait_for(state="detached", timeout=TIMEOUT)
    desk.open()
    desk.page.wait_for_timeout(300)
    assert desk.page.get_by_text("and did not save is back").count() == 0
    assert rows(app, "SELECT count(*) FROM candidates") == before
    desk.press("Escape")


def test_a_saved_version_leaves_the_queue_and_one_undo_brings_all_back(
    desk: Desk, app: Any
) -> None:
    desk.press("b", desk.number(3))
    desk.drag((20.5, 80.5), (140.5, 80.5))
    new = desk.save()
    desk.page.wait_for_function(
        "was => document.querySelector('#tm-curate').dataset.shown !== was",
        arg=str(desk.candidate), timeout=TIMEOUT,
    )  # fmt: skip
    verdict = "SELECT verdict FROM candidates WHERE id IN (?, ?) ORDER BY id"
    assert rows(app, verdict, desk.candidate, new) == [("reject",), ("fix",)]
    desk.press("z")
    desk.page.locator(f'{ROOT}[data-shown="{desk.candidate}"]').wait_for(timeout=TIMEOUT)
    assert rows(app, verdict, desk.candidate, new) == [("undecided",), ("undecided",)]


def test_a_save_that_finds_no_server_is_sent_again_and_counts_once(desk: Desk, app: Any) -> None:
    before = rows(app, "SELECT count(*) FROM candidates")[0][0]
    desk.press("b", desk.number(3))
    desk.brush(5)
    desk.drag((20.5, 80.5), (140.5, 80.5))
    desk.painted((20.5, 80.5), (140.5, 80.5), 5, 3)
    desk.kept()
    app.stop()
    desk.press("s")
    desk.page.get_by_text("Not saved yet").wait_for(timeout=TIMEOUT)
    app.start()
    desk.page.locator(".ed").wait_for(state="detached", timeout=TIMEOUT)
    [(count, new)] = rows(app, "SELECT count(*), max(id) FROM candidates")
    assert count == before + 1
    np.testing.assert_array_equal(stored(app, new), desk.labels)


def test_of_two_reviewers_on_one_image_neither_loses_a_mask(
    browser: Any, page: Any, app: Any
) -> None:
    """Ben takes over from Ada and saves first; she is shown his mask and follows it with hers."""
    other = browser.new_context(viewport={"width": 1024, "height": 768})
    second = other.new_page()
    second.goto(app.url)
    for each, name in ((page, "Ada"), (second, "Ben")):
        each.evaluate("name => localStorage.setItem('tagmask.reviewer', name)", name)
        each.reload()
        open_curate(each)
    ada = Desk(page, app)
    ada.press("b", ada.number(3))
    ada.brush(5)
    ada.drag((20.5, 80.5), (140.5, 80.5))
    ada.painted((20.5, 80.5), (140.5, 80.5), 5, 3)
    assert second.locator(ROOT).get_attribute("data-shown") == str(ada.candidate)
    second.keyboard.press("e")
    second.get_by_role("heading", name="Ada is editing this image").wait_for(timeout=TIMEOUT)
    second.get_by_role("button", name="Take it over").click()
    second.locator(".ed[data-ready]").wait_for(timeout=TIMEOUT)
    # She saves while he has the image: it stays with her as a draft.
    ada.press("s")
    page.get_by_text("Ben is editing this image").wait_for(timeout=TIMEOUT)
    box = second.locator(".ed-layer").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    second.keyboard.press("i")
    second.mouse.move(*middle)
    second.mouse.down()
    second.mouse.move(middle[0] + 60, middle[1] + 60)
    second.mouse.up()
    second.keyboard.press("s")
    second.locator(".ed").wait_for(state="detached", timeout=TIMEOUT)
    [(theirs,)] = rows(app, "SELECT max(id) FROM candidates")
    ada.press("s")
    page.get_by_text("Ben drew a newer mask").wait_for(timeout=TIMEOUT)
    page.locator(".ed-pair canvas").nth(1).wait_for(timeout=TIMEOUT)
    assert rows(app, "SELECT max(id) FROM candidates") == [(theirs,)]
    page.get_by_role("button", name="Follow it with mine").click()
    mine = ada.save()
    other.close()
    np.testing.assert_array_equal(stored(app, mine), ada.labels)
    verdicts = "SELECT id, verdict, parent_id FROM candidates WHERE id IN (?, ?) ORDER BY id"
    assert rows(app, verdicts, theirs, mine) == [
        (theirs, "fix", ada.candidate),
        (mine, "fix", ada.candidate),
    ]
