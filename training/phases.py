"""A run that trains more than once: phases with checkpoints of their own, and steps that count on.

RUN/checkpoint-1-NAME/ holds a phase's checkpoint while it trains and its weights.safetensors once
it is done, so that a run that is gone on with never trains a finished phase again.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from training.run import Run

if TYPE_CHECKING:
    from torch import nn

    from training.watching import Watcher


@dataclass(frozen=True)
class Phase:
    """A training of its own within a run: `steps` of it or, where that is 0, `epochs`.

    number counts from 1; `before` steps belong to the phases before it, `total` to all of them.
    """

    number: int
    name: str
    steps: int
    epochs: int
    before: int = 0
    total: int = 0

    @property
    def folder(self) -> str:
        return f"checkpoint-{self.number}-{self.name}"


def in_a_row(phases: Sequence[Phase], an_epoch: int) -> list[Phase]:
    """The phases with their place among the steps of all, where an epoch has so many."""
    lengths = [phase.steps or phase.epochs * an_epoch for phase in phases]
    return [
        replace(phase, before=sum(lengths[:place]), total=sum(lengths))
        for place, phase in enumerate(phases)
    ]


@dataclass
class PhaseRun(Run):
    """A run as one of its phases sees it: `folder` is the phase's, and what it tells of steps is
    told as steps of the whole.
    """

    phase: Phase = Phase(1, "", 1, 0)
    _a_step: float = 0.0

    @classmethod
    def of(cls, run: Run, phase: Phase) -> "PhaseRun":
        given = {each.name: getattr(run, each.name) for each in dataclasses.fields(Run)}
        # A checkpoint keeps the recipe's name: one phase's is never taken for another's.
        recipe = f"{run.recipe}, phase {phase.name}"
        given |= {"folder": run.folder / phase.folder, "recipe": recipe}
        return cls(**given, phase=phase)

    def event(self, kind: str, **fields: Any) -> None:
        if kind != "progress" and isinstance(fields.get("step"), int):
            fields |= {"step": self.phase.before + fields["step"], "phase": self.phase.name}
        super().event(kind, **fields)

    def progress(self, step: int, steps: int, *, always: bool = False, **fields: Any) -> None:
        """How far the training of the whole run is, and the time that all its steps still take."""
        if "seconds_left" in fields:
            if step < steps:
                self._a_step = fields["seconds_left"] / (steps - step)
            left = self.phase.total - self.phase.before - step
            fields["seconds_left"] = self._a_step * left
        step += self.phase.before
        super().progress(step, self.phase.total, always=always, phase=self.phase.name, **fields)


class PhaseWatch:
    """A Watcher that is asked by one phase and looks as often as the whole run wants."""

    def __init__(self, watcher: "Watcher", phase: Phase) -> None:
        self.watcher = watcher
        self.phase = phase

    def due(self, step: int, steps: int) -> bool:
        """Whether to look after this step of the phase."""
        return self.watcher.due(self.phase.before + step, self.phase.total)

    def look(self, network: "nn.Module", step: int) -> None:
        self.watcher.look(network, self.phase.before + step)
