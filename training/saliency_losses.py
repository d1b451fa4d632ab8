"""What a saliency network's outputs are held to: cross entropy a pixel, overlap, local structure.

Every loss takes logits (N,1,h,w), targets (N,1,h,w) in 0..1 and how much of each cell is known
(N,1,h,w) in 0..1, and is the mean over the images.
"""

from collections.abc import Sequence

import torch
from torch.nn import functional

from backend.labels import IGNORE

WINDOW = 7


def cells(masks: torch.Tensor, size: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Masks int64 (N,S,S) of 0, 1 and 255 as targets and known parts (N,1,h,w) of larger cells:
    the share of a cell's known pixels that are salient, and the share that is known.
    """
    known = (masks != IGNORE).float()[:, None]
    salient = (masks == 1).float()[:, None]
    if masks.shape[1:] == tuple(size):
        return salient, known
    height, width = size
    part = functional.adaptive_avg_pool2d(known, (height, width))
    seen = functional.adaptive_avg_pool2d(salient, (height, width))
    return seen / part.clamp(min=1e-6), part


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Binary cross entropy over the known pixels; an image without any counts 0."""
    each = functional.binary_cross_entropy_with_logits(logits.float(), targets, reduction="none")
    area = known.sum(dim=(1, 2, 3))
    return ((each * known).sum(dim=(1, 2, 3)) / area.clamp(min=1e-6)).mean()


def overlap_loss(logits: torch.Tensor, targets: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """1 - intersection over union of the probabilities, over the known pixels. One pixel is added
    to both, so that an image with nothing in it is right when nothing is found.

    Source: Qin et al., BASNet (CVPR 2019), section 3.3.
    """
    found = logits.float().sigmoid() * known
    true = targets * known
    both = (found * true).sum(dim=(1, 2, 3))
    either = (found + true).sum(dim=(1, 2, 3)) - both
    return (1 - (both + 1) / (either + 1)).mean()


def structure_loss(
    logits: torch.Tensor, targets: torch.Tensor, known: torch.Tensor
) -> torch.Tensor:
    """1 - SSIM of the probabilities and the targets in windows of WINDOW x WINDOW pixels, over the
    windows that are wholly known.

    Source: Qin et al., BASNet (CVPR 2019), section 3.3; with plain in place of Gaussian windows.
    """
    window = min(WINDOW, *logits.shape[2:])

    def mean(maps: torch.Tensor) -> torch.Tensor:
        return functional.avg_pool2d(maps, window, 1)

    found, true = logits.float().sigmoid(), targets
    one, other = mean(found), mean(true)
    spread = mean(found * found) - one * one
    other_spread = mean(true * true) - other * other
    together = mean(found * true) - one * other
    c1, c2 = 0.01**2, 0.03**2
    likeness = ((2 * one * other + c1) * (2 * together + c2)) / (
        (one * one + other * other + c1) * (spread + other_spread + c2)
    )
    whole = (mean(known) > 1 - 1e-4).float()
    area = whole.sum(dim=(1, 2, 3))
    return (((1 - likeness) * whole).sum(dim=(1, 2, 3)) / area.clamp(min=1)).mean()
