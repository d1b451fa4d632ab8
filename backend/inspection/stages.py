"""What a stage is: what it reads, and the picture that it makes."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Kind = Literal["image", "heat", "zones", "labels", "score", "errors", "reliable", "note"]


@dataclass(frozen=True)
class StageMap:
    """One picture of one stage. `array` by kind: image uint8 (H,W,3); heat float32 (H,W) in 0..1;
    zones int8 (H,W) in {-1,0,1}; labels uint8 (H,W); score float32 (H,W), the reference mask;
    errors uint8 (H,W), the codes of `backend.inspection.truth`; reliable uint8 (H,W), the codes
    that details["legend"] explains. A note has none: its caption is a sentence that says why a
    stage is missing. `details` is what JSON can hold and a number cannot say."""

    stage: str
    kind: Kind
    array: np.ndarray | None
    tag: str | None = None
    caption: str = ""
    numbers: dict[str, float] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Stage:
    """What a stage reads, earlier stages and settings, and makes: one picture, or one a tag.
    `crf` and `grabcut` also read the fusion that is chosen. `when`: the setting without which it
    is not there, and its value or, of a number, the least."""

    needs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    kind: Kind = "heat"
    per_tag: bool = False
    when: tuple[str, str | int] | None = None
