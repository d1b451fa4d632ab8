"""A file with a JSON line for each image, by which a killed run goes on."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from training.errors import TrainingError
from training.run import Run


class ImageLines:
    """RUN/NAME.jsonl: the lines of an earlier start, and those that are added to them.

    `kept` holds the earlier lines by image, up to the first that a kill tore; the file is cut
    there. A run that is not gone on with begins an empty file. Raises TrainingError where the file
    cannot be written.
    """

    def __init__(self, run: Run, name: str) -> None:
        self.path = run.folder / name
        self.kept: dict[str, dict[str, Any]] = {}
        whole = 0
        try:
            if run.resume and self.path.is_file():
                with self.path.open("rb") as file:
                    for line in file:
                        told = _told(line)
                        if told is None:
                            break
                        self.kept[told["image"]] = told
                        whole += len(line)
            with self.path.open("ab") as file:
                file.truncate(whole)
        except OSError as problem:
            raise self._unwritten(problem) from None

    def add(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Writes further lines; they are whole in the file, or the next start makes them again."""
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        try:
            with self.path.open("ab") as file:
                file.write(text.encode())
        except OSError as problem:
            raise self._unwritten(problem) from None

    def _unwritten(self, problem: OSError) -> TrainingError:
        return TrainingError(
            f"{self.path} cannot be written ({problem.strerror or problem}). Make room, or give "
            "this user permission to write there; --resume goes on from here."
        )


def _told(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told if isinstance(told, dict) and isinstance(told.get("image"), str) else None
