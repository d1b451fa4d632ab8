"""Masks out of attention and saliency: the fusions, the CRF, and what they are scored against."""

from collections.abc import Hashable

import numpy as np

from backend.errors import RefinementError
from backend.inspection.methods import Method
from backend.inspection.scene import Scene
from backend.maps import attention, crf, fusion
from backend.refinement import CrfPool

FUSION_TITLES = {"seenet": "SeeNet", "dcsp": "DCSP", "oaa": "OAA"}


class Masks:
    """Every mask of one scene with one method, each kept beside what it was made from."""

    def __init__(self, scene: Scene, method: Method) -> None:
        self.scene = scene
        self.method = method
        self._kept = scene.caches.method.keep

    @property
    def made_from(self) -> Hashable:
        """What the attention depends on."""
        return self.method.made_from

    @property
    def minmax(self) -> np.ndarray:
        """Attention maps, float32 (K,H,W), each from its minimum to its maximum: what SeeNet's
        zones, DCSP's labels and OAA's labels are defined on."""
        return self._kept(
            "minmax",
            self.made_from,
            lambda: attention.normalise(self.method.attention, how="minmax"),
        )

    @property
    def salient(self) -> np.ndarray:
        """The saliency map, float32 (H,W) in 0..1, at the working size. Raises SaliencyError."""
        scene = self.scene
        name = scene.settings.saliency
        source = scene.inspector.source(name)

        def detect() -> np.ndarray:
            found = source(scene.image, name=scene.name)
            return attention.resize(found[None], scene.size)[0]

        # Sources are few: two inspections of an image side by side may have one each.
        return scene.caches.image.keep(f"saliency {name}", (scene.name, scene.size), detect)

    def fused(self, rule: str) -> np.ndarray:
        """Proxy labels uint8 (H,W) by one paper's rule."""
        settings, ids = self.scene.settings, self.scene.ids
        if rule == "seenet":
            return self._kept(
                "fusion.seenet",
                (self.made_from, settings.saliency, settings.weight),
                lambda: fusion.seenet_labels(
                    self.method.attention, self.salient, ids, weight=settings.weight
                ),
            )
        if rule == "dcsp":
            return self._kept(
                "fusion.dcsp",
                (self.made_from, settings.saliency, settings.gamma),
                lambda: fusion.dcsp_labels(self.minmax, self.salient, ids, gamma=settings.gamma),
            )
        return self._kept(
            "fusion.oaa",
            (self.made_from, settings.saliency),
            lambda: fusion.oaa_labels(self.minmax, self.salient, ids),
        )

    def refined(self) -> np.ndarray:
        """The chosen fusion's labels after the CRF, uint8 (H,W). Raises RefinementError."""
        settings, ids = self.scene.settings, self.scene.ids
        assert settings.crf is not None
        parameters = settings.crf
        made_from = (
            self.made_from,
            settings.saliency,
            settings.fusion,
            settings.weight,
            settings.gamma,
            settings.confidence,
            parameters,
        )

        def refine() -> np.ndarray:
            evidence = crf.probabilities_from_labels(
                self.fused(settings.fusion), ids, settings.confidence
            )
            refined = self._pool().refine(self.scene.image, evidence, parameters)
            return crf.labels_from_probabilities(refined, ids)

        return self._kept("crf", made_from, refine)

    def chosen(self) -> tuple[np.ndarray, str]:
        """The mask that counts, uint8 (H,W), and its stage: refined where that is on and possible,
        else as the chosen fusion made it."""
        if self.scene.settings.crf is not None:
            try:
                return self.refined(), "crf"
            except RefinementError:
                pass
        rule = self.scene.settings.fusion
        return self.fused(rule), f"fusion.{rule}"

    def reference(self) -> tuple[np.ndarray, str]:
        """The reference mask bool (H,W) and what it is: saliency after the CRF, else saliency over
        twice its mean (the usual adaptive threshold of salient object detection)."""
        scene, parameters, salient = self.scene, self.scene.settings.crf, self.salient
        if parameters is not None and scene.inspector.crf is not None:

            def refine() -> np.ndarray:
                both = np.stack([1 - salient, salient])
                refined = self._pool().refine(scene.image, both, parameters)
                return refined[1] > refined[0]

            try:
                name, key = scene.settings.saliency, (scene.name, scene.size, parameters)
                kept = scene.caches.image.keep(f"reference {name}", key, refine)
                return kept, "saliency after CRF"
            except RefinementError:
                pass
        threshold = min(2 * float(salient.mean()), 0.9)
        return salient > threshold, "saliency over twice its mean"

    def _pool(self) -> CrfPool:
        pool = self.scene.inspector.crf
        if pool is None:
            raise RefinementError("There is no CRF here, so masks stay as the fusion made them.")
        return pool
