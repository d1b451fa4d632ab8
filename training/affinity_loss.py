"""What AffinityNet learns: neighbours of one label are to be alike, those of two are not."""

import torch

from backend.labels import BACKGROUND, IGNORE
from backend.maps import walk

# Of the logarithm of how unlike two cells are, where they are the same.
SMALLEST = 1e-5


def affinity_losses(
    distances: torch.Tensor, labels: torch.Tensor, radius: int = walk.RADIUS
) -> dict[str, torch.Tensor]:
    """The losses over all pairs of a batch whose two labels are known.

    distances (N,offsets,h,w) as `pair_distances` gives them, d, so that the affinity a is exp(-d);
    labels int (N,h,w), 0 background, class ids, 255 unknown -> "background", "object" and "apart",
    the means of -log a, -log a and -log(1 - a) over pairs of background, of one class, and of two
    labels, 0 where there is no such pair; "total" is a quarter of each of the first two and half of
    the third. Source: AffinityNet, Eq. 4 to 7.
    """
    size = (labels.shape[1], labels.shape[2])
    others = torch.full_like(distances, IGNORE, dtype=labels.dtype)
    for number, (here, there) in enumerate(walk.pairs(size, radius)):
        others[:, number, *here] = labels[:, *there]
    own = labels.unsqueeze(1).expand_as(others)
    known = (own != IGNORE) & (others != IGNORE)
    alike = known & (own == others)
    behind = alike & (own == BACKGROUND)
    within = alike & (own != BACKGROUND)
    apart = known & (own != others)
    losses = {
        "background": _mean(distances[behind]),
        "object": _mean(distances[within]),
        "apart": _mean(-torch.log(-torch.expm1(-distances[apart]) + SMALLEST)),
    }
    total = losses["background"] / 4 + losses["object"] / 4 + losses["apart"] / 2
    return {"total": total, **losses}


def _mean(values: torch.Tensor) -> torch.Tensor:
    return values.sum() / max(1, values.numel())
