"""Two networks or methods beside each other in the Inspect tab."""

from typing import Any

import pytest

from tests.browser.methods import (
    CUT,
    MEAN,
    add_runs,
    asked,
    opener,
    settled,
    stages,
    values_at,
    weights_of,
)


@pytest.fixture(scope="module")
def app(app: Any) -> Any:
    """The app on a workspace with a run of each method."""
    add_runs(app.workspace)
    return app


@pytest.fixture
def look(page: Any, app: Any) -> Any:
    """Opens an image with what the address names."""
    return opener(page, app)


def test_two_sides_stand_beside_each_other_and_move_together(look: Any) -> None:
    page = look(weights="oaa")
    page.keyboard.press("c")
    page.locator(".tmv-head").nth(1).wait_for()
    settled(page)
    heads = page.locator(".tmv-head").all_inner_texts()
    assert [head.split("\n")[:2] for head in heads] == [["A", "OAA"], ["B", "CAM"]]
    assert stages(page, "B")[:3] == ["image", "cam", "zones"]
    rows = {
        side: page.locator(f'.tmv-panel[data-side="{side}"][data-stage="crf"]').bounding_box()
        for side in "AB"
    }
    assert rows["A"]["y"] == rows["B"]["y"]
    assert rows["A"]["x"] + rows["A"]["width"] < rows["B"]["x"]
    before = page.evaluate(MEAN, ["B", "image"])
    box = page.locator('.tmv-panel[data-side="A"][data-stage="image"] .tmv-picture').bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.wheel(0, -900)
    page.wait_for_timeout(200)
    assert page.evaluate(MEAN, ["B", "image"]) != before
    assert page.evaluate(MEAN, ["B", "image"]) == page.evaluate(MEAN, ["A", "image"])
    crosses = page.locator('.tmv-panel[data-side="B"] .tmv-cross:not([hidden])')
    assert crosses.count() == page.locator('.tmv-panel[data-side="B"]').count()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("c")
    page.locator(".tmv-head").first.wait_for(state="hidden")
    assert not page.locator('.tmv-panel[data-side="B"]').count()


def test_the_readout_and_the_difference_tell_both_sides(look: Any) -> None:
    page = look(weights="oaa", weights2="seenet")
    page.keyboard.press("d")
    difference = '.tmv-panel[data-stage="difference"][data-tag="boat"]'
    page.locator(f"{difference} .tmv-caption span").first.wait_for()
    page.locator(difference).scroll_into_view_if_needed()
    rows = values_at(page, 0.8, 0.8, difference)
    row = next(index for index, row in enumerate(rows) if row[0].startswith("Attention"))
    a, b = (float(value) for value in rows[row][-2:])
    title = page.locator(".tmv-values tbody tr").nth(row).get_attribute("title")
    assert title.startswith("A − B ")
    assert float(title.removeprefix("A − B ").replace("−", "-")) == pytest.approx(a - b, abs=0.011)


def test_a_slider_moves_both_sides_where_both_have_it(look: Any) -> None:
    page = look(weights="ecsnet", weights2="seenet")
    ids = {weights_of(page, "ecsnet"), weights_of(page, "seenet")}
    for title, sides in (("DCSP γ", ids), ("Reliable θ", {weights_of(page, "ecsnet")})):
        with asked(page) as bodies:
            page.fill(f'input[type="range"][aria-label="{title}"]', "0.2")
            page.wait_for_timeout(500)
            settled(page)
        assert {body["weights"] for body in bodies} == sides


def test_an_address_restores_the_comparison_and_either_side_can_be_closed(look: Any) -> None:
    page = look(weights="oaa", method="layercam", weights2="seenet", method2="cam", stage="crf")
    assert [head.split("\n")[1] for head in page.locator(".tmv-head").all_inner_texts()] == [
        "LayerCAM",
        "CAM",
    ]
    assert page.locator('.tmv-main .tmv-panel[data-stage="crf"]').count() == 2
    address = page.url
    page.reload()
    settled(page)
    assert page.url == address
    page.get_by_role("button", name="Close A").click()
    page.locator(".tmv-head").first.wait_for(state="hidden")
    settled(page)
    assert "cam" in stages(page)
    assert "layercam" not in stages(page)
    assert "weights2" not in page.url
    assert f"weights={weights_of(page, 'seenet').replace(':', '%3A')}" in page.url


def test_two_empty_masks_are_not_said_to_agree(look: Any) -> None:
    page = look(weights="oaa", weights2="oaa")
    verdict = page.locator(".tmv-verdict")
    assert verdict.inner_text() == "Both masks agree with the saliency equally well."
    page.get_by_role("slider", name="Training pass").first.fill("1")
    page.wait_for_timeout(400)
    settled(page)
    assert verdict.inner_text() == "Both masks are empty, so there is nothing to compare yet."
    assert page.get_by_role("button", name="Offer A").is_disabled()
    page.get_by_label("Method of B").select_option("cam")
    page.locator('.tmv-panel[data-side="B"][data-stage="cam"]').first.wait_for()
    settled(page)
    assert verdict.inner_text().startswith("A's mask is empty; only B's")


def test_masks_beside_the_saliency_are_not_said_to_agree_with_it(look: Any) -> None:
    page = look(weights="oaa", weights2="oaa")
    said = page.evaluate(
        "async (scores) => (await import('/tagmask/static/viewer/words.js'))"
        ".verdictOfTwo(scores, scores)",
        {"AC": 0, "CD": 1, "SC": 0},
    )
    assert said == "Neither mask overlaps the saliency anywhere."


def test_why_a_pass_was_refused_can_be_read_whole_in_a_narrow_comparison(look: Any) -> None:
    page = look(weights="oaa", weights2="oaa", **{"pass": "3"})
    page.set_viewport_size({"width": 1024, "height": 768})
    page.wait_for_timeout(300)
    said = page.locator('.tmv-pass-row[data-tag="boat"] .tmv-pass-said .now')
    assert (
        said.all_inner_texts()
        == ["refused: 'boat' scored 1.25, not above 'tram' 2.25, which is no tag"] * 2
    )
    assert page.evaluate(CUT) == []


@pytest.mark.parametrize("size", [(1440, 900), (1024, 768)])
def test_two_sides_fit_the_window(look: Any, size: tuple[int, int]) -> None:
    page = look(weights="oaa", weights2="ecsnet")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.wait_for_timeout(300)
    wide, tall = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert wide <= size[0]
    assert tall <= size[1]
    film = page.locator(".tmv-grid").evaluate("(grid) => grid.scrollWidth <= grid.clientWidth")
    assert film
