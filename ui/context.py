"""What every tab and route is handed: the workspace and the long-lived parts of the web process."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ui.inspectors import Inspectors

if TYPE_CHECKING:
    from backend.refinement import CrfPool
    from backend.store import Store
    from backend.workspace import Workspace

STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True)
class Context:
    """One per web process. `inspectors` holds loaded networks and recent inspections."""

    workspace: "Workspace"
    inspectors: Inspectors
    crf: "CrfPool | None"
    read_only: bool = False
    device: str = "auto"

    @property
    def store(self) -> "Store":
        return self.workspace.store
