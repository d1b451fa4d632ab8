"""One walk of one image through the stages that are wanted."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from backend.errors import GradientError, RefinementError, SaliencyError, TagmaskError
from backend.inspection.masks import FUSION_TITLES, Masks
from backend.inspection.methods import Method
from backend.inspection.scene import Scene
from backend.inspection.stages import StageMap
from backend.inspection.table import REFINED, TRUTH_STAGES, step_stage
from backend.inspection.truth import Truth, error_shares, errors, overlap, precision, strongest
from backend.labels import resize_labels
from backend.maps import scoring, zones
from backend.saliency import why_flat

RAISED = 0.1
"""By how much more a look must say of a pixel for its saliency to count as raised."""

NEEDS_A_TAG = {
    "zones": "Zones need a tag that the weights know.",
    **dict.fromkeys(REFINED, "Refinement needs a tag that the weights know."),
    "sal.score": "There is no mask to score.",
    "truth.attention": "Attention needs a tag that the weights know.",
    "truth.error": "There is no mask to compare with the truth.",
}


class Walk:
    """Makes the stages that are wanted, in their order; costly values are kept in the caches."""

    def __init__(self, scene: Scene, method: type[Method], truth: Truth | None) -> None:
        self.scene = scene
        self.settings = scene.settings
        self.method = method(scene)
        self.masks = Masks(scene, self.method)
        self.truth = truth

    def __call__(self, wanted: Sequence[str]) -> Iterator[StageMap]:
        for stage in wanted:
            start = time.perf_counter()
            try:
                for made in self._make(stage):
                    yield replace(made, seconds=time.perf_counter() - start)
                    start = time.perf_counter()
            except (GradientError, RefinementError, SaliencyError) as error:
                yield StageMap(stage, "note", None, caption=str(error))

    def _make(self, stage: str) -> Iterator[StageMap]:
        makers: dict[str, Callable[[], Iterator[StageMap]]] = {
            "image": self._image,
            "zones": self._zones,
            "saliency": self._saliency,
            "crf": self._crf,
            "walk": self._random_walk,
            "grabcut": self._grabcut,
            "sal.score": self._score,
            "truth": self._truth,
            "truth.attention": self._truth_attention,
            "truth.error": self._truth_error,
        }
        if stage in TRUTH_STAGES and not self._readable():
            yield from self._why_no_truth(stage)
        elif stage in self.method.stages:
            yield from self._attention(stage)
        elif not self.scene.tags and stage in NEEDS_A_TAG:
            yield StageMap(stage, "note", None, caption=NEEDS_A_TAG[stage])
        elif stage.startswith("fusion."):
            yield from self._fusion(stage.removeprefix("fusion."))
        elif stage.startswith("saliency.step"):
            yield self._look(stage)
        else:
            yield from makers[stage]()

    def _attention(self, stage: str) -> Iterator[StageMap]:
        """A stage of the method; its first one also says which tags are left out."""
        first = stage == next(iter(self.method.stages))
        if first:
            for tag, why in self.scene.unknown:
                yield StageMap(stage, "note", None, tag=tag, caption=why)
        if self.scene.tags:
            for made in self.method.make(stage):
                if made.kind == "labels" and made.array is not None:
                    yield self._labels(stage, made.array, made.caption)
                else:
                    yield self._proved(made) if made.kind == "reliable" else made
        else:
            yield StageMap(stage, "note", None, caption=self.scene.why_no_tags())

    def _proved(self, made: StageMap) -> StageMap:
        """A set of trusted pixels with how many of them the truth bears out, where it is known."""
        if made.array is None or not self._readable():
            return made
        ids = np.zeros(256, np.uint8)
        ids[1 : len(self.scene.ids) + 1] = self.scene.ids
        share = precision(ids[made.array], self._true()[0])
        caption = made.caption if share is None else f"{made.caption}; {share:.0%} of them right"
        return replace(made, caption=caption, details={**made.details, "precision": share})

    def _image(self) -> Iterator[StageMap]:
        image, original = self.scene.image, self.scene.original
        height, width = original.shape[:2]
        caption = f"{width} × {height} pixels"
        if image.shape != original.shape:
            caption += f", shown at {image.shape[1]} × {image.shape[0]}"
        yield StageMap("image", "image", image, caption=caption)

    def _zones(self) -> Iterator[StageMap]:
        high, low = self.settings.high, self.settings.low
        mask = self.scene.caches.method.keep(
            "zones",
            (self.masks.made_from, high, low),
            lambda: zones.ternary_mask(self.masks.minmax, high, low),
        )
        shares = zones.shares(mask)
        caption = "all zero attention: no zone can be told from another"
        if self.masks.minmax.any():
            caption = ", ".join(f"{zone} {share:.0%}" for zone, share in shares.items())
        yield StageMap("zones", "zones", mask, caption=caption, numbers=shares)

    def _saliency(self) -> Iterator[StageMap]:
        salient = self.masks.salient
        source = self.scene.inspector.source(self.settings.saliency)
        numbers = {"mean": float(salient.mean())}
        flat = why_flat(salient)
        caption = f"{source.short_name}; {flat}" if flat else source.short_name
        if self.settings.thresholds:
            caption += f", {self.settings.erasing_steps} looks"
        yield StageMap("saliency", "heat", salient, caption=caption, numbers=numbers)

    def _look(self, stage: str) -> StageMap:
        """One look for saliency, or a part of it."""
        steps, thresholds = self.masks.looks.steps(), self.settings.thresholds
        number = next(n for n in range(1, len(steps) + 1) if stage.startswith(step_stage(n)))
        step = steps[number - 1]
        if number == 1:
            numbers = {"mean": float(step.merged.mean())}
            said = f"mean {step.merged.mean():.2f}"
            return StageMap(stage, "heat", step.merged, None, said, numbers)
        before, threshold = steps[number - 2].merged, thresholds[number - 2]
        if stage.endswith(".erased"):
            share = float((before > threshold).mean())
            caption = f"{share:.0%} above {threshold:g}, erased"
            numbers = {"erased": share, "threshold": threshold}
            return StageMap(stage, "image", step.erased, None, caption, numbers)
        if stage.endswith(".raw"):
            numbers = {"mean": float(step.raw.mean())}
            return StageMap(stage, "heat", step.raw, None, f"mean {step.raw.mean():.2f}", numbers)
        more = float((step.merged > before + RAISED).mean())
        numbers = {"mean": float(step.merged.mean()), "raised": more}
        caption = f"{more:.0%} raised"
        return StageMap(stage, "heat", step.merged, None, caption, numbers)

    def _fusion(self, rule: str) -> Iterator[StageMap]:
        stage = f"fusion.{rule}"
        if not self.scene.tags:
            caption = "A fusion needs a tag that the weights know."
            yield StageMap(stage, "note", None, caption=caption)
            return
        yield self._labels(stage, self.masks.fused(rule), FUSION_TITLES[rule])

    def _crf(self) -> Iterator[StageMap]:
        if self.settings.crf is None:
            yield StageMap("crf", "note", None, caption="Refinement by the CRF is switched off.")
            return
        title = FUSION_TITLES[self.settings.fusion]
        yield self._labels("crf", self.masks.refined(), f"CRF on {title}")

    def _random_walk(self) -> Iterator[StageMap]:
        name = self.scene.inspector.walk(self.settings.affinity).card.name
        yield self._labels("walk", self.masks.walked(), f"random walk of the attention by {name}")

    def _grabcut(self) -> Iterator[StageMap]:
        title = FUSION_TITLES[self.settings.fusion]
        yield self._labels("grabcut", self.masks.cut(), f"GrabCut on {title}")

    def _score(self) -> Iterator[StageMap]:
        reference, origin = self.masks.reference()
        labels, stage = self.masks.chosen()
        scored = "refined"
        if stage not in REFINED:
            unrefined = " (not refined)" if self.settings.refines else ""
            scored = FUSION_TITLES[self.settings.fusion] + unrefined
        ids = self.scene.ids
        numbers = {
            "AC": scoring.boundary_accuracy(labels, reference),
            "CD": scoring.class_distribution(labels, ids),
            "SC": scoring.coarse_score(labels, reference, ids),
        }
        caption = f"{scored} mask against {origin}"
        heat = reference.astype(np.float32)
        details = {"reference": origin, "mask": stage}
        yield StageMap("sal.score", "score", heat, None, caption, numbers, details)

    def _truth(self) -> Iterator[StageMap]:
        labels, names = self._true()
        counts = np.bincount(labels.ravel(), minlength=256) / labels.size
        numbers = {name: float(counts[id]) for id, name in names.items() if counts[id]}
        if counts[255]:
            numbers["ignore"] = float(counts[255])
        yield StageMap("truth", "labels", labels, caption="the true mask", numbers=numbers)

    def _why_no_truth(self, stage: str) -> Iterator[StageMap]:
        """A note where there is a truth that cannot be read; nothing where there is none."""
        if self.truth is not None:
            try:
                self._true()
            except TagmaskError as error:
                yield StageMap(stage, "note", None, caption=f"The truth is of no use here. {error}")

    def _truth_attention(self) -> Iterator[StageMap]:
        threshold = self.settings.truth_threshold
        labels = strongest(self.method.attention, self.scene.ids, threshold)
        said = f"{self.method.title}'s attention of at least {threshold:g}"
        yield self._errors("truth.attention", labels, said, "attention")

    def _truth_error(self) -> Iterator[StageMap]:
        labels, stage = self.masks.chosen()
        title = FUSION_TITLES[self.settings.fusion]
        said = {
            "crf": f"the CRF's mask of {title}",
            "walk": "the random walk's mask",
            "grabcut": f"GrabCut's mask of {title}",
        }.get(stage, f"the {title} mask")
        yield self._errors("truth.error", labels, said, stage)

    def _errors(self, stage: str, labels: np.ndarray, said: str, mask: str) -> StageMap:
        codes = errors(labels, self._true()[0])
        agreement = self._agreement(labels)
        caption = f"{said}: {agreement_said(agreement) or 'the truth says nothing here'}"
        numbers = {"miou": agreement["miou"]} if agreement else {}
        details = {"mask": mask, "shares": error_shares(codes), **agreement}
        return StageMap(stage, "errors", codes, None, caption, numbers, details)

    def _labels(self, stage: str, labels: np.ndarray, caption: str) -> StageMap:
        counts = np.bincount(labels.ravel(), minlength=256) / labels.size
        numbers = {"background": float(counts[0])}
        numbers |= {tag: float(counts[class_id]) for class_id, tag in self.scene.tags}
        if counts[255]:
            numbers["ignore"] = float(counts[255])
        if counts[0] == 1:
            caption += ": no pixel went to a tag"
        elif counts[255] == 1:
            caption += ": everything is left undecided"
        details = self._agreement(labels)
        if details:
            caption += f"; mIoU {details['miou']:.2f}"
        return StageMap(stage, "labels", labels, None, caption, numbers, details)

    def _agreement(self, labels: np.ndarray) -> dict[str, Any]:
        """How far labels agree with the truth; {} where there is none."""
        return overlap(labels, *self._true()) if self._readable() else {}

    def _readable(self) -> bool:
        """Whether there is a truth that can be read; masks can be made without."""
        if self.truth is None:
            return False
        try:
            self._true()
        except TagmaskError:
            return False
        return True

    def _true(self) -> tuple[np.ndarray, dict[int, str]]:
        """The true mask at the working size, and its class names."""
        assert self.truth is not None
        truth, scene = self.truth, self.scene

        def read() -> tuple[np.ndarray, dict[int, str]]:
            labels, names = truth.numbered(scene.tags)
            return resize_labels(labels, scene.size), names

        made_from = (truth.key, tuple(scene.tags), scene.size)
        return scene.caches.weights.keep("truth", made_from, read)


def agreement_said(agreement: dict[str, Any]) -> str:
    """The IoU of each class and their mean, as a caption has them."""
    if not agreement:
        return ""
    each = ", ".join(f"{name} {value:.2f}" for name, value in agreement["iou"].items())
    return f"IoU {each}; mIoU {agreement['miou']:.2f}"
