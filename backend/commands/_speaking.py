"""How commands speak: results on stdout, progress and remarks on stderr."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from backend.errors import DataError
from backend.exchange.names import counted as number
from backend.intake import Refusals

__all__ = ["number", "progress", "remark", "tell_refusals"]


def remark(text: str) -> None:
    """A line for the person who watches; never part of the result."""
    print(text, file=sys.stderr, flush=True)


def progress(what: str) -> Callable[[int, int], None]:
    """A counter `what 120 of 400` on stderr: in place on a terminal, else a line now and then."""
    terminal = sys.stderr.isatty()
    told_at = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told_at
        late = time.monotonic() - told_at > (0.1 if terminal else 5.0)
        if not late and done < total:
            return
        told_at = time.monotonic()
        end = "\r" if terminal and done < total else "\n"
        print(f"{what} {done:,} of {total:,}", file=sys.stderr, end=end, flush=True)

    return tell


def tell_refusals(refused: Refusals) -> None:
    """Every kept reason a line, and how many more there are."""
    for sentence in refused.sentences:
        remark(f"tagmask: {sentence}")
    if refused.count > len(refused.sentences):
        remark(f"tagmask: {refused.count - len(refused.sentences):,} more were refused.")


def new_file(path: Path, endings: Sequence[str]) -> Path:
    """A file that a command may write; DataError where it is there already or ends otherwise."""
    if path.suffix.lower() not in endings:
        raise DataError(f"{path} must end in {' or '.join(endings)}; give it another name.")
    if path.exists():
        raise DataError(f"{path} is there already; choose another name, or remove it first.")
    return path
