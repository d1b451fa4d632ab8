"""Showing to others in a real browser: the Compare tab, deep links, figures, reports."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.images import encode_jpeg
from backend.labels import encode_labels
from backend.workspace import Workspace

TIMEOUT = 90_000
ROOT = "#tm-compare"
IMAGES = 8


@pytest.fixture(scope="module")
def scenes_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes with their truth; run 1 lost the lower part of each mask, the more the higher its
    number, and run 2 has all of every mask but of the first image none."""
    from training.scenes import SCENE_CLASSES, render

    root = tmp_path_factory.mktemp("compare") / "workspace"
    with Workspace.create(root, "Compared", classes=SCENE_CLASSES) as made:
        first = made.store.runs.add("first", "labels", "runs/1")
        second = made.store.runs.add("second", "sal", "runs/2")
        for number in range(IMAGES):
            scene = render(seed=5, index=number, size=160)
            image = made.store.images.add(
                f"scene_{number}", encode_jpeg(scene.image), source="test", tags=scene.tags,
                truth=encode_labels(scene.labels),
            ).image  # fmt: skip
            part, whole = scene.labels.copy(), scene.labels
            rows = np.flatnonzero((whole > 0).any(axis=1))
            part[rows[-1 - len(rows) * number // 10] + 1 :] = 0
            empty = np.zeros_like(whole)
            for run, method, mask in (
                (first, "cam", part),
                (second, "sal", whole if number else empty),
            ):
                made.store.candidates.add(image.id, run, method, encode_labels(mask), {"SC": 0.5})
        for run in (first, second):
            made.store.runs.finish(run, {"loss": 0.5}, None)
    return root


def opened(page: Any, url: str, what: str = "") -> Any:
    """The page at an address, the Compare tab's image painted."""
    page.goto("about:blank")
    page.goto(f"{url}/#tab=compare{what}")
    page.locator(f'{ROOT}[data-state="done"]:not([data-shown=""])').wait_for(timeout=TIMEOUT)
    return page


def picked(page: Any) -> str:
    return page.locator(f"{ROOT} .cp-name").inner_text()


def rows(page: Any) -> list[str]:
    return page.locator(f"{ROOT} .cp-row-name").all_inner_texts()


def until(page: Any, test: str, arg: Any = None) -> None:
    page.wait_for_function(test, arg=arg, timeout=TIMEOUT)


def pixels(page: Any, selector: str) -> list[int]:
    """The colour in the middle of the left and of the right half of a canvas."""
    return page.evaluate(
        """selector => {
          const canvas = document.querySelector(selector);
          const context = canvas.getContext("2d");
          const sum = (from) => {
            const { data } = context.getImageData(from, 0, canvas.width / 2, canvas.height);
            let total = 0;
            for (let i = 0; i < data.length; i++) total += data[i] * (1 + (i & 3));
            return total;
          };
          return [sum(0), sum(canvas.width / 2)];
        }""",
        selector,
    )


def test_the_tab_tells_which_run_is_better_and_shows_where(page: Any, app: Any) -> None:
    opened(page, app.url)
    tab = page.locator(ROOT)
    # The newer run is B; only on the first image it is worse.
    said = tab.locator(".cp-verdict").inner_text()
    assert re.search(r"better on 7, worse on 1, same on 0|better on 6, worse on 1, same on 1", said)
    assert rows(page)[0] == picked(page) == "scene_0"
    tab.get_by_role("combobox", name="Order of the images").select_option("gain")
    until(page, f"document.querySelector('{ROOT} .cp-name').textContent !== 'scene_0'")
    assert rows(page)[-1] == "scene_0"
    order = rows(page)
    page.locator("body").press("ArrowDown")
    until(page, f"name => document.querySelector('{ROOT}').dataset.shown === name", order[1])
    # A class narrows table, points and list; the same click brings all back.
    name = tab.locator(".cp-class span").nth(0).inner_text()
    tab.locator(".cp-class").nth(0).click()
    until(
        page,
        f"document.querySelectorAll('{ROOT} .cp-row').length < {IMAGES}"
        " || location.hash.includes('class=0')",
    )
    assert name in tab.locator(".cp-note").last.inner_text()
    tab.locator(".cp-class").nth(0).click()
    until(page, f"document.querySelectorAll('{ROOT} .cp-row').length === {IMAGES}")


def test_the_slider_moves_by_key_and_by_mouse(page: Any, app: Any) -> None:
    opened(page, app.url, "&pick=scene_7")
    handle = page.locator(ROOT).get_by_role("slider", name=re.compile("Divider"))
    assert handle.get_attribute("aria-valuenow") == "50"
    before = pixels(page, f"{ROOT} .cp-canvas")
    handle.focus()
    handle.press("End")
    until(
        page, f"document.querySelector('{ROOT} .cp-handle').getAttribute('aria-valuenow') === '100'"
    )
    after = pixels(page, f"{ROOT} .cp-canvas")
    # Only the right half changed: it shows A's mask now, as the left one did before.
    assert after[1] != before[1]
    box = page.locator(f"{ROOT} .cp-well").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    until(
        page,
        f"Math.abs(document.querySelector('{ROOT} .cp-handle').ariaValueNow - 50) < 2",
    )
    page.keyboard.press("d")
    until(page, f"document.querySelector('{ROOT} .cp-handle').hidden")
    assert "A alone is right" in page.locator(f"{ROOT} .cp-legend").inner_text()


def test_a_link_to_a_comparison_opened_anew_shows_the_same(
    browser: Any, page: Any, app: Any
) -> None:
    opened(page, app.url, "&a=run:2&b=run:1&sort=change&pick=scene_3")
    for key in ("ArrowRight", "ArrowRight", "t", "+"):
        page.locator("body").press(key)
    page.get_by_role("slider", name="Mask opacity").fill("0.3")
    until(
        page,
        "['camera=1.50', 'outlines=truth', 'masks=0.3']"
        ".every(part => location.hash.includes(part))",
    )
    link, seen = page.url, pixels(page, f"{ROOT} .cp-canvas")
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    other = context.new_page()
    other.goto(link)
    other.locator(f'{ROOT}[data-state="done"][data-shown="scene_3"]').wait_for(timeout=TIMEOUT)
    until(other, f"document.querySelector('{ROOT} .cp-zoom').textContent === '150%'")
    until(
        other, f"document.querySelector('{ROOT} .cp-handle').getAttribute('aria-valuenow') === '54'"
    )
    assert other.get_by_role("combobox", name="Side A").input_value() == "run:2"
    assert other.get_by_role("combobox", name="Order of the images").input_value() == "change"
    assert other.get_by_role("button", name="Truth").get_attribute("aria-pressed") == "true"
    assert other.get_by_role("slider", name="Mask opacity").input_value() == "0.3"
    other.wait_for_timeout(300)
    assert pixels(other, f"{ROOT} .cp-canvas") == seen
    context.close()


def test_a_link_to_an_inspection_opened_anew_shows_the_same(
    browser: Any, page: Any, app: Any
) -> None:
    page.goto(f"{app.url}/#image=scene_4")
    until(page, "location.hash.includes('layers=')")
    page.get_by_role("button", name="Outline", exact=True).click()
    page.get_by_role("button", name="Colour map magma").click()
    page.get_by_role("spinbutton", name="DCSP γ, as a number").fill("0.55")
    page.get_by_role("spinbutton", name="DCSP γ, as a number").press("Enter")
    page.get_by_role("button", name="Zoom in").first.click()
    until(
        page,
        "['set.gamma=0.55', 'colours=magma', 'zoom=1.50', 'layers=photo+map&']"
        ".every(part => location.hash.includes(part))",
    )
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    other = context.new_page()
    other.goto(page.url)
    gamma = other.get_by_role("spinbutton", name="DCSP γ, as a number")
    gamma.wait_for(timeout=TIMEOUT)
    assert gamma.input_value() == "0.55"
    until(other, "document.querySelector('.tmv-image-name').textContent === 'scene_4'")
    assert (
        other.get_by_role("button", name="Outline", exact=True).get_attribute("aria-pressed")
        == "false"
    )
    assert (
        other.get_by_role("button", name="Colour map magma").get_attribute("aria-pressed") == "true"
    )
    until(other, "document.querySelector('.tmv-zoom').textContent === '150%'")
    # What the link showed is not kept as this browser's own choice.
    assert "magma" not in (other.evaluate("localStorage.getItem('tagmask.view')") or "")
    context.close()


def tab_of(page: Any) -> str:
    return page.locator('[role="tab"][aria-selected="true"]').inner_text().strip()


def on(page: Any, tab: str) -> None:
    until(
        page,
        "tab => document.querySelector('[role=tab][aria-selected=true]')?.textContent.trim()"
        " === tab",
        tab,
    )


def test_a_link_opens_its_own_tab_in_a_page_that_shows_another(page: Any, app: Any) -> None:
    opened(page, app.url)
    # As a link is that was made before the tab stood in it: no tab is the first one.
    page.evaluate("location.hash = 'image=scene_2'")
    on(page, "Inspect")
    until(page, "document.querySelector('.tmv-image-name').textContent === 'scene_2'")
    until(page, "!location.hash.includes('tab=') && location.hash.includes('layers=')")
    link = page.evaluate("location.hash")
    page.evaluate("location.hash = 'tab=compare&a=run:2&b=run:1&pick=scene_3'")
    on(page, "Compare")
    until(page, f"document.querySelector('{ROOT}').dataset.shown === 'scene_3'")
    # Inspect leaves an address alone that is another tab's.
    page.wait_for_timeout(600)
    assert "tab=compare" in page.url
    page.evaluate("link => { location.hash = link; }", link)
    on(page, "Inspect")
    until(page, "document.querySelector('.tmv-image-name').textContent === 'scene_2'")


def test_an_image_of_the_data_tab_is_looked_at_in_inspect(page: Any, app: Any) -> None:
    page.goto("about:blank")
    page.goto(f"{app.url}/#tab=data")
    page.get_by_role("button", name="scene_6", exact=True).click(timeout=TIMEOUT)
    on(page, "Inspect")
    until(page, "document.querySelector('.tmv-image-name').textContent === 'scene_6'")
    page.wait_for_timeout(300)
    assert tab_of(page) == "Inspect"
    assert "tab=inspect" in page.url


def test_a_figure_is_drawn_and_saved_from_the_tab(page: Any, app: Any, tmp_path: Path) -> None:
    opened(page, app.url)
    page.get_by_role("button", name="Figure…").last.click()
    dialog = page.get_by_role("dialog", name="Figure")
    page.locator("dialog[data-drawn]").wait_for(timeout=TIMEOUT)
    assert dialog.get_by_role("img").evaluate("image => image.naturalWidth") > 500
    drawn = page.locator("dialog").get_attribute("data-drawn")
    dialog.get_by_role("checkbox", name="Mean IoU").check()
    until(page, "drawn => document.querySelector('dialog').dataset.drawn !== drawn", drawn)
    assert "--numbers" in dialog.locator("code").inner_text()
    with page.expect_download(timeout=TIMEOUT) as waiting:
        dialog.get_by_role("link", name="PDF").click()
    waiting.value.save_as(tmp_path / "figure.pdf")
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")
    page.keyboard.press("Escape")
    assert page.locator("dialog").count() == 0


def test_a_report_opens_from_disk_and_asks_for_nothing(
    browser: Any, page: Any, app: Any, tmp_path: Path
) -> None:
    opened(page, app.url)
    with page.expect_download(timeout=TIMEOUT) as waiting:
        page.get_by_role("link", name="Report B").click()
    file = tmp_path / "report.html"
    waiting.value.save_as(file)
    app.stop()
    try:
        context = browser.new_context(offline=True)
        reader = context.new_page()
        asked: list[str] = []
        errors: list[str] = []
        reader.on("request", lambda request: asked.append(request.url))
        reader.on(
            "console",
            lambda message: errors.append(message.text) if message.type == "error" else None,
        )
        reader.goto(file.as_uri())
        assert reader.get_by_role("heading", name="second", exact=True).is_visible()
        shown = reader.evaluate(
            "[...document.images].map(({complete, naturalWidth}) => complete && naturalWidth > 0)"
        )
        assert len(shown) == 2 * IMAGES
        assert all(shown)
        assert reader.evaluate(
            "document.fonts.ready.then(() => [...document.fonts].some("
            "({family, status}) => family.includes('Inter') && status === 'loaded'))"
        )
        assert [url for url in asked if not url.startswith(("data:", file.as_uri()))] == []
        assert errors == []
        context.close()
    finally:
        app.start()


def test_a_tab_that_was_pressed_while_the_page_was_loading_stays_open(page: Any, app: Any) -> None:
    held: list[Any] = []
    page.route("**/tagmask/static/tabs.js*", lambda route: held.append(route))
    page.goto(app.url)
    data = page.get_by_role("tab", name="Data", exact=True)
    data.click()
    page.locator('[role="tab"][aria-selected="true"]', has_text="Data").wait_for(timeout=TIMEOUT)
    while not held:
        page.wait_for_timeout(50)
    for late in held:
        late.continue_()
    page.wait_for_function("location.hash.includes('tab=data')", timeout=TIMEOUT)
    page.locator("#tm-data .da-drop").wait_for(timeout=TIMEOUT)
    assert data.get_attribute("aria-selected") == "true"
