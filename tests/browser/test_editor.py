"""The mask editor in a real browser: every tool to the pixel, undo, snap, drafts, a race."""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy import ndimage

from backend.images import encode_jpeg
from backend.labels import encode_labels, read_labels
from backend.maps import crf
from backend.workspace import Workspace

TIMEOUT = 30_000
SIDE = 160
IMAGES = 16
ROOT = "#tm-curate"
MARGIN = 24


@pytest.fixture(scope="module")
def scenes_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes whose masks are too large by four pixels all around, the first in the queue first."""
    from training.scenes import SCENE_CLASSES, render

    root = tmp_path_factory.mktemp("editor") / "workspace"
    with Workspace.create(root, "Editor", classes=SCENE_CLASSES) as made:
        run = made.store.runs.add("coarse", "labels", made.runs / "coarse")
        for number in range(IMAGES):
            scene = render(seed=7, index=number, size=SIDE)
            image = made.store.images.add(
                f"scene {number:02d}", encode_jpeg(scene.image), source="t", tags=scene.tags,
                truth=encode_labels(scene.labels),
            ).image  # fmt: skip
            grown = cv2.dilate(scene.labels, np.ones((9, 9), np.uint8))
            score = {"SC": number / 100}
            made.store.candidates.add(image.id, run, "cam.dcsp", encode_labels(grown), score)
    return root


def rows(app: Any, query: str, *values: Any) -> list[tuple]:
    with sqlite3.connect(app.workspace / "tagmask.db") as database:
        return database.execute(query, values).fetchall()


def stored(app: Any, candidate: int) -> np.ndarray:
    [(digest,)] = rows(app, "SELECT digest FROM candidates WHERE id = ?", candidate)
    return read_labels(app.workspace / "files" / digest[:2] / f"{digest}.png")


def open_curate(page: Any) -> None:
    page.get_by_role("tab", name="Curate", exact=True).click()
    page.locator(f"{ROOT}[data-shown]").wait_for(timeout=TIMEOUT)


class Desk:
    """The editor on the candidate that came first, and the same acts done again in numpy."""

    def __init__(self, page: Any, app: Any) -> None:
        self.page, self.app = page, app
        self.candidate = int(page.locator(ROOT).get_attribute("data-shown"))
        self.labels = stored(app, self.candidate)
        self.open()

    def open(self) -> None:
        self.page.keyboard.press("e")
        self.page.locator(".ed[data-ready]").wait_for(timeout=TIMEOUT)
        # Where the image is once it is fitted, as the camera works it out.
        box = self.page.locator(".ed-layer").bounding_box()
        self.scale = min((box["width"] - 2 * MARGIN) / SIDE, (box["height"] - 2 * MARGIN) / SIDE)
        self.left = box["x"] + (box["width"] - SIDE * self.scale) / 2
        self.top = box["y"] + (box["height"] - SIDE * self.scale) / 2

    def at(self, x: float, y: float) -> tuple[float, float]:
        return self.left + x * self.scale, self.top + y * self.scale

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def drag(self, *points: tuple[float, float], button: str = "left") -> None:
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down(button=button)
        for point in points[1:]:
            self.page.mouse.move(*self.at(*point))
        self.page.mouse.up(button=button)

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.at(x, y))

    def brush(self, size: int) -> None:
        slider = self.page.get_by_role("slider", name="Brush size in pixels of the image")
        slider.fill(str(size))

    def number(self, class_id: int) -> str:
        """The key of a class: its place in the list."""
        listed = self.page.locator(".ed-scroll .ed-class").evaluate_all(
            "nodes => nodes.map((node) => Number(node.dataset.id))"
        )
        return str(1 + listed.index(class_id))

    def painted(self, a: tuple, b: tuple, size: int, class_id: int) -> None:
        """A stroke by each pixel's distance from the line, where the page goes row by row."""
        y, x = np.mgrid[:SIDE, :SIDE] + 0.5
        (ax, ay), (bx, by) = a, b
        along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / max(
            (bx - ax) ** 2 + (by - ay) ** 2, 1e-9
        )
        along = along.clip(0, 1)
        away = np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay))
        self.labels[away <= size / 2 + 1e-6] = class_id

    def save(self) -> int:
        """Saves by key; the new candidate."""
        self.press("s")
        self.page.locator(".ed").wait_for(state="detached", timeout=TIMEOUT)
        [(new,)] = rows(self.app, "SELECT max(id) FROM candidates")
        return int(new)

    def kept(self) -> None:
        self.page.get_by_text("Draft kept at").wait_for(timeout=TIMEOUT)


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

    page.route(re.compile(r"/api/fix/\d+$"), without)
    open_curate(page)
    desk = Desk(page, app)
    desk.press("g")
    page.locator(".tm-toast").get_by_text("pydensecrf is missing.").wait_for(timeout=TIMEOUT)
    desk.press("Escape")
    page.locator(".ed").wait_for(state="detached", timeout=TIMEOUT)


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
    desk.press("a", "x", "ArrowRight", "d", "r")
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
    assert (
        page.locator(".ed-pair canvas").count() == 2
        or page.locator(".ed-pair canvas").nth(1).wait_for(timeout=TIMEOUT) is None
    )
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
