"""The mask editor in a real browser: every tool to the pixel, undo, snap, keys, camera, names."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from backend.labels import read_labels
from backend.maps import crf
from tests.browser.editing import ROOT, TIMEOUT, Desk, make_workspace, open_curate, rows, stored


@pytest.fixture(scope="module")
def scenes_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Instead of the scenes that need weights: masks too large by four pixels all around."""
    return make_workspace(tmp_path_factory.mktemp("editor") / "workspace")


@pytest.fixture
def desk(page: Any, app: Any) -> Desk:
    open_curate(page)
    return Desk(page, app)


def test_every_tool_paints_what_it_says_to_the_pixel(desk: Desk, app: Any) -> None:
    tag, other = (int(each) for each in (1, 2))
    desk.press("b", desk.number(tag))
    desk.brush(9)
    desk.drag((20.5, 20.5), (120.5, 20.5))
    desk.painted((20.5, 20.5), (120.5, 20.5), 9, tag)
    desk.press(desk.number(other))
    desk.brush(4)
    desk.drag((30, 40), (90, 110))
    desk.painted((30, 40), (90, 110), 4, other)
    desk.brush(1)
    desk.click(150.5, 150.5)
    desk.labels[150, 150] = other
    desk.press("e")
    desk.brush(7)
    desk.drag((60.5, 5.5), (60.5, 60.5))
    desk.painted((60.5, 5.5), (60.5, 60.5), 7, 0)
    # The brush's right button erases, too.
    desk.press("b")
    desk.drag((80.5, 15.5), (80.5, 25.5), button="right")
    desk.painted((80.5, 15.5), (80.5, 25.5), 7, 0)
    desk.press("i")
    desk.drag((10.5, 140.5), (60.5, 140.5))
    desk.painted((10.5, 140.5), (60.5, 140.5), 7, 255)
    desk.press("p", desk.number(tag))
    for corner in ((100.2, 100.2), (140.2, 100.2), (140.2, 130.2), (100.2, 130.2)):
        desk.click(*corner)
    desk.press("Enter")
    desk.labels[100:130, 100:140] = tag
    desk.press("Shift+P")
    for corner in ((110.2, 105.2), (130.2, 105.2), (130.2, 125.2), (110.2, 125.2)):
        desk.click(*corner)
    # The first corner closes it.
    desk.click(110.2, 105.2)
    desk.labels[105:125, 110:130] = 0
    desk.press("f", desk.number(other))
    desk.click(115.5, 115.5)
    region, _ = ndimage.label(desk.labels == 0)
    desk.labels[region == region[115, 115]] = other
    new = desk.save()
    np.testing.assert_array_equal(stored(app, new), desk.labels)
    saved = "SELECT parent_id, method, verdict FROM candidates WHERE id = ?"
    assert rows(app, saved, new) == [(desk.candidate, "fixed", "fix")]


def test_other_classes_stay_where_they_are_to_be_kept(desk: Desk, app: Any) -> None:
    desk.press("b", desk.number(1))
    desk.brush(9)
    desk.drag((20.5, 20.5), (120.5, 20.5))
    desk.painted((20.5, 20.5), (120.5, 20.5), 9, 1)
    before = desk.labels.copy()
    desk.press("k", desk.number(2))
    desk.drag((70.5, 2.5), (70.5, 157.5))
    desk.painted((70.5, 2.5), (70.5, 157.5), 9, 2)
    desk.labels = np.where((before == 0) | (before == 255), desk.labels, before)
    desk.press("k")
    np.testing.assert_array_equal(stored(app, desk.save()), desk.labels)


def test_undo_and_redo_go_step_by_step(desk: Desk, app: Any) -> None:
    undo = desk.page.locator(".ed-head").get_by_role("button", name="Undo")
    redo = desk.page.locator(".ed-head").get_by_role("button", name="Redo")
    assert undo.is_disabled()
    desk.press("b", desk.number(3))
    desk.brush(5)
    for y in (10.5, 50.5, 90.5):
        desk.drag((5.5, y), (150.5, y))
    desk.press("z", "Control+z", "z")
    assert undo.is_disabled()
    desk.press("Shift+Z", "Control+y")
    redo.click()
    assert redo.is_disabled()
    undo.click()
    # Whoever draws on has no use for what was undone.
    desk.drag((5.5, 130.5), (150.5, 130.5))
    assert redo.is_disabled()
    for y in (10.5, 50.5, 130.5):
        desk.painted((5.5, y), (150.5, y), 5, 3)
    np.testing.assert_array_equal(stored(app, desk.save()), desk.labels)


