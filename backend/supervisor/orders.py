"""A job's arguments for the trainer, and the command line a person would type for it."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backend.errors import JobError


def trainer_arguments(
    recipe: str,
    arguments: Mapping[str, Any] | Sequence[str],
    run_folder: Path,
    *,
    manifest: Path | None = None,
    resume: bool = False,
) -> list[str]:
    """RECIPE [--data MANIFEST] ARGUMENTS --out RUN_FOLDER [--resume].

    `arguments` are words as typed, or a mapping of option names to values: True is --name, False
    --no-name, None leaves it out. Raises JobError for words that would take the run away from its
    folder.
    """
    words = list(arguments) if not isinstance(arguments, Mapping) else _words(arguments)
    for word in words:
        if word == "--out" or word.startswith("--out=") or word == "--resume":
            raise JobError(
                f"A job cannot be given {word}: its run folder is chosen when it is queued. Leave "
                "it out; to go on with an earlier job, resume that one."
            )
    if manifest is not None and "--data" not in words:
        words = ["--data", str(manifest), *words]
    return [recipe, *words, "--out", str(run_folder), *(["--resume"] if resume else [])]


def _words(options: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    for name, value in options.items():
        flag = f"--{name.lstrip('-').replace('_', '-')}"
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        elif isinstance(value, list | tuple):
            words += [flag, *(str(part) for part in value)]
        elif value is not None:
            words += [flag, str(value)]
    return words


def as_typed(command: Sequence[str]) -> str:
    """The command as one line that can be pasted into a shell."""
    return shlex.join(command)
