"""What of its stages a pipeline puts into OUT: the references its masks were scored against."""

from collections.abc import Callable
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.stages.carrying_out import carry_out
from training.stages.plan import Plan

from .conftest import carried_out

Make = Callable[..., Plan]


@pytest.fixture
def out(plan: Make, voc: Path) -> Path:
    """What a pipeline of SAL put out whose stages were all made before; nothing is measured."""
    for path in (voc / "SegmentationClass").iterdir():
        path.unlink()
    made = plan(method="sal")
    carried_out(made)
    carry_out(made)
    return made.run.folder


def references(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / "references").glob("*")}


def test_the_references_lie_beside_the_scores(out: Path):
    assert (out / "scores.jsonl").read_bytes() == b"scores"
    assert references(out) == {f"im{n}.png": f"reference {n}".encode() for n in range(3)}


def test_a_reference_that_no_longer_counts_is_taken_away_and_others_are_put_back(
    plan: Make, out: Path
):
    (out / "references" / "im0.png").write_bytes(b"spoilt")
    (out / "references" / "im2.png").unlink()
    (out / "references" / "im5.png").write_bytes(b"of an image that is scored no more")
    carry_out(plan(method="sal"))
    assert references(out) == {f"im{n}.png": f"reference {n}".encode() for n in range(3)}


def test_a_pipeline_that_makes_none_takes_them_away(plan: Make, out: Path):
    other = plan(method="oaa")
    carried_out(other)
    carry_out(other)
    assert not (out / "references").exists()


def test_references_that_no_pipeline_wrote_are_left_alone(plan: Make):
    made = plan(method="sal")
    carried_out(made)
    (made.run.folder / "pipeline.json").unlink()
    mine = made.run.folder / "references" / "mine.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(TrainingError, match="holds 1 PNGs that no pipeline wrote"):
        carry_out(made)
    assert mine.read_bytes() == b"mine"


def test_a_reference_of_a_stage_that_is_gone_is_noticed(plan: Make):
    found = {each.stage.name: each for each in carried_out(plan(method="sal"))}
    (found["scores"].folder / "references" / "im1.png").unlink()
    again = {each.stage.name: each for each in plan(method="sal").verdicts()}
    assert again["scores"].state == "damaged"
    assert again["scores"].bad == ("references/im1.png",)
    assert {each.state for name, each in again.items() if name != "scores"} == {"done"}
