"""Where a training process runs: started, watched, asked to stop, ended, found again.

A launcher outlives nothing: what it starts does. A process is therefore named by its pid and the
kernel's count of its start, so that another process that later gets the same pid is not mistaken
for it, whatever the clock was set to meanwhile.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backend.errors import JobError

PROJECT = Path(__file__).resolve().parents[1]
LOG = "log.txt"


@dataclass(frozen=True)
class Process:
    """A process that is or was: its pid, and one number for its boot and its start within it."""

    pid: int
    started: float


@dataclass(frozen=True)
class Ended:
    """The process is gone; its exit code (negative: the signal) where it was our child."""

    code: int | None


class Launcher(Protocol):
    """What the supervisor asks of a place where training processes run."""

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The whole command line for these arguments of the trainer."""

    def start(self, arguments: Sequence[str], run_folder: Path) -> Process:
        """Starts the trainer, its output appended to the run's log; JobError if it cannot."""

    def find(self, run_folder: Path) -> Process | None:
        """A live process started for this run folder, if there is one."""

    def ended(self, process: Process) -> Ended | None:
        """None while it lives."""

    def ask_to_stop(self, process: Process) -> None:
        """Asks the trainer to finish its step, save and end."""

    def kill(self, process: Process) -> None:
        """Ends the process and all that it started, at once."""


def trainer_command(environ: Mapping[str, str] = os.environ) -> list[str]:
    """How the trainer is called: `$TAGMASK_TRAINER` split as a shell would, else our own Python.

    The trainer may live in another environment, e.g. TAGMASK_TRAINER="/opt/gpu/bin/python -m
    training". Raises JobError if the variable cannot be split.
    """
    words = environ.get("TAGMASK_TRAINER", "")
    try:
        return shlex.split(words) or [sys.executable, "-m", "training"]
    except ValueError as error:
        raise JobError(
            f"TAGMASK_TRAINER={words!r} is not a command line ({error}). Give a program and its "
            "arguments, e.g. '/opt/gpu/bin/python -m training'."
        ) from None


class LocalLauncher:
    """Trainers as processes of this machine, each in a session of its own.

    `trainer` is the command before the recipe's name; `folder` is the working directory.
    """

    def __init__(self, trainer: Sequence[str] | None = None, folder: Path = PROJECT) -> None:
        self.trainer = list(trainer_command() if trainer is None else trainer)
        self.folder = folder
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def command(self, arguments: Sequence[str]) -> list[str]:
        return [*self.trainer, *arguments]

    def start(self, arguments: Sequence[str], run_folder: Path) -> Process:
        command = self.command(arguments)
        try:
            run_folder.mkdir(parents=True, exist_ok=True)
            with (run_folder / LOG).open("ab") as log:
                log.write(f"$ {shlex.join(command)}\n".encode())
        except OSError as error:
            raise JobError(
                f"The run folder {run_folder} cannot be written ({error.strerror}). Free some "
                "space or correct its permissions, then resume the job."
            ) from None
        try:
            with (run_folder / LOG).open("ab") as log:
                child = subprocess.Popen(
                    command,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env=os.environ | {"PYTHONUNBUFFERED": "1"},
                )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise JobError(
                f"The trainer could not be started: {command[0]}: {reason}. Check the environment "
                "it lives in (TAGMASK_TRAINER, or run `make` again), then resume the job."
            ) from None
        self._children[child.pid] = child
        stat = _stat(child.pid)
        return Process(child.pid, stat.started if stat else 0.0)

    def find(self, run_folder: Path) -> Process | None:
        wanted = b"--out\0" + os.fsencode(run_folder) + b"\0"
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                if wanted in (entry / "cmdline").read_bytes():
                    stat = _stat(int(entry.name))
                    if stat and stat.alive and stat.session == int(entry.name):
                        return Process(int(entry.name), stat.started)
        return None

    def ended(self, process: Process) -> Ended | None:
        child = self._children.get(process.pid)
        if child is None:
            stat = _stat(process.pid)
            if stat and stat.alive and stat.started == process.started:
                return None
            self._kill_orphans(process, leader=stat)
            return Ended(None)
        # The pid stays ours, and so does the group's number, until the child is reaped.
        if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        _signal_group(child.pid, signal.SIGKILL)
        del self._children[process.pid]
        return Ended(child.wait())

    def ask_to_stop(self, process: Process) -> None:
        # To the leader alone: data loading workers that die first would fail its last step.
        if self.ended(process) is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)

    def kill(self, process: Process) -> None:
        if self.ended(process) is None:
            _signal_group(process.pid, signal.SIGKILL)

    def _kill_orphans(self, process: Process, leader: "_Stat | None") -> None:
        """Ends what a dead trainer left running in its session."""
        if leader is not None and leader.started != process.started:
            return
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != process.pid:
                stat = _stat(int(entry.name))
                if stat and stat.alive and stat.session == process.pid:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(int(entry.name), signal.SIGKILL)


@dataclass(frozen=True)
class _Stat:
    alive: bool
    session: int
    started: float


def _stat(pid: int) -> _Stat | None:
    """What Linux's /proc/PID/stat says; None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    # The name stands in brackets and may hold anything, brackets included.
    fields = text[text.rindex(")") + 2 :].split()
    # 20 bits of the boot's id above 33 bits of hundredths since then: exact as a double.
    started = float(int(boot[:5], 16) * (1 << 33) + int(fields[19]))
    return _Stat(alive=fields[0] not in "ZXx", session=int(fields[3]), started=started)


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