@pytest.mark.skipif(crf.missing() is not None, reason="pydensecrf is not installed")
def test_a_snap_is_shown_first_and_kept_or_dropped(desk: Desk, app: Any) -> None:
    [(truth,)] = rows(
        app, "SELECT truth_digest FROM images JOIN candidates ON image_id = images.id"
        " WHERE candidates.id = ?", desk.candidate,
    )  # fmt: skip
    truth = read_labels(app.workspace / "files" / truth[:2] / f"{truth}.png")
    tag = int(np.bincount(desk.labels[desk.labels > 0]).argmax())
    bar, undo = (
        desk.page.locator(".ed-snap"),
        desk.page.locator(".ed-head").get_by_role("button", name="Undo"),
    )
    desk.press(desk.number(tag))
    for _ in range(2):
        desk.press("g")
        bar.get_by_role("button", name="Keep").and_(desk.page.locator(":enabled")).wait_for(
            timeout=TIMEOUT
        )
        # Another reach makes it anew.
        before = bar.inner_text()
        desk.press("]")
        desk.page.wait_for_function(
            "before => !document.querySelector('.ed-snap .primary').disabled"
            " && document.querySelector('.ed-snap').innerText !== before",
            arg=before, timeout=TIMEOUT,
        )  # fmt: skip
        desk.press("Escape")
        bar.wait_for(state="hidden", timeout=TIMEOUT)
        assert undo.is_disabled()
    desk.press("g")
    bar.get_by_role("button", name="Keep").and_(desk.page.locator(":enabled")).wait_for(
        timeout=TIMEOUT
    )
    desk.press("s")
    desk.page.get_by_text("Something is pending").wait_for(timeout=TIMEOUT)
    desk.press("Enter")
    bar.wait_for(state="hidden", timeout=TIMEOUT)
    assert undo.is_enabled()
    snapped = stored(app, desk.save())

    def iou(mask: np.ndarray) -> float:
        own, true = mask == tag, truth == tag
        return np.count_nonzero(own & true) / np.count_nonzero(own | true)

    assert iou(snapped) > iou(desk.labels) + 0.05


