"""What a run leaves where it is refused: nothing, but a word to the supervisor that started it."""

import contextlib
from pathlib import Path

from backend.atomic import write_whole
from backend.errors import DataError
from backend.launchers import LOG
from training.events import EVENTS, HEARTBEAT
from training.run import CONFIG, PROVENANCE
from training.run_lock import RUN_LOCK

# All that is written before a recipe begins its work.
_EARLY = (CONFIG, EVENTS, HEARTBEAT, PROVENANCE, RUN_LOCK)


class Footprint:
    """Remembers what was there before a run began, and puts it back as it was."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._new_folders = [each for each in (folder, *folder.parents) if not each.exists()]
        self._new_files = [folder / name for name in _EARLY if not (folder / name).exists()]
        # A run that failed before its first checkpoint leaves a record that the next one replaces.
        self._before = {
            path: path.read_bytes()
            for path in (folder / CONFIG, folder / PROVENANCE)
            if path.is_file()
        }
        # A supervisor reads why a job failed in its events, and how far it has read is on record.
        if (folder / LOG).exists():
            self._new_files = [each for each in self._new_files if each.name != EVENTS]

    def take_back(self) -> None:
        """Puts back what was replaced, and removes new files and then empty new folders."""
        # What cannot be removed, as on a disk that may not be written, must not hide the reason.
        with contextlib.suppress(OSError, DataError):
            for path, content in self._before.items():
                if path.read_bytes() != content:
                    write_whole(path, content)
            for path in self._new_files:
                path.unlink(missing_ok=True)
            for folder in self._new_folders:
                folder.rmdir()
