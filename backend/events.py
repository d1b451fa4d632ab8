"""What a training process has said so far: its events.jsonl, read a piece at a time."""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Event = dict[str, Any]

KINDS = frozenset(
    {
        "started",
        "progress",
        "epoch",
        "message",
        "metric",
        "validation",
        "film",
        "checkpoint",
        "chain",
        "finished",
        "failed",
        "cancelled",
    }
)
LAST_WORDS = frozenset({"finished", "failed", "cancelled"})

_PIECE = 1 << 20
_LONGEST_LINE = 1 << 18
_LONGEST_TEXT = 4000


@dataclass(frozen=True)
class Position:
    """How far a file has been read: bytes taken, and the number the next event gets."""

    offset: int = 0
    seq: int = 0


def read_events(
    path: Path, position: Position, *, now: float | None = None
) -> tuple[list[Event], Position]:
    """The complete lines after `position` as events, and the position after them.

    Events are numbered here, by their place in the file, so `seq` only ever grows whatever the
    file says of itself, and reading again from the same position gives the same numbers: whoever
    stores (job, seq) once stores every event once. At most 1 MiB is read; call until nothing
    comes. A last line without its newline waits for the next call. Lines that are not events
    (an editor's, a disk's) are skipped and one message event says how many. A file that became
    shorter is read on from its new end. A missing or unreadable file has no events. Raises
    nothing.

    `now` (seconds since the epoch) stands in for a time that a line lacks.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size < position.offset:
                return _shortened(position, size, now)
            file.seek(position.offset)
            piece = file.read(_PIECE)
    except OSError:
        return [], position
    end = piece.rfind(b"\n") + 1
    if end == 0:
        if len(piece) < _LONGEST_LINE:
            return [], position
        end = len(piece)
    return _parse(piece[:end], position, time.time() if now is None else now)


def _shortened(position: Position, size: int, now: float | None) -> tuple[list[Event], Position]:
    text = (
        f"The events file became shorter ({position.offset} bytes were read, {size} are left), "
        "as if edited by hand. What was read is kept; reading goes on from its new end."
    )
    event = _message(position.seq, text, time.time() if now is None else now)
    return [event], Position(size, position.seq + 1)


def _parse(piece: bytes, position: Position, now: float) -> tuple[list[Event], Position]:
    events: list[Event] = []
    seq = position.seq
    skipped = 0
    for line in piece.splitlines():
        if not line.strip():
            continue
        event, damaged = _event(line, now)
        skipped += damaged
        if event is None:
            continue
        if skipped:
            events.append(_message(seq, _skipped(skipped), now))
            seq, skipped = seq + 1, 0
        events.append(event | {"seq": seq})
        seq += 1
    if skipped:
        events.append(_message(seq, _skipped(skipped), now))
        seq += 1
    return events, Position(position.offset + len(piece), seq)


def _event(line: bytes, now: float) -> tuple[Event | None, bool]:
    """The event of a line, if it has one, and whether something in the line was unreadable."""
    event = _decode(line, now)
    if event is not None:
        return event, False
    # A process killed in mid-line leaves a torn line; the next one, resumed, appends to it.
    start = line.rfind(b'{"seq"')
    return (_decode(line[start:], now) if start > 0 else None), True


def _decode(line: bytes, now: float) -> Event | None:
    if len(line) > _LONGEST_LINE:
        return None
    try:
        event = _storable(json.loads(line))
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or event.get("kind") not in list(KINDS):
        return None
    if isinstance(event.get("text"), str):
        event["text"] = event["text"][:_LONGEST_TEXT]
    stamp = event.get("time")
    event["time"] = float(stamp) if isinstance(stamp, int | float) else now
    return event


def _storable(value: Any) -> Any:
    """The value as a browser's JSON and a database's text can hold it.

    Infinities and integers beyond 64 bits become None, half surrogates a question mark.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else None
    if isinstance(value, dict):
        return {_storable(key): _storable(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_storable(part) for part in value]
    return value


def _message(seq: int, text: str, now: float) -> Event:
    return {"seq": seq, "time": now, "kind": "message", "text": text, "reader": True}


def _skipped(count: int) -> str:
    lines = "One line" if count == 1 else f"{count} lines"
    return f"{lines} of the events file could not be read as events and were skipped."
