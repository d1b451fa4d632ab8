"""A transfer in a process of its own: a page that serves reviewers does not decode photographs."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from backend.transfers.holding import is_held

if TYPE_CHECKING:
    from backend.workspace import Workspace

PROJECT = Path(__file__).resolve().parents[2]


class Starter:
    """Starts the processes of a web app's transfers, which outlive it; knows which still run."""

    def __init__(self, workspace: "Workspace") -> None:
        self._workspace = workspace
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def start(self, id: int) -> None:
        """Starts the process of a transfer, where none works on it."""
        with self._lock:
            if self.works_on(id):
                return
            command = [sys.executable, "-m", "backend", "transfers", str(self._workspace.root)]
            command += ["--resume", str(id), "--politely"]
            with (self._workspace.logs / f"transfer-{id}.txt").open("ab") as log:
                self._processes[id] = subprocess.Popen(
                    command,
                    cwd=PROJECT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )

    def works_on(self, id: int) -> bool:
        """Whether a process works on a transfer, or is about to."""
        process = self._processes.get(id)
        if process is not None and process.poll() is None:
            return True
        return is_held(self._workspace.root, id)
