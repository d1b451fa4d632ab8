"""SAL's form: what teaches is in view, refusals speak of fields, and one order is one job."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from backend.workspace import Workspace

from .scored_scenes import add_scene

TIMEOUT = 30_000
SIZES = ((1440, 900), (1024, 768))
SCORES = (0.2, 0.9, None)
LONG = "x" * 64


@pytest.fixture(scope="module")
def scenes_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small Scenes with a candidate each, two of which have SF; all of it frozen."""
    from training.scenes import SCENE_CLASSES

    root = tmp_path_factory.mktemp("sal") / "workspace"
    with Workspace.create(root, "Sal form", classes=SCENE_CLASSES) as made:
        for number, score in enumerate(SCORES):
            add_scene(made, number, score)
            if not number:
                made.store.snapshots.freeze(LONG, "ada", with_undecided=True)
        made.store.snapshots.freeze("Candidates 1", "ada", with_undecided=True)
    return root


@pytest.fixture
def train(page: Any) -> Any:
    """The form of the recipe sal over the snapshot, its rules counted."""
    page.get_by_role("tab", name="Train", exact=True).click()
    page.locator("#tr-recipe").wait_for(timeout=TIMEOUT)
    page.locator("#tr-recipe").select_option("sal")
    page.locator('#tm-train [data-preset="scenes"]').click()
    page.locator("#tr-data").select_option(index=1)
    page.locator("#tm-train .tr-rules tbody tr").first.wait_for(timeout=TIMEOUT)
    return page


def is_seen(page: Any, selector: str) -> bool:
    """Whether the middle of every such element is what lies on top there."""
    return page.locator(selector).evaluate_all(
        """nodes => nodes.length > 0 && nodes.every((node) => {
          const { left, top, width, height } = node.getBoundingClientRect();
          const there = document.elementFromPoint(left + width / 2, top + height / 2);
          return node === there || node.contains(there);
        })"""
    )


def test_what_teaches_and_a_refusal_are_seen_at_every_size(train: Any) -> None:
    for theme in ("light", "dark"):
        train.emulate_media(color_scheme=theme)
        for width, height in SIZES:
            train.set_viewport_size({"width": width, "height": height})
            for part in (".tr-policy", ".tr-rules tbody tr", ".tr-rules > p", ".tr-go"):
                assert is_seen(train, f"#tm-train .tr-form {part}"), (theme, width, part)
            # No line of the command is cut.
            text = train.locator("#tm-train .tr-form .tr-command-text")
            lines = text.evaluate(
                "node => node.clientHeight / parseFloat(getComputedStyle(node).lineHeight)"
            )
            assert abs(lines - round(lines)) < 0.05, (theme, width, lines)
    train.locator("#tr-sal-by").select_option("SC")
    refusal = train.locator("#tm-train .tr-rules .bad")
    refusal.wait_for(timeout=TIMEOUT)
    for width, height in SIZES:
        train.set_viewport_size({"width": width, "height": height})
        assert is_seen(train, "#tm-train .tr-rules .bad"), width
    said = refusal.inner_text()
    assert "--" not in said
    assert "python" not in said
    assert "“Score”" in said
    assert "the recipe “Mask scores (SAL)”" in said


def test_a_refusal_of_the_last_order_is_gone_while_the_next_is_counted(train: Any) -> None:
    by = train.locator("#tr-sal-by")
    by.select_option("SC")
    refusal = train.locator("#tm-train .tr-rules .bad")
    refusal.wait_for(timeout=TIMEOUT)
    asked: list[str] = []
    train.on("request", lambda one: asked.append(one.url) if "/preview" in one.url else None)
    by.select_option("SF")
    assert refusal.count() == 0
    assert train.locator("#tm-train .tr-counting").inner_text() == "Counting …"
    # Of quick changes only the last is asked about.
    for policy in ("scores-only", "accepted-only", "curated"):
        train.locator("#tr-sal-policy").select_option(policy)
    train.locator('#tm-train [data-rule="above"]').wait_for(timeout=TIMEOUT)
    assert not train.locator("#tm-train .tr-counting").is_visible()
    assert len(asked) == 1


def test_the_line_of_curate_is_offered_and_taken_when_asked(train: Any) -> None:
    offer = train.locator("#tm-train .tr-curate-tau")
    assert offer.count() == 0
    train.evaluate("history.replaceState(null, '', '#by=SF&tau=0.43')")
    train.locator("#tr-sal-keep").fill("1")
    train.locator("#tr-sal-policy").select_option("scores-only")
    assert "Curate's line stands at 0.43 of SF." in offer.inner_text()
    assert train.locator("#tr-sal-tau").input_value() == "-1"
    offer.get_by_role("button", name="Use it").click()
    assert train.locator("#tr-sal-tau").input_value() == "0.43"
    assert train.locator("#tr-sal-keep").input_value() == "0"
    assert offer.count() == 0


def test_an_order_that_is_pressed_twice_is_one_job(train: Any, app: Any) -> None:
    train.locator("#tr-recipe").select_option("classify")
    train.locator("#tr-data").select_option("tagged")
    train.locator("#tr-classify-weights").select_option("none")
    go = train.locator("#tm-train .tr-go:enabled")
    go.click()
    train.locator('#tm-train tr[data-job="1"]').wait_for(timeout=TIMEOUT)
    train.wait_for_timeout(1500)
    go.click()
    train.get_by_text("This order is queued already, as job 1.").wait_for(timeout=TIMEOUT)
    # Another one is another job.
    train.locator("#tr-classify-seed").fill("1")
    train.locator("#tr-classify-seed").press("Tab")
    go.click()
    train.locator('#tm-train tr[data-job="2"]').wait_for(timeout=TIMEOUT)
    with sqlite3.connect(app.workspace / "tagmask.db") as database:
        assert database.execute("SELECT count(*) FROM jobs").fetchone() == (2,)


def test_masks_are_scored_by_the_newest_scorer_unless_none_is_chosen(page: Any) -> None:
    def with_scorers(route: Any) -> None:
        told = route.fetch().json()
        ids = ("shipped:old", "run:9", "run:4")
        route.fulfill(json={**told, "scorers": [{"id": id, "title": id} for id in ids]})

    page.route("**/api/train/setup", with_scorers)
    page.get_by_role("tab", name="Train", exact=True).click()
    page.locator("#tr-recipe").wait_for(timeout=TIMEOUT)
    page.locator("#tr-recipe").select_option("score")
    scorer = page.locator("#tr-score-scorer")
    assert scorer.input_value() == "run:9"
    scorer.select_option("")
    page.locator("#tr-score-seed").fill("1")
    assert page.locator("#tr-score-scorer").input_value() == ""


def test_a_long_name_of_a_snapshot_stands_beside_its_button(page: Any) -> None:
    page.get_by_role("tab", name="Data", exact=True).click()
    row = page.locator(".da-snapshots li", has_text=LONG)
    row.wait_for(timeout=TIMEOUT)
    name, button = (row.locator(part).bounding_box() for part in ("b", "summary.tm-button"))
    assert name["x"] + name["width"] <= button["x"]
