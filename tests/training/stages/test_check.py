"""`check pipeline`: what an order is refused for before it is queued, as its command would be."""

import hashlib
import json
import os
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


def manifest(voc: Path, out: Path, verdict: str) -> Path:
    """A snapshot over the images, of which one mask has a verdict."""
    out.mkdir()
    items = []
    for number, path in enumerate(sorted((voc / "JPEGImages").glob("*.jpg"))):
        said = verdict if not number else "undecided"
        mask = voc / "SegmentationClass" / f"{path.stem}.png"
        decided = said in ("accept", "fix")
        items.append({
            "image": path.stem, "file": os.path.relpath(path, out), "sha256": digest(path),
            "tags": [8], "verdict": said, "truth": None,
            "mask": os.path.relpath(mask, out) if decided else None,
            "mask_sha256": digest(mask) if decided else None,
        })  # fmt: skip
    told = {"format": "tagmask-snapshot/1", "digest": "ab" * 32, "name": "s",
            "classes": {"8": "cat"}, "items": items}  # fmt: skip
    (out / "manifest.json").write_text(json.dumps(told))
    return out / "manifest.json"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_accepted_masks_alone_want_somebody_to_have_accepted_one(
    voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["--preset", "light", "--method", "sal", "--backbone", "slim"]
    words += ["--set", "segmenter.policy=accepted-only"]

    def asked(data: Path, *command: str, more: tuple[str, ...] = ()) -> tuple[int, str]:
        line = ["pipeline", "--data", str(data), "--out", str(tmp_path / "out"), *words, *more]
        return main([*command, *line]), capsys.readouterr().err

    rejected, accepted = (manifest(voc, tmp_path / each, each) for each in ("reject", "accept"))
    for data in (voc, rejected):
        status, said = asked(data, "check")
        assert status == 2
        assert "segmenter.policy is accepted-only, but nobody has accepted or fixed a mask" in said
    status, said = asked(voc, more=("--dry-run",))
    assert (status, "nobody has accepted" in said) == (2, True)
    assert asked(accepted, "check") == (0, "")
    assert asked(voc, "check", more=("--strong", "train")) == (0, "")
    # A snapshot that is still to be frozen says nothing yet.
    assert asked(tmp_path / "absent", "check") == (0, "")
    assert not (tmp_path / "out").exists()
