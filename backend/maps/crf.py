"""The fully connected CRF, with labels only for background and the image's own tags."""

import importlib.util
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.machinery import PathFinder

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.maps import arrays

# Below this a label is as good as impossible; the logarithm needs a floor.
SMALLEST_PROBABILITY = 1e-5


class CrfUnavailable(RuntimeError):
    """pydensecrf is not installed here, or does not load; the sentence says what to do."""


@dataclass(frozen=True)
class CrfParameters:
    """The two pairwise terms of the CRF and how long it runs.

    The bilateral term joins pixels close in place (`bilateral_xy`, pixels) and in colour
    (`bilateral_rgb`, of 255), the Gaussian term pixels close in place; each counts by its weight.
    Raises ValueError for a negative weight, a deviation of 0 or less, or fewer than 0 iterations.
    """

    bilateral_weight: float = 10.0
    bilateral_xy: float = 80.0
    bilateral_rgb: float = 13.0
    gaussian_weight: float = 3.0
    gaussian_xy: float = 3.0
    iterations: int = 10

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            weightless = name.endswith(("_weight", "iterations"))
            if not (np.isfinite(value) and (value >= 0 if weightless else value > 0)):
                least = "at least 0" if weightless else "above 0"
                raise ValueError(f"The CRF's {name} must be a number {least}, but is {value}.")
        if int(self.iterations) != self.iterations:
            raise ValueError(
                f"The CRF's iterations must be a whole number, but are {self.iterations}."
            )


# Bilateral weight, xy, rgb; Gaussian weight, xy; iterations, as each paper or its code has them.
# SEAM, DSRG and SAL took over PSA's.
PRESETS: dict[str, CrfParameters] = {
    "dcsp": CrfParameters(4, 49, 5, 3, 3, 10),
    "deeplab": CrfParameters(4, 67, 3, 3, 1, 10),
    "psa": CrfParameters(10, 80, 13, 3, 3, 10),
    "irn": CrfParameters(10, 50, 5, 3, 3, 10),
    "oaa": CrfParameters(3, 67, 4, 1, 3, 10),
    "seam": CrfParameters(10, 80, 13, 3, 3, 10),
    "dsrg": CrfParameters(10, 80, 13, 3, 3, 10),
    "sal": CrfParameters(10, 80, 13, 3, 3, 10),
}


def missing() -> str | None:
    """Why the CRF cannot run here, as a sentence, or None. Looks without importing anything."""
    try:
        package = importlib.util.find_spec("pydensecrf")
    except (ImportError, ValueError):
        package = None
    locations = package.submodule_search_locations if package else None
    if locations and PathFinder.find_spec("pydensecrf.densecrf", locations):
        return None
    return (
        "The dense CRF is not installed: pydensecrf is missing. It is built from source, "
        "so install g++ and python3-dev and run make again; everything else works without it."
    )


def refine(
    image: ArrayLike, probabilities: ArrayLike, parameters: CrfParameters
) -> NDArray[np.float32]:
    """Probabilities drawn to the edges of the image by a fully connected CRF.

    image uint8 (H,W,3) RGB, probabilities (K+1,H,W) at least 0, the background first and then the
    image's tags in order (a common factor at a pixel changes nothing) -> float32 (K+1,H,W) that
    sum to 1. With the background alone there is nothing to decide and all is 1.
    Raises ValueError for arrays that do not fit and CrfUnavailable where pydensecrf is not
    installed. Source: Kraehenbuehl and Koltun 2011; the settings are in PRESETS.
    """
    photograph, unary = check(image, probabilities)
    labels, height, width = unary.shape
    if labels == 1:
        return np.ones_like(unary)
    try:
        from pydensecrf.densecrf import DenseCRF2D
    except ImportError as error:
        raise CrfUnavailable(
            missing() or f"pydensecrf is installed but does not load ({error}); install it again."
        ) from error

    field = DenseCRF2D(width, height, labels)
    field.setUnaryEnergy(_energy(unary).reshape(labels, -1))
    field.addPairwiseGaussian(sxy=parameters.gaussian_xy, compat=parameters.gaussian_weight)
    field.addPairwiseBilateral(
        sxy=parameters.bilateral_xy,
        srgb=parameters.bilateral_rgb,
        # Its buffers are typed as writable, though it writes to none.
        rgbim=np.require(photograph, requirements=["C", "W"]),
        compat=parameters.bilateral_weight,
    )
    refined = np.array(field.inference(int(parameters.iterations)), dtype=np.float32)
    return refined.reshape(labels, height, width)


