"""What a run says of itself while it lives: events.jsonl, line by line, and a heartbeat.

The file is the only channel to whoever watches, so that a run can live on another machine. Readers
take complete lines only (`backend.events`): a process killed while writing leaves a torn last line,
which the next writer ends with a newline and the reader skips.
"""

import json
import math
import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from training.errors import TrainingError

EVENTS = "events.jsonl"
HEARTBEAT = "heartbeat"
HEARTBEAT_SECONDS = 2.0


class EventWriter:
    """Appends events to a run's events.jsonl, numbered on from those already there.

    Every event but progress is on the disk when `write` returns. Raises TrainingError where the
    file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / EVENTS
        try:
            self.seq, torn = _count_lines(self.path)
            self._file = self.path.open("ab")
            if torn:
                self._file.write(b"\n")
                self._file.flush()
        except OSError as problem:
            raise _unwritable(self.path, problem) from None

    def write(self, kind: str, **fields: Any) -> None:
        """One event: its number, the time, its kind and the fields; no NaN or infinity."""
        event = {"seq": self.seq, "time": time.time(), "kind": kind, **_finite(fields)}
        line = json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            self._file.write(line.encode())
            self._file.flush()
            if kind != "progress":
                os.fsync(self._file.fileno())
        except OSError as problem:
            raise _unwritable(self.path, problem) from None
        self.seq += 1

    def close(self) -> None:
        self._file.close()


class Heartbeat:
    """Touches the file `heartbeat` every two seconds, from a thread, for as long as it is open."""

    def __init__(self, folder: Path, seconds: float = HEARTBEAT_SECONDS) -> None:
        self.path = folder / HEARTBEAT
        self.seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        while True:
            try:
                self.path.touch()
            except OSError:
                # A full or briefly absent disk must not end the run; the next beat tries again.
                self._ended.wait(self.seconds)
            if self._ended.wait(self.seconds):
                return


def last_kind(folder: Path) -> str | None:
    """The kind of the last readable event of a run, None where there is none."""
    try:
        with (folder / EVENTS).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - (1 << 16)))
            lines = file.read().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        try:
            event = json.loads(line)
            return str(event["kind"])
        except (ValueError, KeyError, TypeError):
            continue
    return None


def _count_lines(path: Path) -> tuple[int, bool]:
    """How many complete lines a file has, and whether a piece of one is left at its end."""
    if not path.exists():
        return 0, False
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            count += piece.count(b"\n")
            last = piece[-1:]
    return count, last != b"\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value


def _unwritable(path: Path, problem: OSError) -> TrainingError:
    reason = problem.strerror or str(problem)
    return TrainingError(
        f"{path} could not be written: {reason}. Free some space or choose another --out; a run "
        "that was stopped goes on with --resume."
    )
