"""Two reviewers in two browser contexts: races on one image, leases, shares, history."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from backend.images import encode_jpeg
from backend.labels import encode_labels
from backend.workspace import Workspace

TIMEOUT = 60_000
IMAGES = 8
ROOT = "#tm-curate"

Reviewer = Callable[[str], Any]


@pytest.fixture(scope="module")
def scenes_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight scenes with a mask each, the scores in the order of their names."""
    from training.scenes import SCENE_CLASSES, render

    root = tmp_path_factory.mktemp("people") / "workspace"
    with Workspace.create(root, "People", classes=SCENE_CLASSES) as made:
        for number in range(IMAGES):
            scene = render(seed=7, index=number, size=160)
            image = made.store.images.add(
                f"scene {number:02d}", encode_jpeg(scene.image), source="test", tags=scene.tags
            ).image
            grown = encode_labels(cv2.dilate(scene.labels, np.ones((9, 9), np.uint8)))
            made.store.candidates.add(image.id, None, "cam.dcsp", grown, {"SC": number / 100})
    return root


@pytest.fixture
def reviewer(browser: Any, app: Any) -> Iterator[Reviewer]:
    """Opens Curate as somebody, in a browser context of their own; no page may log an error."""
    contexts, problems = [], []

    def sit_down(name: str) -> Any:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_init_script(f"localStorage.setItem('tagmask.reviewer', '{name}')")
        context.set_default_timeout(TIMEOUT)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(f"{name}: {error}"))
        page.goto(f"{app.url}/#tab=curate")
        page.locator(f"{ROOT}[data-shown]").wait_for()
        return page

    yield sit_down
    for context in contexts:
        context.close()
    assert not problems, problems


def rows(app: Any, query: str, *values: Any) -> list[tuple]:
    with sqlite3.connect(app.workspace / "tagmask.db") as database:
        return database.execute(query, values).fetchall()


def shown(page: Any) -> str:
    return page.locator(ROOT).get_attribute("data-shown")


def shows(page: Any, candidate: Any) -> None:
    page.locator(f'{ROOT}[data-shown="{candidate}"]').wait_for()


def saved(page: Any) -> None:
    page.get_by_text("All decisions saved").wait_for()


def edit(page: Any) -> None:
    page.keyboard.press("e")
    page.locator(f"{ROOT} .ed-head").wait_for()


def draw(page: Any) -> None:
    """A stroke through the middle of the picture, with the class that the editor begins with."""
    box = page.locator(f"{ROOT} canvas.ed-layer").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2 - 60, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 60, box["y"] + box["height"] / 2, steps=6)
    page.mouse.up()


def history(page: Any) -> Any:
    summary = page.locator(f"{ROOT} .cu-history > summary")
    if page.locator(f"{ROOT} .cu-history").get_attribute("open") is None:
        summary.click()
    return page.locator(f"{ROOT} .pe-events")


def test_a_fix_that_came_meanwhile_is_shown_and_not_overwritten(
    app: Any, reviewer: Reviewer
) -> None:
    """Both look at one mask; ada draws it anew, bob accepts the old one: he is shown hers."""
    ada, bob = reviewer("ada"), reviewer("bob")
    seen = shown(bob)
    assert shown(ada) == seen
    edit(ada)
    bob.reload()
    shows(bob, seen)
    bob.get_by_text("ada is editing this image now").wait_for()
    draw(ada)
    ada.keyboard.press("s")
    ada.locator(f"{ROOT} .ed-head").wait_for(state="detached")
    [(fixed,)] = rows(app, "SELECT id FROM candidates WHERE parent_id = ?", int(seen))
    bob.keyboard.press("a")
    bob.get_by_text("drew a newer mask").wait_for()
    shows(bob, fixed)
    of_image = (
        "SELECT d.reviewer, d.verdict FROM decisions AS d JOIN candidates AS c"
        " ON c.id = d.candidate_id WHERE c.image_id = (SELECT image_id FROM candidates"
        " WHERE id = ?) ORDER BY d.id"
    )
    assert rows(app, of_image, int(seen)) == [("ada", "reject"), ("ada", "fix")]
    # Having seen it he may keep it, and nothing of hers is gone.
    bob.keyboard.press("a")
    saved(bob)
    assert rows(app, of_image, int(seen))[-1] == ("bob", "accept")
    current = dict(rows(app, "SELECT id, verdict FROM candidates WHERE id IN (?, ?)", seen, fixed))
    assert current == {int(seen): "reject", fixed: "accept"}


