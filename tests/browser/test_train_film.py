"""The film of a run in the Train tab: live, scrubbed, played, resumed, absent."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.store import Job
from backend.workspace import Workspace
from training.film import PART, Place, places, write_frame, write_photographs
from training.watching import LEAST_BETWEEN, LOOKS

from .conftest import without_supervisors

TIMEOUT = 30_000


class Trainer:
    """A running job that says what a trainer would, and films two examples."""

    def __init__(self, workspace: Workspace) -> None:
        self.store = workspace.store
        self.store.jobs.submit("classify", ["--preset", "scenes"], by="ada")
        claimed = self.store.jobs.claim("test")
        assert claimed is not None
        self.job: Job = claimed
        self.run_folder = f"runs/{claimed.id:05d}-classify"
        self.folder: Path = workspace.root / self.run_folder
        self.store.jobs.update(claimed.id, run_folder=self.run_folder)
        self.places: list[Place] = places([("one", "cat", (96, 96)), ("two", "dog", (96, 128))])
        self.seq = 0
        self.say("attempt", number=1, command="python -m training classify")

    def say(self, kind: str, **fields: object) -> None:
        event = {"seq": self.seq, "time": time.time(), "kind": kind, **fields}
        self.store.jobs.append_events(self.job.id, [event], offset=0)
        self.seq += 1

    def step(self, number: int) -> None:
        parts = {"total": 1 / number, "edge": 0.3 / number}
        self.say("progress", step=number, steps=100, loss=parts)

    def film(self, number: int, *heats: float) -> None:
        """A frame in which the examples are as hot as `heats`, all over."""
        write_photographs(
            self.folder, self.places, [np.full((96, 96, 3), 128, np.uint8) for _ in self.places]
        )
        maps = [np.full((4, 4), heat, np.float32) for heat in heats]
        self.say("film", **write_frame(self.folder, number, self.places, maps))

    def look(self, number: int, accuracy: float | None, miou: float | None) -> None:
        self.say("validation", step=number, tag_accuracy=accuracy, images=8, miou=miou,
                 threshold=0.3, looked_at=6)  # fmt: skip


@pytest.fixture
def trainer(app) -> Iterator[Trainer]:
    """A running job of the app's workspace; supervisors, the app's own too, are kept away."""
    with without_supervisors(app.workspace), Workspace.open(app.workspace) as workspace:
        made = Trainer(workspace)
        yield made
        workspace.store.jobs.update(made.job.id, state="cancelled")


def open_job(page, trainer: Trainer) -> None:
    page.get_by_role("tab", name="Train", exact=True).click()
    page.locator(f'#tm-train tr[data-job="{trainer.job.id}"]').click(timeout=TIMEOUT)


def shown(page, step: int) -> None:
    page.locator(f'.tr-film[data-step="{step}"]').wait_for(timeout=TIMEOUT)


def colours(page) -> list[list[int]]:
    """The colour in the middle of each example."""
    return page.locator(".tr-film canvas").evaluate_all(
        "all => all.map((one) => [...one.getContext('2d').getImageData("
        "one.width >> 1, one.height >> 1, 1, 1).data.slice(0, 3)])"
    )


def test_the_film_follows_a_run_and_is_scrubbed_by_keys(page, trainer):
    open_job(page, trainer)
    empty = page.locator(".tr-film-empty")
    empty.wait_for(timeout=TIMEOUT)
    assert "No frame yet" in empty.inner_text()
    assert not page.locator(".tr-film-controls").is_visible()

    trainer.step(10)
    trainer.look(10, 0.75, 41.5)
    trainer.film(10, 0.0, 1.0)
    shown(page, 10)
    assert not empty.is_visible()
    cold, hot = colours(page)
    # viridis goes from violet to yellow; the photographs are grey beneath it.
    assert cold[2] > cold[1]
    assert hot[0] > 150
    assert hot[1] > hot[2] + 40
    assert page.locator(".tr-film canvas").first.get_attribute("height") == str(PART)
    said = page.locator(".tr-film-step").inner_text()
    assert re.sub(r"\s+", " ", said) == "step 10 validation 75.0% · map mIoU 41.5%"

    trainer.step(20)
    trainer.film(20, 1.0, 0.0)
    shown(page, 20)
    hot, cold = colours(page)
    assert hot[0] > cold[0] + 60

    slider = page.get_by_role("slider", name="Frame of the film")
    slider.focus()
    slider.press("ArrowLeft")
    shown(page, 10)
    assert slider.get_attribute("aria-valuetext") == "step 10, frame 1 of 2"
    trainer.film(30, 0.5, 0.5)
    page.locator('.tr-film-slider[max="2"]').wait_for(timeout=TIMEOUT)
    # Whoever looks back is not torn away by a new frame.
    assert page.locator(".tr-film").get_attribute("data-step") == "10"
    page.get_by_role("button", name="Newest").click()
    shown(page, 30)
    trainer.film(40, 0.5, 0.5)
    shown(page, 40)


def test_when_frames_come_is_said_as_the_trainer_has_it(page, trainer):
    open_job(page, trainer)
    page.locator(".tr-film-empty").wait_for(timeout=TIMEOUT)
    said = page.locator(".tr-film-empty").inner_text()
    assert (LOOKS, LEAST_BETWEEN) == (20, 10)
    assert "at most twenty times a run, at least ten steps apart" in said


def test_a_film_without_its_photographs_shows_the_maps_and_says_so(page, trainer):
    trainer.film(10, 0.0, 1.0)
    (trainer.folder / "film" / "photographs.jpg").unlink()
    open_job(page, trainer)
    shown(page, 10)
    said = page.locator(".tr-film-missing")
    said.wait_for(timeout=TIMEOUT)
    assert "photographs of this film cannot be loaded" in said.inner_text()
    assert str(trainer.folder) not in said.inner_text()
    cold, hot = colours(page)
    assert hot[0] > cold[0] + 60
    trainer.film(20, 0.0, 1.0)
    shown(page, 20)
    assert not said.is_visible(), "with the next frame they are looked for again"


def test_the_film_plays_to_its_newest_frame(page, trainer):
    for step in (10, 20, 30, 40):
        trainer.step(step)
        trainer.film(step, step / 40, 0.0)
    open_job(page, trainer)
    shown(page, 40)
    play = page.locator(".tr-film-play")
    assert play.inner_text() == "Play"
    play.focus()
    play.press("Enter")
    assert play.inner_text() == "Pause"
    shown(page, 10)
    shown(page, 40)
    page.locator(".tr-film-play", has_text="Play").wait_for(timeout=TIMEOUT)


def test_less_motion_plays_slowly(page, trainer):
    page.emulate_media(reduced_motion="reduce")
    for step in (10, 20, 30):
        trainer.film(step, step / 40, 0.0)
    open_job(page, trainer)
    shown(page, 30)
    page.locator(".tr-film-play").click()
    shown(page, 10)
    begun = time.monotonic()
    shown(page, 20)
    assert time.monotonic() - begun > 0.6
    page.locator(".tr-film-play").click()
    assert page.locator(".tr-film-play").inner_text() == "Play"


def test_what_a_resumed_run_does_again_is_there_once(page, trainer):
    for step in (10, 20, 30):
        trainer.step(step)
        trainer.look(step, 0.5, 20.0)
        trainer.film(step, 0.2, 0.2)
    trainer.say("attempt", number=2, command="python -m training classify --resume")
    trainer.look(20, 0.9, 60.0)
    trainer.film(20, 1.0, 1.0)
    trainer.step(25)
    open_job(page, trainer)
    shown(page, 20)
    assert page.locator(".tr-film-slider").get_attribute("max") == "1"
    assert colours(page)[0][0] > 150
    assert "validation 90.0% · map mIoU 60.0%" in page.locator(".tr-film-step").inner_text()
    cells = page.locator(".tr-numbers tr", has_text="Map mIoU").locator("td")
    assert [cells.nth(n).inner_text() for n in (0, 1)] == ["60%", "60%"]


def test_the_loss_brings_its_parts_and_what_looks_found(page, trainer):
    for step in range(1, 21):
        trainer.step(step)
        if step % 5 == 0:
            trainer.look(step, 0.5 + step / 50, None)
    open_job(page, trainer)
    legend = page.locator(".tr-legend")
    legend.get_by_text("Validation accuracy").wait_for(timeout=TIMEOUT)
    assert legend.inner_text().split("\n") == ["Loss", "Edge", "Validation accuracy"]
    box = page.locator(".tr-canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 60, box["y"] + box["height"] / 2)
    tip = page.locator(".tr-tip")
    tip.wait_for(timeout=TIMEOUT)
    assert re.sub(r"\s+", " ", tip.inner_text()) == (
        "step 20 Loss 0.0500 Edge 0.0150 Validation accuracy 90%"
    )
    edge = legend.get_by_role("button", name="Edge")
    edge.click()
    assert edge.get_attribute("aria-pressed") == "false"
    page.mouse.move(box["x"] + box["width"] - 61, box["y"] + box["height"] / 2)
    page.wait_for_function("() => !document.querySelector('.tr-tip').innerText.includes('Edge')")


def test_a_run_that_ended_without_a_film_says_so(page, trainer):
    trainer.step(1)
    trainer.store.jobs.update(trainer.job.id, state="failed", error="It was too cold.")
    open_job(page, trainer)
    page.locator(".tr-film-empty", has_text="has no film").wait_for(timeout=TIMEOUT)
    trainer.store.jobs.resume(trainer.job.id)
    trainer.store.jobs.claim("test")
