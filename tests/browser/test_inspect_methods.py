"""Attention methods in the Inspect tab: their stages, OAA's passes, the truth."""

from typing import Any

import pytest

from tests.browser.methods import (
    CUT,
    MEAN,
    add_runs,
    asked,
    cells,
    opener,
    settled,
    stages,
    values_at,
    visible_sliders,
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


def test_the_stages_and_sliders_are_those_of_the_chosen_method(look: Any) -> None:
    page = look(weights="ecsnet")
    assert stages(page)[:7] == [
        "image", "ecsnet.cam", "ecsnet.erased", "ecsnet.erasedcam", "ecsnet.reliable",
        "ecsnet.refined", "zones",
    ]  # fmt: skip
    assert {"Scale β", "Erase from δ", "Blur σ", "Reliable θ"} <= visible_sliders(page)
    page.get_by_label("Method", exact=True).select_option(label="GradCAM")
    page.locator('.tmv-panel[data-stage="gradcam"] .tmv-caption span').first.wait_for()
    settled(page)
    assert stages(page)[:3] == ["image", "gradcam", "zones"]
    assert "Reliable θ" not in visible_sliders(page)
    assert "method=gradcam" in page.url


def test_seenet_shows_its_zones_once_and_says_what_each_branch_adds(look: Any) -> None:
    page = look(weights="seenet")
    assert stages(page)[1:7] == [
        "seenet.initial", "seenet.zones", "seenet.erased", "seenet.fused", "seenet.flipfused",
        "saliency",
    ]  # fmt: skip
    with asked(page) as bodies:
        page.fill('input[type="range"][aria-label="High threshold"]', "0.4")
        page.wait_for_timeout(500)
        settled(page)
    assert bodies[0]["only"][:2] == ["seenet.zones", "seenet.erased"]
    assert "seenet.initial" not in bodies[0]["only"]


def test_the_reliable_set_tells_what_each_noise_rule_removed(look: Any) -> None:
    page = look(weights="ecsnet")
    said = dict(cells(page.locator(".tmv-noise tr")))
    assert {"kept", "removed: erased", "removed: background", "removed: unsure"} <= set(said)
    unsure = page.locator(".tmv-noise tr", has_text="unsure").get_attribute("title")
    assert unsure.startswith("The strongest tag stays under θ")
    page.fill('input[type="range"][aria-label="Erase from δ"]', "1")
    page.wait_for_timeout(500)
    settled(page)
    assert dict(cells(page.locator(".tmv-noise tr")))["removed: erased"] != said["removed: erased"]


def test_the_tile_of_the_reliable_set_and_its_legend_count_each_pixel_once(look: Any) -> None:
    page = look(weights="ecsnet")
    page.fill('input[type="range"][aria-label="Reliable θ"]', "0.3")
    page.wait_for_timeout(500)
    settled(page)
    tile = page.locator('.tmv-panel[data-stage="ecsnet.reliable"]')
    shares = tile.locator(".tmv-share").evaluate_all(
        "(all) => all.map((one) => [one.querySelector('.tmv-share-name').textContent,"
        " one.lastElementChild.textContent])"
    )
    said = dict(cells(page.locator(".tmv-noise tr")))
    rules = ("erased", "background", "unsure")
    assert {name: said[f"removed: {name}"] for name in rules} == dict(shares[-3:])
    whole = [float(said[row].rstrip("%")) for row in ("kept", *(f"removed: {r}" for r in rules))]
    assert sum(whole) == pytest.approx(100, abs=2)
    assert "first rule that removes it" in page.locator(".tmv-noise caption").inner_text()
    title = page.locator(".tmv-noise tr", has_text="background").get_attribute("title")
    assert "alone it would remove" in title


def test_the_address_carries_the_pass_and_restores_it(look: Any, app: Any) -> None:
    page = look(weights="oaa", **{"pass": "3"})
    at = page.locator(".tmv-pass")
    assert at.first.inner_text() == "3 of 4"
    with asked(page) as bodies:
        page.reload()
        settled(page)
    assert bodies[0]["settings"]["oaa_pass"] == 3
    assert at.first.inner_text() == "3 of 4"
    slider = page.get_by_role("slider", name="Training pass")
    slider.fill("2")
    page.wait_for_function("location.hash.includes('pass=2')")
    settled(page)
    page.evaluate("location.hash = location.hash.replace('pass=2', 'pass=1')")
    page.locator(".tmv-pass", has_text="1 of 4").wait_for()
    slider.fill("4")
    page.wait_for_function("!location.hash.includes('pass=')")
    settled(page)
    # What is no pass is the last one, and weights without passes name none.
    for text in ("x", "-1", "1.5", "999999999"):
        assert look(weights="oaa", **{"pass": text}).locator(".tmv-pass").first.inner_text() == (
            "4 of 4"
        )
    assert "pass=" not in look(weights="seenet", **{"pass": "3"}).url


@pytest.mark.parametrize("size", [(1440, 900), (1024, 768)])
def test_the_time_line_is_as_high_at_every_pass(look: Any, size: tuple[int, int]) -> None:
    page = look(weights="oaa")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    heights, said = set(), set()
    for number in range(1, 5):
        page.get_by_role("slider", name="Training pass").fill(str(number))
        page.locator(".tmv-pass", has_text=f"{number} of 4").wait_for()
        settled(page)
        heights.add(page.locator(".tmv-timeline").first.bounding_box()["height"])
        said.add(page.locator('.tmv-pass-row[data-tag="boat"] .now').last.inner_text())
    assert len(heights) == 1
    assert len(said) == 4


@pytest.mark.parametrize("kind", ["seenet", "oaa", "ecsnet"])
def test_captions_of_two_tags_are_whole_and_all_panels_in_sight(look: Any, kind: str) -> None:
    page = look(weights=kind)
    page.wait_for_timeout(300)
    assert page.evaluate(CUT) == []
    assert page.locator(".tmv-grid").evaluate("(all) => all.scrollHeight <= all.clientHeight")


def test_more_passes_show_more_and_a_refused_pass_adds_nothing(look: Any) -> None:
    page = look(weights="oaa")
    slider = page.get_by_role("slider", name="Training pass")
    quarters = {1: (0.2, 0.2), 2: (0.8, 0.2), 3: (0.2, 0.8), 4: (0.8, 0.8)}
    seen = {}
    for number in quarters:
        slider.fill(str(number))
        page.wait_for_timeout(400)
        settled(page)
        lit = set()
        for quarter, at in quarters.items():
            rows = values_at(page, *at, '.tmv-panel[data-stage="oaa.accumulated"]')
            boat = next(row for row in rows if "Accumulated" in row[0] and row[1] == "boat")
            if boat[2] == "1.00":
                lit.add(quarter)
        seen[number] = lit
    assert seen == {1: set(), 2: {2}, 3: {2}, 4: {2, 4}}


def test_a_refused_pass_is_told_apart_and_says_by_which_scores(look: Any) -> None:
    page = look(weights="oaa")
    ticks = page.locator('.tmv-pass-row[data-tag="boat"] .tmv-ticks i')
    kinds = ticks.evaluate_all("(all) => all.map((tick) => tick.className.split(' ')[1])")
    assert kinds == ["warm", "kept", "refused", "kept"]
    title = ticks.nth(2).get_attribute("title")
    assert title.startswith("Pass 3: refused. 'boat' scored 1.25")
    assert "'tram', 2.25" in title
    heights = ticks.evaluate_all("(all) => all.map((tick) => tick.offsetHeight)")
    assert len(set(heights[:3])) == 3, "verdicts are told apart without colours too"
    ticks.nth(2).click()
    said = page.locator('.tmv-pass-row[data-tag="boat"] .tmv-pass-said .now')
    said.filter(has_text="refused").wait_for()
    assert "1.25" in said.inner_text()
    assert "tram" in said.inner_text()


def test_passes_are_stepped_by_key_and_played_asking_only_for_their_maps(look: Any) -> None:
    page = look(weights="oaa")
    slider = page.get_by_role("slider", name="Training pass")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.locator(".tmv-pass", has_text="3 of 4").wait_for()
    page.wait_for_timeout(400)
    settled(page)
    slider.fill("1")
    page.wait_for_timeout(400)
    settled(page)
    with asked(page) as bodies:
        page.get_by_role("button", name="Play the passes").click()
        page.locator(".tmv-pass", has_text="4 of 4").wait_for()
        page.get_by_role("button", name="Play the passes").wait_for()
        page.wait_for_timeout(600)
        settled(page)
    *played, rest = bodies
    assert [body["only"] for body in played] == [["oaa.pass", "oaa.accumulated"]] * 3
    assert rest["after"] == ["oaa_pass"]
    assert rest.get("only") is None


def test_an_image_the_run_did_not_learn_from_says_so_and_has_no_time_line(look: Any) -> None:
    page = look("scene-00001", weights="oaa")
    note = page.locator('.tmv-panel[data-stage="oaa.pass"] .tmv-note')
    assert note.count() == 1
    assert "did not learn from this image" in note.inner_text()
    assert not page.locator(".tmv-timeline").first.is_visible()


def test_errors_are_laid_over_the_masks_and_counted(look: Any) -> None:
    page = look()
    truth = page.get_by_role("region", name="Against the truth")
    rows = cells(truth.locator("tbody tr"))
    figures = {name: [float(value) for value in values] for name, *values in rows}
    assert set(figures) == {"background", "boat", "rabbit", "mean"}
    for column in range(3):
        classes = [figures[name][column] for name in ("background", "boat", "rabbit")]
        assert figures["mean"][column] == pytest.approx(sum(classes) / 3, abs=0.11)
    before = page.evaluate(MEAN, ["A", "crf"])
    page.keyboard.press("e")
    page.wait_for_timeout(200)
    assert page.evaluate(MEAN, ["A", "crf"]) == page.evaluate(MEAN, ["A", "truth.error"])
    shares = [
        page.locator(f'.tmv-panel[data-stage="{stage}"] .tmv-share').all_inner_texts()
        for stage in ("crf", "truth.error")
    ]
    assert shares[0] == shares[1], "the page and the server count the same errors"
    page.keyboard.press("e")
    page.wait_for_timeout(200)
    assert page.evaluate(MEAN, ["A", "crf"]) == before


def test_the_threshold_moves_the_figures_of_the_attention_alone(look: Any) -> None:
    page = look()
    mean = page.locator(".tmv-iou tr.mean")
    (before,) = cells(mean)
    page.fill('input[type="range"][aria-label="Attention from"]', "0.9")
    page.wait_for_timeout(400)
    settled(page)
    (after,) = cells(mean)
    assert after[1] != before[1]
    assert after[2:] == before[2:]


def test_without_a_known_truth_nothing_is_compared_with_it(look: Any) -> None:
    page = look("untold")
    assert not any(stage.startswith("truth") for stage in stages(page))
    assert not page.get_by_role("region", name="Against the truth").is_visible()
    page.keyboard.press("e")
    assert "No truth is known" in page.locator(".tm-toast").inner_text()
