"""`check pipeline`: what an order is refused for before it is queued, as its command would be."""

from pathlib import Path

import pytest

from training.cli import main
from training.stages.chains import METHODS


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--method", "best"], "--method is 'best'; it can be seenet, oaa"),
        (["--set", "labels.gama=3"], "The stage labels has no option 'gama'; it has saliency"),
        (["--set", "segmenter.epochs=0.5"], "--epochs is '0.5'; it takes a whole number."),
        (["--set", "labels.gamma=2"], "--gamma is 2.0; it must be from 0 to 1."),
        (["--set", "label.gamma=1"], "There is no stage 'label'; there are attention, labels"),
        (
            ["--method", "seenet", "--set", "attention.low=0.9"],
            "the low threshold must not be above the high one",
        ),
        (
            ["--method", "ecsnet", "--set", "attention.epochs=3", "attention.patience=3"],
            "--patience is 3 and --epochs 3",
        ),
        # A stage of a pipeline stands on its stages; a run from elsewhere is in no digest.
        (["--method", "dcsp", "--set", "joint.from=run"], "has no option 'from'"),
        (["--method", "dcsp", "--strong", "val"], "no stage of dcsp learns from true masks"),
        (["--backbone", "lenet"], "--backbone is 'lenet'; it can be own, vgg16"),
        (["--clean", "--stages", "elsewhere"], "--clean is for a pipeline's own stages"),
    ],
)
def test_a_check_refuses_what_the_command_refuses_and_makes_nothing(
    voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
):
    before = sorted(tmp_path.iterdir())
    for command, data in ((["check"], tmp_path / "absent"), ([], voc)):
        line = [*command, "pipeline", "--data", str(data), "--out", str(tmp_path / "out")]
        assert main([*line, "--preset", "scenes", *words]) == 2
        assert sentence in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("method", METHODS)
def test_what_can_be_carried_out_passes_and_makes_nothing(tmp_path: Path, method: str):
    line = ["check", "pipeline", "--data", str(tmp_path / "absent"), "--out", str(tmp_path / "out")]
    assert main([*line, "--preset", "light", "--method", method, "--backbone", "slim"]) == 0
    assert list(tmp_path.iterdir()) == []
