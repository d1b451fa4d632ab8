"""python -m backend.supervisor --workspace DIR"""

import argparse
import logging
import os
import shlex
import signal
import sys
import threading
from pathlib import Path

from backend.errors import JobError, TagmaskError
from backend.launchers import LocalLauncher
from backend.supervisor.lock import WorkspaceLock


def main(arguments: list[str] | None = None) -> int:
    """Serves one workspace's jobs until told to stop (SIGTERM, SIGINT) or long idle."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        trainer = shlex.split(options.trainer) if options.trainer else None
        _serve(options, LocalLauncher(trainer), stop)
    except (TagmaskError, ValueError) as error:
        print(f"tagmask: {error}", file=sys.stderr)
        return 2
    return 0


def _serve(options: argparse.Namespace, launcher: LocalLauncher, stop: threading.Event) -> None:
    # Imported late: a second supervisor is refused without waiting for the database's modules.
    if not (options.workspace / "workspace.json").is_file():
        raise JobError(
            f"There is no workspace at {options.workspace}. Name an existing one with "
            "--workspace, or make one with `python -m backend init`."
        )
    lock = WorkspaceLock(options.workspace)
    lock.take()
    try:
        from backend.supervisor.loop import Supervisor
        from backend.workspace import Workspace

        with Workspace.open(options.workspace) as workspace:
            supervisor = Supervisor(workspace, launcher, slots=options.slots, grace=options.grace)
            logging.info("supervisor %s serves %s", os.getpid(), workspace.root)
            while not stop.is_set() and lock.intact():
                supervisor.run(
                    stop,
                    pause=options.pause,
                    idle_exit=options.idle_exit,
                    still_ours=lock.intact,
                )
                lock.release()
                # A job queued before the lock was free found us alive: go on and serve it.
                if stop.is_set() or not workspace.store.jobs.all(1, states=("queued",)):
                    break
                lock.take()
            supervisor.close()
            logging.info("supervisor %s ends", os.getpid())
    finally:
        lock.release()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m backend.supervisor", description="Runs the jobs of one workspace."
    )
    parser.add_argument("--workspace", type=Path, required=True, help="the workspace's folder")
    parser.add_argument("--slots", type=int, default=1, help="jobs at once (default 1)")
    parser.add_argument(
        "--grace",
        type=float,
        default=60.0,
        help="seconds a cancelled run has to save and end before it is ended (default 60)",
    )
    parser.add_argument(
        "--idle-exit",
        type=float,
        default=900.0,
        help="end after so many seconds without a job, 0 for never (default 900); the app "
        "starts a supervisor again when a job is queued",
    )
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two rounds")
    parser.add_argument(
        "--trainer", help="how the trainer is called (default $TAGMASK_TRAINER, else this Python)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
