"""What every tab and route is handed: the workspace and the long-lived parts of the web process."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.inspectors import Inspectors
from ui.who import asking

if TYPE_CHECKING:
    from backend.refinement import CrfPool
    from backend.store import Store
    from backend.workspace import Workspace

STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True)
class Context:
    """One per web process. `inspectors` holds loaded networks and recent inspections; `shut` says
    that the workspace was opened to be looked at only."""

    workspace: "Workspace"
    inspectors: Inspectors
    crf: "CrfPool | None"
    shut: bool = False
    device: str = "auto"

    @property
    def store(self) -> "Store":
        return self.workspace.store

    @property
    def read_only(self) -> bool:
        """Whether whoever asks can only look: the page then offers nothing else. What is refused
        is decided by ui/rules.py, whatever the page offers."""
        return self.shut or not asking.get().may("reviewer")

    @property
    def may_train(self) -> bool:
        """Whether whoever asks may bring data in, freeze snapshots and run jobs."""
        return not self.shut and asking.get().may("trainer")
