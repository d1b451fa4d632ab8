"""The scores of a run's masks beside the true ones, as the Train tab asks for them."""

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from backend.workspace import Workspace
from training.correlation import CALIBRATION, pearson, write_calibration
from ui.calibration import MOST_POINTS

ADDRESS = "/tagmask/api/evaluation/1/calibration"
TRUTH = [0.0, 0.2, 0.4, 0.9]
SCORES = {"SC": [0.1, 0.15, 0.5, 1.0], "SF": [0.3, 0.3, 0.3, 0.3]}


@pytest.fixture
def folder(workspace: Workspace) -> Path:
    """The folder of a job of `score`, which kept the scores of four masks."""
    job = workspace.store.jobs.submit("score", [], by="ada")
    workspace.store.jobs.update(job.id, run_folder="runs/00001-score")
    made = workspace.root / "runs/00001-score"
    made.mkdir(parents=True)
    write_calibration(made, SCORES, TRUTH)
    return made


def test_the_bins_and_points_that_the_trainer_wrote_are_told(
    client: TestClient, workspace: Workspace, folder: Path
) -> None:
    answer = client.get(ADDRESS)
    told = answer.json()["calibration"]
    assert told["masks"] == 4
    assert told["points"] == {"truth": TRUTH, **SCORES}
    coarse, fine = told["scores"]["SC"], told["scores"]["SF"]
    assert coarse["pearson"] == pytest.approx(pearson(SCORES["SC"], TRUTH))
    # 0.1 and 0.15 share a bin, 1 belongs to the last one.
    assert [(b["from"], b["to"], b["count"]) for b in coarse["bins"]] == [
        (0.1, 0.2, 2), (0.5, 0.6, 1), (0.9, 1.0, 1),
    ]  # fmt: skip
    assert coarse["bins"][0]["score"] == pytest.approx(0.125)
    assert coarse["bins"][0]["truth"] == pytest.approx(0.1)
    # What does not vary correlates with nothing.
    assert (fine["pearson"], fine["spearman"]) == (None, None)
    assert str(workspace.root) not in answer.text


def test_a_run_without_scorer_has_its_coarse_score_alone(client: TestClient, folder: Path) -> None:
    write_calibration(folder, {"SC": SCORES["SC"]}, TRUTH)
    assert list(client.get(ADDRESS).json()["calibration"]["scores"]) == ["SC"]


def test_very_many_points_are_thinned_and_their_bins_are_not(
    client: TestClient, folder: Path
) -> None:
    count = 2 * MOST_POINTS + 1
    values = [number / count for number in range(count)]
    write_calibration(folder, {"SC": values}, values)
    told = client.get(ADDRESS).json()["calibration"]
    assert told["masks"] == count == sum(each["count"] for each in told["scores"]["SC"]["bins"])
    assert len(told["points"]["truth"]) == len(told["points"]["SC"]) <= MOST_POINTS
    assert told["points"]["SC"][1] == pytest.approx(3 / count, abs=1e-4)


def test_where_none_was_kept_a_sentence_says_why(
    client: TestClient, workspace: Workspace, folder: Path
) -> None:
    (folder / CALIBRATION).unlink()
    assert client.get(ADDRESS).json() == {
        "said": "No calibration was kept: none of the masks that this run scored has a true mask "
        "beside it to be compared with."
    }
    workspace.store.jobs.submit("score", [], by="ada")
    said = client.get("/tagmask/api/evaluation/2/calibration").json()["said"]
    assert said == "Job 2 has not begun a run yet."
    assert "There is no job 9" in client.get(ADDRESS.replace("1", "9")).json()["error"]


def test_a_folder_that_is_gone_is_said_to_be(client: TestClient, folder: Path) -> None:
    (folder / CALIBRATION).unlink()
    folder.rmdir()
    said = client.get(ADDRESS).json()["said"]
    assert said.startswith("The folder of this run (00001-score) is gone")


def whole() -> dict:
    return {
        "format": "tagmask-calibration/1",
        "masks": 1,
        "scores": {"SC": {"pearson": None, "spearman": None, "bins": []}},
        "points": {"truth": [0.5], "SC": [0.5]},
    }


def test_the_smallest_whole_file_is_told(client: TestClient, folder: Path) -> None:
    (folder / CALIBRATION).write_text(json.dumps(whole()))
    assert "calibration" in client.get(ADDRESS).json()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        json.dumps({**whole(), "format": "other/1"}),
        json.dumps({**whole(), "points": {"truth": [0.5], "SC": [0.5, 0.6]}}),
        json.dumps({**whole(), "points": {"truth": [0.5]}}),
        json.dumps({**whole(), "points": {"truth": [0.5], "SC": [7]}}),
        json.dumps({**whole(), "points": {"truth": [0.5], "SC": ["<b>"]}}),
        json.dumps({**whole(), "scores": {}}),
        json.dumps(whole()).replace("null", "NaN"),
        "\\x00",
    ],
)
def test_a_damaged_file_is_a_sentence(
    client: TestClient, workspace: Workspace, folder: Path, text: str
) -> None:
    (folder / CALIBRATION).write_text(text)
    answer = client.get(ADDRESS)
    assert answer.status_code == 200
    said = answer.json()["said"]
    assert said.startswith("The calibration.json of this run cannot be used (")
    assert said.endswith("Run it again, and it is written anew.")
    assert str(workspace.root) not in said


def test_a_link_out_of_the_folder_is_not_followed(
    client: TestClient, folder: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps(whole()))
    (folder / CALIBRATION).unlink()
    (folder / CALIBRATION).symlink_to(secret)
    assert "No calibration was kept" in client.get(ADDRESS).json()["said"]
