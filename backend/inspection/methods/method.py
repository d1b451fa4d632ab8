"""What every attention source is: some stages, and the map of each tag that they end in."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from backend.inspection.scene import Scene
from backend.inspection.stages import Stage, StageMap
from backend.maps.attention import normalise
from backend.weights import KINDS

CLASSIFIER = "classifier"
"""The kind of a classifier of another's making: scores, but no class maps of its own."""

OUR_KINDS = tuple(kind for kind, build in KINDS.items() if hasattr(build, "attend"))
"""The kinds of our own networks that give a map for each tag; a saliency network gives none."""


class Method(ABC):
    """One attention source looking at one image; a method is a subclass and a file.

    `kinds`: which kinds of weights it works with. `stages`: its own, in order; `final` is the one
    whose maps everything after it stands on. `has_zones`: it shows the zones itself.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    about: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    stages: ClassVar[dict[str, Stage]]
    final: ClassVar[str]
    has_zones: ClassVar[bool] = False

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    @classmethod
    def serves(cls, kind: str, folder: Path | None) -> bool:
        """Whether it works with weights of a kind; `folder` is that of the run they come from."""
        return kind in cls.kinds

    @classmethod
    def settings(cls) -> tuple[str, ...]:
        """The settings that its own stages read."""
        return tuple(dict.fromkeys(name for each in cls.stages.values() for name in each.reads))

    @abstractmethod
    def make(self, stage: str) -> Iterator[StageMap]:
        """The pictures of one of its stages, for an image with at least one known tag."""

    @abstractmethod
    def final_maps(self) -> np.ndarray:
        """The map of each known tag, float32 (K,h,w) of at least 0."""

    @property
    def attention(self) -> np.ndarray:
        """The final maps at the working size, float32 (K,H,W), each divided by its maximum."""
        return self.scene.caches.method.keep(
            "attention", self.made_from, lambda: normalise(self.scene.resized(self.final_maps()))
        )

    @property
    def made_from(self) -> Hashable:
        """Everything that the attention depends on."""
        read = [n for stage in self._before(self.final) for n in self.stages[stage].reads]
        values = tuple(getattr(self.scene.settings, name) for name in sorted(set(read)))
        return (self.name, self.scene.made_for, values)

    def heats(
        self, stage: str, maps: np.ndarray, captions: list[str], numbers: list[dict[str, float]]
    ) -> Iterator[StageMap]:
        """A heat map (K,H,W) a tag, with its mean beside the other numbers."""
        for (_, tag), heat, caption, told in zip(
            self.scene.tags, maps, captions, numbers, strict=True
        ):
            told = {**told, "mean": float(heat.mean())}
            yield StageMap(stage, "heat", heat, tag=tag, caption=caption, numbers=told)

    def _before(self, stage: str) -> set[str]:
        """A stage and those of this method that it stands on."""
        needs = (need for need in self.stages[stage].needs if need in self.stages)
        return {stage}.union(*(self._before(need) for need in needs))


def seen_at(score: float, heat: np.ndarray, tag: str) -> str:
    """The caption of a class map: its score, or why there is nothing to see."""
    if heat.any():
        return f"score {score:.2f}"
    return (
        f"The network sees no sign of '{tag}' (score {score:.2f}), so this map is zero and the tag "
        "can win no pixel. Check the tag, or try other weights."
    )
