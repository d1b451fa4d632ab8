"""A command of the trainer as a child process: its progress is passed on, and a stop; where it
fails, its sentence is heard.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.events import Event, Position, read_events
from training.events import EVENTS
from training.orphan import PARENT
from training.run import Run

PROJECT = Path(__file__).resolve().parents[2]
LOG = "log.txt"
PAUSE = 0.2
MARK = "tagmask: "


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code, its `finished` event if it said one, and the sentence of
    its failure.
    """

    code: int
    finished: Event | None = None
    sentence: str = ""


def run_child(
    run: Run, words: Sequence[str], folder: Path, lock: int, heard: Callable[[Event | None], None]
) -> Ended:
    """Runs `python -m training WORDS` to its end, its output in folder/log.txt and on stderr.

    heard(event) is told each event that it writes into folder/events.jsonl, and None now and then.
    A stop of this run is passed on once; the child then saves and ends. If this process dies, the
    child does, too: nobody would listen to it any more, and the next start goes on in its place.
    Until then it holds the lock of its folder.
    """
    command = [sys.executable, "-m", "training", *words]
    path = folder / EVENTS
    # What it said before is told already.
    position = Position(path.stat().st_size if path.exists() else 0)
    with (folder / LOG).open("ab") as log:
        log.write(f"$ {shlex.join(command)}\n".encode())
        child = subprocess.Popen(
            command,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A group of its own: Ctrl-C is for this process to hear and to pass on once.
            process_group=0,
            pass_fds=(lock,),
            env=os.environ | {"PYTHONUNBUFFERED": "1", PARENT: str(os.getpid())},
        )
        said: list[str] = []
        reader = threading.Thread(target=_read, args=(child, log, said), daemon=True)
        reader.start()
        finished: Event | None = None
        failed = ""
        asked = False
        try:
            while True:
                ended = child.poll() is not None
                # Read after looking whether it lives, so that a dead one's last word is in.
                events, position = read_events(path, position)
                for event in events:
                    finished = event if event["kind"] == "finished" else finished
                    failed = str(event.get("error", "")) if event["kind"] == "failed" else failed
                    heard(event)
                if ended and not events:
                    break
                heard(None)
                if run.stopping and not asked:
                    asked = True
                    child.send_signal(signal.SIGTERM)
                time.sleep(0 if ended else PAUSE)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
            reader.join(timeout=5)
    last = next((line for line in reversed(said) if line.startswith(MARK)), "")
    sentence = failed or last.removeprefix(MARK) or _unexplained(child.returncode, folder)
    return Ended(child.returncode, finished, sentence)


def _read(child: "subprocess.Popen[bytes]", log: object, said: list[str]) -> None:
    """Copies what a child prints to its log and, but for the sentence that it ends with, which
    this process tells with the stage's title, to stderr; remembers its last lines."""
    assert child.stdout is not None
    for line in child.stdout:
        with contextlib.suppress(OSError, ValueError):
            log.write(line)  # type: ignore[attr-defined]
            log.flush()  # type: ignore[attr-defined]
        text = line.decode(errors="replace").rstrip()
        if not text.startswith(MARK):
            print(text, file=sys.stderr, flush=True)
        said.append(text)
        del said[:-200]


def _unexplained(code: int, folder: Path) -> str:
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        memory = ", as the system does when memory runs out" if code == -signal.SIGKILL else ""
        return f"It was ended by {name}{memory}; the same command goes on from its last checkpoint."
    return f"It ended with code {code} and no reason; {folder / LOG} has what it printed."
