"""The process that runs a workspace's jobs: one a workspace, outliving the app that started it.

`python -m backend.supervisor --workspace DIR` is that process. `ensure_supervisor` starts it where
there is none, `held` asks whether it lives, `resubmit` queues an unfinished job again.
"""

from backend.supervisor.lock import held
from backend.supervisor.resuming import resubmit
from backend.supervisor.starting import ensure_supervisor

__all__ = ["ensure_supervisor", "held", "resubmit"]
