"""A stage of a pipeline ends with the pipeline that started it, however that ends."""

import ctypes
import os
import signal
import sys

PARENT = "TAGMASK_PIPELINE"
_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Asks the system to end this process at once when its pipeline dies, if it has one.

    An orphan would write into the folder that the pipeline's next start goes on with. The pipeline
    says that it is one by its process id in $TAGMASK_PIPELINE, which processes that this one starts
    must not see. On other systems than Linux an orphan ends by itself, and the lock of its stage
    keeps the next start waiting.
    """
    parent = os.environ.pop(PARENT, "")
    if not parent or sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if str(os.getppid()) != parent:
        # It died before the system was asked.
        os.kill(os.getpid(), signal.SIGKILL)