def check(
    image: ArrayLike, probabilities: ArrayLike
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The arguments of `refine` as arrays of the right types; raises ValueError as it does."""
    photograph = arrays.photograph(image)
    stack = arrays.stack(probabilities, "probabilities").astype(np.float32, copy=False)
    if len(stack) == 0:
        raise ValueError("probabilities must hold the background's map and one for each tag.")
    arrays.require_shape(stack[0], "each map of probabilities", photograph.shape[:2])
    if stack.min() < 0:
        raise ValueError("probabilities must be at least 0; pass the softmax, not the logits.")
    return photograph, stack


def _energy(stack: NDArray[np.float32]) -> NDArray[np.float32]:
    """-log of each pixel's shares; where all are 0 its labels are alike, at the floor."""
    total = stack.sum(axis=0)
    shares = stack / np.where(total > 0, total, 1)
    return -np.log(np.maximum(shares, np.float32(SMALLEST_PROBABILITY)))


def probabilities_from_labels(
    labels: ArrayLike, class_ids: Sequence[int], confidence: float = 0.7
) -> NDArray[np.float32]:
    """A label map as probabilities of background and the image's tags.

    labels (H,W) of 0, class ids and 255, class_ids the K tags -> float32 (K+1,H,W) that sum to 1:
    a pixel's own label gets `confidence`, the others share the rest; at 255 all are alike.
    Raises ValueError for a label that is no tag, or a confidence that would not favour the pixel's
    own label. Source: IRN's label step (gt_prob 0.7).
    """
    label_map = arrays.label_map(labels)
    ids = arrays.class_ids(class_ids)
    count = len(ids) + 1
    if not (count == 1 or 1 / count <= confidence <= 1):
        raise ValueError(
            f"confidence must lie in {1 / count:.3g}..1 for {count} labels, but is {confidence}."
        )
    known = {arrays.BACKGROUND, *ids, arrays.IGNORE}
    strangers = sorted(set(np.unique(label_map).tolist()) - known)
    if strangers:
        raise ValueError(
            f"labels hold the ids {strangers}, which are not among the image's tags {list(ids)}."
        )
    if count == 1:
        return np.ones((1, *label_map.shape), dtype=np.float32)
    own = label_map[None] == np.array((arrays.BACKGROUND, *ids)).reshape(-1, 1, 1)
    spread = np.where(own, confidence, (1 - confidence) / (count - 1))
    return np.where(label_map == arrays.IGNORE, 1 / count, spread).astype(np.float32)


def probabilities_from_maps(attention: ArrayLike, background: ArrayLike) -> NDArray[np.float32]:
    """Attention maps and a background map as probabilities, by dividing by their sum.

    attention (K,H,W) and background (H,W) in 0..1 -> float32 (K+1,H,W) that sum to 1; where
    nothing claims a pixel it is background. Raises ValueError for maps that do not fit.
    """
    maps = arrays.heat_stack(attention, "attention")
    behind = arrays.heat(background, "background", maps.shape[1:])
    together = np.concatenate([behind[None], maps])
    together[0][together.sum(axis=0) == 0] = 1
    return together / together.sum(axis=0)


def labels_from_probabilities(
    probabilities: ArrayLike, class_ids: Sequence[int]
) -> NDArray[np.uint8]:
    """The most probable label of each pixel.

    probabilities (K+1,H,W), background first, class_ids the K tags -> uint8 (H,W) of 0 and class
    ids; a tie goes to the background, then to the earlier tag. Raises ValueError.
    """
    stack = arrays.stack(probabilities, "probabilities")
    ids = arrays.class_ids(class_ids, len(stack) - 1)
    return np.array((arrays.BACKGROUND, *ids), dtype=np.uint8)[stack.argmax(axis=0)]
