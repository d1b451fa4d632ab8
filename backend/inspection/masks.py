"""Masks out of attention and saliency: the fusions, the CRF, and what they are scored against."""

from collections.abc import Hashable

import numpy as np

from backend.errors import RefinementError
from backend.inspection.looks import Looks
from backend.inspection.methods import Method
from backend.inspection.scene import Scene
from backend.maps import attention, crf, fusion, grabcut
from backend.refinement import CrfPool

FUSION_TITLES = {"seenet": "SeeNet", "dcsp": "DCSP", "oaa": "OAA"}


class Masks:
    """Every mask of one scene with one method, each kept beside what it was made from."""

    def __init__(self, scene: Scene, method: Method) -> None:
        self.scene = scene
        self.method = method
        self.looks = Looks(scene)
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
        return self.looks.salient

    def fused(self, rule: str) -> np.ndarray:
        """Proxy labels uint8 (H,W) by one paper's rule."""
        settings, ids = self.scene.settings, self.scene.ids
        if rule == "seenet":
            return self._kept(
                "fusion.seenet",
                (self.made_from, self.looks.made_from, settings.weight),
                lambda: fusion.seenet_labels(
                    self.method.attention, self.salient, ids, weight=settings.weight
                ),
            )
        if rule == "dcsp":
            return self._kept(
                "fusion.dcsp",
                (self.made_from, self.looks.made_from, settings.gamma),
                lambda: fusion.dcsp_labels(self.minmax, self.salient, ids, gamma=settings.gamma),
            )
        return self._kept(
            "fusion.oaa",
            (self.made_from, self.looks.made_from),
            lambda: fusion.oaa_labels(self.minmax, self.salient, ids),
        )

    def refined(self) -> np.ndarray:
        """The chosen fusion's labels after the CRF, uint8 (H,W). Raises RefinementError."""
        settings, ids = self.scene.settings, self.scene.ids
        assert settings.crf is not None
        parameters = settings.crf

        def refine() -> np.ndarray:
            evidence = crf.probabilities_from_labels(
                self.fused(settings.fusion), ids, settings.confidence
            )
            refined = self._pool().refine(self.scene.image, evidence, parameters)
            return crf.labels_from_probabilities(refined, ids)

        return self._kept("crf", (self._fused_from, settings.confidence, parameters), refine)

    def walked(self) -> np.ndarray:
        """The labels of the attention after the random walk, uint8 (H,W). Raises RefinementError.

        AffinityNet's walk: the background is what the attention leaves, not what saliency says.
        """
        scene, settings = self.scene, self.scene.settings
        random_walk = scene.inspector.walk(settings.affinity)
        numbers = (settings.walk_alpha, settings.walk_beta, settings.walk_steps)

        def walk() -> np.ndarray:
            alpha, beta, steps = numbers
            walked = random_walk(
                scene.image, self.method.attention, alpha=alpha, beta=beta, steps=steps
            )
            return crf.labels_from_probabilities(walked.at(scene.size), scene.ids)

        made_from = (self.made_from, scene.size, random_walk.card.digest, numbers)
        return self._kept("walk", made_from, walk)

    def cut(self) -> np.ndarray:
        """The chosen fusion's labels cut out anew by GrabCut, uint8 (H,W); sure are the zones."""
        scene, settings = self.scene, self.scene.settings
        return self._kept(
            "grabcut",
            (self._fused_from, settings.high, settings.low),
            lambda: grabcut.refine(
                scene.image,
                self.fused(settings.fusion),
                self.minmax,
                scene.ids,
                high=settings.high,
                low=settings.low,
            ),
        )

    def chosen(self) -> tuple[np.ndarray, str]:
        """The mask that counts, uint8 (H,W), and its stage: refined where that is on and possible,
        else as the chosen fusion made it."""
        settings = self.scene.settings
        if settings.refines:
            makers = {"crf": self.refined, "walk": self.walked, "grabcut": self.cut}
            try:
                return makers[settings.refine](), settings.refine
            except RefinementError:
                pass
        return self.fused(settings.fusion), f"fusion.{settings.fusion}"

    @property
    def _fused_from(self) -> Hashable:
        """What the labels of the chosen fusion depend on."""
        settings = self.scene.settings
        of_saliency = self.looks.made_from
        return (self.made_from, of_saliency, settings.fusion, settings.weight, settings.gamma)

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
                key = (scene.name, scene.size, self.looks.made_from, parameters)
                kept = scene.caches.image.keep(f"reference {scene.settings.saliency}", key, refine)
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
