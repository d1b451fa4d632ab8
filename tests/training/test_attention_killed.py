"""Runs killed at any step, and disks that fill up while saving: they end as if nothing had been."""

import json
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from backend.weights import load
from training import checkpoints
from training.cli import main

from .conftest import TINY, events_of, start, stop_after, train

STEPS = 24
HOW = {
    "oaa": ["--gate", "topk", "--fusion", "mean", "--warmup-passes", "2", "--dropout", "0.3"],
    "oaaplus": ["--dropout", "0.3"],
    "seenet": ["--dropout", "0.3"],
    "ecsnet": ["--patience", "2", "--dropout", "0.3"],
}


@pytest.fixture(scope="module")
def flags(oaa_run: Path) -> Callable[[str], list[str]]:
    """What a run of a recipe is started with beside TINY."""
    more = ["--steps", str(STEPS), "--checkpoint-every", "0", "--watch-every", "6"]
    stands_on = {"oaaplus": ["--from", str(oaa_run)]}
    return lambda recipe: [*more, *HOW[recipe], *stands_on.get(recipe, [])]


def files(run: Path) -> dict[str, bytes]:
    """What a run made, by name: maps, histories and records; its weights are compared apart."""
    made = [
        path
        for folder in ("maps", "cams", "history", "film")
        for path in (run / folder).rglob("*.*")
    ]
    if (run / "accumulated.json").exists():
        made.append(run / "accumulated.json")
    return {str(path.relative_to(run)): path.read_bytes() for path in made}


def same(run: Path, other: Path) -> bool:
    """Whether two runs ended alike to the last bit."""
    weights, others = (load(folder)[0].state_dict() for folder in (run, other))
    assert set(weights) == set(others)
    metrics = [events_of(folder)[-1]["metrics"] for folder in (run, other)]
    return (
        all(torch.equal(weights[name], others[name]) for name in weights)
        and files(run) == files(other)
        and metrics[0] == metrics[1]
    )


@pytest.fixture(scope="module")
def whole(
    scenes: Path, flags: Callable[[str], list[str]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """The run of a recipe that nothing happened to."""
    done: dict[str, Path] = {}

    def of(recipe: str) -> Path:
        if recipe not in done:
            done[recipe] = tmp_path_factory.mktemp("whole") / recipe
            assert train(recipe, scenes, done[recipe], *flags(recipe)) == 0
        return done[recipe]

    return of


@pytest.mark.parametrize("recipe", HOW)
def test_a_run_killed_at_any_step_ends_as_one_that_was_not(
    scenes: Path,
    tmp_path: Path,
    flags: Callable[[str], list[str]],
    whole: Callable[[str], Path],
    recipe: str,
    long_sweep: bool,
):
    # The same steps every time, another for each recipe; late enough ones would race with the end.
    steps = random.Random(recipe).sample(range(1, STEPS - 6), 8 if long_sweep else 1)
    for number, at in enumerate(steps):
        out = tmp_path / f"hurt-{number}"
        killed = start(recipe, "--data", str(scenes), "--out", str(out), *TINY, *flags(recipe))
        enough = lambda text: text.count('"checkpoint"') >= at  # noqa: B023, E731
        assert stop_after(killed, out, enough, signal.SIGKILL) == -signal.SIGKILL
        assert not (out / "weights.safetensors").exists()
        assert main([recipe, "--out", str(out), "--resume"]) == 0
        resumed = [e["text"] for e in events_of(out) if e.get("text", "").startswith("Resumed at")]
        assert resumed
        assert same(out, whole(recipe)), f"killed at step {at}: {resumed}"


def test_a_run_killed_while_it_writes_maps_writes_them_again(
    tmp_path: Path, whole: Callable[[str], Path]
):
    """As the process leaves it when it dies there: training done, some maps, nothing after them."""
    run = shutil.copytree(whole("oaa"), tmp_path / "run")
    lines = (run / "events.jsonl").read_text().splitlines(keepends=True)
    (run / "events.jsonl").write_text("".join(lines[:-2]))
    (run / "weights.safetensors").unlink()
    shutil.rmtree(run / "history")
    shutil.rmtree(run / "maps")
    for lost in sorted((run / "cams").rglob("*.png"))[3:]:
        lost.unlink()
    assert main(["oaa", "--out", str(run), "--resume"]) == 0
    assert same(run, whole("oaa"))


def test_a_full_disk_ends_a_run_with_its_last_checkpoint_whole(
    scenes: Path,
    tmp_path: Path,
    flags: Callable[[str], list[str]],
    whole: Callable[[str], Path],
):
    """A file size limit, set from outside, stands in for the full disk: events still fit."""
    out = tmp_path / "run"
    running = start("oaa", "--data", str(scenes), "--out", str(out), *TINY, *flags("oaa"))
    while running.poll() is None and checkpoints.newest(out) is None:
        time.sleep(0.01)
    _, hard = resource.prlimit(running.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (200_000, hard))
    _, printed = running.communicate(timeout=120)
    assert running.returncode == 2
    assert "could not be written: File too large. Free some space" in printed
    assert "Traceback" not in printed
    assert events_of(out)[-1]["kind"] == "failed"
    saved = [event["step"] for event in events_of(out) if event["kind"] == "checkpoint"]
    assert [path.name for path in out.glob("*checkpoint*")] == [f"checkpoint-{saved[-1]:08d}.pt"]
    kept = torch.load(checkpoints.newest(out), weights_only=True)
    assert kept["position"]["step"] == saved[-1] < STEPS

    assert main(["oaa", "--out", str(out), "--resume"]) == 0
    assert same(out, whole("oaa"))


def test_a_resumed_run_keeps_the_numbers_that_it_was_started_with(
    whole: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
):
    for given, sentence in (
        (["--backbone", "vgg16"], "--backbone is vgg16, but this run was started with slim"),
        (["--fusion", "max"], "--fusion is max, but this run was started with mean"),
        (["--warmup-passes", "0"], "--warmup-passes is 0, but this run was started with 2"),
    ):
        assert main(["oaa", "--out", str(whole("oaa")), "--resume", *given]) == 2
        assert sentence in capsys.readouterr().err
    assert main(["seenet", "--out", str(whole("oaa")), "--resume"]) == 2
    assert "This run is of the recipe oaa" in capsys.readouterr().err
    config = json.loads((whole("oaa") / "config.json").read_text())
    assert config["settings"]["fusion"] == "mean"
