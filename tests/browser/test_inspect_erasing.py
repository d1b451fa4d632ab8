"""Looks for saliency and refinements in the Inspect tab: their panels, their sliders."""

from typing import Any

import pytest

from tests.browser.methods import MEAN, TIMEOUT, add_runs, asked, opener, settled, stages


@pytest.fixture(scope="module")
def app(app: Any) -> Any:
    """The app on a workspace with a run of each method."""
    add_runs(app.workspace)
    return app


@pytest.fixture
def look(page: Any, app: Any) -> Any:
    """Opens an image with what the address names."""
    return opener(page, app)


def looks(page: Any) -> list[str]:
    """The stages of saliency that have a panel, in order."""
    return [stage for stage in stages(page) if stage.startswith("saliency")]


def move(page: Any, slider: str, value: str) -> None:
    page.fill(f'input[type="range"][aria-label="{slider}"]', value)
    page.wait_for_timeout(500)
    settled(page)


def shown(page: Any, stage: str) -> list[int]:
    """The mean colour of a stage's picture."""
    page.locator(f'.tmv-panel[data-stage="{stage}"] .tmv-picture:not(.tm-skeleton)').wait_for(
        timeout=TIMEOUT
    )
    return page.evaluate(MEAN, ["A", stage])


def test_every_look_shows_the_erased_image_its_map_and_all_so_far(look: Any) -> None:
    page = look()
    assert looks(page) == ["saliency"]
    before = shown(page, "fusion.seenet")
    with asked(page) as bodies:
        move(page, "Looks", "3")
    assert looks(page) == [
        "saliency.step1", "saliency.step2.erased", "saliency.step2.raw", "saliency.step2",
        "saliency.step3.erased", "saliency.step3.raw", "saliency.step3", "saliency",
    ]  # fmt: skip
    assert bodies[-1]["settings"]["erasing_steps"] == 3
    titles = page.locator('.tmv-panel[data-stage^="saliency.step2"] .tmv-name').all_inner_texts()
    assert titles == ["Erased 2", "Look 2", "S2"]
    erased, whole = shown(page, "saliency.step2.erased"), shown(page, "image")
    assert erased != whole, "what was found is gone from the picture"
    said = page.locator('.tmv-panel[data-stage="saliency.step2.erased"] .tmv-caption')
    assert "above 0.7, erased" in said.inner_text()
    assert shown(page, "saliency.step3") == shown(page, "saliency"), "the last is what counts"
    assert shown(page, "fusion.seenet") != before or shown(page, "saliency") == shown(
        page, "saliency.step1"
    )


def test_thresholds_move_what_is_erased_and_fewer_looks_take_their_panels_away(look: Any) -> None:
    page = look()
    move(page, "Looks", "3")
    erased = shown(page, "saliency.step2.erased")
    with asked(page) as bodies:
        move(page, "Erase before 2", "0.2")
    assert bodies[-1]["settings"]["erase_above"] == [0.2, 0.8]
    assert "cam" not in (bodies[0].get("only") or [])
    assert shown(page, "saliency.step2.erased") != erased
    assert not page.get_by_label("Erase before 4", exact=True).is_visible()
    move(page, "Looks", "4")
    assert page.get_by_label("Erase before 4", exact=True).is_visible()
    assert looks(page)[-2] == "saliency.step4"
    move(page, "Looks", "2")
    assert looks(page) == [
        "saliency.step1", "saliency.step2.erased", "saliency.step2.raw", "saliency.step2",
        "saliency",
    ]  # fmt: skip
    page.get_by_role("button", name="Reset", exact=True).click()
    page.wait_for_timeout(500)
    settled(page)
    assert looks(page) == ["saliency"]
    assert page.get_by_label("Looks", exact=True).input_value() == "1"


def test_the_refinement_is_chosen_and_its_mask_takes_the_others_place(look: Any) -> None:
    page = look()
    choice = page.get_by_label("Refine by", exact=True)
    for value, stage in (("grabcut", "grabcut"), ("walk", "walk"), ("none", None)):
        choice.select_option(value)
        page.wait_for_timeout(500)
        settled(page)
        refined = [each for each in stages(page) if each in ("crf", "walk", "grabcut")]
        assert refined == ([stage] if stage else [])
        columns = page.locator(".tmv-iou th.number").all_inner_texts()
        assert columns[2:] == {"grabcut": ["GrabCut"], "walk": ["Walk"], "none": []}[value]
    assert not page.get_by_label("Affinity β", exact=True).is_visible()
    choice.select_option("walk")
    page.wait_for_timeout(500)
    settled(page)
    note = page.locator('.tmv-panel[data-stage="walk"] .tmv-note')
    assert "Train some with the recipe affinity" in note.inner_text()
    assert page.get_by_label("Affinity β", exact=True).is_visible()
    assert page.get_by_label("Affinities", exact=True).inner_text() == "none yet: train some"
