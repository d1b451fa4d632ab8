"""One walk from a photograph to new maps: upload, tags, maps, slider, accept, freeze, train,
reload, restart, cancel, train to the end, new maps, undo: all through the page, as one would."""

import re
import sqlite3
from pathlib import Path

import cv2
import pytest

from backend.images import encode_png

TIMEOUT = 30_000
EVERY_STAGE = ("image", "cam", "zones", "saliency", "fusion.seenet", "fusion.dcsp", "fusion.oaa")


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """A scene that the workspace does not hold yet."""
    from training.scenes import render

    path = tmp_path / "holiday.png"
    path.write_bytes(encode_png(render(seed=991, index=3, size=192).image))
    return path


def rows(app, query: str) -> list[tuple]:
    with sqlite3.connect(app.workspace / "tagmask.db") as database:
        return database.execute(query).fetchall()


def open_tab(page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()
    page.locator(f"#tm-{name.lower()}").wait_for(timeout=TIMEOUT)


def wait_for_stages(page, stages=EVERY_STAGE) -> None:
    for stage in stages:
        page.locator(
            f'#tm-inspect [data-stage="{stage}"]:not(.stale) .tmv-picture:not(.tm-skeleton)'
        ).first.wait_for(timeout=TIMEOUT)


def picture(page, stage: str) -> bytes:
    """What a panel shows, as PNG bytes."""
    return page.locator(f'#tm-inspect [data-stage="{stage}"] .tmv-picture').first.screenshot()


def test_from_a_photograph_to_new_maps(page, app, photograph):
    # Upload: the photograph is in the workspace and on the page.
    page.locator("#tm-inspect .tmv-thumb").first.wait_for(timeout=TIMEOUT)
    before = rows(app, "SELECT count(*) FROM images")[0][0]
    page.locator('#tm-inspect input[type="file"]').set_input_files(str(photograph))
    page.locator('#tm-inspect .tmv-thumb[aria-selected="true"][title^="holiday"]').wait_for(
        timeout=TIMEOUT
    )
    assert rows(app, "SELECT count(*) FROM images")[0][0] == before + 1

    # Tags: typed in any case, found in the list, kept in the store.
    tag_field = page.locator("#tm-inspect").get_by_role("combobox", name="Add a tag")
    tag_field.fill("TRAI")
    tag_field.press("Enter")
    page.locator("#tm-inspect .tmv-chip", has_text="train").wait_for(timeout=TIMEOUT)
    wait_for_stages(page)
    tagged = rows(
        app,
        "SELECT classes.name FROM image_tags JOIN classes ON classes.id = class_id"
        " JOIN images ON images.id = image_id WHERE images.name = 'holiday'",
    )
    assert tagged == [("train",)]

    # A slider re-runs what stands after it and nothing before.
    zones, saliency = picture(page, "zones"), picture(page, "saliency")
    slider = page.locator("#tm-inspect").get_by_role("slider", name="High threshold")
    slider.evaluate("node => { node.value = 0.3; node.dispatchEvent(new Event('input')); }")
    page.wait_for_timeout(800)
    wait_for_stages(page)
    assert picture(page, "zones") != zones
    assert picture(page, "saliency") == saliency

    # A click on a pixel shows every map's value there.
    page.locator('#tm-inspect [data-stage="saliency"] .tmv-picture').click()
    values = page.locator("#tm-inspect .tmv-values tbody tr")
    assert values.count() >= len(EVERY_STAGE)
    assert re.search(r"\d\.\d\d", values.filter(has_text="Saliency").inner_text())

    # Curate: accept by key, reject by button; both are rows in SQLite.
    open_tab(page, "Curate")
    page.locator("#tm-curate[data-shown]").wait_for(timeout=TIMEOUT)
    first = page.locator("#tm-curate").get_attribute("data-shown")
    for _ in range(8):
        shown = page.locator("#tm-curate").get_attribute("data-shown")
        page.keyboard.press("a")
        page.wait_for_function(
            "shown => document.querySelector('#tm-curate').dataset.shown !== shown",
            arg=shown,
            timeout=TIMEOUT,
        )
    page.locator("#tm-curate").get_by_role("button", name="Reject").click()
    page.get_by_text("All decisions saved").wait_for(timeout=TIMEOUT)
    verdicts = rows(app, "SELECT verdict FROM decisions ORDER BY id")
    assert verdicts == [("accept",)] * 8 + [("reject",)]
    assert rows(app, "SELECT candidate_id FROM decisions ORDER BY id")[0] == (int(first),)

    # Undo brings the rejected one back, by a new row.
    page.keyboard.press("z")
    page.locator('#tm-curate .cu-count[data-verdict="reject"] b', has_text="0").wait_for(
        timeout=TIMEOUT
    )
    assert rows(app, "SELECT verdict, undoes FROM decisions ORDER BY id DESC LIMIT 1") == [
        ("undecided", 9)
    ]

    # Freeze and train: a job that a supervisor runs.
    open_tab(page, "Train")
    page.locator("#tm-train .tr-freeze-go").click(timeout=TIMEOUT)
    page.locator("#tr-data option", has_text="Accepted 1").wait_for(
        state="attached", timeout=TIMEOUT
    )
    choose_training(page, epochs=200)
    page.locator("#tm-train .tr-go").click()
    page.locator('#tm-train tr[data-job="1"]').wait_for(timeout=TIMEOUT)
    page.locator("#tm-train .tr-detail .tr-cancel:enabled").wait_for(timeout=60_000)
    page.wait_for_function(
        "() => parseFloat(document.querySelector('#tm-train .tr-bar i').style.width) > 0",
        timeout=60_000,
    )

    # It goes on through a reload and through a restart of the web app.
    page.reload()
    open_tab(page, "Train")
    page.locator("#tm-train .tr-detail .tr-cancel:enabled").wait_for(timeout=TIMEOUT)
    pid = rows(app, "SELECT pid FROM jobs WHERE id = 1")
    app.stop()
    app.start()
    page.goto(app.url)
    open_tab(page, "Train")
    page.locator("#tm-train .tr-detail .tr-cancel:enabled").click(timeout=TIMEOUT)
    assert rows(app, "SELECT pid FROM jobs WHERE id = 1") == pid
    page.locator("#tm-train .tr-resume").wait_for(timeout=60_000)
    assert rows(app, "SELECT state FROM jobs WHERE id = 1") == [("cancelled",)]

    # Another one to its end; its weights make new maps.
    choose_training(page, epochs=1)
    page.locator("#tm-train .tr-go").click()
    page.locator('#tm-train tr[data-job="2"]').wait_for(timeout=TIMEOUT)
    page.locator("#tm-train .tr-inspect").wait_for(timeout=120_000)
    page.locator("#tm-train .tr-inspect").click()
    page.wait_for_function(
        "() => document.querySelector('#tm-inspect .tmv-weights select').value.startsWith('run:')",
        timeout=TIMEOUT,
    )
    wait_for_stages(page)

    # They propose masks for every tagged image, which come into the queue.
    candidates = rows(app, "SELECT count(*) FROM candidates")[0][0]
    open_tab(page, "Train")
    page.locator("#tm-train .tr-candidates").click()
    page.locator("#tm-train .tr-review").wait_for(timeout=120_000)
    assert rows(app, "SELECT count(*) FROM candidates")[0][0] > candidates

    # Undo reaches back over the reload: the last accept is open again.
    open_tab(page, "Curate")
    page.locator("#tm-curate[data-shown]").wait_for(timeout=TIMEOUT)
    page.keyboard.press("z")
    page.locator('#tm-curate .cu-count[data-verdict="accept"] b', has_text="7").wait_for(
        timeout=TIMEOUT
    )


def choose_training(page, epochs: int) -> None:
    """Sets the form to the Scenes preset of `classify` with this many epochs."""
    form = page.locator("#tm-train .tr-form")
    form.locator('[data-preset="scenes"]').click()
    field = form.locator("#tr-classify-epochs")
    if not field.is_visible():
        form.locator("details.tr-more summary").click()
    field.fill(str(epochs))
    field.press("Tab")
    page.wait_for_timeout(300)


def test_a_shown_map_is_not_blank(page):
    """The CAM panel holds more than one colour, so something was painted."""
    page.locator("#tm-inspect .tmv-thumb").first.click(timeout=TIMEOUT)
    wait_for_stages(page)
    import numpy as np

    pixels = cv2.imdecode(np.frombuffer(picture(page, "cam"), np.uint8), cv2.IMREAD_COLOR)
    assert pixels.reshape(-1, 3).std(axis=0).max() > 10
