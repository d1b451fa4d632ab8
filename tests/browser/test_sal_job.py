"""SAL from the Train tab: rules counted, trained to the end, new candidates, and on from there."""

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from backend.workspace import Workspace

from .scored_scenes import add_scene

TIMEOUT = 30_000
TRAINING = 180_000
STEPS = 6
# SF of the candidates, all of one method. The first is accepted, the last rejected; of the others
# two reach the tau of 0.55 that the form goes by, three stay below, and one has no score.
SCORES: tuple[float | None, ...] = (0.2, 0.9, 0.6, 0.5, 0.4, 0.3, None, 0.8)
ACCEPTED, REJECTED = 1, len(SCORES)
RULES = {"accepted": 1, "above": 2, "below": 3, "unscored": 1, "rejected": 1}
TEACH = 3
COMMAND = "#tm-train .tr-form .tr-command-text"


@pytest.fixture(scope="module")
def scenes_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight small Scenes, each with its true mask as a candidate that is scored as in SCORES."""
    from training.scenes import SCENE_CLASSES

    root = tmp_path_factory.mktemp("sal") / "workspace"
    with Workspace.create(root, "Sal", classes=SCENE_CLASSES) as made:
        for number, score in enumerate(SCORES):
            add_scene(made, number, score)
    return root


@pytest.fixture
def train(page: Any, app: Any) -> Any:
    """The page at the Train tab, one mask accepted and one rejected in the Curate tab before."""
    open_tab(page, "Curate")
    page.locator("#tm-curate[data-shown]").wait_for(timeout=TIMEOUT)
    for candidate, key, verdict in ((ACCEPTED, "a", "accept"), (REJECTED, "x", "reject")):
        page.locator(f'#tm-curate .cu-item[data-id="{candidate}"]').click()
        page.locator(f'#tm-curate[data-shown="{candidate}"]').wait_for(timeout=TIMEOUT)
        page.keyboard.press(key)
        page.locator(f'#tm-curate .cu-count[data-verdict="{verdict}"] b', has_text="1").wait_for(
            timeout=TIMEOUT
        )
    page.get_by_text("All decisions saved").wait_for(timeout=TIMEOUT)
    assert rows(app, "SELECT candidate_id, verdict FROM decisions ORDER BY id") == [
        (ACCEPTED, "accept"),
        (REJECTED, "reject"),
    ]
    open_tab(page, "Train")
    choose_sal(page)
    return page


def rows(app: Any, query: str) -> list[tuple]:
    with sqlite3.connect(app.workspace / "tagmask.db") as database:
        return database.execute(query).fetchall()


def open_tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()
    page.locator(f"#tm-{name.lower()}").wait_for(timeout=TIMEOUT)


def choose_sal(page: Any) -> None:
    page.locator("#tr-recipe").select_option(label="Segmenter from chosen masks (SAL)")
    page.locator('#tm-train [data-preset="scenes"]').click()


def until_command_says(page: Any, words: str) -> str:
    """What the form's command line says once these words are in it."""
    page.wait_for_function(
        "([node, words]) => document.querySelector(node).textContent.includes(words)",
        arg=[COMMAND, words],
        timeout=TIMEOUT,
    )
    return page.locator(COMMAND).inner_text()


def freeze_all(page: Any) -> None:
    page.get_by_role("button", name="Freeze all candidates").click()
    page.locator("#tm-train .tr-rules tbody tr").first.wait_for(timeout=TIMEOUT)


def counted(page: Any) -> dict[str, int]:
    """How many images each rule takes, as the table shows it."""
    return {
        row.get_attribute("data-rule"): int(row.locator("td").last.inner_text())
        for row in page.locator("#tm-train .tr-rules tbody tr").all()
    }


