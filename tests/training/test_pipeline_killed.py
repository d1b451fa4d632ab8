"""A pipeline killed in each of its stages, and in each part of the long ones: the same command ends
with the labels of one that nothing happened to, byte by byte.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.stages.board import read_pipeline
from training.stages.record import read_record

from .conftest import PROJECT, events_of
from .pipelines import HOW, chain, files, folder_of, listed, pipe

MACHINE = ["--preset", "scenes", "--weights", "none", "--device", "cpu", "--precision", "32",
           "--checkpoint-every", "0"]  # fmt: skip


def short(*stages: str, steps: int = 4) -> list[str]:
    """Words for --set: trainings of a second or two."""
    how = ("size=48", "batch=4", f"steps={steps}", "warmup=0", "watch_every=-1")
    return [f"{stage}.{option}" for stage in stages for option in how]


SEENET = [*MACHINE, "--method", "seenet", "--set", *short("attention", "segmenter")]
OAA_PLUS = [
    *MACHINE, "--method", "oaa+", "--set", *short("attention", "integral", "segmenter"),
    "attention.gate=none", "attention.warmup_passes=0",
]  # fmt: skip
DCSP = [
    *MACHINE, "--method", "dcsp", "--set", *short("joint"), "joint.fcan_steps=4",
    "joint.processes=1", "joint.head_channels=8", "joint.gamma=0.3", "joint.test_size=48",
    "joint.test_scales=1", "joint.level_logits=yes",
]  # fmt: skip
ECSNET = [
    *MACHINE, "--method", "ecsnet", "--set", *short("attention", "segmenter"),
    "attention.patience=0", "attention.map_scales=1", "labels.seeds=thresholds", "labels.size=48",
    "labels.batch=4", "labels.steps=4", "labels.warmup=0",
]  # fmt: skip

# What a stage has just begun to write when all is killed. Labels and predictions are of ten images
# and of two.
TRAINING, FUSING, PREDICTING = "checkpoint-*.pt", "labels/*.png", "predictions/*.png"
OF_OAA = (
    ("attention", TRAINING),
    ("labels", FUSING),
    ("segmenter", TRAINING),
    ("predictions", PREDICTING),
)
OF_DCSP = (
    ("joint", "checkpoint-1-fcan/checkpoint-*.pt"),
    ("joint", "checkpoint-3-joint-1/checkpoint-*.pt"),
    ("predictions", PREDICTING),
)
# What `make test-long` kills: every part of every method's stages.
MAPS = "maps/*/*.png"
LABELLING = (("segmenter", TRAINING), ("segmenter", FUSING), ("predictions", PREDICTING))
LONG = {
    "seenet": (
        SEENET, (("attention", TRAINING), ("attention", MAPS), ("labels", FUSING), *LABELLING),
    ),
    "oaa+": (
        OAA_PLUS,
        (
            ("attention", TRAINING), ("attention", MAPS), ("integral", TRAINING),
            ("integral", MAPS), ("labels", FUSING), *LABELLING,
        ),
    ),
    "dcsp": (
        DCSP,
        (
            OF_DCSP[0], ("joint", "cues/0/labels/*.png"),
            ("joint", "checkpoint-2-joint-0/checkpoint-*.pt"), OF_DCSP[1], ("joint", FUSING),
            OF_DCSP[2],
        ),
    ),
    "ecsnet": (
        ECSNET,
        (
            ("attention", TRAINING), ("attention", MAPS), ("labels", TRAINING),
            ("labels", FUSING), *LABELLING,
        ),
    ),
}  # fmt: skip


def killed_at(data: Path, out: Path, how: list[str], stage: str, pattern: str) -> None:
    """Runs a pipeline in a session of its own and kills it, with all that belongs to it, once a
    stage has written a file of a pattern; the stage is not done then.
    """
    command = ["pipeline", "--data", str(data), "--out", str(out), *how]
    process = subprocess.Popen(
        [sys.executable, "-m", "training", *command],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
    where = f"stages/{stage}-*/{pattern}"
    before = set(out.glob(where))
    while process.poll() is None:
        if set(out.glob(where)) - before:
            os.killpg(process.pid, signal.SIGKILL)
            break
        time.sleep(0.002)
    assert process.wait(timeout=120) == -signal.SIGKILL, (stage, pattern)
    # A child that went on would write into what the next start goes on with.
    end = time.monotonic() + 10
    while (alive := at_work_in(out)) and time.monotonic() < end:
        time.sleep(0.01)
    assert not alive
    (folder,) = out.glob(f"stages/{stage}-*/")
    assert not read_record(folder).is_done
    row = next(row for row in read_pipeline(out)["stages"] if row["name"] == stage)
    assert row["state"] == "running"


def at_work_in(out: Path) -> list[str]:
    """The commands of live processes that name a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if str(out) in words and state not in "ZX":
                found.append(words)
    return found


