"""The workspace's memory: SQLite through sqlite-utils, one file per noun.

`create_store(path, files_root)` and `open_store(path, files_root, read_only=False)` give a `Store`
with `files classes images runs artifacts candidates decisions snapshots jobs`. What they answer
are frozen dataclasses; what they refuse is a StoreError (JobError for jobs) with a sentence.
"""

from backend.store.artifacts import Artifact
from backend.store.candidates import Candidate
from backend.store.classes import Class
from backend.store.decisions import Decision
from backend.store.images import Added, Image, ImageNumbers, TagChange
from backend.store.job_events import JobEvent, SupervisorSeen
from backend.store.jobs import ENDED, STATES, Job
from backend.store.opening import Store, create_store, open_store
from backend.store.queue import ORDERS, VERDICTS, Counts, Filter, QueueRow
from backend.store.references import REFERENCE
from backend.store.rows import Page
from backend.store.runs import Run
from backend.store.scores import Scoring
from backend.store.snapshots import Snapshot
from backend.store.spread import Spread

__all__ = [
    "ENDED",
    "ORDERS",
    "REFERENCE",
    "STATES",
    "VERDICTS",
    "Added",
    "Artifact",
    "Candidate",
    "Class",
    "Counts",
    "Decision",
    "Filter",
    "Image",
    "ImageNumbers",
    "Job",
    "JobEvent",
    "Page",
    "QueueRow",
    "Run",
    "Scoring",
    "Snapshot",
    "Spread",
    "Store",
    "SupervisorSeen",
    "TagChange",
    "create_store",
    "open_store",
]
