"""What finished runs measured, in the Train tab: by class, confusion, sweep, two runs compared."""

import time
from collections.abc import Iterator

import numpy as np
import pytest

from backend.workspace import Workspace
from training import evaluations
from training.measures import Tally, result

from .conftest import without_supervisors

TIMEOUT = 30_000
CLASSES = {1: "circle", 2: "square", 3: "a class with a rather long name"}


def measured(seed: int) -> dict:
    """Twelve random truths of which a part, another for each seed and image, was found."""
    pixels = np.random.default_rng(0)
    tally = Tally(CLASSES)
    for number in range(12):
        true = pixels.integers(0, 4, (40, 40), dtype=np.uint8)
        wrong = np.random.default_rng([seed, number]).random((40, 40)) < 0.2 + 0.05 * seed
        tally.add(f"scene-{number:05d}", np.where(wrong, 1, true).astype(np.uint8), true)
    found = tally.measured()
    assert found is not None
    return result(found, CLASSES)


@pytest.fixture
def jobs(app) -> Iterator[list[int]]:
    """Two finished jobs with predictions, the first with a sweep too; supervisors are kept away."""
    with without_supervisors(app.workspace), Workspace.open(app.workspace) as workspace:
        store, made = workspace.store, []
        for seed in (1, 2):
            store.jobs.submit("segment", ["--preset", "scenes"], by="ada")
            job = store.jobs.claim("test")
            assert job is not None
            folder = f"runs/{job.id:05d}-segment"
            evaluations.keep(workspace.root / folder, "predictions", measured(seed), of="val")
            if seed == 1:
                sweep = [[t / 20, 60 - abs(t - 6) * 3.0] for t in range(20)]
                found = {"miou": 60.0, "iou": {"circle": 60.0}, "threshold": 0.3}
                found |= {"sweep": sweep, "images": 12}
                evaluations.keep(workspace.root / folder, "maps", found, of="train")
            store.jobs.update(job.id, run_folder=folder, state="done", finished_at=time.time())
            made.append(job.id)
        yield made


def test_a_run_shows_what_it_measured_and_what_differs_from_another(page, jobs: list[int]):
    page.get_by_role("tab", name="Train", exact=True).click()
    page.locator(f'#tm-train [data-job="{jobs[0]}"]').first.click()
    section = page.locator("#tm-train .tr-evaluation")
    section.locator(".tr-eval-classes tbody tr").first.wait_for(timeout=TIMEOUT)
    assert "12 images of the list val with a true mask: mIoU" in section.inner_text()
    assert section.locator(".tr-eval-classes tbody tr").count() == 4
    assert section.locator(".tr-eval-confusion tbody tr").count() == 4
    # A fifth of the pixels and more became the first class.
    cell = section.locator(".tr-eval-confusion td[title^='square predicted as circle']")
    assert 15 < float(cell.inner_text()) < 35
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    # Against the second run, which errs more.
    section.get_by_label("Another run to compare with").select_option(str(jobs[1]))
    section.locator(".tr-eval-changes").wait_for(timeout=TIMEOUT)
    text = section.inner_text()
    assert "against the other run" in text
    better, worse = section.locator(".tr-eval-changes > div").all()
    assert better.locator("tbody tr").count() == 8
    assert int(better.locator("h4").inner_text().split()[0]) > int(
        worse.locator("h4").inner_text().split()[0]
    )
    assert section.locator("thead", has_text="change").count() == 1

    # The maps' sweep, and the same as a file.
    section.get_by_label("What was measured").select_option("maps")
    section.locator(".tr-eval-sweep path.line").wait_for(timeout=TIMEOUT)
    assert "at the threshold 0.3" in section.inner_text()
    with page.expect_download(timeout=TIMEOUT) as download:
        section.get_by_role("link", name="CSV").click()
    assert download.value.path().read_text().startswith("threshold,miou\n0.0,42.0")

    # Another job: nothing of the first stays.
    page.locator(f'#tm-train [data-job="{jobs[1]}"]').first.click()
    page.wait_for_function(
        "() => !document.querySelector('#tm-train .tr-eval-sweep, #tm-train .tr-eval-changes')"
    )
    assert section.get_by_label("What was measured").is_hidden()