def made(out: Path) -> dict[str, bytes]:
    """Every label map of a pipeline: its own two folders and those of its stages."""
    found = [*(out / "labels").iterdir(), *(out / "predictions").iterdir()]
    for row in chain(out):
        found += (Path(row["folder"]) / "labels").glob("*.png")
    return {
        f"{path.parent.parent.name if path.parent.parent != out else 'out'}/{path.parent.name}/"
        f"{path.name}": path.read_bytes()
        for path in found
    }


def test_oaa_killed_in_each_stage_ends_as_one_that_was_not(
    piped: Path, scenes: Path, tmp_path: Path
):
    out = tmp_path / "hurt"
    for stage, pattern in OF_OAA:
        killed_at(scenes, out, HOW, stage, pattern)
    assert pipe(scenes, out) == 0
    assert files(out) == files(piped)
    assert made(out) == made(piped)
    for name in ("attention", "segmenter"):
        told = [event.get("text", "") for event in events_of(folder_of(out, name))]
        assert any(text.startswith("Resumed at step") for text in told)


def test_dcsp_killed_in_each_stage_ends_as_one_that_was_not(scenes: Path, tmp_path: Path):
    whole, out = tmp_path / "whole", tmp_path / "hurt"
    assert pipe(scenes, whole, how=DCSP) == 0
    for name, images in (("labels", "train"), ("predictions", "val")):
        assert {path.stem for path in (whole / name).iterdir()} == listed(scenes, images)
    for stage, pattern in OF_DCSP:
        killed_at(scenes, out, DCSP, stage, pattern)
    assert pipe(scenes, out, how=DCSP) == 0
    assert made(out) == made(whole)


def test_the_random_walks_stage_killed_in_each_part_ends_as_one_that_was_not(
    scenes: Path, tmp_path: Path
):
    """What stands before and behind it is killed by `make test-long`."""
    whole, out = tmp_path / "whole", tmp_path / "hurt"
    killed_at(scenes, whole, ECSNET, "segmenter", TRAINING)
    for pattern in (TRAINING, FUSING):
        killed_at(scenes, out, ECSNET, "labels", pattern)
    killed_at(scenes, out, ECSNET, "segmenter", TRAINING)
    names = sorted(path.name for path in (whole / "labels").iterdir())
    assert len(names) == 10
    for name in names:
        assert (out / "labels" / name).read_bytes() == (whole / "labels" / name).read_bytes()


@pytest.mark.parametrize("method", LONG)
def test_a_method_killed_in_each_part_ends_as_one_that_was_not(
    scenes: Path, tmp_path: Path, method: str, long_sweep: bool
):
    if not long_sweep:
        pytest.skip("each takes a minute or two: make test-long")
    how, moments = LONG[method]
    whole, out = tmp_path / "whole", tmp_path / "hurt"
    assert pipe(scenes, whole, how=how) == 0
    for stage, pattern in moments:
        killed_at(scenes, out, how, stage, pattern)
    assert pipe(scenes, out, how=how) == 0
    assert made(out) == made(whole)
