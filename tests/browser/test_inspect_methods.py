"""Attention methods in the Inspect tab: their stages, OAA's passes, two sides, the truth."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from backend.history import (
    ACCUMULATED,
    NO_ATTENTION,
    REFUSED,
    WARM_UP,
    History,
    history_path,
    write_history,
)
from backend.images import encode_png
from backend.weights import KINDS, load, save
from backend.workspace import Workspace

TIMEOUT = 60_000
CELLS = 24
# The first scene shows a boat and a rabbit; the gate's rival is a tram.
BOAT, RABBIT, TRAM = 3, 7, 2
# Mean colour of a panel's canvas, so that a changed picture can be told from the one before.
MEAN = """([side, stage]) => {
  const panel = document.querySelector(`.tmv-panel[data-side="${side}"][data-stage="${stage}"]`);
  const canvas = panel.querySelector("canvas");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const sums = [0, 0, 0, 0];
  for (let i = 0; i < data.length; i++) sums[i % 4] += data[i];
  return sums.map((sum) => Math.round(sum / (data.length / 4)));
}"""


@pytest.fixture(scope="module")
def app(app: Any) -> Any:
    """The app on a workspace with a run of each method and an image whose truth nobody knows."""
    with Workspace.open(app.workspace) as workspace:
        network, card = load("scenes-slim")
        oaa = add_run(workspace, "oaa", network, card)
        write_history(history_path(oaa, "scene-00000"), four_passes())
        torch.manual_seed(0)
        for kind in ("seenet", "ecsnet"):
            small = {} if kind == "ecsnet" else {"head_channels": 16, "head_layers": 1}
            made: Any = KINDS[kind]("slim", len(card.classes), head_start="he", **small)
            add_run(workspace, kind, made.eval(), replace(card, architecture=made.settings))
        plain = np.random.default_rng(3).integers(0, 255, (96, 128, 3), dtype=np.uint8)
        workspace.store.images.add("untold", encode_png(plain), source="test", tags=[BOAT])
    return app


def add_run(workspace: Workspace, kind: str, network: Any, card: Any) -> Any:
    folder = workspace.runs / kind
    folder.mkdir()
    save(folder / "weights.safetensors", network, replace(card, name=kind, kind=kind))
    run = workspace.store.runs.add(kind, kind, f"runs/{kind}")
    workspace.store.runs.finish(run, {}, "weights.safetensors")
    return folder


def four_passes() -> History:
    """Each pass lights a quarter of the image, in reading order: the boat is refused in the third,
    the rabbit has no attention in the fourth."""
    maps = np.zeros((4, 2, CELLS, CELLS), np.uint8)
    half = CELLS // 2
    for number, (row, column) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        maps[number, :, row * half : (row + 1) * half, column * half : (column + 1) * half] = 255
    return History(
        maps=maps,
        seen=np.ones((4, CELLS, CELLS), bool),
        scores=np.float32([[0.5, 0.25], [3.0, 2.75], [1.25, 2.5], [4.0, -1.0]]),
        rival=np.float32([0.75, -1.5, 2.25, 0.5]),
        rival_class=np.full(4, TRAM, np.int16),
        verdict=np.uint8(
            [[WARM_UP] * 2, [ACCUMULATED] * 2, [REFUSED, ACCUMULATED], [ACCUMULATED, NO_ATTENTION]]
        ),
        class_ids=np.int16([BOAT, RABBIT]),
    )


def weights_of(page: Any, kind: str) -> str:
    return page.locator("select[aria-label=Weights] option", has_text=kind).get_attribute("value")


@pytest.fixture
def look(page: Any, app: Any) -> Any:
    """Opens an image with what the address names; answers the page when all stages are made."""
    settled(page)

    def look(image: str = "scene-00000", **names: str) -> Any:
        ids = {
            name: weights_of(page, value) if name.startswith("weights") else value
            for name, value in names.items()
        }
        page.goto("about:blank")
        page.goto(f"{app.url}/#image={image}" + "".join(f"&{n}={v}" for n, v in ids.items()))
        settled(page)
        return page

    return look


def settled(page: Any) -> None:
    for side in range(1 + page.locator(".tmv-head").count() // 2):
        score = page.locator('.tmv-panel[data-stage="sal.score"]').nth(side)
        score.locator(".tmv-caption span").wait_for(state="attached", timeout=TIMEOUT)
    page.wait_for_function("!document.querySelector('.tmv-panel.stale, .tmv-scores.stale')")


def stages(page: Any, side: str = "A") -> list[str]:
    panels = page.locator(f'.tmv-panel[data-side="{side}"]')
    found = panels.evaluate_all("(all) => all.map((panel) => panel.dataset.stage)")
    return list(dict.fromkeys(found))


def visible_sliders(page: Any) -> set[str]:
    return set(page.locator(".tmv-settings .tmv-slider:visible label").all_inner_texts())


def cells(rows: Any) -> list[list[str]]:
    words = "(all) => all.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
    return rows.evaluate_all(words)


def values_at(page: Any, x: float, y: float, panel: str) -> list[list[str]]:
    """The rows of the readout with the pointer at a place of a picture, in shares of its size."""
    box = page.locator(f"{panel} .tmv-picture").first.bounding_box()
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.wait_for_timeout(120)
    return cells(page.locator(".tmv-values tbody tr"))


@contextmanager
def asked(page: Any) -> Iterator[list[dict]]:
    """What the server is asked to inspect meanwhile."""
    bodies: list[dict] = []

    def note(request: Any) -> None:
        if request.url.endswith("/api/inspect"):
            bodies.append(json.loads(request.post_data))

    page.on("request", note)
    yield bodies
    page.remove_listener("request", note)


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
    said = page.locator('.tmv-pass-row[data-tag="boat"] .tmv-pass-said')
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
