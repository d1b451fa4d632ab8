"""One walk of one image through the stages, keeping what the next walk can use again."""

import time
from collections.abc import Callable, Hashable, Iterator, MutableMapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import cv2
import numpy as np

from backend.errors import RefinementError, SaliencyError
from backend.inspection.settings import Settings
from backend.inspection.stages import StageMap
from backend.maps import attention, crf, fusion, scoring, zones
from backend.refinement import CrfPool
from backend.weights import WeightsCard

if TYPE_CHECKING:
    from backend.inspection.inspector import Inspector

Tag = tuple[int, str]
Value = TypeVar("Value")

FUSION_TITLES = {"seenet": "SeeNet", "dcsp": "DCSP", "oaa": "OAA"}


class Walk:
    """Makes the stages that are wanted, in their order.

    Each costly value lies in `cache` beside what it was made from, one value a name, so that the
    cache cannot grow while a slider moves.
    """

    def __init__(
        self,
        inspector: "Inspector",
        image: np.ndarray | Callable[[], np.ndarray],
        tags: Sequence[Tag],
        settings: Settings,
        cache: MutableMapping[str, Any],
        name: str | None,
    ) -> None:
        self.inspector = inspector
        self._image_or_reader = image
        self.settings = settings
        self.cache = cache
        self.name = name
        self.tags, self.unknown = split_tags(tags, inspector.card)
        self.ids = tuple(class_id for class_id, _ in self.tags)
        found = (output_of(tag, inspector.card) for _, tag in self.tags)
        self.outputs = [output for output in found if output is not None]
        # An id alone is no key: one that was only borrowed may later be another class's.
        self.made_for = (inspector.card.digest, self.ids, tuple(self.outputs))

    def __call__(self, wanted: Sequence[str]) -> Iterator[StageMap]:
        makers: dict[str, Callable[[], Iterator[StageMap]]] = {
            "image": self._image,
            "cam": self._cam,
            "zones": self._zones,
            "saliency": self._saliency,
            "fusion.seenet": lambda: self._fusion("seenet"),
            "fusion.dcsp": lambda: self._fusion("dcsp"),
            "fusion.oaa": lambda: self._fusion("oaa"),
            "crf": self._crf,
            "sal.score": self._score,
        }
        for stage in wanted:
            start = time.perf_counter()
            try:
                for made in makers[stage]():
                    yield replace(made, seconds=time.perf_counter() - start)
                    start = time.perf_counter()
            except (RefinementError, SaliencyError) as error:
                yield StageMap(stage, "note", None, caption=str(error))

    def _image(self) -> Iterator[StageMap]:
        height, width = self.original.shape[:2]
        caption = f"{width} × {height} pixels"
        if self.image.shape != self.original.shape:
            caption += f", shown at {self.image.shape[1]} × {self.image.shape[0]}"
        yield StageMap("image", "image", self.image, caption=caption)

    def _cam(self) -> Iterator[StageMap]:
        yield from (
            StageMap("cam", "note", None, tag=tag, caption=why) for tag, why in self.unknown
        )
        if not self.tags:
            yield StageMap("cam", "note", None, caption=self._why_no_tags())
            return
        probabilities, _ = self._network()
        for (_, tag), output, heat in zip(self.tags, self.outputs, self.attention, strict=True):
            score = float(probabilities[output])
            numbers = {"score": score, "mean": float(heat.mean())}
            caption = f"score {score:.2f}"
            if not heat.any():
                caption = (
                    f"The network sees no sign of '{tag}' (score {score:.2f}), so this map is zero "
                    "and the tag can win no pixel. Check the tag, or try other weights."
                )
            yield StageMap("cam", "heat", heat, tag=tag, caption=caption, numbers=numbers)

    def _zones(self) -> Iterator[StageMap]:
        if not self.tags:
            yield StageMap("zones", "note", None, caption="Zones need a tag that the weights know.")
            return
        high, low = self.settings.high, self.settings.low
        mask = self._kept(
            "zones", (self.made_for, high, low), lambda: zones.ternary_mask(self.minmax, high, low)
        )
        shares = {
            "attention": float((mask == zones.ATTENTION_ZONE).mean()),
            "potential": float((mask == zones.POTENTIAL_ZONE).mean()),
            "background": float((mask == zones.BACKGROUND_ZONE).mean()),
        }
        caption = "all zero attention: no zone can be told from another"
        if self.minmax.any():
            caption = ", ".join(f"{zone} {share:.0%}" for zone, share in shares.items())
        yield StageMap("zones", "zones", mask, caption=caption, numbers=shares)

    def _saliency(self) -> Iterator[StageMap]:
        source = self.inspector.source(self.settings.saliency)
        numbers = {"mean": float(self.salient.mean())}
        yield StageMap("saliency", "heat", self.salient, caption=str(source.name), numbers=numbers)

    def _fusion(self, rule: str) -> Iterator[StageMap]:
        stage = f"fusion.{rule}"
        if not self.tags:
            yield StageMap(
                stage, "note", None, caption="A fusion needs a tag that the weights know."
            )
            return
        yield self._labels_map(stage, self._fused(rule), FUSION_TITLES[rule])

    def _crf(self) -> Iterator[StageMap]:
        rule = self.settings.fusion
        if not self.tags:
            yield StageMap(
                "crf", "note", None, caption="Refinement needs a tag that the weights know."
            )
            return
        if self.settings.crf is None:
            yield StageMap("crf", "note", None, caption="Refinement by the CRF is switched off.")
            return
        yield self._labels_map("crf", self._refined(), f"CRF on {FUSION_TITLES[rule]}")

    def _score(self) -> Iterator[StageMap]:
        if not self.tags:
            yield StageMap("sal.score", "note", None, caption="There is no mask to score.")
            return
        reference, origin = self._reference()
        labels, scored = self._fused(self.settings.fusion), FUSION_TITLES[self.settings.fusion]
        if self.settings.crf is not None:
            try:
                labels, scored = self._refined(), "refined"
            except RefinementError:
                scored += " (not refined)"
        numbers = {
            "AC": scoring.boundary_accuracy(labels, reference),
            "CD": scoring.class_distribution(labels, self.ids),
            "SC": scoring.coarse_score(labels, reference, self.ids),
        }
        caption = f"{scored} mask against {origin}"
        yield StageMap(
            "sal.score", "score", reference.astype(np.float32), caption=caption, numbers=numbers
        )

    @cached_property
    def original(self) -> np.ndarray:
        """The image at its own size, read when first needed."""
        given = self._image_or_reader
        return given() if callable(given) else given

    @property
    def image(self) -> np.ndarray:
        """The image at the working size."""
        return self._kept("image", (), lambda: fit(self.original, self.inspector.working_side))

    @property
    def attention(self) -> np.ndarray:
        """Attention maps of the known tags, float32 (K,H,W), each divided by its maximum."""
        return self._kept(
            "attention", self.made_for, lambda: attention.normalise(self._class_maps())
        )

    @property
    def minmax(self) -> np.ndarray:
        """Attention maps, float32 (K,H,W), each from its minimum to its maximum: what SeeNet's
        zones, DCSP's labels and OAA's labels are defined on."""
        return self._kept(
            "minmax", self.made_for, lambda: attention.normalise(self.attention, how="minmax")
        )

    @property
    def salient(self) -> np.ndarray:
        """The saliency map, float32 (H,W) in 0..1, at the working size."""

        def detect() -> np.ndarray:
            found = self.inspector.source(self.settings.saliency)(self.image, name=self.name)
            return attention.resize(found[None], self.image.shape[:2])[0]

        return self._kept("saliency", (self.settings.saliency, self.name), detect)

    def _network(self) -> tuple[np.ndarray, np.ndarray]:
        return self._kept(
            "network",
            self.inspector.card.digest,
            lambda: self.inspector.run_network(self.original),
        )

    def _class_maps(self) -> np.ndarray:
        _, maps = self._network()
        return attention.resize(maps[self.outputs], self.image.shape[:2])

    def _fused(self, rule: str) -> np.ndarray:
        """Proxy labels uint8 (H,W) by one paper's rule."""
        settings, saliency = self.settings, self.settings.saliency
        if rule == "seenet":
            return self._kept(
                "fusion.seenet",
                (self.made_for, saliency, settings.weight),
                lambda: fusion.seenet_labels(
                    self.attention, self.salient, self.ids, weight=settings.weight
                ),
            )
        if rule == "dcsp":
            return self._kept(
                "fusion.dcsp",
                (self.made_for, saliency, settings.gamma),
                lambda: fusion.dcsp_labels(
                    self.minmax, self.salient, self.ids, gamma=settings.gamma
                ),
            )
        return self._kept(
            "fusion.oaa",
            (self.made_for, saliency),
            lambda: fusion.oaa_labels(self.minmax, self.salient, self.ids),
        )

    def _refined(self) -> np.ndarray:
        """The chosen fusion's labels after the CRF, uint8 (H,W). Raises RefinementError."""
        settings = self.settings
        assert settings.crf is not None
        parameters = settings.crf
        made_from = (
            self.made_for,
            settings.saliency,
            settings.fusion,
            settings.weight,
            settings.gamma,
            settings.confidence,
            parameters,
        )

        def refine() -> np.ndarray:
            evidence = crf.probabilities_from_labels(
                self._fused(settings.fusion), self.ids, settings.confidence
            )
            refined = self._pool().refine(self.image, evidence, parameters)
            return crf.labels_from_probabilities(refined, self.ids)

        return self._kept("crf", made_from, refine)

    def _reference(self) -> tuple[np.ndarray, str]:
        """The reference mask bool (H,W) and what it is: saliency after the CRF, else saliency over
        twice its mean (the usual adaptive threshold of salient object detection)."""
        parameters = self.settings.crf
        if parameters is not None and self.inspector.crf is not None:
            salient = self.salient

            def refine() -> np.ndarray:
                both = np.stack([1 - salient, salient])
                refined = self._pool().refine(self.image, both, parameters)
                return refined[1] > refined[0]

            try:
                key = (self.settings.saliency, parameters)
                return self._kept("reference", key, refine), "saliency after CRF"
            except RefinementError:
                pass
        threshold = min(2 * float(self.salient.mean()), 0.9)
        return self.salient > threshold, "saliency over twice its mean"

    def _pool(self) -> CrfPool:
        if self.inspector.crf is None:
            raise RefinementError("There is no CRF here, so masks stay as the fusion made them.")
        return self.inspector.crf

    def _labels_map(self, stage: str, labels: np.ndarray, caption: str) -> StageMap:
        counts = np.bincount(labels.ravel(), minlength=256) / labels.size
        numbers = {"background": float(counts[0])}
        numbers |= {tag: float(counts[class_id]) for class_id, tag in self.tags}
        if counts[255]:
            numbers["ignore"] = float(counts[255])
        if counts[0] == 1:
            caption += ": no pixel went to a tag"
        elif counts[255] == 1:
            caption += ": everything is left undecided"
        return StageMap(stage, "labels", labels, caption=caption, numbers=numbers)

    def _why_no_tags(self) -> str:
        if self.unknown:
            return (
                "None of the image's tags is known to these weights; choose other weights or tags."
            )
        return "The image has no tags yet. Choose at least one: maps are made for tags only."

    def _kept(self, name: str, made_from: Hashable, make: Callable[[], Value]) -> Value:
        found = self.cache.get(name)
        if found is not None and found[0] == made_from:
            return found[1]
        value = make()
        self.cache[name] = (made_from, value)
        return value


def split_tags(tags: Sequence[Tag], card: WeightsCard) -> tuple[list[Tag], list[tuple[str, str]]]:
    """The tags that the weights know, each once, and a sentence for each that they do not."""
    known: list[Tag] = []
    unknown: list[tuple[str, str]] = []
    for class_id, tag in dict.fromkeys(tags):
        if output_of(tag, card) is None:
            unknown.append(
                (tag, f"The weights {card.name} do not know '{tag}', so it is left out.")
            )
        else:
            known.append((class_id, tag))
    return known, unknown


def output_of(tag: str, card: WeightsCard) -> int | None:
    """Which of the network's outputs a tag is. By name, in any case: ids are each data set's own,
    and weights made on one may look at another."""
    names = [name.casefold() for name in card.classes]
    return names.index(tag.casefold()) if tag.casefold() in names else None


def fit(image: np.ndarray, side: int | None) -> np.ndarray:
    """The image, made smaller where its long side is longer than `side`."""
    height, width = image.shape[:2]
    if side is None or max(height, width) <= side:
        return image
    scale = side / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
