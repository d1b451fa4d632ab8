"""The review desk in a real browser: choices, flags, other keys, views in the address, sets."""

import re
import sqlite3
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from backend.images import encode_jpeg
from backend.labels import encode_labels
from backend.store import Filter
from backend.workspace import Workspace

TIMEOUT = 30_000
IMAGES = 12
ROOT = "#tm-curate"


@pytest.fixture(scope="module")
def scenes_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve scenes with a mask each, every third with two more: grown, true, and shifted."""
    from training.scenes import SCENE_CLASSES, render

    root = tmp_path_factory.mktemp("desk") / "workspace"
    with Workspace.create(root, "Desk", classes=SCENE_CLASSES) as made:
        run = made.store.runs.add("coarse", "labels", made.runs / "coarse")
        for number in range(IMAGES):
            scene = render(seed=7, index=number, size=160)
            truth = encode_labels(scene.labels) if number % 2 == 0 else None
            image = made.store.images.add(
                f"scene {number:02d}", encode_jpeg(scene.image), source="t", tags=scene.tags,
                truth=truth,
            ).image  # fmt: skip
            grown = cv2.dilate(scene.labels, np.ones((9, 9), np.uint8))
            masks = {"cam.dcsp": grown}
            if number % 3 == 0:
                masks |= {"cam.oaa": scene.labels, "sal": np.roll(scene.labels, 20, axis=1)}
            for place, (method, labels) in enumerate(masks.items()):
                score = {"SC": (number + 20 * place) / 100}
                made.store.candidates.add(image.id, run, method, encode_labels(labels), score)
    return root


def rows(app: Any, query: str, *values: Any) -> list[tuple]:
    with sqlite3.connect(app.workspace / "tagmask.db") as database:
        return database.execute(query, values).fetchall()


def decided(app: Any) -> list[tuple]:
    query = "SELECT candidate_id, verdict FROM decisions WHERE id > ? ORDER BY id"
    return rows(app, query, app.began)


def shown(page: Any) -> str:
    return page.locator(ROOT).get_attribute("data-shown")


def shows(page: Any, id: Any) -> None:
    page.locator(f'{ROOT}[data-shown="{id}"]').wait_for(timeout=TIMEOUT)


def press(page: Any, key: str) -> str:
    """Presses a key that goes to another candidate; the one it left."""
    before = shown(page)
    page.keyboard.press(key)
    page.wait_for_function(
        "before => document.querySelector('#tm-curate').dataset.shown !== before",
        arg=before,
        timeout=TIMEOUT,
    )
    return before


def saved(page: Any) -> None:
    page.get_by_text("All decisions saved").wait_for(timeout=TIMEOUT)


def listed(page: Any) -> list[str]:
    return page.locator(f"{ROOT} .cu-item .cu-name").all_inner_texts()


def lists(page: Any, count: int) -> None:
    page.wait_for_function(
        "count => document.querySelectorAll('#tm-curate .cu-item').length === count",
        arg=count,
        timeout=TIMEOUT,
    )


def choose(page: Any, label: str, value: str) -> None:
    page.locator(ROOT).get_by_role("combobox", name=label).select_option(value)
    page.evaluate("document.activeElement.blur()")


def open_tab(page: Any) -> None:
    page.get_by_role("tab", name="Curate", exact=True).click()
    page.locator(f"{ROOT}[data-shown]").wait_for(timeout=TIMEOUT)


@pytest.fixture(autouse=True)
def nothing_decided(app: Any) -> None:
    """Each test begins with an open queue and no flag; rows are only ever added."""
    with Workspace.open(app.workspace) as workspace:
        store, number = workspace.store, 0
        for who in ("reviewer", "bob"):
            while store.decisions.undo(who, "tidy", f"tidy {id(app)} {who} {number}"):
                number += 1
        flagged = rows(app, "SELECT id FROM images WHERE flagged = 1")
        last = rows(app, "SELECT ifnull(max(id), 0) FROM flags")[0][0]
        for (image,) in flagged:
            store.flags.set(
                image, False, reviewer="tidy", session="tidy", action_id=f"tidy {last} {image}"
            )
    app.began = rows(app, "SELECT ifnull(max(id), 0) FROM decisions")[0][0]


@pytest.fixture
def curate(page: Any) -> Any:
    open_tab(page)
    return page


def test_numbers_choose_among_the_masks_of_an_image(curate: Any, app: Any) -> None:
    first = shown(curate)
    image = rows(app, "SELECT image_id FROM candidates WHERE id = ?", first)[0][0]
    masks = [id for (id,) in rows(app, "SELECT id FROM candidates WHERE image_id = ?", image)]
    assert len(masks) == 3
    bar = curate.get_by_role("group", name="Masks of this image")
    for number, mask in enumerate(masks, start=1):
        curate.keyboard.press(str(number))
        shows(curate, mask)
        pressed = bar.locator('[aria-pressed="true"]')
        assert pressed.get_attribute("data-id") == str(mask)
    # A number that no mask has changes nothing.
    curate.keyboard.press("7")
    bar.get_by_role("button", name="cam.oaa").click()
    shows(curate, masks[1])
    # What is judged is what is looked at, and the queue goes on from where it stood.
    press(curate, "a")
    saved(curate)
    assert decided(app) == [(masks[1], "accept")]
    curate.keyboard.press("ArrowLeft")
    shows(curate, first)
    assert bar.locator(f'[data-id="{masks[1]}"]').get_by_label("accepted").count() == 1
    # The only mask of an image is mask 1 of it.
    press(curate, "ArrowRight")
    alone = shown(curate)
    curate.keyboard.press("1")
    curate.keyboard.press("2")
    curate.wait_for_timeout(200)
    assert shown(curate) == alone


def test_f_flags_and_unflags_and_the_filter_finds_it(curate: Any, app: Any) -> None:
    button = curate.locator(f"{ROOT} .cu-tools").get_by_role("button", name="Flag")
    name = listed(curate)[0]
    curate.keyboard.press("f")
    assert button.get_attribute("aria-pressed") == "true"
    assert curate.locator(f"{ROOT} .cu-details").get_by_label("flagged").count() == 1
    saved(curate)
    assert rows(app, "SELECT name FROM images WHERE flagged = 1") == [(name,)]
    curate.get_by_text("More filters").click()
    choose(curate, "Flagged or not", "yes")
    curate.wait_for_function("location.hash.includes('flagged=yes')", timeout=TIMEOUT)
    lists(curate, 3)
    assert set(listed(curate)) == {name}
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    saved(curate)
    assert rows(app, "SELECT count(*) FROM images WHERE flagged = 1") == [(0,)]
    assert decided(app) == []


def test_e_gives_the_mask_to_the_editor_and_the_desks_keys_rest(curate: Any, app: Any) -> None:
    before = shown(curate)
    curate.keyboard.press("e")
    curate.locator(f"{ROOT}[data-editing]").wait_for(timeout=TIMEOUT)
    assert not curate.locator(f"{ROOT} .cu-acts").is_visible()
    curate.keyboard.press("x")
    curate.wait_for_timeout(200)
    assert shown(curate) == before
    assert decided(app) == []


def test_undo_goes_on_after_a_reload(curate: Any, app: Any) -> None:
    made = [press(curate, key) for key in ("a", "x", "Space")]
    saved(curate)
    curate.reload()
    curate.locator(f"{ROOT}[data-shown]").wait_for(timeout=TIMEOUT)
    for mask in reversed(made):
        curate.keyboard.press("z")
        shows(curate, mask)
    saved(curate)
    assert [verdict for _, verdict in decided(app)][3:] == ["undecided"] * 3


def test_keys_are_given_to_other_actions_and_never_to_two(curate: Any, app: Any) -> None:
    curate.keyboard.press("?")
    dialog = curate.get_by_role("dialog", name="Keys")
    accept = dialog.get_by_role("button", name="Change the key of: Accept the mask")
    accept.click()
    # Another action has it; the page itself has it; with Ctrl it is the browser's.
    curate.keyboard.press("x")
    dialog.get_by_text("X is “Reject it” already").wait_for(timeout=TIMEOUT)
    curate.keyboard.press("Enter")
    dialog.get_by_text("Enter belongs to the page itself").wait_for(timeout=TIMEOUT)
    curate.keyboard.press("Control+k")
    dialog.get_by_text("one key alone").wait_for(timeout=TIMEOUT)
    # Escape leaves the key as it is and the dialog open.
    curate.keyboard.press("Escape")
    assert accept.inner_text() == "A"
    accept.click()
    curate.keyboard.press("k")
    dialog.get_by_text("“Accept the mask” is K now").wait_for(timeout=TIMEOUT)
    assert accept.inner_text() == "K"
    curate.keyboard.press("Escape")
    dialog.wait_for(state="detached", timeout=TIMEOUT)
    button = curate.locator(f"{ROOT} .cu-acts").get_by_role("button", name="Accept")
    assert button.get_attribute("title").endswith("(key K)")
    assert button.locator("kbd").inner_text() == "K"
    # The old key does nothing, the new one accepts, also after a reload.
    curate.keyboard.press("a")
    first = press(curate, "k")
    saved(curate)
    curate.reload()
    curate.locator(f"{ROOT}[data-shown]").wait_for(timeout=TIMEOUT)
    second = press(curate, "k")
    saved(curate)
    assert decided(app) == [(int(first), "accept"), (int(second), "accept")]
    curate.keyboard.press("?")
    dialog.get_by_role("button", name="Reset all").click()
    assert accept.inner_text() == "A"
    dialog.get_by_role("button", name="Close").click()
    third = press(curate, "a")
    saved(curate)
    assert decided(app)[-1] == (int(third), "accept")


def test_every_key_of_the_map_has_a_button_with_a_name(curate: Any) -> None:
    curate.locator(f"{ROOT} .cu-choice").first.wait_for(timeout=TIMEOUT)
    actions = curate.evaluate(
        "async () => (await import('/tagmask/static/curate/actions.js')).ACTIONS.map((a) => a.id)"
    )
    assert {"accept", "reject", "edit", "skip", "undo", "flag", "next", "previous"} <= set(actions)
    for action in actions:
        if action.startswith("choose") or action in ("more", "less"):
            continue
        button = curate.locator(f'{ROOT} button[data-act="{action}"]')
        assert button.count() == 1, action
        named = button.get_attribute("aria-label") or button.inner_text()
        assert named.strip(), action
        told = button.get_attribute("title") or ""
        assert "(key " in told or "reference" in told.lower(), action
    assert curate.get_by_role("slider", name="Mask opacity").count() == 1
    assert curate.locator(f"{ROOT} .cu-choice").count() == 3


def test_filters_live_in_the_address(curate: Any, app: Any, browser: Any) -> None:
    total = IMAGES + 2 * IMAGES // 3
    lists(curate, total)
    choose(curate, "Order of the queue", "name")
    curate.get_by_label("From score", exact=True).fill("0.2")
    curate.wait_for_function("location.hash.includes('from=0.2')", timeout=TIMEOUT)
    lists(curate, 8)
    curate.get_by_text("More filters").click()
    choose(curate, "With a true mask or not", "yes")
    lists(curate, 4)
    names = listed(curate)
    assert "order=name" in curate.url
    assert "truth=yes" in curate.url
    # A reload, and the same link in another browser, open the same view.
    curate.reload()
    lists(curate, 4)
    other = browser.new_context(viewport={"width": 1024, "height": 768}).new_page()
    other.goto(curate.url)
    lists(other, 4)
    assert listed(other) == names == listed(curate)
    assert other.get_by_label("From score", exact=True).input_value() == "0.2"
    assert other.get_by_role("combobox", name="With a true mask or not").input_value() == "yes"
    other.context.close()
    # The back button takes one filter back after the other, and forward brings them again.
    choose(curate, "With a true mask or not", "")
    lists(curate, 8)
    curate.go_back()
    lists(curate, 4)
    curate.go_back()
    lists(curate, 8)
    curate.go_forward()
    lists(curate, 4)
    curate.get_by_role("button", name="Clear").click()
    lists(curate, total)
    assert "truth" not in curate.url
    assert "order=name" in curate.url


def test_another_tab_and_a_reload_stay_where_they_are(curate: Any) -> None:
    curate.get_by_role("tab", name="Train", exact=True).click()
    curate.wait_for_function("location.hash.includes('tab=train')", timeout=TIMEOUT)
    curate.reload()
    curate.locator("#tm-train").wait_for(timeout=TIMEOUT)
    assert not curate.locator(ROOT).is_visible()


def test_a_set_is_previewed_decided_and_taken_back_in_one_step(curate: Any, app: Any) -> None:
    choose(curate, "Order of the queue", "best")
    curate.get_by_label("From score", exact=True).fill("0.2")
    lists(curate, 8)
    curate.get_by_role("button", name="Decide all").click()
    dialog = curate.get_by_role("dialog", name="Decide the whole set")
    assert dialog.get_by_role("heading").inner_text() == "8 masks under these filters"
    assert dialog.get_by_role("listitem").count() == 8
    painted = """canvas => {
      const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      return data.some((value, at) => at % 4 === 3 && value === 255);
    }"""
    canvas = dialog.locator("canvas").first.element_handle()
    curate.wait_for_function(painted, arg=canvas, timeout=TIMEOUT)
    # Keys rest behind the dialog; Escape decides nothing.
    curate.keyboard.press("a")
    curate.keyboard.press("Escape")
    dialog.wait_for(state="detached", timeout=TIMEOUT)
    assert decided(app) == []
    curate.get_by_role("button", name="Decide all").click()
    dialog.get_by_role("button", name="Accept 8").click()
    curate.get_by_text("8 masks accepted").wait_for(timeout=TIMEOUT)
    made = rows(app, "SELECT batch, count(*) FROM decisions WHERE id > ? GROUP BY 1", app.began)
    assert len(made) == 1
    assert made[0][1] == 8
    left = curate.locator(f'{ROOT} .cu-count[data-verdict="accept"] b')
    assert left.inner_text() == "8"
    curate.keyboard.press("z")
    curate.get_by_text("8 decisions were taken back").wait_for(timeout=TIMEOUT)
    assert rows(app, "SELECT count(*) FROM candidates WHERE verdict != 'undecided'") == [(0,)]
    lists(curate, 8)
    assert left.inner_text() == "0"


def test_a_set_that_changed_while_it_was_looked_at_is_not_decided(curate: Any, app: Any) -> None:
    curate.get_by_role("button", name="Decide all").click()
    dialog = curate.get_by_role("dialog", name="Decide the whole set")
    dialog.wait_for(timeout=TIMEOUT)
    with Workspace.open(app.workspace) as workspace:
        row = workspace.store.candidates.queue().rows[0]
        workspace.store.decisions.record(
            row.id, row.digest, "reject", reviewer="bob", session="s",
            action_id=f"between {app.began}",
        )  # fmt: skip
    dialog.get_by_role("button", name="Reject").click()
    curate.get_by_text("The set has changed since you looked at it").wait_for(timeout=TIMEOUT)
    assert decided(app) == [(row.id, "reject")]


def test_a_newer_drawn_mask_is_shown_and_not_overwritten(curate: Any, app: Any) -> None:
    before = int(shown(curate))
    with Workspace.open(app.workspace) as workspace:
        store = workspace.store
        parent = store.candidates.get(before)
        labels = np.zeros((160, 160), np.uint8)
        labels[:40, :40] = 1
        drawn = store.candidates.add(
            parent.image_id, None, "fixed", encode_labels(labels), parent_id=before
        )
        digest = store.candidates.get(drawn).digest
        store.decisions.record(
            drawn, digest, "fix", reviewer="bob", session="s", action_id=f"fix {app.began}"
        )
    press(curate, "a")
    curate.get_by_text("bob drew a newer mask").wait_for(timeout=TIMEOUT)
    shows(curate, drawn)
    assert decided(app) == [(drawn, "fix")]
    badge = curate.locator(f"{ROOT} .cu-details .tm-badge")
    assert badge.inner_text() == "fix · bob"


def test_methods_are_compared_where_their_disagreement_orders_the_queue(curate: Any) -> None:
    choose(curate, "Order of the queue", "methods")
    curate.wait_for_function(
        "/^methods [0-9.]+ apart/.test("
        "document.querySelector('#tm-curate .cu-item .tm-faint')?.textContent)",
        timeout=TIMEOUT,
    )
    whys = curate.locator(f"{ROOT} .cu-item .cu-item-text .tm-faint").all_inner_texts()
    apart = [float(why.split()[1]) for why in whys if why.startswith("methods")]
    assert len(apart) == IMAGES
    assert apart == sorted(apart, reverse=True)
    assert "the only mask of its image, so it comes last" in whys
    choose(curate, "Order of the queue", "rarity")
    curate.get_by_text("rarest tag first:").first.wait_for(timeout=TIMEOUT)
    choose(curate, "Order of the queue", "random")
    curate.get_by_label("Seed of the random order").fill("5")
    curate.get_by_text("random order, seed 5").first.wait_for(timeout=TIMEOUT)
    assert "seed=5" in curate.url


def test_pace_time_left_and_classes_are_told(curate: Any, app: Any) -> None:
    pace = curate.locator(f"{ROOT} .cu-pace")
    for _ in range(7):
        press(curate, "a")
        curate.wait_for_timeout(250)
    saved(curate)
    assert re.fullmatch(r"[\d.]+ a minute, about \d min left", pace.inner_text())
    curate.get_by_text("By class").click()
    line = curate.locator(f"{ROOT} .cu-classes tr[data-class]").first
    line.wait_for(timeout=TIMEOUT)
    with Workspace.open(app.workspace, read_only=True) as workspace:
        classes = workspace.store.candidates.counts().classes
    told = {}
    for each in curate.locator(f"{ROOT} .cu-classes tr[data-class]").all():
        kept, _, left = (int(n) for n in each.locator(".number").all_inner_texts())
        told[int(each.get_attribute("data-class"))] = (kept, left)
    wanted = {id: (n["accept"] + n["fix"], n["undecided"]) for id, n in classes.items()}
    assert told == wanted
    # The pace is still known after a reload.
    curate.reload()
    pace.wait_for(timeout=TIMEOUT)
    assert "a minute" in pace.inner_text()


def test_a_share_shows_what_its_reviewer_said_and_not_what_others_did(
    curate: Any, app: Any
) -> None:
    with Workspace.open(app.workspace) as workspace:
        store = workspace.store
        with store.connections.write() as database:
            for image in (1, 2):
                database.execute(
                    "INSERT OR IGNORE INTO assignments VALUES (?, 'reviewer', 'lead', 0)", [image]
                )
        digest = store.decisions.filtered(Filter()).digest
        store.decisions.record_all(
            Filter(), "reject", digest=digest, reviewer="bob", session="s",
            action_id=f"bob {app.began}",
        )  # fmt: skip
    curate.get_by_text("More filters").click()
    choose(curate, "Whose share", "me")
    lists(curate, 4)
    assert "assigned=me" in curate.url
    assert curate.locator(f"{ROOT} .cu-item .cu-dot").count() == 0
    curate.locator(f"{ROOT} .cu-item").first.click()
    mask = shown(curate)
    press(curate, "a")
    saved(curate)
    last = "SELECT candidate_id, verdict, reviewer FROM decisions ORDER BY id DESC LIMIT 1"
    assert rows(app, last) == [(int(mask), "accept", "reviewer")]
    curate.reload()
    lists(curate, 3)


def test_at_the_end_what_slipped_between_two_pages_still_comes(curate: Any) -> None:
    """Somebody else decides on rows of the first page: those behind move forward."""
    ids = curate.evaluate(
        """async () => {
          const { Queue } = await import("/tagmask/static/curate/queue.js");
          const row = { verdict: "undecided", why: "", flagged: false, fixed_id: null };
          const rows = Array.from({ length: 70 }, (_, i) => (
            { ...row, id: i + 1, image_id: i + 1 }));
          let waiting = rows;
          const real = window.fetch;
          window.fetch = async (url, options) => {
            if (!String(url).includes("curate/queue")) return real(url, options);
            const offset = Number(new URL(url, location.href).searchParams.get("offset"));
            const page = waiting.slice(offset, offset + 50).map((each) => ({ ...each }));
            const total = waiting.length;
            return new Response(JSON.stringify({ rows: page, total, offset }));
          };
          const queue = new Queue(() => {});
          await queue.restart({});
          // Another reviewer takes the first ten.
          waiting = rows.slice(10);
          for (let i = 0; i < 80 && queue.current; i++) {
            const row = queue.current;
            queue.decided(row, "accept");
            waiting = waiting.filter((each) => each.id !== row.id);
            await queue.go(queue.at + 1);
            await new Promise((done) => setTimeout(done, 5));
          }
          window.fetch = real;
          return queue.rows.filter((row) => row.verdict === "accept").map((row) => row.id);
        }"""
    )
    assert sorted(ids) == list(range(1, 71))
