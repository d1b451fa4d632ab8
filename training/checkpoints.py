"""The file that a killed run goes on from: written whole or not at all, read without unpickling."""

import io
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from backend.atomic import write_whole
from training.errors import TrainingError

if TYPE_CHECKING:
    from training.loop import Kept, Position

FORMAT = "tagmask-checkpoint/1"


def newest(folder: Path) -> Path | None:
    """The checkpoint of a run that is furthest on, None where there is none."""
    return max(folder.glob("checkpoint-*.pt"), default=None)


class Saver:
    """Saves when it is time, but never spends more than a part of the run on it."""

    def __init__(
        self,
        folder: Path,
        kept: "Mapping[str, Kept]",
        every: float,
        most: float,
        about: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.kept = kept
        self.every = every
        self.most = most
        self.about = dict(about or {})
        self._last = time.monotonic()
        self._took = 0.0

    @property
    def is_due(self) -> bool:
        wait = self.every if self.every == 0 else max(self.every, self._took / self.most)
        return time.monotonic() - self._last >= wait

    def save(self, position: "Position") -> Path:
        """Writes checkpoint-STEP.pt and removes the one before.

        Raises DataError where the disk is full; the checkpoint before is then still there.
        """
        start = time.monotonic()
        content = {
            "format": FORMAT,
            "about": self.about,
            "kept": {name: each.state_dict() for name, each in self.kept.items()},
            "position": asdict(position),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }
        buffer = io.BytesIO()
        torch.save(content, buffer)
        path = self.folder / f"checkpoint-{position.step:08d}.pt"
        write_whole(path, buffer.getvalue(), sync=True)
        for older in self.folder.glob("checkpoint-*.pt"):
            if older != path:
                older.unlink(missing_ok=True)
        self._last = time.monotonic()
        self._took = self._last - start
        return path


def restore(
    folder: Path,
    kept: "Mapping[str, Kept]",
    position: "Position",
    device: torch.device,
    about: Mapping[str, str] | None = None,
) -> bool:
    """Puts the newest checkpoint's contents in their place; False where there is none.

    Raises TrainingError where the file is damaged, of another network, or was saved by a run of
    which `about` says something else.
    """
    path = newest(folder)
    if path is None:
        return False
    content = _read(path, device)
    # Tensors of the same shapes may mean something else: another recipe's, or other classes.
    for name, value in (about or {}).items():
        before = content.get("about", {}).get(name, value)
        if before != value:
            raise TrainingError(
                f"{path} is of the {name} {before}, but this run is of {value}. Remove it to begin "
                "again, or start in another --out."
            )
    try:
        for name, each in kept.items():
            each.load_state_dict(content["kept"][name])
        for name, value in content["position"].items():
            setattr(position, name, value)
        torch.set_rng_state(content["random"].cpu())
        if content["random_cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all([state.cpu() for state in content["random_cuda"]])
    except (KeyError, ValueError, RuntimeError, TypeError) as problem:
        raise TrainingError(
            f"{path} is not a checkpoint of this run ({problem}). Remove it to begin again, or "
            "start in another --out."
        ) from None
    return True


def _read(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location=device, weights_only=True)
        if content["format"] != FORMAT:
            raise ValueError(content["format"])
    except Exception as problem:
        # torch.load raises whatever its zip reader, unpickler or storage meets in a damaged file.
        raise TrainingError(
            f"The checkpoint {path} cannot be read ({type(problem).__name__}): it is damaged. "
            "Remove it to begin again, or start in another --out."
        ) from problem
    return dict(content)
