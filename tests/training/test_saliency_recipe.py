"""`python -m training saliency`: from masks to weights, measures and maps, killed or not."""

import json
import random
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from backend.labels import read_heat
from backend.saliency import saliency_source
from backend.weights import backbone_weights, load
from training import checkpoints
from training.cli import main
from training.saliency_measures import SaliencyScores

from .conftest import events_of, start, stop_after
from .test_saliency_data import paint_salient

SMALL = [
    "--preset", "scenes", "--weights", "none", "--size", "32", "--batch", "5", "--warmup", "0",
    "--side-channels", "8", "--carried", "4", "--precision", "32", "--device", "cpu",
]  # fmt: skip
STEPS = 24
# Everything that a resumed run could get wrong: sizes drawn, weights averaged, colours changed.
HOW = ["--steps", str(STEPS), "--train-scales", "0.5,1", "--average", "0.9", "--jitter", "0.3"]


def train(data: Path, out: Path, *more: str) -> int:
    return main(["saliency", "--data", str(data), "--out", str(out), *SMALL, *more])


def finished(out: Path) -> dict[str, float]:
    last = events_of(out)[-1]
    assert last["kind"] == "finished"
    return last["metrics"]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paint_salient(tmp_path_factory.mktemp("data") / "salient")


@pytest.fixture(scope="module")
def whole(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    looks = ["--checkpoint-every", "0", "--watch-every", "6"]
    assert train(photographs, out, *HOW, *looks) == 0
    return out


def test_training_gets_better_and_tells_how_good_it_is(whole: Path) -> None:
    looks = [event for event in events_of(whole) if event["kind"] == "validation"]
    assert [look["step"] for look in looks] == [6, 12, 18, 24]
    metrics = finished(whole)
    assert metrics["mae"] < 0.6 * looks[0]["mae"]
    assert metrics["max_f"] > 0.8
    assert {"s_measure", "images", "loss"} <= set(metrics)
    assert looks[-1]["mae"] == pytest.approx(metrics["mae"], abs=0.05)
    losses = [event["loss"] for event in events_of(whole) if event["kind"] == "epoch"]
    assert losses[-1] < losses[0]
    said = [event["text"] for event in events_of(whole) if event["kind"] == "message"]
    assert any("On 2 held-out images: MAE 0." in text and "max F 0." in text for text in said)


def test_a_run_folder_holds_all_that_others_look_for(whole: Path, photographs: Path) -> None:
    held = (whole / "validation.txt").read_text().split()
    assert len(held) == 2
    assert sorted(path.stem for path in (whole / "saliency").iterdir()) == sorted(held)
    assert (whole / "film" / "photographs.jpg").is_file()
    network, card = load(whole)
    assert (card.kind, card.classes, card.backbone) == ("saliency", (), "slim")
    assert card.origin["metrics"] == finished(whole)
    assert card.origin["masks"]["masks"] == 10
    assert card.origin["data"]["images"] == 10
    assert "saliency --data" in card.origin["command"]
    assert network.flip
    provenance = json.loads((whole / "provenance.json").read_text())
    assert provenance["masks"] == card.origin["masks"]


def test_the_numbers_are_those_of_the_files_and_of_the_source(
    whole: Path, photographs: Path
) -> None:
    source, scores = saliency_source(f"network:{whole}"), SaliencyScores()
    for path in sorted((whole / "saliency").iterdir()):
        image = cv2.imread(str(photographs / "images" / f"{path.stem}.jpg"))[..., ::-1]
        written = read_heat(path)
        assert written == pytest.approx(source(np.ascontiguousarray(image)), abs=1 / 255)
        mask = cv2.imread(str(photographs / "masks" / path.name), 0)
        scores.add(written, (mask > 127).astype(np.uint8))
    for name, value in scores.result().items():
        assert finished(whole)[name] == pytest.approx(value, abs=1e-6)


def test_a_run_killed_at_any_step_ends_as_one_that_was_not(
    photographs: Path, whole: Path, tmp_path: Path, long_sweep: bool
) -> None:
    for number in range(8 if long_sweep else 1):
        at = random.randint(1, STEPS // 2)
        out = tmp_path / f"hurt-{number}"
        killed = start(
            "saliency", "--data", str(photographs), "--out", str(out), *SMALL, *HOW,
            "--checkpoint-every", "0", "--watch-every", "6",
        )  # fmt: skip
        enough = lambda text: text.count('"checkpoint"') >= at  # noqa: B023, E731
        assert stop_after(killed, out, enough, signal.SIGKILL) == -signal.SIGKILL
        assert not (out / "weights.safetensors").exists()
        assert main(["saliency", "--out", str(out), "--resume"]) == 0
        one, other = load(out)[0].state_dict(), load(whole)[0].state_dict()
        assert all(torch.equal(one[name], other[name]) for name in other), f"killed at {at}"
        assert finished(out) == finished(whole)
        for path in (whole / "saliency").iterdir():
            assert (out / "saliency" / path.name).read_bytes() == path.read_bytes()


def test_the_averaged_weights_are_those_that_are_written(whole: Path) -> None:
    kept = torch.load(checkpoints.newest(whole), weights_only=True)["kept"]
    written = load(whole)[0].state_dict()
    assert all(torch.equal(value, written[n]) for n, value in kept["averaged"]["network"].items())
    assert any(not torch.equal(value, written[n]) for n, value in kept["network"].items())


def test_classes_left_out_are_measured_apart_and_named_on_the_card(
    scenes: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    more = ["--split", "all", "--leave-out", "train,cat", "--steps", "2", "--watch-every", "-1"]
    assert train(scenes, out, *more) == 0
    metrics, card = finished(out), load(out)[1]
    assert {"mae", "unseen_mae", "unseen_max_f", "unseen_s_measure"} <= set(metrics)
    assert metrics["images"] + metrics["unseen_images"] + card.origin["masks"]["masks"] == 12
    assert card.origin["masks"]["left_out"] == ["train", "cat"]
    assert not {"train", "cat"} & set(card.origin["masks"]["classes"])


def test_predict_paints_grey_maps_with_it(whole: Path, photographs: Path, tmp_path: Path) -> None:
    named = ["--run", str(whole), "--data", str(photographs), "--out", str(tmp_path / "maps")]
    assert main(["predict", *named, "--flip", "--precision", "32", "--device", "cpu"]) == 0
    for path in (whole / "saliency").iterdir():
        painted = read_heat(tmp_path / "maps" / path.name)
        assert painted == pytest.approx(read_heat(path), abs=3 / 255)


def test_its_weights_begin_no_classifier_but_may_begin_a_trunk(whole: Path) -> None:
    start_of = backbone_weights("slim", whole)
    assert start_of is not None
    assert start_of.path == whole / "weights.safetensors"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--held-out", "1"], "--held-out is 1.0; it must be from 0 to 0.9"),
        (["--reading", "grey"], "--reading is 'grey'; it can be auto, white, classes"),
        (["--leave-out", "cat"], "--leave-out names classes, but these masks only say"),
        (["--validation", "nobody"], "--validation is 'nobody', which is neither a file"),
        (["--learning-rate", "1e30"], "so the training stopped"),
    ],
)
def test_mistakes_are_sentences(
    photographs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    sentence: str,
) -> None:
    assert train(photographs, tmp_path / "run", "--steps", "4", *more) == 2
    assert f"{sentence}" in capsys.readouterr().err


def test_weights_of_saliency_make_no_labels_of_their_own(
    whole: Path, tiny_voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = ["--weights", str(whole), "--data", str(tiny_voc), "--out", str(tmp_path / "run")]
    assert main(["labels", *named, "--crf", "none"]) == 2
    assert "of the kind 'saliency', which makes no attention maps" in capsys.readouterr().err


def test_photographs_are_told_better_than_by_the_classical_detector(
    shared_data: Path, tmp_path: Path
) -> None:
    """Two minutes of the preset for photographs are not spent here: three short passes over 60."""
    data = shared_data / "ecssd"
    names = sorted(path.stem for path in (data / "images").glob("*.jpg"))[::6]
    (tmp_path / "data").mkdir()
    for folder, suffix in (("images", "jpg"), ("masks", "png")):
        (tmp_path / "data" / folder).mkdir()
        for name in names:
            (tmp_path / "data" / folder / f"{name}.{suffix}").symlink_to(
                data / folder / f"{name}.{suffix}"
            )
    trunk = shared_data / "weights" / "squeezenet1_1_trunk.npz"
    quick = ["--size", "128", "--batch", "6", "--epochs", "8", "--warmup", "4", "--average", "0.9"]
    looks = ["--watch-every", "-1", "--train-scales", "1"]
    named = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "run"), "--device", "cpu"]
    assert (
        main(["saliency", *named, "--preset", "light", "--weights", str(trunk), *quick, *looks])
        == 0
    )
    metrics = finished(tmp_path / "run")
    assert metrics["images"] == 17
    classical, scores = saliency_source("classical"), SaliencyScores()
    for name in (tmp_path / "run" / "validation.txt").read_text().split():
        image = cv2.imread(str(data / "images" / f"{name}.jpg"))[..., ::-1]
        mask = cv2.imread(str(data / "masks" / f"{name}.png"), 0) > 127
        scores.add(classical(np.ascontiguousarray(image)), mask.astype(np.uint8))
    assert metrics["max_f"] > scores.result()["max_f"]
    assert metrics["mae"] < scores.result()["mae"]
