"""What runs measured, as the Train tab asks for it."""

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from backend.workspace import Workspace
from training import evaluations
from training.measures import Tally, result

CLASSES = {1: "cat", 2: "dog"}


def measured(value: int) -> dict:
    """One image of 4x4, half of it cats, of which `value` columns of two were found."""
    import numpy as np

    true = np.zeros((4, 4), np.uint8)
    true[:, :2] = 1
    predicted = np.zeros_like(true)
    predicted[:, :value] = 1
    tally = Tally(CLASSES)
    tally.add("image0", predicted, true)
    found = tally.measured()
    assert found is not None
    return result(found, CLASSES)


@pytest.fixture
def jobs(workspace: Workspace) -> list[Path]:
    """The folders of three jobs; the first two measured their predictions, the third nothing."""
    folders = []
    for number, columns in enumerate((1, 2, None), start=1):
        job = workspace.store.jobs.submit("segment", [], by="ada")
        workspace.store.jobs.update(job.id, run_folder=f"runs/{number:05d}-segment")
        folders.append(workspace.root / f"runs/{number:05d}-segment")
        folders[-1].mkdir(parents=True)
        if columns is not None:
            evaluations.keep(folders[-1], "predictions", measured(columns), of="val")
    return folders


def test_what_a_run_measured_and_what_it_can_be_compared_with(
    client: TestClient, jobs: list[Path]
) -> None:
    told = client.get("/tagmask/api/evaluation/1").json()
    assert list(told["parts"]) == ["predictions"]
    part = told["parts"]["predictions"]
    assert part["of"] == "val"
    # Half the cats: IoU 1/2; the background is 8 of 12 pixels.
    assert part["iou"] == pytest.approx({"background": 100 * 8 / 12, "cat": 50})
    assert part["by_image"]["image0"] == pytest.approx(100 * (8 / 12 + 0.5) / 2, abs=0.001)
    assert told["others"] == [{"job": 2, "title": "2 segment", "parts": ["predictions"]}]


def test_a_part_is_a_table_too(client: TestClient, jobs: list[Path]) -> None:
    answer = client.get("/tagmask/api/evaluation/2/predictions.csv")
    assert answer.status_code == 200
    assert answer.text.splitlines()[2].startswith("cat,100.0,100.0,8")
    for name in ("labels", "weights", "..%2F..%2Ftagmask"):
        assert client.get(f"/tagmask/api/evaluation/2/{name}.csv").status_code == 404


def test_a_run_that_measured_nothing_has_no_parts(client: TestClient, jobs: list[Path]) -> None:
    assert client.get("/tagmask/api/evaluation/3").json()["parts"] == {}
    assert "There is no job 9" in client.get("/tagmask/api/evaluation/9").json()["error"]


@pytest.mark.parametrize("text", ["", "{", '{"format": "other/1"}', '{"miou": NaN}', "[1]"])
def test_a_file_that_cannot_be_used_is_left_out(
    client: TestClient, jobs: list[Path], text: str
) -> None:
    (jobs[0] / "evaluation" / "predictions.json").write_text(text)
    assert client.get("/tagmask/api/evaluation/1").json()["parts"] == {}


def test_a_link_out_of_the_folder_is_not_followed(
    client: TestClient, jobs: list[Path], tmp_path: Path
) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"format": "tagmask-evaluation/1", "iou": {}}))
    path = jobs[0] / "evaluation" / "predictions.json"
    path.unlink()
    path.symlink_to(secret)
    assert client.get("/tagmask/api/evaluation/1").json()["parts"] == {}