def test_two_verdicts_at_one_moment_are_both_kept_and_the_history_goes_back(
    app: Any, reviewer: Reviewer
) -> None:
    ada, bob = reviewer("ada"), reviewer("bob")
    candidate = shown(ada)
    assert shown(bob) == candidate
    # Neither knows of the other: the keys go out before either answer is in.
    ada.keyboard.press("a")
    bob.keyboard.press("x")
    saved(ada)
    saved(bob)
    log = rows(
        app,
        "SELECT reviewer, verdict, supersedes FROM decisions WHERE candidate_id = ? ORDER BY id",
        int(candidate),
    )
    assert {row[:2] for row in log} == {("ada", "accept"), ("bob", "reject")}
    assert [row[2] is None for row in log] == [True, False]
    (first, verdict, _), (last, _, _) = log
    bob.evaluate("location.hash = 'tab=curate&verdict=all'")
    bob.locator(f'{ROOT} .cu-item[data-id="{candidate}"]').click()
    shows(bob, candidate)
    events = history(bob)
    events.locator("li").first.wait_for()
    told = events.inner_text()
    assert "ada accepted the mask of cam.dcsp" in told
    assert "bob rejected the mask of cam.dcsp" in told
    assert "test brought scene_" in told
    [current] = events.locator('li[data-current="true"][data-event^="decision"]').all()
    assert current.inner_text().startswith(last)
    events.get_by_role("button", name=f"Bring back: {first}").click()
    whose = "their own" if first == "bob" else f"{first}'s"
    bob.get_by_text(f"brought back {whose} “{verdict}”").first.wait_for()
    back = rows(app, "SELECT reviewer, verdict FROM decisions WHERE restores IS NOT NULL")
    assert back == [("bob", verdict)]
    shows(bob, candidate)
    # A row more, which undo takes back as any other.
    bob.keyboard.press("z")
    bob.get_by_text("Undone: scene_").wait_for(state="attached")
    verdicts = rows(app, "SELECT verdict FROM candidates WHERE id = ?", int(candidate))
    assert verdicts == [(log[1][1],)]


def test_an_image_that_is_edited_is_taken_over_only_by_confirmation(
    app: Any, reviewer: Reviewer
) -> None:
    ada, bob = reviewer("ada"), reviewer("bob")
    candidate = shown(ada)
    edit(ada)
    draw(ada)
    bob.keyboard.press("e")
    asked = bob.get_by_role("dialog", name="ada is editing this image")
    asked.wait_for()
    bob.keyboard.press("Escape")
    asked.wait_for(state="detached")
    assert bob.locator(f"{ROOT} .ed-head").count() == 0
    image = rows(app, "SELECT image_id FROM candidates WHERE id = ?", int(candidate))[0][0]
    assert rows(app, "SELECT reviewer FROM leases WHERE image_id = ?", image) == [("ada",)]
    bob.keyboard.press("e")
    asked.get_by_role("button", name="Take it over").click()
    bob.locator(f"{ROOT} .ed-head").wait_for()
    assert rows(app, "SELECT reviewer FROM leases WHERE image_id = ?", image) == [("bob",)]
    # Her page asks again when it is looked at, and at the latest when she saves.
    ada.keyboard.press("s")
    ada.get_by_text("bob is editing this image").wait_for()
    assert rows(app, "SELECT count(*) FROM candidates WHERE image_id = ?", image) == [(1,)]
    assert ada.locator(f"{ROOT} .ed-head").count() == 1
    # Closing gives it back at once, so that the other may go on where she was.
    bob.keyboard.press("Escape")
    bob.locator(f"{ROOT} .ed-head").wait_for(state="detached")
    ada.get_by_role("button", name="Take it back").click()
    ada.wait_for_timeout(500)
    ada.keyboard.press("s")
    ada.locator(f"{ROOT} .ed-head").wait_for(state="detached")
    assert rows(
        app, "SELECT verdict FROM candidates WHERE image_id = ? ORDER BY id", image
    ) == [("reject",), ("fix",)]  # fmt: skip


