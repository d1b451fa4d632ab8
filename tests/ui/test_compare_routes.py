"""What the Compare tab, figures and reports ask for, and what they refuse."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from backend.labels import encode_labels
from backend.workspace import Workspace


@pytest.fixture
def runs(workspace: Workspace) -> Workspace:
    """Two runs with a mask of each of the three images; the second's is a pixel smaller."""
    for number, rows in ((1, 12), (2, 11)):
        run = workspace.store.runs.add(f"run {number}", "labels", f"runs/{number}")
        for image in workspace.store.images.page(0, 10).rows:
            labels = np.zeros((24, 32), np.uint8)
            labels[4:rows, 6:20] = image.tags[0]
            method, mask = f"method {number}", encode_labels(labels)
            workspace.store.candidates.add(image.id, run, method, mask, {"SF": number / 4})
    return workspace


def lines(client: TestClient, a: str, b: str) -> list[dict]:
    answer = client.get("/tagmask/api/compare", params={"a": a, "b": b})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_comparison_comes_as_lines_a_summary_last(client: TestClient, runs: Workspace) -> None:
    begun, *rows, end = lines(client, "run:1", "run:2")
    assert begun["total"] == 3
    assert begun["a"]["title"] == "run 1 (run 1)"
    assert [row["name"] for some in rows for row in some["rows"]] == ["image0", "image1", "image2"]
    assert end["summary"]["images"] == 3
    assert "truth" not in end["summary"]
    assert end["said"] == []


def test_sides_that_are_not_there_are_a_sentence(client: TestClient, runs: Workspace) -> None:
    for a in ("run:7", "run:-1", "../../etc", "run:1' OR 1=1 --", "method:" + "x" * 5000):
        answer = client.get("/tagmask/api/compare", params={"a": a, "b": "run:1"})
        assert answer.status_code == 400
        assert "run:2" in answer.json()["error"]


@pytest.mark.parametrize(
    ("form", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")]
)
def test_a_figure_in_each_form(
    client: TestClient, runs: Workspace, form: str, start: bytes
) -> None:
    query = {"image": ["image0", "image1"], "column": ["image", "run:1", "run:2=Ours"], "dpi": 72}
    answer = client.get(f"/tagmask/api/figure.{form}", params={**query, "save": True})
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(start)
    assert answer.headers["content-disposition"] == f'attachment; filename="figure.{form}"'
    assert json.loads(answer.headers["x-remarks"]) == []


def test_a_figure_is_as_wide_as_asked(client: TestClient, runs: Workspace) -> None:
    query = {"image": ["image0"], "column": ["image", "run:1"], "width": 84, "dpi": 150}
    answer = client.get("/tagmask/api/figure.png", params=query)
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.width == pytest.approx(84 / 25.4 * 150, abs=1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image": ["no such"]}, "There is no image"),
        ({"column": ["run:9"]}, "There are no masks"),
        ({"image": [f"image{n}" for n in range(25)]}, "1 to 24 images"),
        ({"dpi": 5000}, "72 to 600"),
        ({"width": "nan"}, "30 to 400"),
        ({"image": ["image0"] * 24, "width": 400, "dpi": 600}, "million pixels"),
        ({"colours": "jet"}, "viridis"),
        ({"settings": "[1]"}, "JSON object"),
        ({"settings": '{"high": 7}'}, "high was 7"),
        ({"image": ["../../tagmask.db"]}, "There is no image"),
    ],
)
def test_a_figure_that_cannot_be_is_refused_with_what_can(
    client: TestClient, runs: Workspace, change: dict, said: str
) -> None:
    query = {"image": ["image0"], "column": ["image"], **change}
    answer = client.get("/tagmask/api/figure.png", params=query)
    assert answer.status_code == 400, answer.text
    assert said in answer.json()["error"]


def test_there_is_no_figure_of_another_form(client: TestClient, runs: Workspace) -> None:
    query = {"image": ["image0"], "column": ["image"]}
    assert client.get("/tagmask/api/figure.eps", params=query).status_code == 400


def test_a_report_is_a_file_to_keep_named_by_number_alone(
    client: TestClient, runs: Workspace
) -> None:
    answer = client.get("/tagmask/api/report/2.html")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="report-run-2.html"'
    assert "run 2" in answer.text
    assert "There is no run 9" in client.get("/tagmask/api/report/9.html").json()["error"]
    for wrong in ("run 2", "..%2F2", "2.5", "-"):
        assert client.get(f"/tagmask/api/report/{wrong}.html").status_code in (404, 422)


@pytest.fixture
def looker(runs: Workspace) -> Iterator[TestClient]:
    """The app as --read-only serves it."""
    from ui.server import build_app

    root = runs.root
    runs.close()
    with Workspace.open(root, read_only=True) as shut:
        app = build_app(shut, read_only=True)
        with TestClient(app, headers={"X-Tagmask": "1", "Origin": "http://testserver"}) as client:
            yield client


def test_comparing_figures_and_reports_work_read_only_and_change_nothing(
    looker: TestClient, runs: Workspace
) -> None:
    def state() -> dict[Path, bytes]:
        files = (each for each in runs.root.rglob("*") if each.is_file())
        return {
            each: each.read_bytes() for each in files if not each.name.endswith(("-shm", "-wal"))
        }

    before = state()
    assert lines(looker, "run:1", "run:2")[-1]["summary"]["images"] == 3
    query = {"image": ["image0"], "column": ["image", "run:1"], "dpi": 72}
    assert looker.get("/tagmask/api/figure.png", params=query).status_code == 200
    assert looker.get("/tagmask/api/report/1.html").status_code == 200
    assert state() == before
