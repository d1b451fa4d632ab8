"""How a run is begun, ends and is spoken of: its events, its last words and its exit status."""

import errno
import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from backend.errors import TagmaskError
from training.errors import Diverged, TrainingError
from training.run import Cancelled, Run

REFUSED = 2


def concluded(
    run: Run, work: Callable[[], dict[str, Any]], again: str = "--resume goes on from here"
) -> int:
    """Does the work of a run and says how it ended, in the events, on stderr and as the exit
    status; `again` is how a person goes on with one that was stopped.
    """
    run.event(
        "started",
        recipe=run.recipe,
        preset=run.preset,
        seed=run.seed,
        resumed=run.resume,
        pid=os.getpid(),
        command=run.command,
    )
    try:
        outcome = work()
        run.event("finished", **outcome)
    except Cancelled:
        run.event("cancelled")
        run.say(f"tagmask: stopped as asked; {again}.")
        return run.stop.exit_code
    except (TagmaskError, TrainingError) as problem:
        sentence = str(problem)
        if isinstance(problem, Diverged) and run.trained:
            sentence += f" The last step was {run.trained}."
        _failed(run, sentence, type(problem).__name__)
        return REFUSED
    except Exception as problem:
        if is_too_long(problem):
            _failed(run, too_long(problem), "DataError")
            return REFUSED
        from training.loop import is_out_of_memory

        if is_out_of_memory(problem):
            sentence = (
                "The memory does not suffice for this run. Lower --batch or --size, choose a "
                "smaller --backbone, or stop what else runs there; --resume goes on from the last "
                "checkpoint."
            )
            _failed(run, sentence, "OutOfMemory")
            return REFUSED
        traceback.print_exc()
        _failed(
            run,
            f"The trainer stopped because of a mistake in it ({type(problem).__name__}: "
            f"{problem}). The log has the details.",
            "bug",
        )
        return 1
    print(json.dumps(outcome.get("metrics", {})))
    return 0


def is_too_long(problem: Exception) -> bool:
    """Whether the system refused a name for its length."""
    return isinstance(problem, OSError) and problem.errno == errno.ENAMETOOLONG


def too_long(problem: Exception) -> str:
    """What to say of that."""
    name = str(getattr(problem, "filename", None) or "that is given")
    shown = name if len(name) <= 64 else f"{name[:40]}...{name[-20:]}"
    return (
        f"The name {shown} is longer than the file system takes: mostly 255 characters for a file "
        "or a folder, 4,096 with all that it lies in. Choose a shorter one."
    )


def _failed(run: Run, sentence: str, kind: str) -> None:
    print(f"tagmask: {sentence}", file=sys.stderr, flush=True)
    try:
        run.event("failed", error=sentence, kind_of=kind)
    except TrainingError as problem:
        print(f"tagmask: {problem}", file=sys.stderr, flush=True)
