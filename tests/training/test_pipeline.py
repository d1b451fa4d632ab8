"""`python -m training pipeline`: from tags to a segmenter, each stage made once."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from backend.labels import read_labels, write_labels
from backend.weights import read_card
from training.cli import main
from training.pipeline import LOCK
from training.stages.carrying_out import clean_up
from training.stages.lock import held

from .conftest import events_of, start
from .pipelines import ALL, HOW, chain, files, folder_of, listed, pipe, states


def test_every_image_gets_its_labels_and_the_test_list_its_predictions(piped: Path, scenes: Path):
    assert {path.stem for path in (piped / "labels").iterdir()} == listed(scenes, "train")
    assert {path.stem for path in (piped / "predictions").iterdir()} == listed(scenes, "val")
    classes = set(read_card(piped / "weights.safetensors").class_ids)
    for path in (piped / "predictions").iterdir():
        labels = read_labels(path)
        assert labels.shape == (64, 64)
        assert set(np.unique(labels).tolist()) <= {0, *classes}
    told = json.loads((piped / "pipeline.json").read_text())
    assert (told["method"], told["split"], told["test"]) == ("oaa", "train", "val")
    assert [row["name"] for row in told["stages"]] == ALL
    assert all(row["state"] == "done" and row["seconds"] > 0 for row in told["stages"])


def test_what_it_says_is_what_a_supervisor_needs(piped: Path, scenes: Path):
    events = events_of(piped)
    assert events[0]["kind"] == "started"
    finished = next(event for event in events if event["kind"] == "finished")
    assert finished["weights"] == "weights.safetensors"
    assert finished["labels"] == len(listed(scenes, "train"))
    assert {"labels_miou", "miou"} <= set(finished["metrics"])
    # Progress names the stage, and has no loss by its parts: that would be a curve of its own.
    told = [event for event in events if event["kind"] == "progress" and event["stage"] in ALL]
    assert {event["of"] for event in told} == {4}
    assert not any(isinstance(event.get("loss"), dict) for event in told)
    lines = [json.loads(line) for line in (piped / "scores.jsonl").read_text().splitlines()]
    assert all(line["method"].startswith("oaa.oaa · attention-") for line in lines)
    assert (folder_of(piped, "labels") / "log.txt").read_text().startswith("$ ")


def test_what_is_measured_is_what_evaluate_says(piped: Path, scenes: Path, tmp_path: Path):
    for what, name in (("labels", "labels_miou"), ("predictions", "miou")):
        truth = ["--truth", str(scenes / "SegmentationClass"), "--json", str(tmp_path / "r.json")]
        assert main(["evaluate", "--predictions", str(piped / what), *truth]) == 0
        found = json.loads((tmp_path / "r.json").read_text())["miou"]
        row = next(row for row in chain(piped) if row["name"] == what)
        assert row["figures"][name] == pytest.approx(found)
        # And what the page shows of it.
        kept = json.loads((piped / "evaluation" / f"{what}.json").read_text())
        assert kept["miou"] == pytest.approx(found)


def test_a_second_run_makes_nothing_again(piped: Path, scenes: Path):
    before = files(piped)
    records = [(folder_of(piped, name) / "stage.json").stat().st_mtime_ns for name in ALL]
    assert pipe(scenes, piped) == 0
    assert states(piped) == dict.fromkeys(ALL, "reused")
    assert files(piped) == before
    after = [(folder_of(piped, name) / "stage.json").stat().st_mtime_ns for name in ALL]
    assert after == records
    said = [event["text"] for event in events_of(piped) if event["kind"] == "message"]
    assert said[-1] == "Every stage was done, and nothing has changed: none was made again."


def test_what_is_spoilt_is_made_again_and_is_the_same(piped: Path, scenes: Path):
    before = files(piped)
    attention, labels = folder_of(piped, "attention"), folder_of(piped, "labels")
    first = sorted((attention / "maps").rglob("*.png"))[0]
    kept = first.read_bytes()
    first.unlink()
    sorted((labels / "labels").iterdir())[0].write_bytes(b"spoilt")
    (piped / "predictions" / sorted(listed(scenes, "val"))[0]).with_suffix(".png").unlink()
    assert pipe(scenes, piped) == 0
    assert states(piped) == {
        "attention": "done", "labels": "done", "segmenter": "reused", "predictions": "reused",
    }  # fmt: skip
    assert files(piped) == before
    assert first.read_bytes() == kept
    steps = [event["step"] for event in events_of(attention) if event["kind"] == "checkpoint"]
    # The training was not made again: its end was on record.
    assert steps == list(range(1, 10))


def test_another_threshold_makes_again_what_follows_and_nothing_before(
    piped: Path, scenes: Path, tmp_path: Path
):
    shared = ["--stages", str(piped / "stages")]
    assert pipe(scenes, tmp_path / "out", *shared, "--set", "labels.keep_above=0.6") == 0
    assert states(tmp_path / "out") == {"attention": "reused"} | dict.fromkeys(ALL[1:], "done")
    assert files(tmp_path / "out") != files(piped)
    assert pipe(scenes, tmp_path / "more", *shared) == 0
    assert states(tmp_path / "more") == dict.fromkeys(ALL, "reused")
    assert files(tmp_path / "more") == files(piped)


def test_a_stage_that_fails_ends_the_pipeline_with_its_sentence(
    piped: Path, scenes: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    (tmp_path / "none").mkdir()
    more = ["--stages", str(piped / "stages"), "--saliency", f"folder:{tmp_path / 'none'}"]
    assert pipe(scenes, tmp_path / "out", *more) == 2
    sentence = "Proxy labels: None of the 10 images could be labelled; the messages say why."
    printed = capfd.readouterr().err
    assert f"tagmask: {sentence}" in printed
    assert printed.count("None of the 10 images could be labelled") == 1
    failed = events_of(tmp_path / "out")[-1]
    assert (failed["kind"], failed["error"]) == ("failed", sentence)
    assert states(tmp_path / "out") == {
        "attention": "reused", "labels": "failed", "segmenter": "waiting", "predictions": "waiting",
    }  # fmt: skip


def test_a_test_image_that_cannot_be_read_is_named_and_the_rest_is_predicted(
    piped: Path, scenes: Path, tmp_path: Path
):
    data = shutil.copytree(scenes, tmp_path / "data")
    lost, *others = sorted(listed(scenes, "val"))
    path = next((data / "JPEGImages").glob(f"{lost}.*"))
    path.write_bytes(path.read_bytes()[:400])
    assert pipe(data, tmp_path / "out", "--stages", str(piped / "stages")) == 0
    assert states(tmp_path / "out")["predictions"] == "done"
    assert {path.stem for path in (tmp_path / "out" / "predictions").iterdir()} == set(others)
    said = [event["text"] for event in events_of(tmp_path / "out") if event["kind"] == "message"]
    assert any(f"1 images are left out: {lost}" in text for text in said)


def test_a_true_mask_that_cannot_be_used_is_named_and_ends_nothing(tmp_path: Path, scenes: Path):
    data = tmp_path / "data"
    shutil.copytree(scenes, data)
    name = sorted(listed(scenes, "val"))[0]
    mask = data / "SegmentationClass" / f"{name}.png"
    write_labels(mask, np.full(read_labels(mask).shape, 99, np.uint8))
    out = tmp_path / "out"
    assert pipe(data, out) == 0
    told = events_of(out)
    said = [event["text"] for event in told if event["kind"] == "message"]
    assert any(f"{name} is not measured" in text for text in said)
    assert told[-1]["metrics"]["miou"] >= 0
    # What another list left behind says nothing of these predictions.
    assert (out / "evaluation" / "predictions.json").is_file()
    for path in (data / "SegmentationClass").iterdir():
        if path.stem in listed(scenes, "val"):
            path.unlink()
    assert pipe(data, out) == 0
    assert not (out / "evaluation" / "predictions.json").exists()


def test_a_dry_run_leaves_nothing_behind(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "file").write_text("not a folder")
    assert pipe(scenes, tmp_path / "file" / "out", "--dry-run") == 2
    assert f"cannot be made: {tmp_path / 'file'} is a file." in capsys.readouterr().err
    assert pipe(scenes, tmp_path / "out", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[::2]] == [["make", name] for name in ALL]
    assert not (tmp_path / "out").exists()


def test_mistakes_end_with_a_sentence_and_leave_nothing(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for more, sentence in (
        (["--set", "labels.gama=3"], "The stage labels has no option 'gama'"),
        (["--method", "best"], "--method is 'best'; it can be seenet, oaa"),
        (["--clean", "--stages", str(tmp_path)], "--clean is for a pipeline's own stages"),
        (["--test", "tset"], "tset"),
    ):
        assert pipe(scenes, tmp_path / "out", *more) == 2
        assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_two_pipelines_do_not_work_in_one_folder(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    lock = tmp_path / "out" / LOCK
    with held(lock):
        assert pipe(scenes, tmp_path / "out") == 2
        assert "Another pipeline is at work in" in capsys.readouterr().err
        # It is the other one's: without it a third would begin.
        assert list(lock.parent.iterdir()) == [lock]


def test_a_place_may_be_named_from_another_folder(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    """A stage is a process in the project's folder, wherever the pipeline was started."""
    (tmp_path / "maps").mkdir()
    monkeypatch.chdir(tmp_path)
    assert pipe(scenes, Path("out"), "--saliency", "folder:maps", "--dry-run") == 0
    told = capsys.readouterr().out
    assert f"--saliency folder:{tmp_path / 'maps'} " in told
    assert f"--out {tmp_path / 'out' / 'stages'}" in told


