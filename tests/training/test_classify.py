"""`python -m training classify`, from tags to weights and maps, and every way it can go wrong."""

import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.labels import read_heat
from backend.weights import load, save
from training.cli import main

from .conftest import SHORT, events_of, paint_voc, start, stop_after


def classify(data: Path, out: Path, *more: str) -> int:
    return main(["classify", "--data", str(data), "--out", str(out), *SHORT, *more])


def test_a_run_folder_holds_all_that_others_look_for(trained: Path):
    assert {path.name for path in trained.iterdir()} == {
        "checkpoint-00000006.pt",
        "config.json",
        "evaluation",
        "events.jsonl",
        "film",
        "heartbeat",
        "maps",
        "provenance.json",
        "weights.safetensors",
    }
    assert json.loads((trained / "provenance.json").read_text())["trunk"] == {"text": "random"}
    kinds = [event["kind"] for event in events_of(trained)]
    assert kinds[0] == "started"
    assert kinds[-1] == "finished"
    assert kinds.count("epoch") == 2
    assert [event["seq"] for event in events_of(trained)] == list(range(len(kinds)))
    finished = events_of(trained)[-1]
    assert finished["weights"] == "weights.safetensors"
    assert finished["maps"] == len(list(trained.glob("maps/*/*.png"))) == 10
    assert {"loss", "tag_accuracy", "miou", "threshold"} <= set(finished["metrics"])


def test_the_weights_load_and_know_where_they_come_from(trained: Path, tiny_voc: Path):
    network, card = load(trained)
    assert card.classes == ("cat", "dog")
    assert card.class_ids == (8, 12)
    assert card.origin["seed"] == 0
    assert card.origin["trunk"] == {"text": "random"}
    assert card.origin["data"]["images"] == 8
    assert "classify --data" in card.origin["command"]
    assert card.origin["metrics"]["miou"] == events_of(trained)[-1]["metrics"]["miou"]
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 48, 48)).maps.shape == (1, 2, 12, 12)


def test_maps_are_heat_between_0_and_1(trained: Path):
    heat = read_heat(trained / "maps" / "im0" / "cat.png")
    assert heat.shape == (12, 12)
    assert np.isin(heat.max(), (0.0, 1.0))