def test_without_the_crf_a_snap_says_why(page: Any, app: Any) -> None:
    def without(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(json=answer.json() | {"snap": "pydensecrf is missing."})

    page.route("**/api/fix/*", without)
    open_curate(page)
    desk = Desk(page, app)
    desk.press("g")
    page.locator(".tm-toast").get_by_text("pydensecrf is missing.").wait_for(timeout=TIMEOUT)
    desk.press("Escape")
    page.locator(".ed").wait_for(state="detached", timeout=TIMEOUT)


def test_the_editor_has_the_keys_to_itself(desk: Desk, app: Any) -> None:
    page = desk.page
    before = rows(app, "SELECT count(*) FROM decisions")

    def pressed(name: str) -> str:
        return (
            page.locator(".ed-head").get_by_role("button", name=name).get_attribute("aria-pressed")
        )

    for key, tool in (
        ("b", "Brush"),
        ("e", "Eraser"),
        ("p", "Polygon: add"),
        ("Shift+P", "Polygon: subtract"),
        ("f", "Fill"),
    ):
        desk.press(key)
        button = page.locator(".ed-tools").get_by_role("button", name=tool, exact=True)
        assert button.get_attribute("aria-pressed") == "true"
    desk.press("h", "o")
    assert (pressed("Hide"), pressed("Outline")) == ("true", "true")
    desk.press("h", "o", "b")
    size = page.locator(".ed-size output")
    was = int(size.inner_text().split()[0])
    desk.press("]")
    larger = int(size.inner_text().split()[0])
    desk.press("[", "[")
    assert int(size.inner_text().split()[0]) < was < larger
    opacity = page.locator(".ed-head").get_by_role("slider", name="Mask opacity")
    faint = float(opacity.input_value())
    desk.press("+", "=")
    assert float(opacity.input_value()) == pytest.approx(faint + 0.1)
    desk.press("-", "-")
    assert float(opacity.input_value()) == pytest.approx(faint)
    # Backspace takes the last corner back, Z too; Escape drops them all and the editor stays.
    corners = page.locator(".ed-poly circle")
    desk.press("p")
    for place in ((20.5, 20.5), (60.5, 20.5), (60.5, 60.5), (20.5, 60.5)):
        desk.click(*place)
    assert corners.count() == 4
    desk.press("Backspace")
    assert corners.count() == 3
    desk.press("z")
    assert corners.count() == 2
    desk.press("Escape")
    assert corners.count() == 0
    desk.press("b")
    desk.press("a", "x", "ArrowRight", "d", "r")
    # Whoever asks for a class means to paint with it.
    desk.press("e", "1")
    brush = page.locator(".ed-tools").get_by_role("button", name="Brush", exact=True)
    assert brush.get_attribute("aria-pressed") == "true"
    desk.press("0")
    assert page.get_by_role("radio", name="Background").get_attribute("aria-checked") == "true"
    # The class under the pointer, wherever that is.
    y, x = np.argwhere(desk.labels > 0)[40]
    page.mouse.move(*desk.at(x + 0.5, y + 0.5))
    desk.press("c")
    chosen = page.locator('.ed-class[aria-checked="true"]').get_attribute("data-id")
    assert int(chosen) == desk.labels[y, x]
    desk.press("?")
    page.get_by_role("dialog", name="Keys of the editor").wait_for(timeout=TIMEOUT)
    desk.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached", timeout=TIMEOUT)
    desk.press("Escape")
    page.locator(".ed").wait_for(state="detached", timeout=TIMEOUT)
    assert page.locator(ROOT).get_attribute("data-shown") == str(desk.candidate)
    assert rows(app, "SELECT count(*) FROM decisions") == before


def test_the_picture_is_zoomed_at_the_pointer_and_moved(desk: Desk) -> None:
    page = desk.page
    where, zoom = page.locator(".ed-where"), page.locator(".ed-zoom")
    fitted = zoom.inner_text()

    def under(x: float, y: float) -> tuple[int, int]:
        page.mouse.move(x + 0.3, y)
        page.mouse.move(x, y)
        page.wait_for_timeout(50)
        found = re.match(r"(-?\d+), (-?\d+)", where.inner_text())
        return int(found[1]), int(found[2])

    at = desk.at(120.5, 40.5)
    assert under(*at) == (120, 40)
    page.mouse.wheel(0, -600)
    page.wait_for_timeout(100)
    assert under(*at) == (120, 40)
    assert int(zoom.inner_text().rstrip("%")) > 2 * int(fitted.rstrip("%"))

    def moved(start: Callable[[], None], end: Callable[[], None]) -> None:
        page.mouse.move(*at)
        start()
        page.mouse.move(at[0] - 90, at[1] + 60, steps=4)
        end()
        page.wait_for_timeout(50)

    def space_down() -> None:
        page.keyboard.down("Space")
        page.mouse.down()

    def space_up() -> None:
        page.mouse.up()
        page.keyboard.up("Space")

    moved(space_down, space_up)
    assert under(at[0] - 90, at[1] + 60) == (120, 40)
    moved(lambda: page.mouse.down(button="middle"), lambda: page.mouse.up(button="middle"))
    assert under(at[0] - 180, at[1] + 120) == (120, 40)
    desk.press("Home")
    page.wait_for_timeout(50)
    assert zoom.inner_text() == fitted
    assert under(*at) == (120, 40)
    assert page.locator(".ed-head").get_by_role("button", name="Undo").is_disabled()
    desk.press("Escape")


@pytest.mark.parametrize("size", [(1440, 900), (1024, 768)])
def test_everything_has_a_name_and_fits(page: Any, app: Any, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    open_curate(page)
    desk = Desk(page, app)
    nameless = page.locator(".ed button, .ed input").evaluate_all(
        "nodes => nodes.filter((n) => !(n.innerText || n.ariaLabel || n.title"
        " || n.closest('label')?.innerText).trim()).map((n) => n.outerHTML)"
    )
    assert nameless == []
    for part in (".ed-head", ".ed-tools", ".ed-panel", ".ed-foot"):
        box = page.locator(part).evaluate(
            "n => [n.scrollWidth - n.clientWidth, n.getBoundingClientRect().right - innerWidth,"
            " n.getBoundingClientRect().bottom - innerHeight]"
        )
        assert max(box) <= 1, (part, box)
    desk.press("Escape")
