"""Seeing to it that a workspace has a supervisor."""

import os
import subprocess
import sys
import threading
from pathlib import Path

from backend.errors import JobError
from backend.launchers import PROJECT
from backend.supervisor.lock import held

_LONGEST_LOG = 1 << 20


def ensure_supervisor(root: Path) -> bool:
    """Starts a supervisor for the workspace unless one lives; True if it started one.

    It runs in a session of its own and outlives its starter. Call it when the app opens a
    workspace and after every submit: a supervisor that had nothing to do for a while has gone.
    Two callers at once may start two; the second one finds the lock taken and ends. Raises
    JobError if no process can be started.
    """
    if held(root):
        return False
    logs = root / "logs"
    try:
        logs.mkdir(exist_ok=True)
        path = logs / "supervisor.log"
        if path.exists() and path.stat().st_size > _LONGEST_LOG:
            path.replace(path.with_suffix(".old.log"))
        with path.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "backend.supervisor", "--workspace", str(root.resolve())],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
    except OSError as error:
        raise JobError(
            f"The supervisor that runs jobs could not be started ({error.strerror}). Jobs stay "
            f"queued; check that {root} can be written, then start it with "
            f"`python -m backend.supervisor --workspace {root}`."
        ) from None
    # Someone must wait for it, or it stays behind as a zombie when it ends before we do.
    threading.Thread(target=process.wait, name="supervisor-reaper", daemon=True).start()
    return True
