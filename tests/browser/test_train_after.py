"""What a finished run shows and offers in the Train tab: calibration plots, new candidates."""

import re
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from backend.workspace import Workspace
from training.correlation import binned, pearson, spearman, write_calibration

from .conftest import without_supervisors

TIMEOUT = 30_000
MASKS = 120


def scored() -> tuple[dict[str, list[float]], list[float]]:
    """The true AC of many masks, SC that goes with it loosely, and SF that goes with it closely."""
    generator = np.random.default_rng(5)
    truth = generator.beta(2, 1.4, MASKS)
    loose = 0.15 + 0.6 * truth + generator.normal(0, 0.16, MASKS)
    close = 0.08 + 0.85 * truth + generator.normal(0, 0.07, MASKS)
    scores = {"SC": loose, "SF": close}
    return {name: np.clip(v, 0, 1).tolist() for name, v in scores.items()}, truth.tolist()


@pytest.fixture(scope="module")
def jobs(app: Any) -> Iterator[dict[str, int]]:
    """Finished jobs by name: `score` with its calibration, `bare` that had no true masks, and two
    of `sal`, whose labels are not up for review yet; supervisors are kept away."""
    with without_supervisors(app.workspace), Workspace.open(app.workspace) as workspace:
        store, made = workspace.store, {}
        for name, recipe in (
            ("score", "score"), ("bare", "score"), ("first", "sal"), ("second", "sal"),
        ):  # fmt: skip
            store.jobs.submit(recipe, ["--preset", "scenes"], by="ada")
            job = store.jobs.claim("test")
            assert job is not None
            place = f"runs/{job.id:05d}-{recipe}"
            folder = workspace.root / place
            folder.mkdir(parents=True)
            if recipe == "sal":
                (folder / "labels").mkdir()
            if name == "score":
                write_calibration(folder, *scored())
                (folder / "scores.jsonl").write_text("")
            run = store.runs.add(f"{recipe} {job.id}", recipe, place, {}, job.id)
            store.runs.finish(run, {}, None)
            store.jobs.update(
                job.id, run_id=run, run_folder=place, state="done", finished_at=time.time()
            )
            made[name] = job.id
        yield made


@pytest.fixture
def train(page: Any, jobs: dict[str, int]) -> Any:
    """The page at the Train tab."""
    page.get_by_role("tab", name="Train", exact=True).click()
    page.locator("#tm-train .tr-jobs tbody tr").first.wait_for(timeout=TIMEOUT)
    return page


def turn_to(page: Any, job: int, recipe: str) -> None:
    page.locator(f'#tm-train tr[data-job="{job}"]').first.click()
    page.locator("#tm-train .tr-title h2", has_text=re.compile(f"^{job} {recipe}")).wait_for(
        timeout=TIMEOUT
    )


