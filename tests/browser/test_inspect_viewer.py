"""The Inspect tab in a real browser: what is drawn, what moves together, what is asked again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.images import encode_png

READY = '.tmv-panel[data-stage="sal.score"] .tmv-caption span'
# Mean colour of a panel's canvas, so that a changed picture can be told from the one before.
MEAN = """(stage) => {
  const canvas = document.querySelector(`.tmv-panel[data-stage="${stage}"] canvas`);
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const sums = [0, 0, 0, 0];
  for (let i = 0; i < data.length; i++) sums[i % 4] += data[i];
  return sums.map((sum) => Math.round(sum / (data.length / 4)));
}"""


@pytest.fixture
def inspect(page: Any) -> Any:
    """The page with the first image through all its stages."""
    page.wait_for_selector(READY, timeout=60_000)
    return page


def picture(page: Any, stage: str) -> dict[str, float]:
    return page.locator(f'.tmv-panel[data-stage="{stage}"] .tmv-picture').first.bounding_box()


def tags_of(page: Any) -> list[str]:
    return page.locator(".tmv-chip-name").all_inner_texts()


def settled(page: Any) -> None:
    page.wait_for_function("() => !document.querySelector('.tmv-panel.stale, .tmv-scores.stale')")


def test_every_stage_is_drawn_in_order(inspect: Any) -> None:
    stages = inspect.eval_on_selector_all(
        ".tmv-grid .tmv-panel", "(panels) => panels.map((panel) => panel.dataset.stage)"
    )
    assert list(dict.fromkeys(stages)) == [
        "image", "cam", "zones", "saliency", "fusion.seenet", "fusion.dcsp", "fusion.oaa",
        "crf", "sal.score", "truth", "truth.attention", "truth.error",
    ]  # fmt: skip
    for stage in ("image", "cam", "zones", "saliency", "fusion.dcsp", "truth.error"):
        *colour, opacity = inspect.evaluate(MEAN, stage)
        assert opacity > 200
        assert any(colour)


def test_display_settings_redraw_without_asking_the_server(inspect: Any) -> None:
    asked: list[str] = []
    # The address follows what is shown, and with each new address a browser looks at its icon.
    inspect.on(
        "request",
        lambda request: asked.append(request.url) if "favicon" not in request.url else None,
    )
    seen = [inspect.evaluate(MEAN, "cam")]
    for action in (
        lambda: inspect.click('.tmv-swatch[data-name="grey"]'),
        lambda: inspect.fill('input[aria-label="Opacity of the maps"]', "0.2"),
        lambda: inspect.keyboard.press("p"),
        lambda: inspect.keyboard.press("m"),
        lambda: inspect.click(".tmv-chip-name"),
    ):
        action()
        inspect.mouse.move(5, 5)
        inspect.evaluate("document.activeElement.blur()")
        inspect.wait_for_timeout(100)
        seen.append(inspect.evaluate(MEAN, "cam"))
    assert asked == []
    assert len({tuple(mean) for mean in seen}) >= 5


def test_zoom_and_pan_move_all_panels_together_and_reset(inspect: Any) -> None:
    box = picture(inspect, "saliency")
    before = {stage: inspect.evaluate(MEAN, stage) for stage in ("image", "cam")}
    inspect.mouse.move(box["x"] + 20, box["y"] + 20)
    inspect.mouse.wheel(0, -900)
    inspect.wait_for_timeout(150)
    zoomed = inspect.inner_text(".tmv-zoom")
    assert int(zoomed.rstrip("%")) > 300
    assert all(inspect.evaluate(MEAN, stage) != before[stage] for stage in before)
    inspect.keyboard.press("0")
    inspect.wait_for_timeout(150)
    assert inspect.inner_text(".tmv-zoom") == "100%"
    assert {stage: inspect.evaluate(MEAN, stage) for stage in before} == before


def test_a_clicked_pixel_is_read_from_every_map_and_kept(inspect: Any) -> None:
    box = picture(inspect, "zones")
    inspect.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    inspect.mouse.move(5, 400)
    inspect.wait_for_timeout(150)
    rows = inspect.eval_on_selector_all(
        ".tmv-values tbody tr", "(rows) => rows.map((row) => row.innerText)"
    )
    assert len(rows) == inspect.locator(".tmv-grid .tmv-panel").count()
    assert "kept" in inspect.inner_text(".tmv-readout")
    # No value is cut off at the side.
    scroll = inspect.locator(".tmv-readout-scroll")
    assert scroll.evaluate("(each) => each.scrollWidth <= each.clientWidth")
    assert inspect.locator(".tmv-cross.pinned:not([hidden])").count() == len(rows)
    inspect.keyboard.press("Escape")
    inspect.wait_for_timeout(150)
    assert "Move over a picture" in inspect.inner_text(".tmv-readout")


def test_a_slider_asks_only_for_what_stands_after_it_and_ends_at_its_value(inspect: Any) -> None:
    bodies: list[dict] = []

    def note(request: Any) -> None:
        if request.url.endswith("/api/inspect"):
            bodies.append(json.loads(request.post_data))

    inspect.on("request", note)
    for value in ("0.3", "0.25", "0.2", "0.1"):
        inspect.fill('input[type="range"][aria-label="DCSP γ"]', value)
    inspect.wait_for_timeout(400)
    settled(inspect)
    assert all(body["after"] == ["gamma"] for body in bodies)
    assert bodies[-1]["settings"]["gamma"] == 0.1
    assert bodies[0]["only"] == ["fusion.dcsp"]
    assert inspect.input_value('input[aria-label="DCSP γ, as a number"]') == "0.10"
    inspect.click('button[aria-label="Reset DCSP γ"]')
    assert inspect.input_value('input[aria-label="DCSP γ, as a number"]') == "0.40"


def test_a_panel_is_enlarged_and_left_by_key_and_the_address_says_which(inspect: Any) -> None:
    inspect.click('.tmv-panel[data-stage="fusion.oaa"] .tmv-title')
    assert picture(inspect, "fusion.oaa")["width"] > 500
    assert "stage=fusion.oaa" in inspect.url
    inspect.keyboard.press("ArrowRight")
    assert picture(inspect, "crf")["width"] > 500
    inspect.keyboard.press("Escape")
    assert picture(inspect, "crf")["width"] < 500
    assert "stage=" not in inspect.url


def test_an_address_opens_its_image_and_stage(inspect: Any, app: Any) -> None:
    name = inspect.locator(".tmv-thumb").nth(3).get_attribute("title").split(",")[0]
    inspect.goto("about:blank")
    inspect.goto(f"{app.url}/#image={name}&stage=saliency")
    inspect.wait_for_selector('.tmv-main .tmv-panel[data-stage="saliency"]')
    assert inspect.inner_text(".tmv-image-name") == name


def test_keys_are_left_alone_while_someone_types(inspect: Any) -> None:
    inspect.fill('input[aria-label="Search images by name"]', "")
    inspect.click('input[aria-label="Search images by name"]')
    pressed = inspect.get_attribute('button[title^="Borders"]', "aria-pressed")
    inspect.keyboard.type("o")
    assert inspect.get_attribute('button[title^="Borders"]', "aria-pressed") == pressed


def test_tags_are_added_and_removed_by_keyboard_and_kept(inspect: Any) -> None:
    before = tags_of(inspect)
    inspect.click('input[aria-label="Add a tag"]')
    inspect.keyboard.press("ArrowDown")
    inspect.keyboard.press("Enter")
    inspect.wait_for_function(
        f"document.querySelectorAll('.tmv-chip').length === {len(before) + 1}"
    )
    added = tags_of(inspect)
    assert len(added) == len(before) + 1
    panels = "document.querySelectorAll('.tmv-panel[data-stage=\"cam\"]').length"
    inspect.wait_for_function(f"{panels} === {len(added)}")
    settled(inspect)
    inspect.reload()
    inspect.wait_for_selector(READY, timeout=60_000)
    assert sorted(tags_of(inspect)) == sorted(added)
    inspect.click('input[aria-label="Add a tag"]')
    inspect.keyboard.press("Backspace")
    inspect.wait_for_function(f"document.querySelectorAll('.tmv-chip').length === {len(before)}")


def test_enter_in_an_empty_tag_field_adds_nothing(inspect: Any) -> None:
    before = tags_of(inspect)
    field = inspect.get_by_role("combobox", name="Add a tag")
    field.click()
    for typed in ("", "  "):
        field.fill(typed)
        field.press("Enter")
    assert tags_of(inspect) == before


def test_dropped_files_are_taken_in_and_refusals_are_told(inspect: Any, tmp_path: Path) -> None:
    pixels = np.random.default_rng(5).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    (tmp_path / "mine.png").write_bytes(encode_png(pixels))
    (tmp_path / "letter.png").write_bytes(b"Dear reader")
    inspect.set_input_files(
        ".tmv-drop-holder input", [tmp_path / "mine.png", tmp_path / "letter.png"]
    )
    inspect.wait_for_selector(".tmv-report:visible")
    assert "letter.png" in inspect.inner_text(".tmv-report")
    inspect.wait_for_function("document.querySelector('.tmv-image-name').textContent === 'mine'")
    assert "No tags yet" in inspect.inner_text(".tmv-chips")
    inspect.wait_for_selector('.tmv-panel[data-stage="cam"] .tmv-note')


@pytest.mark.parametrize("size", [(1440, 900), (1024, 768)])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_scrolls_sideways_and_the_theme_is_kept(
    inspect: Any, size: tuple[int, int], dark: bool
) -> None:
    inspect.set_viewport_size({"width": size[0], "height": size[1]})
    inspect.click(f'button[aria-label="Theme: {"Dark" if dark else "Light"}"]')
    inspect.wait_for_timeout(150)
    wide, tall = inspect.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert wide <= size[0]
    assert tall <= size[1]
    inspect.reload()
    assert inspect.evaluate("document.body.classList.contains('dark')") is dark
