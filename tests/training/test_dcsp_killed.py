"""A run of DCSP killed in one phase after the other: it ends as if nothing had been."""

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch

from backend.exchange.sources import open_source
from backend.weights import load
from training.cli import main

from .conftest import TINY, events_of, start, train

FLAGS = [
    "--fcan-steps", "4", "--steps", "4", "--test-size", "48", "--processes", "1",
    "--head-channels", "8", "--dropout", "0.3", "--watch-every", "4", "--checkpoint-every", "0",
    "--gamma", "0.3",
]  # fmt: skip
MADE = ("maps", "saliency", "cues", "labels", "predictions", "film")

# What a run has just begun to write when it is killed, in the order of its phases.
PHASES = (
    "checkpoint-1-fcan/checkpoint-*.pt",
    "saliency/*.png",
    "maps/*/*.png",
    "cues/0/labels/*.png",
    "checkpoint-2-joint-0/checkpoint-*.pt",
    "cues/1/labels/*.png",
    "checkpoint-3-joint-1/checkpoint-*.pt",
    "labels/*.png",
)


@pytest.fixture(scope="module")
def whole(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing happened to."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert train("dcsp", scenes, out, *FLAGS) == 0
    return out


def files(run: Path) -> dict[str, bytes]:
    """What a run made, by name; its weights are compared apart. A file that was being written when
    the process was killed keeps a hidden partial name, beside the whole one.
    """
    made = [
        path
        for name in MADE
        for path in (run / name).rglob("*.*")
        if not (path.name.startswith(".") and path.suffix == ".partial")
    ]
    made.append(run / "saliency.json")
    return {str(path.relative_to(run)): path.read_bytes() for path in made}


def same(run: Path, other: Path) -> bool:
    """Whether two runs ended alike to the last bit, each of their phases too."""
    weights = [sorted(folder.rglob("weights.safetensors")) for folder in (run, other)]
    if [p.relative_to(run) for p in weights[0]] != [p.relative_to(other) for p in weights[1]]:
        return False
    for one, two in zip(*weights, strict=True):
        first, second = (load(path)[0].state_dict() for path in (one, two))
        if not all(torch.equal(first[name], second[name]) for name in first):
            return False
    metrics = [events_of(folder)[-1]["metrics"] for folder in (run, other)]
    return files(run) == files(other) and metrics[0] == metrics[1]


def killed_at(process: "subprocess.Popen[str]", out: Path, pattern: str) -> int:
    """Kills a trainer as soon as a file of this pattern is there; its exit status."""
    while process.poll() is None:
        if any(out.glob(pattern)):
            process.kill()
            break
        time.sleep(0.002)
    return process.wait(timeout=120)


def test_a_run_killed_in_every_phase_ends_as_one_that_was_not(
    scenes: Path, tmp_path: Path, whole: Path
):
    out = tmp_path / "hurt"
    begin = ["dcsp", "--data", str(scenes), "--out", str(out), *TINY, *FLAGS]
    for number, pattern in enumerate(PHASES):
        more = begin if number == 0 else ["dcsp", "--out", str(out), "--resume"]
        assert killed_at(start(*more), out, pattern) == -signal.SIGKILL, pattern
        assert not (out / "weights.safetensors").exists()
    assert main(["dcsp", "--out", str(out), "--resume"]) == 0
    said = [event.get("text", "") for event in events_of(out)]
    assert sum(text.startswith("Resumed at step") for text in said) >= 3
    assert same(out, whole)


def test_a_run_that_is_asked_to_stop_between_images_goes_on(
    scenes: Path, tmp_path: Path, whole: Path
):
    out = tmp_path / "stopped"
    running = start("dcsp", "--data", str(scenes), "--out", str(out), *TINY, *FLAGS)
    while running.poll() is None and not any(out.glob("saliency/*.png")):
        time.sleep(0.002)
    running.terminate()
    assert running.wait(timeout=120) == 128 + signal.SIGTERM
    assert events_of(out)[-1]["kind"] == "cancelled"
    assert 0 < len(list((out / "saliency").glob("*.png"))) < 10
    assert main(["dcsp", "--out", str(out), "--resume"]) == 0
    assert same(out, whole)


def test_a_run_without_joint_training_writes_what_it_lacks(scenes: Path, tmp_path: Path):
    """As the process leaves it when it dies among the predictions, some of their saliency lost."""
    run, other = tmp_path / "run", tmp_path / "other"
    assert train("dcsp", scenes, run, *FLAGS, "--no-joint") == 0
    shutil.copytree(run, other)
    lines = (run / "events.jsonl").read_text().splitlines(keepends=True)
    (run / "events.jsonl").write_text("".join(lines[:-1]))
    shutil.rmtree(run / "labels")
    (run / "weights.safetensors").unlink()
    lost = sorted((run / "predictions").glob("*.png"))[1:]
    assert lost
    for path in lost:
        path.unlink()
        (run / "saliency" / path.name).unlink()
    assert main(["dcsp", "--out", str(run), "--resume"]) == 0
    assert same(run, other)
    assert not any(e["kind"] == "epoch" for e in events_of(run)[len(lines) :])


def test_another_run_in_the_place_of_a_failed_one_takes_nothing_of_it(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """What failed after its first phase must be gone on with: its phases are of its settings."""
    out, damaged = tmp_path / "run", tmp_path / "maps"
    damaged.mkdir()
    for item in open_source(scenes).items:
        (damaged / f"{item.name}.png").write_bytes(b"no png")
    flags = [*FLAGS, "--saliency", f"folder:{damaged}"]
    assert train("dcsp", scenes, out, *flags) == 2
    assert "No image has a saliency map that can be used" in capsys.readouterr().err
    assert train("dcsp", scenes, out, *FLAGS, "--seed", "5") == 2
    assert "Add --resume to go on with it" in capsys.readouterr().err
