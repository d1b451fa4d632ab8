"""The local launcher, with real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.errors import JobError
from backend.launchers import Ended, LocalLauncher, Process, trainer_command


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> object:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


@pytest.fixture
def python() -> Iterator[Callable[[str], LocalLauncher]]:
    """A launcher whose trainer is a line of Python."""
    made: list[LocalLauncher] = []

    def build(code: str) -> LocalLauncher:
        made.append(LocalLauncher([sys.executable, "-c", code]))
        return made[-1]

    yield build
    for launcher in made:
        for child in list(launcher._children.values()):
            launcher.kill(Process(child.pid, 0.0))
            child.wait()


def test_output_goes_to_the_runs_log_below_the_command(
    python: Callable[[str], LocalLauncher], tmp_path: Path
) -> None:
    launcher = python("import sys; print('out', sys.argv[1:]); print('err', file=sys.stderr)")
    process = launcher.start(["classify", "--seed", "3"], tmp_path / "run")
    assert wait_for(lambda: launcher.ended(process)) == Ended(0)
    log = (tmp_path / "run" / "log.txt").read_text().splitlines()
    assert log[0].startswith("$ ")
    assert log[0].endswith("classify --seed 3")
    assert sorted(log[1:]) == ["err", "out ['classify', '--seed', '3']"]


def test_the_exit_code_is_told(python: Callable[[str], LocalLauncher], tmp_path: Path) -> None:
    launcher = python("raise SystemExit(7)")
    process = launcher.start([], tmp_path)
    assert wait_for(lambda: launcher.ended(process)) == Ended(7)
    assert launcher.ended(process) == Ended(None)


def test_a_trainer_is_the_leader_of_its_own_session(
    python: Callable[[str], LocalLauncher], tmp_path: Path
) -> None:
    launcher = python("import time; time.sleep(60)")
    process = launcher.start([], tmp_path)
    assert os.getsid(process.pid) == process.pid != os.getsid(0)


def test_asking_to_stop_reaches_the_trainer_alone(
    python: Callable[[str], LocalLauncher], tmp_path: Path
) -> None:
    code = (
        "import subprocess, sys, signal\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "def stop(*_): print('child', child.poll(), flush=True); raise SystemExit(143)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print('ready', child.pid, flush=True)\n"
        "signal.pause()\n"
    )
    launcher = python(code)
    process = launcher.start([], tmp_path)
    log = tmp_path / "log.txt"
    wait_for(lambda: "ready" in log.read_text().splitlines()[-1])
    child = int(log.read_text().split()[-1])
    launcher.ask_to_stop(process)
    assert wait_for(lambda: launcher.ended(process)) == Ended(143)
    assert "child None" in log.read_text()
    wait_for(lambda: not alive(child))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_killing_takes_the_whole_group(
    python: Callable[[str], LocalLauncher], tmp_path: Path
) -> None:
    code = (
        "import subprocess, sys, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print('ready', child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    launcher = python(code)
    process = launcher.start([], tmp_path)
    log = tmp_path / "log.txt"
    wait_for(lambda: "ready" in log.read_text().splitlines()[-1])
    child = int(log.read_text().split()[-1])
    launcher.ask_to_stop(process)
    time.sleep(0.2)
    assert launcher.ended(process) is None
    launcher.kill(process)
    assert wait_for(lambda: launcher.ended(process)) == Ended(-signal.SIGKILL)
    wait_for(lambda: not alive(child))


def test_another_launcher_watches_what_it_did_not_start(
    python: Callable[[str], LocalLauncher], tmp_path: Path
) -> None:
    launcher = python("import time; time.sleep(60)")
    process = launcher.start(["--out", str(tmp_path / "run"), "--x"], tmp_path / "run")
    other = LocalLauncher(["unused"])
    assert other.ended(process) is None
    # Popen returns as the program is exchanged; its command line is there a moment later.
    assert wait_for(lambda: other.find(tmp_path / "run")) == process
    assert other.find(tmp_path / "ru") is None
    other.kill(process)
    assert wait_for(lambda: other.ended(process)) == Ended(None)
    assert other.find(tmp_path / "run") is None


def test_a_process_with_the_same_pid_but_another_start_is_not_ours() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        launcher = LocalLauncher(["unused"])
        impostor = Process(stranger.pid, 1.0)
        assert launcher.ended(impostor) == Ended(None)
        launcher.ask_to_stop(impostor)
        launcher.kill(impostor)
        time.sleep(0.1)
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("program", ["/no/such/python", "/etc/passwd", "with\0null"])
def test_a_trainer_that_cannot_start_is_a_sentence(program: str, tmp_path: Path) -> None:
    with pytest.raises(JobError, match="could not be started"):
        LocalLauncher([program]).start(["classify"], tmp_path / "run")


def test_a_run_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JobError, match="cannot be written"):
        LocalLauncher([sys.executable]).start([], tmp_path / "file" / "run")


def test_the_trainer_can_live_in_another_environment() -> None:
    assert trainer_command({}) == [sys.executable, "-m", "training"]
    given = {"TAGMASK_TRAINER": "'/opt/my gpu/python' -m training"}
    assert trainer_command(given) == ["/opt/my gpu/python", "-m", "training"]
    with pytest.raises(JobError, match="not a command line"):
        trainer_command({"TAGMASK_TRAINER": "'unclosed"})
