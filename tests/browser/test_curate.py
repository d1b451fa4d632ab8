"""The Curate tab in a real browser: every key and button, filters, decisions outliving trouble."""

import sqlite3
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from backend.images import encode_jpeg
from backend.labels import encode_labels
from backend.workspace import Workspace

TIMEOUT = 30_000
IMAGES = 24
ROOT = "#tm-curate"
KEYS = (("a", "accept"), ("x", "reject"), ("Space", "skip"), ("a", "accept"))
# What the canvas shows, as one number that changes with any visible change of the picture.
PAINTED = """() => {
  const canvas = document.querySelector("#tm-curate canvas");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let sum = 0;
  for (let i = 0; i < data.length; i += 4) {
    sum = (sum * 31 + data[i] * 7 + data[i + 1] * 3 + data[i + 2]) % 1000000007;
  }
  return sum;
}"""


@pytest.fixture(scope="module")
def scenes_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes with candidates made from their true masks; needs no weights, so it is quick and its
    scores are known: candidate n of run "coarse" scores n hundredths, "fine" has none."""
    from training.scenes import SCENE_CLASSES, render

    root = tmp_path_factory.mktemp("curate") / "workspace"
    with Workspace.create(root, "Curate", classes=SCENE_CLASSES) as made:
        coarse = made.store.runs.add("coarse", "labels", made.runs / "coarse")
        fine = made.store.runs.add("fine", "labels", made.runs / "fine")
        for number in range(IMAGES):
            scene = render(seed=7, index=number, size=160)
            name = f"scene {number:02d}"
            image = made.store.images.add(
                name, encode_jpeg(scene.image), source="test", tags=scene.tags
            ).image
            grown = cv2.dilate(scene.labels, np.ones((9, 9), np.uint8))
            scores = {"AC": 0.5, "CD": 1.0, "SC": number / 100}
            made.store.candidates.add(image.id, coarse, "cam.dcsp", encode_labels(grown), scores)
            if number % 4 == 0:
                exact = encode_labels(scene.labels)
                made.store.candidates.add(image.id, fine, "cam.oaa", exact, {})
    return root


def rows(app: Any, query: str, *values: Any) -> list[tuple]:
    with sqlite3.connect(app.workspace / "tagmask.db") as database:
        return database.execute(query, values).fetchall()


def verdicts(app: Any) -> list[str]:
    return [verdict for (verdict,) in rows(app, "SELECT verdict FROM decisions ORDER BY id")]


def current(app: Any) -> dict[int, str]:
    decided = "SELECT id, verdict FROM candidates WHERE verdict != 'undecided'"
    return dict(rows(app, decided))


def shown(page: Any) -> str:
    return page.locator(ROOT).get_attribute("data-shown")


def until_changed(page: Any, before: str) -> None:
    page.wait_for_function(
        "before => document.querySelector('#tm-curate').dataset.shown !== before",
        arg=before,
        timeout=TIMEOUT,
    )


def press(page: Any, key: str) -> str:
    """Presses a key that goes to another candidate; the one it left."""
    before = shown(page)
    page.keyboard.press(key)
    until_changed(page, before)
    return before


def until_changed_by(page: Any, act: Callable[[], None]) -> None:
    before = shown(page)
    act()
    until_changed(page, before)


def saved(page: Any) -> None:
    page.get_by_text("All decisions saved").wait_for(timeout=TIMEOUT)


def counts_become(page: Any, **wanted: int) -> None:
    for verdict, number in wanted.items():
        page.wait_for_function(
            "([verdict, number]) => document.querySelector("
            '`#tm-curate .cu-count[data-verdict="${verdict}"] b`)?.textContent === number',
            arg=[verdict, str(number)],
            timeout=TIMEOUT,
        )


def listed(page: Any) -> list[str]:
    return page.locator(f"{ROOT} .cu-item .cu-name").all_inner_texts()


def open_tab(page: Any) -> None:
    page.get_by_role("tab", name="Curate", exact=True).click()
    page.locator(f"{ROOT}[data-shown]").wait_for(timeout=TIMEOUT)


@pytest.fixture(autouse=True)
def nothing_decided(app: Any) -> None:
    """Each test begins with an open queue: decisions of the one before are undone, as a reviewer
    would; rows are only ever added, so what a test adds is counted from `began`."""
    with Workspace.open(app.workspace) as workspace:
        number = 0
        while workspace.store.decisions.undo("reviewer", "tidy", f"tidy {id(app)} {number}"):
            number += 1
        with sqlite3.connect(app.workspace / "tagmask.db") as database:
            last = database.execute("SELECT ifnull(max(id), 0) FROM decisions").fetchone()[0]
    app.began = last


def new_decisions(app: Any) -> list[tuple[int, str]]:
    """(candidate, verdict) of the rows that this test added, in their order."""
    query = "SELECT candidate_id, verdict FROM decisions WHERE id > ? ORDER BY id"
    return rows(app, query, app.began)


@pytest.fixture
def curate(page: Any) -> Any:
    """The page at the Curate tab, the first candidate shown."""
    open_tab(page)
    return page


def test_keys_decide_skip_and_undo(curate: Any, app: Any) -> None:
    first = press(curate, "a")
    second = press(curate, "x")
    third = press(curate, "Space")
    saved(curate)
    assert new_decisions(app) == [
        (int(first), "accept"),
        (int(second), "reject"),
        (int(third), "skip"),
    ]
    counts_become(curate, accept=1, reject=1, skip=1)
    # Undo steps back any number of times and shows what it took back.
    for expected in (third, second, first):
        curate.keyboard.press("z")
        curate.locator(f'{ROOT}[data-shown="{expected}"]').wait_for(timeout=TIMEOUT)
    saved(curate)
    counts_become(curate, accept=0, reject=0, skip=0, undecided=IMAGES + IMAGES // 4)
    assert [verdict for _, verdict in new_decisions(app)][3:] == ["undecided"] * 3
    assert current(app) == {}
    curate.keyboard.press("z")
    curate.get_by_text("nothing of yours left to undo").wait_for(timeout=TIMEOUT)


def test_a_key_held_down_decides_once(curate: Any, app: Any) -> None:
    before = shown(curate)
    curate.keyboard.down("a")
    until_changed(curate, before)
    for _ in range(5):
        curate.keyboard.down("a")
    curate.keyboard.up("a")
    saved(curate)
    assert new_decisions(app) == [(int(before), "accept")]


def test_a_mask_that_is_not_on_the_screen_cannot_be_judged(page: Any, app: Any) -> None:
    page.route("**/api/curate/labels/*", lambda route: route.abort())
    page.get_by_role("tab", name="Curate", exact=True).click()
    before = len(verdicts(app))
    page.get_by_text("This picture could not be loaded").wait_for(timeout=TIMEOUT)
    assert page.locator(ROOT).get_by_role("button", name="Accept").is_disabled()
    assert page.locator(ROOT).get_by_role("button", name="Reject").is_disabled()
    for key in "aax":
        page.keyboard.press(key)
    page.wait_for_timeout(300)
    assert len(verdicts(app)) == before
    page.unroute("**/api/curate/labels/*")
    page.locator(f"{ROOT}[data-shown]").wait_for(timeout=TIMEOUT)
    assert page.locator(ROOT).get_by_role("button", name="Accept").is_enabled()


def test_arrows_look_around_without_deciding(curate: Any, app: Any) -> None:
    first = press(curate, "ArrowRight")
    second = press(curate, "ArrowDown")
    assert press(curate, "ArrowLeft") not in (first, second)
    assert shown(curate) == second
    press(curate, "ArrowUp")
    assert shown(curate) == first
    curate.keyboard.press("ArrowLeft")
    curate.wait_for_timeout(200)
    assert shown(curate) == first
    assert new_decisions(app) == []


def test_the_mask_is_hidden_outlined_and_faded_by_key_and_by_button(curate: Any) -> None:
    whole = curate.evaluate(PAINTED)

    def painted_otherwise(act: Any) -> int:
        before = curate.evaluate(PAINTED)
        act()
        curate.wait_for_function(f"before => ({PAINTED})() !== before", arg=before, timeout=TIMEOUT)
        return curate.evaluate(PAINTED)

    hide = curate.locator(ROOT).get_by_role("button", name="Hide mask")
    outline = curate.locator(ROOT).get_by_role("button", name="Outline")
    slider = curate.locator(ROOT).get_by_role("slider", name="Mask opacity")
    hidden = painted_otherwise(lambda: curate.keyboard.press("h"))
    assert hide.get_attribute("aria-pressed") == "true"
    assert painted_otherwise(lambda: curate.keyboard.press("h")) == whole
    assert painted_otherwise(hide.click) == hidden
    assert painted_otherwise(hide.click) == whole
    lines = painted_otherwise(lambda: curate.keyboard.press("o"))
    assert lines not in (whole, hidden)
    assert outline.get_attribute("aria-pressed") == "true"
    assert painted_otherwise(outline.click) == whole
    opacity = float(slider.input_value())
    painted_otherwise(lambda: curate.keyboard.press("+"))
    assert float(slider.input_value()) == pytest.approx(opacity + 0.05)
    assert painted_otherwise(lambda: curate.keyboard.press("-")) == whole
    assert float(slider.input_value()) == pytest.approx(opacity)
    for _ in range(30):
        curate.keyboard.press("-")
    assert float(slider.input_value()) == pytest.approx(0.1)


def test_the_map_of_keys_opens_and_deciding_rests_meanwhile(curate: Any, app: Any) -> None:
    for opened in (
        lambda: curate.keyboard.press("?"),
        curate.locator(ROOT).get_by_role("button", name="Keys").click,
    ):
        opened()
        dialog = curate.get_by_role("dialog", name="Keys")
        dialog.wait_for(timeout=TIMEOUT)
        words = dialog.inner_text()
        for each in ("Accept", "Reject", "Skip", "Undo", "Hide", "Outline", "opacity"):
            assert each in words
        curate.keyboard.press("x")
        curate.keyboard.press("Escape")
        dialog.wait_for(state="detached", timeout=TIMEOUT)
    assert new_decisions(app) == []


def test_buttons_do_what_keys_do(curate: Any, app: Any) -> None:
    wanted = []
    for name, verdict in (("Accept", "accept"), ("Reject", "reject"), ("Skip", "skip")):
        before = shown(curate)
        curate.locator(f"{ROOT} .cu-acts").get_by_role("button", name=name).click()
        until_changed(curate, before)
        wanted.append((int(before), verdict))
    saved(curate)
    assert new_decisions(app) == wanted
    curate.locator(f"{ROOT} .cu-acts").get_by_role("button", name="Undo").click()
    curate.locator(f'{ROOT}[data-shown="{wanted[-1][0]}"]').wait_for(timeout=TIMEOUT)
    # A button that was clicked keeps the focus; its Space must not press it again and skip as well.
    accept = curate.locator(f"{ROOT} .cu-acts").get_by_role("button", name="Accept")
    until_changed_by(curate, accept.click)
    assert accept.evaluate("node => node === document.activeElement")
    skipped = press(curate, "Space")
    saved(curate)
    assert new_decisions(app)[-1] == (int(skipped), "skip")
    assert len(new_decisions(app)) == 6
    # But whoever came to it by keyboard presses it.
    curate.keyboard.press("Shift+Tab")
    curate.keyboard.press("Tab")
    assert accept.evaluate("node => node === document.activeElement")
    accepted = press(curate, "Space")
    saved(curate)
    assert new_decisions(app)[-1] == (int(accepted), "accept")
    assert len(new_decisions(app)) == 7


def test_a_row_of_the_list_is_opened_by_a_click(curate: Any) -> None:
    row = curate.locator(f"{ROOT} .cu-item").nth(4)
    wanted = row.get_attribute("data-id")
    row.click()
    curate.locator(f'{ROOT}[data-shown="{wanted}"]').wait_for(timeout=TIMEOUT)
    assert row.get_attribute("aria-current") == "true"


def test_keys_rest_in_fields_and_on_other_tabs(curate: Any, app: Any) -> None:
    field = curate.locator(ROOT).get_by_role("searchbox", name="Part of the image's name")
    field.click()
    curate.keyboard.type("axz a")
    assert field.input_value() == "axz a"
    field.fill("")
    who = curate.get_by_label("Reviewer's name")
    who.click()
    curate.keyboard.type("xax")
    curate.keyboard.press("Escape")
    for tab in ("Data", "Train", "Inspect"):
        curate.get_by_role("tab", name=tab, exact=True).click()
        curate.locator(f"#tm-{tab.lower()}").wait_for(timeout=TIMEOUT)
        for key in ("a", "x", "Space", "z"):
            curate.keyboard.press(key)
    curate.wait_for_timeout(300)
    assert new_decisions(app) == []


def test_every_key_of_the_map_rests_in_fields_and_on_hidden_tabs(curate: Any, app: Any) -> None:
    keys = curate.evaluate(
        "async () => (await import('/tagmask/static/curate/actions.js'))"
        ".ACTIONS.flatMap((action) => action.keys)"
    )
    assert {"a", "x", "e", "f", "z", " ", "h", "o", "?", "1", "9"} <= set(keys)
    state = """() => [document.querySelector("#tm-curate").dataset.shown,
      document.querySelector("#tm-curate").dataset.editing ?? null,
      document.querySelectorAll("dialog[open]").length,
      document.querySelector("#tm-curate .cu-tools input").value,
      ...[...document.querySelectorAll("#tm-curate .cu-tools [aria-pressed]")]
        .map((button) => button.getAttribute("aria-pressed"))]"""
    before = curate.evaluate(state)
    flags = rows(app, "SELECT count(*) FROM flags")
    field = curate.locator(ROOT).get_by_role("searchbox", name="Part of the image's name")
    field.focus()
    for key in keys:
        curate.keyboard.press(key)
        # Emptied before the queue asks for what was typed: the row in view must not go away.
        field.fill("")
    assert curate.evaluate(state) == before
    field.blur()
    for tab in ("Data", "Train"):
        curate.get_by_role("tab", name=tab, exact=True).click()
        curate.locator(f"#tm-{tab.lower()}").wait_for(timeout=TIMEOUT)
        curate.evaluate("document.activeElement.blur()")
        for key in keys:
            curate.keyboard.press(key)
    assert curate.evaluate(state) == before
    curate.wait_for_timeout(300)
    assert new_decisions(app) == []
    assert rows(app, "SELECT count(*) FROM flags") == flags


def test_filters_narrow_the_queue(curate: Any, app: Any) -> None:
    def choose(label: str, value: str) -> None:
        curate.locator(ROOT).get_by_role("combobox", name=label).select_option(value)

    def fill(label: str, value: str) -> None:
        curate.get_by_label(label, exact=True).fill(value)

    def names_become(check: str) -> list[str]:
        names = f"[...document.querySelectorAll('{ROOT} .cu-name')].map((n) => n.textContent)"
        curate.wait_for_function(f"((names) => {check})({names})", timeout=TIMEOUT)
        return listed(curate)

    total = IMAGES + IMAGES // 4
    assert len(listed(curate)) == total
    # The lowest score first; those without a score come last.
    assert listed(curate)[:3] == ["scene_00", "scene_01", "scene_02"]
    choose("Order of the queue", "best")
    assert names_become("names[0] === 'scene_23'")[1] == "scene_22"
    choose("Which run made it", "fine (run 2)")
    assert len(names_become("names.length === 6")) == IMAGES // 4
    choose("Which run made it", "Any run")
    fill("From score", "0.2")
    assert names_become("names.length === 4") == [f"scene_{n}" for n in (23, 22, 21, 20)]
    fill("To score", "0.21")
    names_become("names.length === 2")
    fill("From score", "")
    fill("To score", "")
    fill("Part of the image's name", "_07")
    assert names_become("names.length === 1") == ["scene_07"]
    fill("Part of the image's name", "")
    names_become(f"names.length === {total}")
    tag, images = rows(
        app, "SELECT class_id, count(*) FROM image_tags GROUP BY class_id ORDER BY 2 LIMIT 1"
    )[0]
    choose("Which tag", str(tag))
    found = names_become(f"names.length < {total}")
    assert len(set(found)) == images
    choose("Which tag", "")
    names_become(f"names.length === {total}")
    # Decided ones leave the undecided and are found under their verdict.
    curate.locator(f"{ROOT} .cu-acts").get_by_role("button", name="Reject").click()
    saved(curate)
    choose("Which verdict", "reject")
    assert len(names_become("names.length === 1")) == 1
    choose("Which verdict", "accept")
    curate.get_by_text("Nothing matches these filters").wait_for(timeout=TIMEOUT)
    # The filters are kept over a reload of the page.
    choose("Which verdict", "reject")
    names_become("names.length === 1")
    curate.reload()
    open_tab(curate)
    assert len(listed(curate)) == 1


def test_decisions_made_while_the_server_is_down_are_recorded_once(curate: Any, app: Any) -> None:
    press(curate, "a")
    saved(curate)
    app.stop()
    made = [(int(press(curate, key)), verdict) for key, verdict in KEYS]
    curate.get_by_text("are kept in this browser and will be sent").wait_for(timeout=TIMEOUT)
    assert len(new_decisions(app)) == 1
    app.start()
    saved(curate)
    assert new_decisions(app)[1:] == made
    actions = rows(app, "SELECT count(*), count(DISTINCT action_id) FROM decisions")
    assert actions[0][0] == actions[0][1]


def test_decisions_kept_while_the_server_is_down_survive_a_closed_tab(
    curate: Any, app: Any
) -> None:
    app.stop()
    made = [(int(press(curate, key)), verdict) for key, verdict in KEYS]
    # The browser keeps its storage; the tab that decided is gone.
    context = curate.context
    curate.close()
    app.start()
    again = context.new_page()
    again.goto(app.url)
    open_tab(again)
    saved(again)
    assert new_decisions(app) == made
    assert str(made[0][0]) != shown(again)
    counts_become(again, accept=2)


@pytest.mark.parametrize("status", [503, 403])
def test_what_the_server_cannot_take_now_is_kept_and_sent_again(
    curate: Any, app: Any, status: int
) -> None:
    """A full disk, a locked database (503) or an app opened read-only (403) lose no decision."""

    def refuse(route: Any) -> None:
        route.fulfill(status=status, json={"error": "The disk is full. Make room."})

    curate.route("**/curate/decide", refuse)
    first = press(curate, "a")
    second = press(curate, "x")
    curate.get_by_text("2 decisions are kept in this browser and will be sent").wait_for(
        timeout=TIMEOUT
    )
    assert new_decisions(app) == []
    curate.unroute("**/curate/decide")
    saved(curate)
    assert new_decisions(app) == [(int(first), "accept"), (int(second), "reject")]


def test_a_reload_loses_nothing(curate: Any, app: Any) -> None:
    made = []
    for key, verdict in KEYS:
        made.append((int(press(curate, key)), verdict))
    curate.reload()
    open_tab(curate)
    saved_rows = new_decisions(app)
    if len(saved_rows) < len(made):
        saved(curate)
        saved_rows = new_decisions(app)
    assert saved_rows == made
    counts_become(curate, accept=2, reject=1, skip=1)
    assert shown(curate) not in {str(candidate) for candidate, _ in made}


def test_when_all_is_decided_the_page_says_so_and_undo_brings_the_last_back(
    page: Any, app: Any
) -> None:
    with Workspace.open(app.workspace) as workspace:
        queue = workspace.store.candidates.queue(limit=500).rows
        for row in queue[:-1]:
            workspace.store.decisions.record(
                row.id, row.digest, "accept", reviewer="reviewer", session="s",
                action_id=f"all {app.began} {row.id}",
            )  # fmt: skip
    open_tab(page)
    last = shown(page)
    assert last == str(queue[-1].id)
    page.keyboard.press("a")
    page.get_by_role("heading", name="Every candidate is decided").wait_for(timeout=TIMEOUT)
    assert f"{len(queue)} accepted" in page.locator(f"{ROOT} .cu-message").inner_text()
    assert page.locator(f"{ROOT} .cu-acts").get_by_role("button", name="Accept").is_disabled()
    for key in ("a", "x", "Space"):
        page.keyboard.press(key)
    saved(page)
    assert len(new_decisions(app)) == len(queue)
    page.keyboard.press("z")
    page.locator(f"{ROOT} .cu-message").wait_for(state="hidden", timeout=TIMEOUT)
    assert shown(page) == last
    counts_become(page, undecided=1)


MEASURE = """() => {
  const root = document.querySelector("#tm-curate");
  window.tmTimes = [];
  let began = null;
  document.addEventListener("keydown", () => { began = performance.now(); }, true);
  new MutationObserver(() => {
    const from = began;
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => window.tmTimes.push(performance.now() - from);
      channel.port2.postMessage(null);
    });
  }).observe(root, { attributes: true, attributeFilter: ["data-shown"] });
}"""


def test_how_soon_the_next_image_is_painted_after_a_key(curate: Any, capsys: Any) -> None:
    """Printed, not judged: from the key event in the page to after the next frame's paint."""
    curate.wait_for_timeout(1000)
    curate.evaluate(MEASURE)
    for _ in range(12):
        press(curate, "a")
        curate.wait_for_timeout(120)
    saved(curate)
    times = sorted(curate.evaluate("window.tmTimes"))
    assert len(times) == 12
    with capsys.disabled():
        print(
            f"\nkey to next image painted: median {statistics.median(times):.0f} ms, "
            f"worst {times[-1]:.0f} ms of {len(times)}"
        )
