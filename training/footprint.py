"""What a run leaves where it is refused: nothing, but a word to the supervisor that started it."""

import contextlib
from pathlib import Path

from backend.launchers import LOG
from training.events import EVENTS, HEARTBEAT
from training.run import CONFIG, PROVENANCE

# All that is written before a recipe begins its work.
_EARLY = (CONFIG, EVENTS, HEARTBEAT, PROVENANCE)


class Footprint:
    """Remembers what was there before a run began, and takes back what is new since."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._new_folders = [each for each in (folder, *folder.parents) if not each.exists()]
        self._new_files = [folder / name for name in _EARLY if not (folder / name).exists()]
        # A supervisor reads why a job failed in its events, and how far it has read is on record.
        if (folder / LOG).exists():
            self._new_files = [each for each in self._new_files if each.name != EVENTS]

    def take_back(self) -> None:
        """Removes the new files, and the new folders that are then empty."""
        # What cannot be removed, as on a disk that may not be written, must not hide the reason.
        with contextlib.suppress(OSError):
            for path in self._new_files:
                path.unlink(missing_ok=True)
            for folder in self._new_folders:
                folder.rmdir()