def test_images_shared_out_on_the_page_are_found_judged_and_compared(
    app: Any, reviewer: Reviewer
) -> None:
    lead = reviewer("lead")
    left = rows(app, "SELECT count(*) FROM candidates WHERE verdict = 'undecided'")[0][0]
    assert left >= 4
    lead.evaluate("location.hash = 'tab=data'")
    lead.get_by_role("button", name="Progress, sharing out, agreement").click()
    sheet = lead.get_by_role("dialog", name="People")
    sheet.wait_for()
    while sheet.get_by_role("button", name="Leave ").count():
        sheet.get_by_role("button", name="Leave ").first.click()
    for name in ("cyd", "dee"):
        sheet.get_by_label("Name of a reviewer to add").fill(name)
        lead.keyboard.press("Enter")
    sheet.get_by_label("Share of the images that goes to two reviewers").fill("100")
    sheet.get_by_text(f"cyd {left} images, {left} shared").wait_for()
    assert rows(app, "SELECT count(*) FROM assignments") == [(0,)]
    sheet.get_by_role("button", name="Share out").click()
    sheet.get_by_text(f"0 of {left} masks judged").first.wait_for()
    assert rows(app, "SELECT reviewer, count(*) FROM assignments GROUP BY 1 ORDER BY 1") == [
        ("cyd", left),
        ("dee", left),
    ]
    lead.keyboard.press("Escape")
    sheet.wait_for(state="detached")

    first = None
    for name, keys in (("cyd", "aax"), ("dee", "axx")):
        page = reviewer(name)
        page.evaluate("location.hash = 'tab=curate&assigned=me'")
        page.wait_for_function(
            "count => document.querySelectorAll('#tm-curate .cu-item').length === count", arg=left
        )
        # Each begins with the same ones, whatever the other said of them.
        first = first or shown(page)
        shows(page, first)
        for key in keys:
            before = shown(page)
            page.keyboard.press(key)
            page.wait_for_function(
                "before => document.querySelector('#tm-curate').dataset.shown !== before",
                arg=before,
            )
        saved(page)

    lead.get_by_role("button", name="Progress, sharing out, agreement").click()
    sheet.get_by_text(f"3 of {left} masks judged").first.wait_for()
    pair = sheet.get_by_role("row", name="cyd and dee")
    # Alike on two of three; by chance 2/3 * 1/3 + 1/3 * 2/3 = 4/9: (6/9 - 4/9) / (5/9) = 0.40.
    pair.get_by_role("cell", name="0.40").wait_for()
    assert [each.strip() for each in pair.get_by_role("cell").all_inner_texts()][:2] == ["3", "2"]
    pair.get_by_text("1.00").wait_for()
    sheet.get_by_text("Judged differently (").wait_for()
    apart = sheet.locator(".pe-apart li").first
    assert "cyd" in apart.inner_text()
    # From there to the mask they differ about, whatever its verdict.
    apart.get_by_role("button").click()
    sheet.wait_for(state="detached")
    lead.wait_for_function("() => document.querySelectorAll('#tm-curate .cu-item').length === 1")
    assert lead.locator(f"{ROOT} .cu-name").inner_text().startswith("scene_")