def test_the_same_seed_gives_the_same_numbers(trained: Path, tiny_voc: Path, tmp_path: Path):
    assert classify(tiny_voc, tmp_path / "again") == 0
    assert classify(tiny_voc, tmp_path / "other", "--seed", "1") == 0
    first, again, other = (
        load(folder)[0].state_dict() for folder in (trained, tmp_path / "again", tmp_path / "other")
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
    for path in trained.glob("maps/*/*.png"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(trained)).read_bytes()


def test_a_stopped_and_killed_run_ends_as_if_nothing_had_happened(tiny_voc: Path, tmp_path: Path):
    more = ("--epochs", "12", "--checkpoint-every", "0", "--dropout", "0.3")
    out = tmp_path / "hurt"
    command = ("classify", "--data", str(tiny_voc), "--out", str(out), *SHORT, *more)

    asked = start(*command)
    status = stop_after(asked, out, lambda text: text.count('"checkpoint"') > 3, signal.SIGTERM)
    assert status == 143
    assert events_of(out)[-1]["kind"] == "cancelled"
    before = sum(event["kind"] == "checkpoint" for event in events_of(out))

    killed = start("classify", "--out", str(out), "--resume")
    enough = lambda text: text.count('"checkpoint"') > before + 5  # noqa: E731
    assert stop_after(killed, out, enough, signal.SIGKILL) == -signal.SIGKILL
    assert not (out / "weights.safetensors").exists()

    assert main(["classify", "--out", str(out), "--resume"]) == 0
    assert classify(tiny_voc, tmp_path / "whole", *more) == 0
    hurt, whole = (load(folder)[0].state_dict() for folder in (out, tmp_path / "whole"))
    assert all(torch.equal(hurt[name], whole[name]) for name in whole)
    assert events_of(out)[-1]["metrics"] == events_of(tmp_path / "whole")[-1]["metrics"]


def test_a_class_that_no_image_has_is_left_out_and_named(tmp_path: Path):
    data = paint_voc(tmp_path / "data")
    (data / "classes.txt").write_text("cat\nunicorn\ndog\n")
    shutil.rmtree(data / "SegmentationClass")
    assert classify(data, tmp_path / "run", "--steps", "1") == 0
    said = [e["text"] for e in events_of(tmp_path / "run") if e["kind"] == "message"]
    assert any("No image has the tag unicorn; the network does not learn it." in t for t in said)
    assert load(tmp_path / "run")[1].class_ids == (1, 3)
    assert "miou" not in events_of(tmp_path / "run")[-1]["metrics"]


def test_evaluate_prints_the_sweep_and_writes_it(
    trained: Path, tiny_voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    truth = str(tiny_voc / "SegmentationClass")
    file = tmp_path / "result.json"
    arguments = ["--maps", str(trained / "maps"), "--truth", truth, "--json", str(file)]
    assert main(["evaluate", *arguments]) == 0
    result = json.loads(file.read_text())
    metrics = events_of(trained)[-1]["metrics"]
    assert result["miou"] == pytest.approx(metrics["miou"])
    assert result["threshold"] == metrics["threshold"]
    assert set(result["iou"]) == {"background", "cat", "dog"}
    assert max(score for _, score in result["sweep"]) == result["miou"]
    printed = capsys.readouterr().out
    assert "best threshold" in printed
    assert f"{result['iou']['cat']:5.1f}" in printed


def test_evaluate_of_the_truth_itself_is_perfect(tiny_voc: Path, tmp_path: Path):
    truth = str(tiny_voc / "SegmentationClass")
    file = tmp_path / "deep" / "result.json"
    assert main(["evaluate", "--predictions", truth, "--truth", truth, "--json", str(file)]) == 0
    assert json.loads(file.read_text())["miou"] == 100.0
    assert json.loads(file.read_text())["threshold"] is None


def said(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("tagmask: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--preset", "huge"], "invalid choice: 'huge'"),
        (["--backbone", "vgg19"], "--backbone is 'vgg19'; it can be vgg16, squeezenet1_1"),
        (["--batch", "0"], "--batch is 0; it must be from 1 to"),
        (["--batch", "many"], "--batch is 'many'; it takes a whole number"),
        (["--stride", "5"], "slim has stride 4 or 8; 5 was asked for"),
        (["--weights", "nowhere.npz"], "There are no weights at nowhere.npz"),
        (["--split", "trainval"], "has no split trainval"),
        (["--colour", "red"], "unrecognized arguments: --colour red"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_sentence(
    tiny_voc: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
):
    try:
        status = classify(tiny_voc, tmp_path / "run", *arguments)
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert sentence in said(capsys)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_cuda_asked_for_and_absent_is_a_sentence(
    tiny_voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert classify(tiny_voc, tmp_path / "run", "--device", "cuda") == 2
    sentence = said(capsys)
    assert "--device cuda was asked for, but" in sentence
    assert "--device cpu or auto" in sentence
    assert not (tmp_path / "run").exists()


def test_data_without_tags_cannot_be_trained_on(
    tiny_voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.copytree(tiny_voc / "JPEGImages", tmp_path / "plain")
    assert classify(tmp_path / "plain", tmp_path / "run") == 2
    assert "None of the 8 images" in said(capsys)
    assert not (tmp_path / "run").exists()


def test_data_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert classify(tmp_path / "nowhere", tmp_path / "run") == 2
    assert f"{tmp_path / 'nowhere'} does not exist" in said(capsys)


def test_no_data_at_all_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["classify", "--out", str(tmp_path / "run")]) == 2
    assert "--data is missing" in said(capsys)
    assert not (tmp_path / "run").exists()


def test_a_broken_image_ends_the_run_with_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    data = paint_voc(tmp_path / "data")
    (data / "JPEGImages" / "im3.jpg").write_bytes(b"")
    assert classify(data, tmp_path / "run") == 2
    assert "im3.jpg" in said(capsys)


def test_corrupt_initial_weights_are_refused(
    tiny_voc: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes((trained / "weights.safetensors").read_bytes()[:5000])
    assert classify(tiny_voc, tmp_path / "run", "--weights", str(broken)) == 2
    assert "broken.safetensors cannot be read" in said(capsys)


def test_a_run_goes_on_from_anothers_weights(tiny_voc: Path, trained: Path, tmp_path: Path):
    weights = str(trained / "weights.safetensors")
    assert classify(tiny_voc, tmp_path / "run", "--weights", weights) == 0
    assert load(tmp_path / "run")[1].origin["trunk"]["file"] == "weights.safetensors"


def test_a_trunk_without_weights_is_never_random_silently(
    tiny_voc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    monkeypatch.delenv("TAGMASK_WEIGHTS", raising=False)
    more = ["--preset", "light", "--backbone", "mobilenet_v2", "--steps", "1"]
    arguments = ["classify", "--data", str(tiny_voc), "--out", str(tmp_path / "run"), *more]
    assert main(arguments) == 2
    assert "No initial weights for mobilenet_v2" in said(capsys)


def test_a_loss_that_leaves_the_numbers_is_a_failed_run(
    tiny_voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert classify(tiny_voc, tmp_path / "run", "--learning-rate", "1e30") == 2
    assert "so the training stopped" in said(capsys)
    assert events_of(tmp_path / "run")[-1]["kind_of"] == "Diverged"


def test_a_folder_with_a_run_is_not_overwritten(
    trained: Path, tiny_voc: Path, capsys: pytest.CaptureFixture[str]
):
    before = (trained / "events.jsonl").read_bytes()
    assert classify(tiny_voc, trained) == 2
    assert "already holds a run" in said(capsys)
    assert (trained / "events.jsonl").read_bytes() == before


def test_a_resumed_run_keeps_its_numbers(trained: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["classify", "--out", str(trained), "--resume", "--batch", "4"]) == 2
    assert "--batch is 4, but this run was started with 3" in said(capsys)
    assert main(["classify", "--out", str(trained), "--resume", "--seed", "3"]) == 2
    assert "--seed is 3, but this run was started with 0" in said(capsys)


def test_resuming_a_finished_run_changes_nothing(trained: Path):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*.png")}
    events = (trained / "events.jsonl").read_bytes()
    assert main(["classify", "--out", str(trained), "--resume"]) == 0
    assert (trained / "events.jsonl").read_bytes() == events
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*.png")} == before


def test_a_resumed_run_of_another_recipe_is_refused(
    trained: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["labels", "--out", str(trained), "--resume"]) == 2
    assert "This run is of the recipe classify" in said(capsys)


def test_a_damaged_configuration_is_a_sentence(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / "config.json").write_text('{"format": 1, "settings":')
    assert main(["classify", "--out", str(tmp_path / "run"), "--resume"]) == 2
    assert "config.json is not a run's configuration" in said(capsys)


def test_an_output_folder_that_cannot_be_made_is_named(
    tiny_voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "file").write_text("in the way")
    assert classify(tiny_voc, tmp_path / "file" / "run") == 2
    assert "cannot be made" in said(capsys)


def test_a_run_that_failed_before_its_first_checkpoint_can_begin_again(
    tiny_voc: Path, tmp_path: Path
):
    run = tmp_path / "run"
    assert classify(tiny_voc, run, "--learning-rate", "1e30") == 2
    assert events_of(run)[-1]["kind"] == "failed"
    assert classify(tiny_voc, run) == 0
    assert (run / "weights.safetensors").is_file()
    assert classify(tiny_voc, run) == 2


def test_maps_are_measured_with_the_classes_of_the_run_that_made_them(
    trained: Path, tiny_voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    for image in (run / "maps").iterdir():
        (image / "cat.png").exists() and (image / "cat.png").rename(image / "gryphon.png")
    network, card = load(run)
    named = tuple("gryphon" if name == "cat" else name for name in card.classes)
    save(run / "weights.safetensors", network, replace(card, classes=named))
    truth = shutil.copytree(tiny_voc / "SegmentationClass", tmp_path / "truth" / "masks")
    assert main(["evaluate", "--maps", str(run / "maps"), "--truth", str(truth)]) == 0
    assert "gryphon" in capsys.readouterr().out
