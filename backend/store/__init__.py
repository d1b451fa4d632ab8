"""The workspace's memory: SQLite through sqlite-utils, one file per noun.

`create_store(path, files_root)` and `open_store(path, files_root, read_only=False)` give a `Store`
with `files classes images runs artifacts candidates decisions flags snapshots jobs` and more. What
they answer are frozen dataclasses; what they refuse is a StoreError (JobError for jobs) with a
sentence.
"""

from backend.store.artifacts import Artifact
from backend.store.batches import FilteredSet
from backend.store.candidates import Candidate
from backend.store.classes import Class
from backend.store.decisions import Decision
from backend.store.filters import VERDICTS, Filter
from backend.store.flags import Flag
from backend.store.images import Added, Image, ImageNumbers, TagChange
from backend.store.job_events import JobEvent, SupervisorSeen
from backend.store.jobs import ENDED, STATES, Job
from backend.store.opening import Store, create_store, open_store
from backend.store.orders import ORDERS
from backend.store.queue import Counts, QueueRow
from backend.store.references import REFERENCE
from backend.store.rows import Page
from backend.store.runs import Run
from backend.store.scores import Scoring
from backend.store.snapshots import Snapshot
from backend.store.spread import Spread
from backend.store.suggestions import Suggestion
from backend.store.tag_log import EVERY, NetChange, Since
from backend.store.tag_views import SHOWS, TagView
from backend.store.tags import TagAct, TagEdit
from backend.store.transfers import Transfer
from backend.store.users import ROLES, User

__all__ = [
    "ENDED",
    "EVERY",
    "ORDERS",
    "REFERENCE",
    "ROLES",
    "SHOWS",
    "STATES",
    "VERDICTS",
    "Added",
    "Artifact",
    "Candidate",
    "Class",
    "Counts",
    "Decision",
    "Filter",
    "FilteredSet",
    "Flag",
    "Image",
    "ImageNumbers",
    "Job",
    "JobEvent",
    "NetChange",
    "Page",
    "QueueRow",
    "Run",
    "Scoring",
    "Since",
    "Snapshot",
    "Spread",
    "Store",
    "Suggestion",
    "SupervisorSeen",
    "TagAct",
    "TagChange",
    "TagEdit",
    "TagView",
    "Transfer",
    "User",
    "create_store",
    "open_store",
]
