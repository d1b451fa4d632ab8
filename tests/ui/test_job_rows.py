"""The number that a job is known by in the list of jobs."""

from pathlib import Path

from backend.workspace import Workspace
from ui.job_view import row


def test_scores_are_known_by_their_mean_and_not_by_how_many_they_are(workspace: Workspace) -> None:
    store = workspace.store
    for metrics, result in (
        ({"AC": 0.7, "SC": 0.5, "P": 0.6, "SF": 0.4, "images": 40.0}, ["SF", 0.4]),
        ({"AC": 0.7, "SC": 0.5, "images": 40.0}, ["SC", 0.5]),
        ({"images": 40.0}, ["images", 40.0]),
    ):
        job = store.jobs.submit("score", [], by="ada")
        run = store.runs.add(f"score {job.id}", "score", Path(f"runs/{job.id}"), {}, job.id)
        store.runs.finish(run, metrics)
        assert row(job, "", store.runs.get(run))["result"] == result
