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


def shares(mask: ArrayLike) -> dict[str, float]:
    """The share of an image that each zone of a mask in {-1,0,1} has, by its name."""
    zones = np.asarray(mask)
    named = (
        ("attention", ATTENTION_ZONE),
        ("potential", POTENTIAL_ZONE),
        ("background", BACKGROUND_ZONE),
    )
    return {name: float((zones == zone).mean()) for name, zone in named}


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


def strongest_attention(maps: "torch.Tensor", tags: "torch.Tensor") -> "torch.Tensor":
    """The attention that the zones of a batch are cut from, without a gradient.

    Raw class maps torch (N,C,H,W) and tags (N,C) of 0 and 1 -> float32 (N,1,H,W) in 0..1: each
    tag's map after a ReLU from its minimum to its maximum, and of those the largest at each place.
    Zero where no tag has a positive score. Raises ValueError for tags that do not
    fit the maps. Source: SeeNet, section 3.2, on all tags of an image at once.
    """
    if maps.ndim != 4 or tuple(tags.shape) != tuple(maps.shape[:2]):
        raise ValueError(
            f"maps must have the shape (N, C, H, W) and tags (N, C), but have {tuple(maps.shape)} "
            f"and {tuple(tags.shape)}."
        )
    scaled = in_unit_range(maps.detach().float())
    return (scaled * (tags > 0)[:, :, None, None]).amax(dim=1, keepdim=True)


def in_unit_range(maps: "torch.Tensor") -> "torch.Tensor":
    """Maps torch (N,C,H,W), ReLU first, each from its minimum to its maximum; a constant one is
    zero.
    """
    positive = maps.relu()
    positive = positive - positive.amin(dim=(2, 3), keepdim=True)
    peak = positive.amax(dim=(2, 3), keepdim=True)
    return positive / peak.masked_fill(peak <= 0, 1)


def batch_zones(attention: "torch.Tensor", high: float, low: float) -> "torch.Tensor":
    """The three zones of a batch: `ternary_mask` for torch (N,1,H,W) in 0..1, as its dtype."""
    zones = attention.new_ones(attention.shape)
    peak = attention.amax(dim=(1, 2, 3), keepdim=True)
    zones = zones.masked_fill((attention < low * peak) & (peak > 0), float(BACKGROUND_ZONE))
    return zones.masked_fill((attention >= high * peak) & (peak > 0), float(ATTENTION_ZONE))
