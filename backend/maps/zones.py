"""The three zones of an attention map, and the ReLU that they steer."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.maps import arrays

if TYPE_CHECKING:
    import torch

ATTENTION_ZONE, POTENTIAL_ZONE, BACKGROUND_ZONE = 0, 1, -1


def ternary_mask(attention: ArrayLike, high: float = 0.7, low: float = 0.05) -> NDArray[np.int8]:
    """One mask of three zones for all of an image's tags.

    attention (K,H,W), the image's tags only -> int8 (H,W): 0 (attention zone) where the largest of
    the maps is at least `high` times its maximum, -1 (background zone) where it is under `low`
    times its maximum, 1 (potential zone) elsewhere. Attention that is zero everywhere, or of no
    tag at all, says nothing about the background: all 1.
    Raises ValueError unless 0 <= low <= high <= 1. Source: SeeNet, section 3.2 (T_A).
    """
    if not 0 <= low <= high <= 1:
        raise ValueError(
            f"The zones need thresholds with 0 <= low <= high <= 1, but low is {low} "
            f"and high is {high}."
        )
    maps = arrays.stack(attention, "attention")
    # The zero floor is the ReLU of the definition; it also stands in where there is no tag.
    strongest = maps.max(axis=0, initial=0)
    peak = strongest.max()
    mask = np.full(strongest.shape, POTENTIAL_ZONE, dtype=np.int8)
    if peak > 0:
        np.copyto(mask, BACKGROUND_ZONE, where=strongest < low * peak)
        np.copyto(mask, ATTENTION_ZONE, where=strongest >= high * peak)
    return mask


def conditional_relu(features: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    """ReLU whose units the mask keeps (1), erases (0) or turns negative (-1).

    features torch (N,C,H,W), mask torch (N,1,H,W) in {-1,0,1} of any dtype -> (N,C,H,W). Gradients
    reach the features, never the mask. Raises ValueError where the mask is not one plane for
    each image of the batch. Source: SeeNet Eq. 2 (C-ReLU).
    """
    if features.ndim != 4:
        raise ValueError(
            f"features must have the shape (N, C, H, W), but have {tuple(features.shape)}."
        )
    expected = (features.shape[0], 1, *features.shape[2:])
    if tuple(mask.shape) != expected:
        raise ValueError(
            f"mask must have the shape {expected}, one plane for each image, "
            f"but has {tuple(mask.shape)}."
        )
    return features.relu() * mask.detach().to(features.dtype)
