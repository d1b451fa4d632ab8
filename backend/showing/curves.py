"""What a run told while it learned, as curves: from its events.jsonl."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.events import Event, Position, read_events

LOSS = "total"
# What a look at the network found, in per cent.
_LOOKS: dict[str, tuple[str, Callable[[float], float]]] = {
    "tag_accuracy": ("accuracy of the tags, held-out", lambda part: 100 * part),
    "miou": ("mIoU of the maps", lambda value: value),
    "validation_miou": ("mIoU, held-out", lambda value: value),
    "training_miou": ("mIoU, training images", lambda value: value),
    "max_f": ("maximum F, held-out", lambda part: 100 * part),
    "s_measure": ("S-measure, held-out", lambda part: 100 * part),
}


@dataclass
class Curves:
    """Points (step, value) by name: `losses` (`total` is their sum), and `looks` in per cent."""

    losses: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    looks: dict[str, list[tuple[float, float]]] = field(default_factory=dict)


def read_curves(folder: Path) -> Curves:
    """The curves of a run's folder; empty ones where it kept no events."""
    return curves_of(events_in(folder))


def events_in(folder: Path) -> Iterable[Event]:
    """All events that a run's folder keeps, in order."""
    position = Position()
    while True:
        events, position = read_events(folder / "events.jsonl", position)
        if not events:
            return
        yield from events


def curves_of(events: Iterable[Event]) -> Curves:
    """A resumed run goes back to its checkpoint: what came after that did not count."""
    found = Curves()
    last = 0.0
    for event in events:
        step: Any = event.get("step")
        if event.get("kind") == "progress" and event.get("stage") is None and _number(step):
            loss = event.get("loss")
            parts = {LOSS: loss} if _number(loss) else loss
            if not isinstance(parts, dict):
                continue
            if step <= last:
                _drop(found, step)
            last = step
            for name, value in parts.items():
                if _number(value):
                    found.losses.setdefault(str(name), []).append((step, value))
        elif event.get("kind") == "validation" and _number(step):
            for name, (title, shown) in _LOOKS.items():
                if _number(event.get(name)):
                    points = found.looks.setdefault(title, [])
                    while points and points[-1][0] >= step:
                        points.pop()
                    points.append((step, shown(event[name])))
    return found


def thinned(points: list[tuple[float, float]], most: int = 300) -> list[tuple[float, float]]:
    """The means of neighbouring points where there are more than can be told apart."""
    every = -(-len(points) // most) if points else 1
    some = [points[at : at + every] for at in range(0, len(points), every)]
    return [(each[-1][0], sum(value for _, value in each) / len(each)) for each in some]


def _drop(curves: Curves, step: float) -> None:
    for points in (*curves.losses.values(), *curves.looks.values()):
        while points and points[-1][0] >= step:
            points.pop()


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value
