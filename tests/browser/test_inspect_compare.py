"""Two networks or methods beside each other in the Inspect tab."""

from typing import Any

import pytest

from tests.browser.methods import (
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