def test_a_segmenter_is_trained_from_chosen_masks_and_the_next_begins_with_it(
    train: Any, app: Any
) -> None:
    # The rules are counted over the snapshot before anything is trained.
    freeze_all(train)
    assert counted(train) == RULES
    rules = train.locator("#tm-train .tr-rules")
    assert f"{TEACH} of {len(SCORES)} masks teach; tau is 0.55, of SF." in rules.inner_text()
    accepted = rules.locator('[data-rule="accepted"]')
    assert accepted.get_attribute("title") == "A person accepted its mask"
    off = rules.locator("tr.off").evaluate_all("nodes => nodes.map((node) => node.dataset.rule)")
    assert sorted(off) == ["below", "rejected", "unscored"]
    ((digest, images),) = rows(app, "SELECT digest, count FROM snapshots")
    assert images == len(SCORES)

    # There is no segmenter yet that it could begin with.
    begin_with = train.locator("#tr-sal-begin_with")
    assert begin_with.input_value() == ""
    assert begin_with.locator("option").count() == 1

    # A few steps from random weights, so that nothing is fetched.
    train.locator("#tr-sal-weights").select_option("none")
    train.locator("#tm-train .tr-more summary").click()
    train.locator("#tr-sal-steps").fill(str(STEPS))
    train.locator("#tr-sal-steps").press("Tab")
    said = until_command_says(train, f"--steps {STEPS}")
    assert "--weights none" in said
    assert "--begin-with" not in said
    train.locator("#tm-train .tr-go").click()
    train.locator('#tm-train tr[data-job="1"]').wait_for(timeout=TIMEOUT)
    offer = train.get_by_role("button", name="New candidates")
    offer.wait_for(timeout=TRAINING)
    assert rows(app, "SELECT state, recipe, snapshot FROM jobs") == [("done", "sal", digest)]
    steps = train.locator("#tm-train .tr-stats > div", has_text="Steps").locator("dd")
    assert steps.inner_text() == str(STEPS)
    told = train.locator("#tm-train .tr-told").inner_text()
    assert "1 1 accepted: a person accepted its mask" in told.splitlines()

    # What it offers, and what comes of it: a mask of every image, beside the old ones.
    actions = train.locator("#tm-train .tr-actions")
    assert actions.get_by_role("button").all_inner_texts() == [
        "Score again",
        "New candidates",
        "Compare runs",
    ]
    assert rows(app, "SELECT count(*) FROM candidates") == [(len(SCORES),)]
    offer.click()
    train.get_by_role("button", name="Review the candidates").wait_for(timeout=TIMEOUT)
    ((run, folder),) = rows(app, "SELECT id, folder FROM runs WHERE recipe = 'sal'")
    labels = list((app.workspace / folder / "labels").glob("*.png"))
    assert len(labels) == len(SCORES)
    entered = "SELECT run_id, count(DISTINCT image_id), count(*) FROM candidates GROUP BY run_id"
    assert sorted(rows(app, entered), key=str) == sorted(
        [(None, len(SCORES), len(SCORES)), (run, len(SCORES), len(SCORES))], key=str
    )
    toast = train.get_by_text(f"New candidates for review: {len(SCORES)}.")
    toast.wait_for(timeout=TIMEOUT)

    # They are in the queue, and what was decided stands.
    train.get_by_role("button", name="Review the candidates").click()
    train.locator('#tm-curate .cu-count[data-verdict="undecided"] b').filter(
        has_text=re.compile(f"^{2 * len(SCORES) - 2}$")
    ).wait_for(timeout=TIMEOUT)

    # The next training goes on from the segmenter that this one left.
    train.reload()
    open_tab(train, "Train")
    choose_sal(train)
    # The weights of the last order are still chosen, and both would be refused.
    weights = train.locator("#tr-sal-weights")
    assert weights.input_value() == "none"
    assert begin_with.input_value() == ""
    weights.select_option("")
    assert begin_with.input_value() == f"run:{run}"
    assert f"(run {run})" in begin_with.locator("option:checked").inner_text()
    hint = train.locator("#tm-train .tr-hint")
    # What it has learnt from is said, as policies can be compared only from the same beginning. The
    # steps of the last order are still in the form: a number given is taken as it is.
    made_by = "Trained by the recipe sal, preset scenes, policy curated."
    assert hint.inner_text() == made_by
    train.locator("#tm-train .tr-reset").click()
    assert hint.inner_text() == f"{made_by} Training then takes 40% of the steps."
    policy = train.locator("#tr-sal-policy")
    policy.select_option("accepted-only")
    assert "This run's policy is accepted-only: to compare two, begin both" in hint.inner_text()
    # One that passes decisions over does not begin, unasked, with a network that they taught.
    policy.select_option("scores-only")
    assert begin_with.input_value() == ""
    assert not hint.is_visible()
    until_command_says(train, "--policy scores-only")
    assert "--begin-with" not in train.locator(COMMAND).inner_text()
    policy.select_option("curated")
    assert begin_with.input_value() == f"run:{run}"
    said = until_command_says(train, "--begin-with")
    assert re.search(rf"--begin-with \S*{re.escape(str(folder))}/\S+", said), said