def test_a_pipeline_that_is_asked_to_stop_saves_and_goes_on(
    piped: Path, scenes: Path, tmp_path: Path
):
    out = tmp_path / "stopped"
    process = start("pipeline", "--data", str(scenes), "--out", str(out), *HOW)
    while process.poll() is None and not any(out.glob("stages/attention-*/checkpoint-*.pt")):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 128 + signal.SIGTERM
    assert events_of(out)[-1]["kind"] == "cancelled"
    assert events_of(folder_of(out, "attention"))[-1]["kind"] == "cancelled"
    assert pipe(scenes, out) == 0
    assert files(out) == files(piped)


def test_a_stage_that_the_system_ends_is_named_and_gone_on_with(
    piped: Path, scenes: Path, tmp_path: Path
):
    """As it does with a process that takes too much memory: the pipeline itself lives."""
    out = tmp_path / "out"
    process = start("pipeline", "--data", str(scenes), "--out", str(out), *HOW)
    while process.poll() is None and not any(out.glob("stages/attention-*/checkpoint-*.pt")):
        time.sleep(0.01)
    (child,) = (
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _parent(entry) == process.pid
    )
    os.kill(child, signal.SIGKILL)
    assert process.wait(timeout=120) == 2
    failed = events_of(out)[-1]
    assert failed["kind"] == "failed"
    assert failed["error"].startswith("Attention (OAA): It was ended by SIGKILL, as the system")
    assert pipe(scenes, out) == 0
    assert files(out) == files(piped)


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def test_clean_removes_what_no_longer_counts(tmp_path: Path, scenes: Path):
    from training.options import settle
    from training.pipeline_options import Pipeline
    from training.run import Run
    from training.stages.plan import Plan

    from .stages.conftest import carried_out

    def plan(*words: str) -> Plan:
        run = Run("pipeline", tmp_path / "out", data=scenes, preset="scenes")
        return Plan(settle(Pipeline, "scenes", {"set_": words}), run)

    carried_out(plan("labels.gamma=0.1"))
    found = carried_out(plan("labels.gamma=0.2"))
    (tmp_path / "out" / "stages" / "mine").mkdir()
    clean_up(plan("labels.gamma=0.2"))
    left = {path.name for path in (tmp_path / "out" / "stages").iterdir() if path.is_dir()}
    assert left == {"mine", *(verdict.folder.name for verdict in found)}
