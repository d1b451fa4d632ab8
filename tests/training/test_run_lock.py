"""A run's folder has one process at a time, and a killed one leaves it free."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.cli import main
from training.errors import TrainingError
from training.run_lock import RUN_LOCK, alone

from .conftest import PROJECT, SHORT, events_of, start, stop_after

# Takes the lock of a folder, starts a process that has the same files open, and is killed.
KILLED = """
import os, signal, sys, time
from pathlib import Path
from training.run_lock import alone

with alone(Path(sys.argv[1]), print):
    child = os.fork()
    if not child:
        os.close(1)
        time.sleep(60)
        os._exit(0)
    print(child, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def has_saved(text: str) -> bool:
    return '"checkpoint"' in text


def test_a_second_process_is_refused_and_a_killed_one_is_resumed(
    tiny_voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "run"
    words = ["classify", "--data", str(tiny_voc), "--out", str(out), *SHORT]
    words += ["--checkpoint-every", "0"]
    long = [*words, "--steps", "100000", "--watch-every", "-1"]
    first = start(*long)
    try:
        path = out / "events.jsonl"
        end = time.monotonic() + 120
        while not (path.exists() and has_saved(path.read_text())):
            assert time.monotonic() < end
            assert first.poll() is None
            time.sleep(0.02)
        assert (out / RUN_LOCK).is_file()
        before = (out / "config.json").read_bytes()
        assert main([*long, "--resume"]) == 2
        assert f"Another process is at work on the run in {out}." in capsys.readouterr().err
        assert first.poll() is None
        assert (out / "config.json").read_bytes() == before
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=60)
    # The refused one left no word among its events.
    assert not {"failed", "cancelled"} & {event["kind"] for event in events_of(out)}
    again = start(*long, "--resume")
    assert stop_after(again, out, lambda text: "Resumed at step" in text, signal.SIGTERM) == 143
    assert events_of(out)[-1]["kind"] == "cancelled"
    # It goes with the run that ends by itself.
    assert not (out / RUN_LOCK).exists()


def test_what_a_killed_run_has_forked_keeps_nobody_out(tmp_path: Path):
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == -signal.SIGKILL
    child = int(run.stdout)
    try:
        assert (tmp_path / RUN_LOCK).is_file()
        os.kill(child, 0)
        with alone(tmp_path, pytest.fail):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
    assert not (tmp_path / RUN_LOCK).exists()


def test_where_nothing_can_be_locked_the_run_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "lockf", refuse)
    heard: list[str] = []
    with alone(tmp_path, heard.append):
        assert "No locks available" in heard[0]
        assert "start no other one there" in heard[0]


def test_a_lock_that_another_process_has_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def taken(*_: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(fcntl, "lockf", taken)
    with pytest.raises(TrainingError, match="choose another --out"), alone(tmp_path, print):
        pass


@pytest.mark.parametrize("recipe", ["classify", "sal", "scenes", "pipeline"])
def test_a_folder_with_too_long_a_name_is_a_sentence(
    tiny_voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], recipe: str
):
    data = [] if recipe == "scenes" else ["--data", str(tiny_voc)]
    # What `scenes` would write is not looked at before.
    for command in ([recipe], *([] if recipe == "scenes" else [["check", recipe]])):
        assert main([*command, *data, "--out", str(tmp_path / ("x" * 300))]) == 2
        said = capsys.readouterr().err
        assert "is longer than the file system takes" in said
        assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []
