"""The looks for saliency at one scene, each after what was found was erased."""

from collections.abc import Hashable

import numpy as np

from backend.errors import SaliencyError
from backend.inspection.scene import Scene
from backend.maps import attention
from backend.maps.erasing import SaliencyStep, hierarchical_saliency
from backend.saliency import SaliencySource


class Looks:
    """Saliency of one scene at its working size, kept beside what it was made from."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    @property
    def source(self) -> SaliencySource:
        """Where the maps come from; SaliencyError where there is no such source."""
        return self.scene.inspector.source(self.scene.settings.saliency)

    @property
    def made_from(self) -> Hashable:
        """What the saliency depends on."""
        return (self.scene.settings.saliency, self.source.digest, self.scene.settings.thresholds)

    @property
    def salient(self) -> np.ndarray:
        """The map of all looks, float32 (H,W) in 0..1. Raises SaliencyError."""
        if self.scene.settings.thresholds:
            return self.steps()[-1].merged
        return self._first()

    def steps(self) -> list[SaliencyStep]:
        """Every look in order. Raises SaliencyError, also where the source cannot look again."""
        scene, thresholds = self.scene, self.scene.settings.thresholds
        if self.source.detector is None:
            raise SaliencyError(
                f"The maps of {self.source.short_name} were made elsewhere, so an image from which "
                "something was erased cannot be looked at again. Take one look, or another source "
                "of saliency."
            )

        looked = False

        def detect(image: np.ndarray) -> np.ndarray:
            nonlocal looked
            first, looked = not looked, True
            return self._first() if first else self._found(image)

        def look() -> list[SaliencyStep]:
            return hierarchical_saliency(scene.image, detect, thresholds)

        name, made_from = f"looks {self.source.name}", (*self._key, thresholds)
        return scene.caches.image.keep(name, made_from, look)

    def _first(self) -> np.ndarray:
        """One look at the whole image, which all numbers of steps begin with."""
        # Sources are few: two inspections of an image side by side may have one each.
        name = f"saliency {self.scene.settings.saliency}"
        return self.scene.caches.image.keep(name, self._key, lambda: self._found(self.scene.image))

    def _found(self, image: np.ndarray) -> np.ndarray:
        found = self.source(image, name=self.scene.name)
        return attention.resize(found[None], self.scene.size)[0]

    @property
    def _key(self) -> tuple[Hashable, ...]:
        return (self.scene.name, self.scene.size, self.source.digest)
