"""Scores in the Curate tab in a real browser: tau on the histogram, orders, the reference mask."""

import json
import re
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from backend.images import encode_jpeg, encode_png
from backend.intake.scores import take_in_scores
from backend.labels import encode_labels
from backend.workspace import Workspace

TIMEOUT = 30_000
ROOT = "#tm-curate"
IMAGES = 20
SHIFT = 12
# Of candidate n: SF rises in steps of 0.05, SC falls, so that they differ most at both ends.
SCORES = [
    {"AC": 1 - n / 20, "CD": 1.0, "SC": 1 - n / 20, "P": n / 20, "SF": n / 20}
    for n in range(IMAGES)
]


@pytest.fixture(scope="module")
def scenes_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes whose candidates are their true masks, scored by a finished run of `score` whose
    references are these masks moved to the right: where they differ is known to the pixel. The
    first image has no reference."""
    from training.scenes import SCENE_CLASSES, render

    root = tmp_path_factory.mktemp("scores") / "workspace"
    with Workspace.create(root, "Scores", classes=SCENE_CLASSES) as made:
        labels, score = made.runs / "1-labels", made.runs / "2-score"
        for folder in (labels / "labels", score / "references"):
            folder.mkdir(parents=True)
        lines = []
        run = made.store.runs.add("labels 1", "labels", "runs/1-labels")
        for number, scores in enumerate(SCORES):
            scene = render(seed=7, index=number, size=160)
            name = f"scene_{number:02d}"
            image = made.store.images.add(
                name, encode_jpeg(scene.image), source="test", tags=scene.tags
            ).image
            mask = labels / "labels" / f"{name}.png"
            mask.write_bytes(encode_labels(scene.labels))
            made.store.candidates.add(image.id, run, "cam.dcsp", mask, {"AC": 0.5})
            if number:
                moved = np.roll(scene.labels > 0, SHIFT, axis=1).astype(np.uint8) * 255
                (score / "references" / f"{name}.png").write_bytes(encode_png(moved))
            lines.append(json.dumps({"image": name, "method": "cam.dcsp", **scores}))
        config = {"recipe": "score", "settings": {"from_": str(labels)}}
        (score / "config.json").write_text(json.dumps(config))
        (score / "scores.jsonl").write_text("\n".join(lines) + "\n")
        scored = made.store.runs.add("score 2", "score", "runs/2-score")
        assert take_in_scores(made.store, score, scored).new == IMAGES
        made.store.runs.finish(scored, {}, None)
    return root


@pytest.fixture
def curate(page: Any) -> Any:
    """The page at the Curate tab, the first candidate shown and the histogram counted."""
    open_tab(page)
    return page


def open_tab(page: Any) -> None:
    page.get_by_role("tab", name="Curate", exact=True).click()
    page.locator(f"{ROOT}[data-shown]").wait_for(timeout=TIMEOUT)
    page.wait_for_function(
        f"document.querySelector('{ROOT} .cu-hist-sides b')?.textContent > '0'", timeout=TIMEOUT
    )


def tau(page: Any) -> Any:
    return page.locator(ROOT).get_by_role("slider", name="tau")


def counts(page: Any) -> tuple[int, int]:
    """What the histogram says to stand below tau and from it up."""
    below, above = page.locator(f"{ROOT} .cu-hist-sides b").all_inner_texts()
    return int(below), int(above)


def whys_become(page: Any, first: str) -> list[str]:
    item = f"{ROOT} .cu-item-text .tm-faint"
    page.wait_for_function(
        "([item, first]) => document.querySelector(item)?.textContent === first",
        arg=[item, first],
        timeout=TIMEOUT,
    )
    return page.locator(item).all_inner_texts()


def order(page: Any, value: str) -> None:
    page.get_by_role("combobox", name="Order of the queue").select_option(value)


def look_at(page: Any, candidate: int) -> None:
    """Goes to a candidate; all but 1 have a reference, their mask moved to the right."""
    page.locator(f'{ROOT} .cu-item[data-id="{candidate}"]').click()
    page.locator(f'{ROOT}[data-shown="{candidate}"]').wait_for(timeout=TIMEOUT)


def pixels(page: Any, colour: str) -> int:
    """How many pixels of the canvas are "blue" or "orange", or have the colour of a "class"."""
    return page.evaluate(
        """async colour => {
          const setup = await fetch("/tagmask/api/curate/setup").then((found) => found.json());
          const classes = new Set(setup.classes.map((each) => parseInt(each.colour.slice(1), 16)));
          const canvas = document.querySelector("#tm-curate canvas");
          const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
          let found = 0;
          for (let i = 0; i < data.length; i += 4) {
            const [r, g, b, a] = data.slice(i, i + 4);
            if (a !== 255) continue;
            const blue = Math.abs(r - 0) < 3 && Math.abs(g - 114) < 3 && Math.abs(b - 178) < 3;
            const orange = Math.abs(r - 230) < 3 && Math.abs(g - 159) < 3 && Math.abs(b) < 3;
            const named = classes.has((r << 16) | (g << 8) | b);
            if ({ blue, orange, class: named }[colour]) found += 1;
          }
          return found;
        }""",
        colour,
    )


def test_tau_is_dragged_and_the_counts_follow_it(curate: Any) -> None:
    assert tau(curate).get_attribute("aria-valuenow") == "0.55"
    assert counts(curate) == (11, 9)
    box = curate.locator(f"{ROOT} .cu-hist-plot").bounding_box()
    at = [box["x"] + box["width"] * part for part in (0.55, 0.8)]
    curate.mouse.move(at[0], box["y"] + 20)
    curate.mouse.down()
    curate.mouse.move(at[1], box["y"] + 90, steps=6)
    # While it is dragged, and beside the plot as well.
    now = float(tau(curate).get_attribute("aria-valuenow"))
    assert now == pytest.approx(0.8, abs=0.01)
    below = sum(scores["SF"] < now - 1e-9 for scores in SCORES)
    assert counts(curate) == (below, IMAGES - below)
    curate.mouse.up()
    curate.mouse.move(box["x"], box["y"])
    assert float(tau(curate).get_attribute("aria-valuenow")) == now
    assert f"tau={now:.2f}" in curate.url
    assert "by=SF" in curate.url


def test_tau_is_moved_by_a_finger(browser: Any, app: Any) -> None:
    context = browser.new_context(viewport={"width": 1024, "height": 768}, has_touch=True)
    page = context.new_page()
    page.goto(app.url)
    open_tab(page)
    box = page.locator(f"{ROOT} .cu-hist-plot").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 0.3, box["y"] + 20)
    assert float(tau(page).get_attribute("aria-valuenow")) == pytest.approx(0.3, abs=0.01)
    context.close()


def test_arrows_move_tau_and_not_the_queue_and_the_address_keeps_it(curate: Any, app: Any) -> None:
    before = curate.locator(ROOT).get_attribute("data-shown")
    tau(curate).focus()
    for key in ("ArrowRight", "ArrowUp", "PageDown", "ArrowLeft"):
        curate.keyboard.press(key)
    assert tau(curate).get_attribute("aria-valuenow") == "0.46"
    assert tau(curate).get_attribute("aria-valuetext") == "tau 0.46 of SF: 10 below, 10 from it up"
    curate.keyboard.press("Home")
    assert counts(curate) == (0, IMAGES)
    curate.keyboard.press("End")
    assert counts(curate) == (IMAGES, 0)
    curate.keyboard.press("PageDown")
    curate.wait_for_function("location.hash.includes('tau=0.90')", timeout=TIMEOUT)
    assert curate.locator(ROOT).get_attribute("data-shown") == before
    curate.get_by_role("combobox", name="Score of the histogram").select_option("SC")
    curate.wait_for_function("location.hash.includes('by=SC')", timeout=TIMEOUT)
    curate.reload()
    open_tab(curate)
    assert tau(curate).get_attribute("aria-valuenow") == "0.90"
    # SC of n is 1 - n / 20: 1, 0.95 and 0.9 are not below 0.9.
    assert counts(curate) == (IMAGES - 3, 3)


def test_the_orders_say_why_each_is_here_and_tau_leads_them(curate: Any) -> None:
    order(curate, "fine")
    whys = whys_become(curate, "lowest SF first: 0.00")
    assert whys[:3] == [f"lowest SF first: 0.{n:02d}" for n in (0, 5, 10)]
    order(curate, "disagreement")
    whys = whys_become(curate, "SC 1.00, SF 0.00: 1.00 apart")
    apart = [float(re.search(r"([\d.]+) apart", why)[1]) for why in whys]
    assert apart == sorted(apart, reverse=True)
    order(curate, "tau")
    whys = whys_become(curate, "SF 0.55, 0.00 from tau")
    assert len(whys) == IMAGES
    tau(curate).focus()
    for _ in range(4):
        curate.keyboard.press("PageDown")
    curate.keyboard.press("ArrowRight")
    whys = whys_become(curate, "SF 0.15, 0.01 from tau")
    assert whys[1] == "SF 0.20, 0.04 from tau"
    far = [float(re.search(r"([\d.]+) from tau", why)[1]) for why in whys]
    assert far == sorted(far)


def test_the_masks_at_the_line_stand_on_their_side_and_open(curate: Any) -> None:
    curate.get_by_role("button", name="Masks at the line").click()
    strip = curate.get_by_role("region", name="Masks on either side of tau")
    below = strip.get_by_role("group", name="SF below tau")
    above = strip.get_by_role("group", name="SF from tau up")
    above.get_by_role("button").first.wait_for(timeout=TIMEOUT)
    assert below.get_by_role("button").all_inner_texts()[-2:] == ["0.45", "0.50"]
    assert above.get_by_role("button").all_inner_texts()[:2] == ["0.55", "0.60"]
    chosen = below.get_by_role("button").last
    wanted = chosen.get_attribute("data-id")
    chosen.click()
    curate.locator(f'{ROOT}[data-shown="{wanted}"]').wait_for(timeout=TIMEOUT)
    # Of all in the strip, the one that is looked at is marked.
    marked = strip.locator('[aria-current="true"]')
    assert [one.get_attribute("data-id") for one in marked.all()] == [wanted]


def test_a_decision_leaves_the_strip_and_stays_with_its_mask(curate: Any, app: Any) -> None:
    order(curate, "name")
    curate.get_by_role("button", name="Masks at the line").click()
    thumbs = curate.locator(f"{ROOT} .cu-thumb")
    thumbs.first.wait_for(timeout=TIMEOUT)
    one = thumbs.first
    candidate = one.get_attribute("data-id")
    left = curate.locator(f'{ROOT} .cu-count[data-verdict="undecided"] b')
    before = int(left.inner_text())
    held: list[Any] | None = []

    def hold(route: Any) -> None:
        if held is None:
            route.continue_()
        else:
            held.append(route)

    # The decision waits, as over a broken line: the strip still has what was read before it.
    curate.route("**/api/curate/decide", hold)
    one.click()
    curate.locator(f'{ROOT}[data-shown="{candidate}"]').wait_for(timeout=TIMEOUT)
    curate.keyboard.press("a")
    curate.wait_for_function(
        f"document.querySelector('{ROOT}').dataset.shown !== '{candidate}'", timeout=TIMEOUT
    )
    assert int(left.inner_text()) == before - 1
    curate.locator(f'{ROOT} .cu-thumb[data-id="{candidate}"]').click()
    curate.locator(f'{ROOT}[data-shown="{candidate}"]').wait_for(timeout=TIMEOUT)
    badge = curate.locator(f"{ROOT} .cu-details .tm-badge")
    assert badge.inner_text() == "accept · reviewer"
    curate.keyboard.press("a")
    curate.wait_for_function(
        f"document.querySelector('{ROOT}').dataset.shown !== '{candidate}'", timeout=TIMEOUT
    )
    assert int(left.inner_text()) == before - 1
    # Sent, it is no mask at the line any more: the strip shows what is still to be decided.
    waiting, held = held, None
    assert len(waiting) == 1
    waiting[0].continue_()
    curate.get_by_text("All decisions saved").wait_for(timeout=TIMEOUT)
    curate.locator(f'{ROOT} .cu-thumb[data-id="{candidate}"]').wait_for(
        state="detached", timeout=TIMEOUT
    )
    assert thumbs.count() > 0
    for _ in range(2):
        curate.keyboard.press("z")
    curate.wait_for_function(
        "([node, text]) => document.querySelector(node).textContent === text",
        arg=[f'{ROOT} .cu-count[data-verdict="undecided"] b', str(before)],
        timeout=TIMEOUT,
    )
    curate.locator(f'{ROOT} .cu-thumb[data-id="{candidate}"]').wait_for(timeout=TIMEOUT)


def test_a_mask_opened_out_of_turn_pushes_none_out_of_the_queue(curate: Any) -> None:
    rows = [{"id": number, "verdict": "undecided", "why": ""} for number in range(1, 71)]

    def page_of(route: Any) -> None:
        (offset,) = parse_qs(urlsplit(route.request.url).query)["offset"]
        found = rows[int(offset) : int(offset) + 50]
        route.fulfill(json={"rows": found, "total": len(rows), "offset": int(offset)})

    curate.route("**/api/curate/queue?*", page_of)
    ids = curate.evaluate(
        """async (far) => {
          const { Queue } = await import("/tagmask/static/curate/queue.js");
          const queue = new Queue(() => {});
          await queue.restart({});
          queue.open(far);
          await queue.go(49);
          await queue.loading;
          return queue.rows.map((row) => row.id);
        }""",
        rows[64],
    )
    assert sorted(ids) == list(range(1, 71))


def test_space_presses_what_the_keyboard_stands_on_and_decides_nothing(
    curate: Any, app: Any
) -> None:
    def decided() -> int:
        with sqlite3.connect(app.workspace / "tagmask.db") as database:
            return database.execute("SELECT count(*) FROM decisions").fetchone()[0]

    before = decided()
    look_at(curate, 3)
    at_the_line = curate.get_by_role("button", name="Masks at the line")
    reference = curate.locator(ROOT).get_by_role("button", name="Reference")
    for button in (at_the_line, reference):
        button.focus()
        curate.keyboard.press("Space")
        assert button.get_attribute("aria-pressed") == "true"
    thumb = curate.locator(f"{ROOT} .cu-thumb").first
    thumb.wait_for(timeout=TIMEOUT)
    wanted = thumb.get_attribute("data-id")
    thumb.focus()
    curate.keyboard.press("Space")
    curate.locator(f'{ROOT}[data-shown="{wanted}"]').wait_for(timeout=TIMEOUT)
    tau(curate).focus()
    curate.keyboard.press("Space")
    curate.keyboard.press("Enter")
    for summary in curate.locator(f"{ROOT} .cu-details summary").all():
        summary.focus()
        curate.keyboard.press("Space")
        assert summary.evaluate("node => node.parentElement.open")
    curate.wait_for_timeout(300)
    assert curate.locator(ROOT).get_attribute("data-shown") == wanted
    assert decided() == before
    # Where nothing has the focus Space skips, and behind a click it still does.
    curate.locator(f"{ROOT} .cu-thumb").last.click()
    curate.locator(f'{ROOT}[data-shown]:not([data-shown="{wanted}"])').wait_for(timeout=TIMEOUT)
    curate.keyboard.press("Space")
    curate.get_by_text("All decisions saved").wait_for(timeout=TIMEOUT)
    assert decided() == before + 1
    curate.keyboard.press("z")
    curate.locator(f'{ROOT} .cu-count[data-verdict="skip"] b', has_text="0").wait_for(
        timeout=TIMEOUT
    )


def test_the_reference_and_where_it_disagrees_are_layers_with_a_legend(
    curate: Any, app: Any
) -> None:
    reference = curate.locator(ROOT).get_by_role("button", name="Reference")
    disagreement = curate.locator(ROOT).get_by_role("button", name="Disagreement")
    legend = curate.locator(f"{ROOT} .cu-legend")
    # One image has no reference, which is said.
    look_at(curate, 1)
    assert reference.is_disabled()
    assert "No reference mask yet" in reference.get_attribute("title")
    look_at(curate, 2)
    opacity = curate.get_by_role("slider", name="Mask opacity")
    opacity.fill("1")
    opacity.blur()
    assert (pixels(curate, "blue"), pixels(curate, "orange")) == (0, 0)
    curate.keyboard.press("r")
    alone = pixels(curate, "blue")
    assert alone > 0
    assert pixels(curate, "orange") == 0
    assert "Reference" in legend.inner_text()
    # The mask that is judged stays in sight as an outline, and goes with it when it is hidden.
    assert "Outline of the mask" in legend.inner_text()
    outlined = pixels(curate, "class")
    curate.keyboard.press("h")
    assert pixels(curate, "class") < outlined / 4
    assert pixels(curate, "blue") == 0
    curate.keyboard.press("h")
    assert (pixels(curate, "class"), pixels(curate, "blue")) == (outlined, alone)
    curate.keyboard.press("d")
    assert disagreement.get_attribute("aria-pressed") == "true"
    # A mask that was moved has as much on its one side as its reference on the other.
    blue, orange = pixels(curate, "blue"), pixels(curate, "orange")
    assert 0 < blue < alone
    assert blue == pytest.approx(orange, rel=0.1)
    told = legend.inner_text()
    with Workspace.open(app.workspace, read_only=True) as workspace:
        (row,) = [r for r in workspace.store.candidates.queue(limit=99).rows if r.id == 2]
        from backend.labels import read_labels

        mask = read_labels(workspace.store.files.path(row.digest)) > 0
        other = read_labels(workspace.store.files.path(row.reference_digest)) > 127
    for name, part in (
        ("Mask only", mask & ~other),
        ("Reference only", other & ~mask),
        ("Both", mask & other),
    ):
        assert re.search(rf"{name}\s*{100 * part.mean():.1f}%", told), (name, told)
    curate.keyboard.press("d")
    assert (pixels(curate, "blue"), legend.is_visible()) == (0, False)


def test_scores_are_explained_and_nothing_earlier_is_lost(curate: Any, app: Any) -> None:
    look_at(curate, 2)
    details = curate.get_by_role("complementary", name="About this candidate")
    for name, value in SCORES[1].items():
        row = details.locator(f'[data-score="{name}"]')
        assert row.locator(".number").inner_text() == f"{value:.2f}"
        assert "higher is better" in row.get_attribute("title")
        about = row.get_attribute("aria-describedby")
        assert "0 to 1" in curate.locator(f"#{about}").text_content()
    # Nothing has to hover: the sentences open by touch and keyboard, and stay open.
    sentence = details.locator("#cu-about-SF")
    assert not sentence.is_visible()
    details.get_by_text("What are these?").focus()
    curate.keyboard.press("Enter")
    assert "judged by the scorer network" in sentence.inner_text()
    look_at(curate, 3)
    assert details.locator("dd").all_inner_texts() == [
        details.locator(f'[data-score="{name}"]').get_attribute("title") for name in SCORES[2]
    ]
    details.get_by_text("What are these?").click()
    look_at(curate, 2)
    assert not sentence.is_visible()
    details.get_by_text("Who scored it, and when").click()
    said = details.locator(".cu-scorings li")
    said.nth(1).wait_for(timeout=TIMEOUT)
    assert "score 2" in said.nth(0).inner_text()
    assert "SF 0.05" in said.nth(0).inner_text()
    assert "labels 1" in said.nth(1).inner_text()
    assert said.nth(1).inner_text().endswith("AC 0.50")
    with sqlite3.connect(app.workspace / "tagmask.db") as database:
        assert database.execute("SELECT count(*) FROM candidate_scores").fetchone() == (2 * IMAGES,)


def test_a_decision_moves_the_counts(curate: Any) -> None:
    order(curate, "fine")
    whys_become(curate, "lowest SF first: 0.00")
    # A mask that is not on the screen yet cannot be accepted.
    curate.locator(f'{ROOT}[data-shown="1"]').wait_for(timeout=TIMEOUT)
    curate.keyboard.press("a")
    curate.wait_for_function(
        f"document.querySelector('{ROOT} .cu-hist-sides b').textContent === '10'", timeout=TIMEOUT
    )
    assert counts(curate) == (10, 9)
    curate.keyboard.press("z")
    curate.wait_for_function(
        f"document.querySelector('{ROOT} .cu-hist-sides b').textContent === '11'", timeout=TIMEOUT
    )
