"""The Tags tab in a real browser: many images by one key, undo, what a classifier suggests."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from backend.images import encode_png
from backend.store import Store
from backend.workspace import Workspace

from .conftest import App


@pytest.fixture
def store(app: App) -> Iterator[Store]:
    """The store of the workspace that the app serves, as another process opens it."""
    with Workspace.open(app.workspace) as workspace:
        yield workspace.store


@pytest.fixture
def tags(page: Any) -> Any:
    """The Tags tab with its images."""
    return opened(page)


def opened(page: Any) -> Any:
    page.get_by_role("tab", name="Tags", exact=True).click()
    page.wait_for_selector(".ta-tile.here")
    return page


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.05)


def saved(page: Any) -> None:
    page.wait_for_function(
        "document.querySelector('.ta-saving').textContent === 'All changes saved'"
    )


def tile(page: Any, place: int) -> Any:
    return page.locator(f'.ta-tile[data-place="{place}"]')


def all_tags(store: Store) -> list[tuple[int, ...]]:
    return [image.tags for image in store.images.page(limit=100).rows]


def class_of(page: Any, key: str) -> str:
    return page.locator(f'.ta-classes li:has(kbd:text-is("{key}"))').get_attribute("data-class")


def test_one_key_gives_a_tag_to_all_selected_and_z_takes_it_back_after_a_reload(
    tags: Any, store: Store
) -> None:
    before = all_tags(store)
    name = class_of(tags, "1")
    given = store.classes.by_name()[name].id
    tile(tags, 1).click()
    tile(tags, 6).click(modifiers=["Shift"])
    assert tags.locator(".ta-count").inner_text() == "6 selected"
    tags.keyboard.press("1")
    saved(tags)
    until(lambda: all(given in each for each in all_tags(store)[1:7]))
    assert all_tags(store)[7:] == before[7:]
    assert name in tile(tags, 1).get_attribute("aria-label")
    tags.keyboard.press("Shift+Digit1")
    saved(tags)
    until(lambda: not any(given in each for each in all_tags(store)[1:7]))
    tags.reload()
    opened(tags)
    for _ in range(2):
        tags.keyboard.press("z")
    until(lambda: all_tags(store) == before)
    tags.keyboard.press("z")
    tags.get_by_text("There is nothing of yours left to undo.").wait_for()
    assert all_tags(store) == before


def test_a_box_is_drawn_around_images_and_a_new_class_given_to_them(
    tags: Any, store: Store
) -> None:
    first, last = tile(tags, 0).bounding_box(), tile(tags, 8).bounding_box()
    tags.mouse.move(first["x"] + 8, first["y"] + 8)
    tags.mouse.down()
    tags.mouse.move(last["x"] + 20, last["y"] + 20, steps=6)
    tags.mouse.up()
    chosen = tags.locator('.ta-tile[aria-selected="true"]')
    columns = round((last["x"] - first["x"]) / (first["width"] + 8)) + 1
    assert chosen.count() == 2 * columns
    places = {int(chosen.nth(n).get_attribute("data-place")) for n in range(chosen.count())}
    tags.keyboard.press("/")
    tags.keyboard.type("hedgehog")
    tags.keyboard.press("Enter")
    tags.wait_for_selector('.ta-classes li[data-class="hedgehog"]')
    until(lambda: "hedgehog" in store.classes.by_name())
    new = store.classes.by_name()["hedgehog"].id
    until(lambda: {n for n, each in enumerate(all_tags(store)) if new in each} == places)
    # By search it is given to another one, too; typing gave nothing by the letters' keys.
    tags.keyboard.press("Escape")
    tile(tags, 12).click()
    tags.keyboard.press("/")
    tags.keyboard.type("hedge")
    tags.keyboard.press("Enter")
    until(lambda: {n for n, each in enumerate(all_tags(store)) if new in each} == places | {12})
    for _ in range(2):
        tags.keyboard.press("z")
    until(lambda: not any(new in each for each in all_tags(store)))


def test_suggestions_and_doubts_are_shown_with_scores_and_decided_by_people(
    page: Any, store: Store
) -> None:
    images = store.images.page(limit=100).rows
    ids = [each.id for each in store.classes.all()]
    lacking, other = (next(id for id in ids if id not in images[n].tags) for n in (2, 3))
    doubted = images[4].tags[0]
    before = all_tags(store)
    store.suggestions.enter(
        {images[2].id: {lacking: 0.93}, images[3].id: {other: 0.71}, images[4].id: {doubted: 0.03}},
        None,
    )
    names = {each.id: each.name for each in store.classes.all()}
    opened(page)
    page.locator('.ta-show[data-show="suggested"]').click()
    page.wait_for_function("document.querySelectorAll('.ta-tile.here').length === 2")
    # The surest first, its score to be read, and not a tag has changed.
    assert f"suggested {names[lacking]} 93 %" in tile(page, 0).get_attribute("aria-label")
    assert tile(page, 0).locator(".ta-chip.suggested").inner_text().split() == [
        names[lacking], "93", "%",
    ]  # fmt: skip
    assert all_tags(store) == before
    assert "tags-show=suggested" in page.url
    page.reload()
    page.get_by_role("tab", name="Tags", exact=True).click()
    page.wait_for_function("document.querySelectorAll('.ta-tile.here').length === 2")
    page.locator(".ta-grid").focus()
    page.keyboard.press("y")
    until(lambda: lacking in store.images.get(images[2].id).tags)
    # The cursor went on to the next question; no means that it is not asked again.
    page.keyboard.press("n")
    saved(page)
    assert store.images.get(images[3].id).tags == images[3].tags
    page.locator('.ta-show[data-show="doubted"]').click()
    page.wait_for_function("document.querySelectorAll('.ta-tile.here').length === 1")
    assert f"doubted {names[doubted]} 3 %" in tile(page, 0).get_attribute("aria-label")
    tile(page, 0).click()
    page.get_by_role("button", name="No", exact=True).click()
    until(lambda: doubted not in store.images.get(images[4].id).tags)
    page.locator('.ta-show[data-show="suggested"]').click()
    page.get_by_text("Nothing is suggested").wait_for()
    for _ in range(3):
        page.keyboard.press("z")
    until(lambda: all_tags(store) == before)


def test_one_image_at_a_time(tags: Any, store: Store) -> None:
    images = store.images.page(limit=100).rows
    tile(tags, 2).dblclick()
    photo = tags.locator(".ta-photo")
    tags.wait_for_function("document.querySelector('.ta-photo').naturalWidth > 0")
    assert images[2].digest in photo.get_attribute("src")
    tags.keyboard.press("ArrowRight")
    tags.wait_for_function(
        f"document.querySelector('.ta-photo').src.includes('{images[3].digest}')"
    )
    free = next(each for each in store.classes.all() if each.id not in images[3].tags)
    box = tags.get_by_role("checkbox", name=free.name)
    assert box.get_attribute("aria-checked") == "false"
    box.click()
    until(lambda: free.id in store.images.get(images[3].id).tags)
    assert box.get_attribute("aria-checked") == "true"
    tags.locator(".ta-log li").first.get_by_text(f"+ {free.name}", exact=True).wait_for()
    assert store.images.get(images[2].id).tags == images[2].tags
    tags.keyboard.press("z")
    until(lambda: free.id not in store.images.get(images[3].id).tags)
    tags.keyboard.press("Escape")
    assert tags.locator(".ta-single").is_hidden()
    assert tile(tags, 3).get_attribute("aria-selected") == "true"


def test_a_class_gets_another_key_and_keeps_it(tags: Any, store: Store) -> None:
    name, other = class_of(tags, "2"), class_of(tags, "1")
    row = tags.locator(f'.ta-classes li[data-class="{name}"] .ta-key')
    row.click()
    tags.keyboard.press("y")
    tags.get_by_text("has a meaning of its own here").wait_for()
    assert class_of(tags, "2") == name
    row.click()
    tags.keyboard.press("1")
    assert (class_of(tags, "1"), class_of(tags, "2")) == (name, other)
    tags.reload()
    opened(tags)
    assert (class_of(tags, "1"), class_of(tags, "2")) == (name, other)
    image = next(n for n, each in enumerate(all_tags(store)) if not each or len(each) == 1)
    given = store.classes.by_name()[name].id
    tile(tags, image).click()
    tags.keyboard.press("1")
    until(lambda: given in all_tags(store)[image])
    tags.keyboard.press("z")
    saved(tags)


def test_the_map_of_keys_and_fields_leave_tags_alone(tags: Any, store: Store) -> None:
    before = all_tags(store)
    tile(tags, 0).click()
    tags.keyboard.press("?")
    assert tags.locator("dialog.ta-map").is_visible()
    tags.keyboard.press("1")
    tags.keyboard.press("Escape")
    tags.get_by_label("Part of the image's name").click()
    tags.keyboard.type("1z")
    tags.get_by_text("No image matches").wait_for()
    tags.get_by_role("tab", name="Curate", exact=True).click()
    tags.keyboard.press("3")
    time.sleep(0.3)
    assert all_tags(store) == before


def test_every_image_of_the_list_is_tagged_by_one_key_though_few_are_drawn(
    page: Any, store: Store
) -> None:
    """Six hundred more images: a few dozen tiles exist, and a key reaches them all."""
    generator = np.random.default_rng(5)
    with store.files.batch() as files:
        checked = [
            store.images.check(
                f"small-{n}", encode_png(generator.integers(0, 255, (12, 16, 3), np.uint8)),
                into=files,
            )
            for n in range(600)
        ]  # fmt: skip
    store.images.enter([(each, ()) for each in checked], source="test")
    opened(page)
    page.locator('.ta-show[data-show="untagged"]').click()
    page.wait_for_function("document.querySelector('.ta-total').textContent.startsWith('600')")
    page.get_by_role("button", name="Small pictures").click()
    grid = page.locator(".ta-grid")
    for share in (0.2, 0.7, 1.0, 0.4):
        grid.evaluate("(node, share) => { node.scrollTop = share * node.scrollHeight; }", share)
        page.wait_for_function(
            "[...document.querySelectorAll('.ta-tile')].every((t) => t.classList.contains('here'))"
        )
        assert 20 < page.locator(".ta-tile").count() < 200
    page.keyboard.press("Control+a")
    assert page.locator(".ta-count").inner_text() == "600 selected"
    page.keyboard.press("1")
    saved(page)
    until(lambda: store.images.numbers().tagged == store.images.count())
    page.keyboard.press("z")
    until(lambda: store.images.count() - store.images.numbers().tagged == 600)
