"""`python -m training scorer`: from labels and saliency to weights that score, killed or not."""

import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.labels import read_labels, write_heat, write_labels
from backend.mask_scorer import MaskScorer, card_of
from backend.weights import load
from training.cli import main

from .conftest import events_of, paint_voc, start
from .scoring import CUT, NAMES, TRAIN, label_run, saliency_maps

EPOCHS = ["--epochs", "6", "--watch-every", "5", "--checkpoint-every", "0"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paint_voc(tmp_path_factory.mktemp("data") / "voc", count=12)


@pytest.fixture(scope="module")
def given(data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a command takes: data, two runs with labels, saliency."""
    root = tmp_path_factory.mktemp("given")
    runs = [label_run(data, root / "one"), label_run(data, root / "two", {"im3": 13, "im4": 1})]
    maps = saliency_maps(data, root / "maps")
    return [
        "--data", str(data), "--from", *map(str, runs), "--saliency", f"folder:{maps}"
    ]  # fmt: skip


@pytest.fixture(scope="module")
def whole(given: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing happened to."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert main(["scorer", *given, "--out", str(out), *TRAIN, *EPOCHS]) == 0
    return out


def said(out: Path) -> str:
    return " ".join(event["text"] for event in events_of(out) if event["kind"] == "message")


def test_it_tells_its_set_its_way_and_what_it_is_worth(whole: Path):
    events = events_of(whole)
    looks = [event for event in events if event["kind"] == "validation"]
    assert len(looks) >= 3
    assert all(-1 <= look["spearman"] <= 1 for look in looks if "spearman" in look)
    assert any("spearman" in look for look in looks)
    metrics = events[-1]["metrics"]
    for name in ("pearson_AC", "pearson_SC", "spearman_SC", "pearson_P", "pearson_SF"):
        assert -1 <= metrics[name] <= 1
    # The saliency is the truth but for a rim, so that the coarse score goes with it.
    assert metrics["pearson_SC"] > 0.95
    record = json.loads((whole / "samples.json").read_text())
    assert record["kinds"]["changed"] == 6
    assert sum(map(sum, record["tenths"].values())) == sum(record["kinds"].values())
    assert "samples by tenths of ac" in said(whole).lower()
    assert "10 of 12 images have no labels in two and are not scored" in said(whole)
    assert "from maps that are computed already nothing can be erased" in said(whole)
    held = (whole / "validation.txt").read_text().split()
    assert len(held) == 3
    assert sorted(path.stem for path in (whole / "references").iterdir()) == sorted(NAMES)
    calibration = json.loads((whole / "calibration.json").read_text())
    assert calibration["masks"] == 14
    assert sum(each["count"] for each in calibration["scores"]["SF"]["bins"]) == 14


def test_its_weights_carry_what_they_are_and_open_by_folder(whole: Path):
    card = card_of(whole)
    assert (card.kind, card.input_size, card.architecture) == (
        "scorer", 24, {"channels": 4, "width": 4}
    )  # fmt: skip
    assert card.origin["labels"] == ["one", "two"]
    assert card.origin["masks"]["count"] == 14
    assert MaskScorer(card).size == 24


def same(one: Path, two: Path) -> bool:
    first, second = (load(path)[0].state_dict() for path in (one, two))
    names = ("samples.json", "calibration.json", "validation.txt")
    return all(torch.equal(first[name], second[name]) for name in first) and all(
        (one / name).read_bytes() == (two / name).read_bytes() for name in names
    )


def test_a_killed_run_ends_as_one_that_was_not(given: list[str], whole: Path, tmp_path: Path):
    out = tmp_path / "hurt"
    first = ["scorer", *given, "--out", str(out), *TRAIN, *EPOCHS]
    for command, sign in (
        (first, lambda: len(list(out.glob("references/*.png"))) > 3),
        (["scorer", "--out", str(out), "--resume"], lambda: any(out.glob("checkpoint-*.pt"))),
    ):
        process = start(*command)
        while process.poll() is None:
            if sign():
                process.kill()
                break
        assert process.wait(timeout=120) == -signal.SIGKILL
    assert main(["scorer", "--out", str(out), "--resume"]) == 0
    assert "Resumed at step" in said(out)
    assert same(out, whole)
    assert events_of(out)[-1]["metrics"] == events_of(whole)[-1]["metrics"]


def test_l1_and_per_class_train_too(given: list[str], tmp_path: Path):
    more = ["--loss", "l1", "--per-class", "--objectness", "contrast", "--form", "printed"]
    out = tmp_path / "out"
    assert main(["scorer", *given, "--out", str(out), *TRAIN, "--steps", "3", *more]) == 0
    # Every third image has two tags; of the second run's two images each has one.
    assert card_of(out).origin["masks"]["count"] == 12 + 4 + 2
    assert "0 samples of the kind high, not 6" in said(out)
    assert "No sample is held out, so that nothing is measured on the way." in said(out)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--from", "/nowhere"], "/nowhere has no labels"),
        (["--saliency", "deep"], "There is no saliency source 'deep'"),
        (["--loss", "l3"], "--loss is 'l3'; it can be l2, l1"),
        (["--high-from", "2"], "--high-from is 2.0; it must be from 0 to 1"),
    ],
)
def test_mistakes_are_sentences(
    given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str],
    sentence: str,
):  # fmt: skip
    assert main(["scorer", *given, "--out", str(tmp_path / "out"), *TRAIN, *more]) == 2
    assert sentence in capsys.readouterr().err


def test_masks_that_teach_nothing_stop_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    labels = label_run(data, tmp_path / "labels", {"im0": 12, "im3": 12})
    maps = saliency_maps(data, tmp_path / "maps")
    command = ["scorer", "--data", str(data), "--from", str(labels), "--out", str(tmp_path / "out")]
    more = ["--saliency", f"folder:{maps}", *TRAIN, "--swapped", "0", "--high-from", "0.99"]
    assert main([*command, *more, "--low-to", "0"]) == 2
    assert "can teach a scorer" in capsys.readouterr().err


def test_masks_without_a_reference_do_not_teach_and_empty_ones_do(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    labels = label_run(data, tmp_path / "labels", {**CUT, "im7": 48})
    maps = saliency_maps(data, tmp_path / "maps")
    # The true mask of this image: the scorer would learn that it is worth nothing.
    write_heat(maps / "im0.png", np.zeros((48, 48), np.float32))
    command = ["scorer", "--data", str(data), "--from", str(labels), "--out"]
    more = ["--saliency", f"folder:{maps}", *TRAIN, "--steps", "2", "--held-out", "0"]
    out = tmp_path / "out"
    assert main([*command, str(out), *more, "--low", "12", "--low-to", "0.2"]) == 0
    text = said(out)
    assert "1 mask of 1 image left out, where the reference is empty and says nothing" in text
    assert "says nothing of how good a mask is: im0." in text
    assert "1 of 12 masks is empty, which teaches that such a mask has an AC of 0." in text
    # The empty one, and the two of which most rows are cut off.
    assert json.loads((out / "samples.json").read_text())["kinds"]["low"] == 3
    assert "of 11 images are learnt from" in text
    # How good it is shows beside the true mask all the same.
    assert json.loads((out / "calibration.json").read_text())["masks"] == 12
    for name in NAMES:
        write_heat(maps / f"{name}.png", np.zeros((48, 48), np.float32))
    assert main([*command, str(tmp_path / "none"), *more]) == 2
    assert "The references of all 12 masks are empty, so that nothing" in capsys.readouterr().err


def test_labels_that_do_not_fit_are_named_and_left_out(
    given: list[str], data: Path, tmp_path: Path
):
    root = Path(given[given.index("--from") + 1])
    labels = tmp_path / "labels"
    shutil.copytree(root, labels)
    odd = read_labels(labels / "labels" / "im2.png")[:30]
    write_labels(labels / "labels" / "im2.png", odd)
    command = ["scorer", "--data", str(data), "--from", str(labels)]
    out = tmp_path / "out"
    more = ["--out", str(out), *given[-2:], *TRAIN, "--steps", "2"]
    assert main([*command, *more]) == 0
    assert "im2 is left out: its labels are 48x30 pixels, the image 48x48" in said(out)
