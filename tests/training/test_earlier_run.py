"""The run that OAA+ learns from: of OAA, finished, and not another when the training goes on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backend.labels import read_heat, write_heat
from training.cli import main
from training.earlier_run import maps_digest, require_finished
from training.errors import TrainingError

from .conftest import events_of, train

QUICK = ("--watch-every", "-1", "--steps", "2")


def said(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = (x for x in capsys.readouterr().err.splitlines() if x.startswith("tagmask: "))
    return line


@pytest.fixture
def copied(oaa_run: Path, tmp_path: Path) -> Path:
    """A run of oaa that a test may change."""
    return shutil.copytree(oaa_run, tmp_path / "oaa")


@pytest.mark.parametrize("recipe", ["classify", "seenet", "oaaplus"])
def test_a_run_of_another_recipe_is_refused_by_its_name(
    scenes: Path, copied: Path, tmp_path: Path, recipe: str, capsys: pytest.CaptureFixture[str]
):
    """Though it has a map of every image and tag."""
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps({**config, "recipe": recipe}))
    assert train("oaaplus", scenes, tmp_path / "run", *QUICK, "--from", str(copied)) == 2
    sentence = said(capsys)
    assert f"{copied} is a run of '{recipe}'; oaaplus learns from the maps of a run" in sentence
    assert "of the recipe oaa" in sentence
    assert not (tmp_path / "run").exists()


def without_last_word(run: Path, kind: str = "") -> None:
    """Leaves the run's events as they are where it ended otherwise."""
    lines = (run / "events.jsonl").read_text().splitlines(keepends=True)[:-1]
    last = [json.dumps({"seq": len(lines), "time": 1.0, "kind": kind}) + "\n"] if kind else []
    (run / "events.jsonl").write_text("".join([*lines, *last]))


def no_events(run: Path) -> None:
    (run / "events.jsonl").unlink()


@pytest.mark.parametrize(
    ("hurt", "how"),
    [
        (without_last_word, "it is still at work, or was killed"),
        (no_events, "it is still at work, or was killed"),
        (lambda run: without_last_word(run, "failed"), "it failed"),
        (lambda run: without_last_word(run, "cancelled"), "it was stopped"),
    ],
    ids=["killed", "nothing said", "failed", "stopped"],
)
@pytest.mark.parametrize("start", ["trunk", "run"])
def test_an_unfinished_run_is_said_to_be_unfinished(
    scenes: Path,
    copied: Path,
    tmp_path: Path,
    hurt: Callable[[Path], None],
    how: str,
    start: str,
    capsys: pytest.CaptureFixture[str],
):
    """Whether or not maps and weights of it are there already."""
    hurt(copied)
    (copied / "weights.safetensors").unlink()
    flags = [*QUICK, "--from", str(copied), "--start", start]
    assert train("oaaplus", scenes, tmp_path / "run", *flags) == 2
    sentence = said(capsys)
    assert f"{copied} is a run of 'oaa' that is not finished: {how}." in sentence
    assert f"training oaa --out {copied} --resume" in sentence


def test_a_finished_run_of_the_recipe_passes(oaa_run: Path):
    require_finished(oaa_run, "oaa", "oaaplus")
    with pytest.raises(TrainingError, match="is a run of 'oaa'; other learns"):
        require_finished(oaa_run, "classify", "other")


def test_a_digest_knows_the_maps_and_their_names(copied: Path):
    before = maps_digest(copied)
    (copied / "events.jsonl").unlink()
    assert maps_digest(copied) == before
    first, second, *_ = sorted((copied / "maps").rglob("*.png"))
    first.rename(first.with_name("other.png"))
    renamed = maps_digest(copied)
    second.unlink()
    assert len({before, renamed, maps_digest(copied)}) == 3


def test_a_training_does_not_go_on_with_maps_that_changed(
    scenes: Path, copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = tmp_path / "run"
    assert train("oaaplus", scenes, run, *QUICK, "--from", str(copied)) == 0
    # As a run that was killed while it wrote its own maps.
    without_last_word(run)
    (run / "weights.safetensors").unlink()
    path = next((copied / "maps").rglob("*.png"))
    heat = read_heat(path)
    write_heat(path, np.flipud(heat) if (heat != np.flipud(heat)).any() else 1 - heat)
    capsys.readouterr()
    assert main(["oaaplus", "--out", str(run), "--resume"]) == 2
    assert "checkpoint-00000002.pt is of the maps in --from " in said(capsys)
    assert (run / "checkpoint-00000002.pt").exists()

    write_heat(path, heat)
    assert main(["oaaplus", "--out", str(run), "--resume"]) == 0
    assert events_of(run)[-1]["kind"] == "finished"
