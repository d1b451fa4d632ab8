"""A pipeline in the Train tab: asked for in the form, its stages live, stopped and done."""

import time
from collections.abc import Iterator

import pytest

from backend.store import Job
from backend.workspace import Workspace

from .conftest import without_supervisors

TIMEOUT = 30_000
STAGES = (
    ("attention", "Attention (OAA)"),
    ("labels", "Proxy labels"),
    ("segmenter", "Segmenter"),
    ("predictions", "Predictions"),
)


class Pipeline:
    """A running job that says what a pipeline would."""

    def __init__(self, workspace: Workspace) -> None:
        self.store = workspace.store
        self.store.jobs.submit("pipeline", ["--preset", "scenes", "--method", "oaa"], by="ada")
        claimed = self.store.jobs.claim("test")
        assert claimed is not None
        self.job: Job = claimed
        self.store.jobs.update(claimed.id, run_folder=f"runs/{claimed.id:05d}-pipeline")
        self.rows = [
            {"name": name, "title": title, "state": "waiting", "why": "nothing like it was made "
             "yet", "figures": {}, "seconds": None, "started": None, "finished": None}
            for name, title in STAGES
        ]  # fmt: skip
        self.seq = 0
        self.say("attempt", number=1, command="python -m training pipeline --method oaa")
        self.turn(attention="reused")

    def say(self, kind: str, **fields: object) -> None:
        event = {"seq": self.seq, "time": time.time(), "kind": kind, **fields}
        self.store.jobs.append_events(self.job.id, [event], offset=0)
        self.seq += 1

    def turn(self, figures: dict[str, float] | None = None, **states: str) -> None:
        """Changes the states of stages; figures are the last one's."""
        for row in self.rows:
            if row["name"] in states:
                row["state"] = states[row["name"]]
                if row["state"] in ("done", "reused"):
                    row |= {"seconds": 75.0, "finished": time.time(), "figures": figures or {}}
        self.say("chain", stages=self.rows)

    def step(self, stage: str, step: int, steps: int, **more: object) -> None:
        done = sum(row["state"] in ("done", "reused") for row in self.rows)
        self.say("progress", stage=stage, step=step, steps=steps, done=done, of=4, **more)


@pytest.fixture
def pipeline(app) -> Iterator[Pipeline]:
    """A running job of the app's workspace; supervisors, the app's own too, are kept away."""
    with without_supervisors(app.workspace), Workspace.open(app.workspace) as workspace:
        made = Pipeline(workspace)
        yield made
        if workspace.store.jobs.get(made.job.id).state == "running":
            workspace.store.jobs.update(made.job.id, state="cancelled")


def open_job(page, pipeline: Pipeline) -> None:
    page.get_by_role("tab", name="Train", exact=True).click()
    page.locator(f'#tm-train [data-job="{pipeline.job.id}"]').first.click()
    page.locator("#tm-train .tr-stage").first.wait_for(timeout=TIMEOUT)


def states(page) -> list[str]:
    return page.locator("#tm-train .tr-stage").evaluate_all(
        "nodes => nodes.map((node) => node.dataset.state)"
    )


def until(page, script: str) -> None:
    page.wait_for_function(script, timeout=TIMEOUT)


STATES = "[...document.querySelectorAll('#tm-train .tr-stage')].map((n) => n.dataset.state).join()"


def test_the_stages_change_their_states_as_they_are_made(page, pipeline: Pipeline):
    open_job(page, pipeline)
    assert states(page) == ["reused", "waiting", "waiting", "waiting"]
    pipeline.turn(labels="running")
    pipeline.step("labels", 3, 6, part="fusing", seconds_left=12.0)
    until(page, f"{STATES} === 'reused,running,waiting,waiting'")
    labels = page.locator('#tm-train [data-stage="labels"]')
    labels.get_by_text("Fusing 3 / 6 · 12 s left").wait_for(timeout=TIMEOUT)
    # One stage of four is done and half of the second.
    until(page, "document.querySelector('#tm-train .tr-bar i').style.width === '37.5%'")
    assert labels.locator(".tr-mini i").evaluate("node => node.style.width") == "50%"

    pipeline.turn({"labels_miou": 55.94}, labels="done")
    pipeline.turn(segmenter="running")
    pipeline.step("segmenter", 10, 40, loss=0.25)
    until(page, f"{STATES} === 'reused,done,running,waiting'")
    assert "55.9%" in labels.inner_text()
    assert "1 min 15 s" in labels.inner_text()
    facts = page.locator("#tm-train .tr-stats").inner_text()
    for said in ("2 / 4", "Segmenter", "10 / 40", "0.25"):
        assert said in facts
    # A pipeline has no curve and no film of its own.
    assert not page.locator("#tm-train .tr-curve").is_visible()
    assert not page.locator("#tm-train .tr-film").is_visible()


def test_a_failed_stage_shows_its_sentence_and_the_rest_waits(page, pipeline: Pipeline):
    open_job(page, pipeline)
    told = "None of the 10 images could be labelled."
    sentence = f"Proxy labels: {told}"
    pipeline.rows[1]["error"] = sentence
    pipeline.turn(labels="failed")
    pipeline.say("failed", error=sentence)
    pipeline.store.jobs.update(pipeline.job.id, state="failed", error=sentence)
    until(page, f"{STATES} === 'reused,failed,waiting,waiting'")
    row = page.locator('#tm-train [data-stage="labels"]').inner_text().splitlines()
    assert row[1:3] == ["Proxy labels", told]
    notice = page.locator("#tm-train .tr-notice", has_text=sentence)
    notice.wait_for(timeout=TIMEOUT)
    assert page.locator("#tm-train .tr-resume").is_visible()


def test_a_stage_that_was_stopped_is_not_shown_at_work(page, pipeline: Pipeline):
    open_job(page, pipeline)
    pipeline.turn(labels="running")
    until(page, f"{STATES} === 'reused,running,waiting,waiting'")
    pipeline.store.jobs.update(pipeline.job.id, state="cancelled")
    until(page, f"{STATES} === 'reused,stopped,waiting,waiting'")


def test_the_chain_goes_with_its_job(page, pipeline: Pipeline):
    open_job(page, pipeline)
    other = pipeline.store.jobs.submit("classify", ["--preset", "scenes"], by="ada")
    page.locator(f'#tm-train [data-job="{other.id}"]').first.click()
    until(
        page,
        f"document.querySelector('#tm-train .tr-title h2').textContent.startsWith('{other.id} ')",
    )
    assert not page.locator("#tm-train .tr-chain").is_visible()
    pipeline.store.jobs.request_cancel(other.id)


def test_a_pipeline_is_asked_for_in_the_form(page, app):
    page.get_by_role("tab", name="Train", exact=True).click()
    page.locator("#tr-recipe").select_option("pipeline")
    page.locator('#tm-train [data-preset="scenes"]').click()
    page.locator("#tr-pipeline-method").select_option("ecsnet")
    page.locator("#tr-pipeline-set_").fill("segmenter.epochs=3")
    page.locator("#tr-pipeline-seed").fill("4")
    page.keyboard.press("Tab")
    command = page.locator("#tm-train .tr-command-text")
    until(
        page,
        "document.querySelector('#tm-train .tr-command-text').textContent.includes('--seed 4')",
    )
    said = command.inner_text()
    for words in ("pipeline --data", "--method ecsnet", "--set segmenter.epochs=3", "--stages"):
        assert words in said
    assert page.locator("#tm-train .tr-go").inner_text() == "Run the pipeline"
    assert page.locator("#tr-pipeline-stages").count() == 0
