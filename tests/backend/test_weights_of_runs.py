"""A run's folder asked for as weights: what is said of one that has none."""

import json
from pathlib import Path

import pytest

from backend import weights
from backend.errors import WeightsError
from backend.weights import backbone_weights


def run_folder(folder: Path, recipe: str, *kinds: str) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"format": 1, "recipe": recipe}))
    lines = [json.dumps({"seq": n, "time": 1.0, "kind": kind}) for n, kind in enumerate(kinds)]
    (folder / "events.jsonl").write_text("".join(line + "\n" for line in lines))
    return folder


@pytest.mark.parametrize(
    "kinds", [(), ("started", "progress"), ("started", "failed"), ("started", "cancelled")]
)
@pytest.mark.parametrize("name", ["", "weights.safetensors"])
def test_a_run_that_is_not_finished_is_said_to_be_so(
    tmp_path: Path, kinds: tuple[str, ...], name: str
):
    run = run_folder(tmp_path / "run", "seenet", *kinds)
    sentence = rf"The run {run} has not finished, so .* training seenet --out {run} --resume\."
    with pytest.raises(WeightsError, match=sentence):
        weights.load(run / name)
    with pytest.raises(WeightsError, match=sentence):
        backbone_weights("slim", run / name)


def test_a_finished_run_that_makes_no_weights_is_not(tmp_path: Path):
    run = run_folder(tmp_path / "run", "labels", "started", "finished")
    with pytest.raises(WeightsError, match="There are no weights at"):
        weights.load(run)


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}'])
def test_a_folder_that_is_no_run_is_not(tmp_path: Path, text: str):
    (tmp_path / "config.json").write_text(text)
    for path in (tmp_path, tmp_path / "other.npz", tmp_path / "nowhere"):
        with pytest.raises(WeightsError, match="There are no weights at"):
            weights.load(path)