def test_scores_are_plotted_against_the_true_ones(train: Any, jobs: dict[str, int]) -> None:
    turn_to(train, jobs["score"], "score")
    scores, truth = scored()
    section = train.get_by_role("region", name="Calibration")
    figures = section.locator("figure")
    figures.nth(1).wait_for(timeout=TIMEOUT)
    assert f"{MASKS} masks with a true one" in section.inner_text()
    for name, values in scores.items():
        figure = section.locator(f'figure[data-score="{name}"]')
        said = (
            f"Correlation with the true AC: {pearson(values, truth):.2f} (Pearson), of their ranks "
            f"{spearman(values, truth):.2f} (Spearman)."
        )
        assert figure.locator("figcaption").inner_text() == said
        drawn = figure.get_by_role("img", name=f"({name}) on x against the true AC on y")
        assert said in drawn.get_attribute("aria-label")
        bins = binned(values, truth)
        assert drawn.locator("circle").count() == len(bins)
        # A dot for each mask, where its score and its truth say; y grows upwards.
        path = drawn.locator(".points").get_attribute("d")
        dots = [tuple(map(float, each)) for each in re.findall(r"M([\d.]+) ([\d.]+)h0", path)]
        assert len(dots) == MASKS
        box = drawn.locator(".diagonal").evaluate(
            "node => ['x', 'y', 'width', 'height'].map((side) => node.getBBox()[side])"
        )
        for (across, down), score, true in zip(dots, values, truth, strict=True):
            assert (across - box[0]) / box[2] == pytest.approx(score, abs=0.002)
            assert (down - box[1]) / box[3] == pytest.approx(1 - true, abs=0.002)
        # The larger the dot, the more masks it stands for.
        sizes = drawn.locator("circle").evaluate_all("all => all.map((one) => one.r.baseVal.value)")
        counts = [each["count"] for each in bins]
        assert counts[sizes.index(max(sizes))] == max(counts)
        # The means in words, for those who cannot see them.
        rows = figure.locator("tbody tr")
        figure.locator("summary").click()
        assert rows.count() == len(bins)
        assert [rows.first.locator("td").nth(at).inner_text() for at in range(3)] == [
            str(bins[0]["count"]), f"{bins[0]['score']:.2f}", f"{bins[0]['truth']:.2f}",
        ]  # fmt: skip
    left, right = (figures.nth(at).bounding_box() for at in (0, 1))
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    assert train.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_without_true_masks_it_says_so_and_other_runs_have_no_plot(
    train: Any, jobs: dict[str, int]
) -> None:
    section = train.locator("#tm-train .tr-calibration")
    turn_to(train, jobs["bare"], "score")
    section.get_by_text("No calibration was kept").wait_for(timeout=TIMEOUT)
    assert section.locator("figure").count() == 0
    turn_to(train, jobs["first"], "sal")
    assert not section.is_visible()


def test_scores_lead_to_curate_and_to_a_training_by_them(train: Any, jobs: dict[str, int]) -> None:
    turn_to(train, jobs["score"], "score")
    actions = train.locator("#tm-train .tr-actions")
    actions.get_by_role("button", name="Train on these").click()
    assert train.locator("#tr-recipe").input_value() == "sal"
    chosen = train.locator("#tr-sal-scores option:checked")
    assert chosen.inner_text() == f"score {jobs['score']}"
    actions.get_by_role("button", name="Review in Curate").click()
    train.locator("#tm-curate").wait_for(state="visible", timeout=TIMEOUT)


def test_runs_can_be_compared_or_not_for_a_true_reason(train: Any, jobs: dict[str, int]) -> None:
    waits: list[Any] = []

    def hold(route: Any) -> None:
        waits.append(route)

    # The newest job is open from the start, and what it measured is read by then.
    turn_to(train, jobs["first"], "sal")
    train.route(f"**/api/evaluation/{jobs['second']}", hold)
    turn_to(train, jobs["second"], "sal")
    compare = train.locator("#tm-train .tr-compare")
    compare.wait_for(timeout=TIMEOUT)
    assert compare.get_attribute("title") == "Looking for other runs that were measured"
    while not waits:
        train.wait_for_timeout(50)
    waits.pop().continue_()
    train.locator("#tm-train .tr-compare[title^='No other run was measured']").wait_for(
        timeout=TIMEOUT
    )


def test_an_answer_that_comes_late_is_of_the_job_that_asked(
    train: Any, jobs: dict[str, int]
) -> None:
    actions = train.locator("#tm-train .tr-actions")
    offer = actions.get_by_role("button", name="New candidates")
    review = actions.get_by_role("button", name="Review the candidates")
    asked: list[Any] = []

    def hold(route: Any) -> None:
        asked.append(route)

    train.route("**/api/train/offer", hold)
    turn_to(train, jobs["first"], "sal")
    offer.wait_for(timeout=TIMEOUT)
    offer.click()
    assert offer.is_disabled()
    turn_to(train, jobs["second"], "sal")
    offer.wait_for(timeout=TIMEOUT)
    assert offer.is_enabled()
    while not asked:
        train.wait_for_timeout(50)
    asked.pop().fulfill(json={"said": ["New candidates for review: 3."]})
    train.get_by_text("New candidates for review: 3.").wait_for(timeout=TIMEOUT)
    # The other job's masks are still to be offered.
    assert not review.is_visible()
    assert offer.is_enabled()
    turn_to(train, jobs["first"], "sal")
    review.wait_for(timeout=TIMEOUT)
