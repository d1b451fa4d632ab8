"""The stages, what each reads, and the pictures that they make."""

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from typing import Literal

import numpy as np

from backend.errors import DataError
from backend.inspection.settings import Settings

Kind = Literal["image", "heat", "zones", "labels", "score", "note"]


@dataclass(frozen=True)
class StageMap:
    """One picture of one stage. `array` by kind: image uint8 (H,W,3); heat float32 (H,W) in 0..1;
    zones int8 (H,W) in {-1,0,1}; labels uint8 (H,W); score float32 (H,W), the reference mask.
    A note has none: its caption is a sentence that says why a stage is missing."""

    stage: str
    kind: Kind
    array: np.ndarray | None
    tag: str | None = None
    caption: str = ""
    numbers: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Stage:
    """What a stage reads: earlier stages and settings. `crf` reads the fusion that is chosen."""

    needs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


STAGES: dict[str, Stage] = {
    "image": Stage(),
    "cam": Stage(needs=("image",)),
    "zones": Stage(needs=("cam",), reads=("high", "low")),
    "saliency": Stage(needs=("image",), reads=("saliency",)),
    "fusion.seenet": Stage(needs=("cam", "saliency"), reads=("weight",)),
    "fusion.dcsp": Stage(needs=("cam", "saliency"), reads=("gamma",)),
    "fusion.oaa": Stage(needs=("cam", "saliency")),
    "crf": Stage(reads=("fusion", "confidence", "crf")),
    "sal.score": Stage(needs=("crf", "saliency"), reads=("crf",)),
}
"""Every stage in the order in which it is shown."""


def standing_after(names: str | Collection[str] | None, settings: Settings) -> tuple[str, ...]:
    """The stages to make again after stages or settings called `names` changed, in order.

    A stage's own name stands for what comes after it, without itself; `saliency` and `crf`, which
    are settings too, with itself. None: all stages.
    """
    if names is None:
        return tuple(STAGES)
    changed = {names} if isinstance(names, str) else set(names)
    unknown = sorted(changed - set(STAGES) - {each.name for each in fields(Settings)})
    if unknown:
        raise DataError(f"There is no stage or setting {unknown[0]!r}; stages: {list(STAGES)}.")
    stale: list[str] = []
    for name, stage in STAGES.items():
        needs = _needs(name, settings)
        if changed.intersection(stage.reads) or any(n in changed or n in stale for n in needs):
            stale.append(name)
    return tuple(stale)


def _needs(name: str, settings: Settings) -> tuple[str, ...]:
    needs = STAGES[name].needs
    return (f"fusion.{settings.fusion}", "image", *needs) if name == "crf" else needs
