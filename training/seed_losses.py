"""What SEC's and DSRG's losses stand on: floored probabilities, cues as seeds, decays by grid.

The losses themselves are `seed_loss`, `expand_loss` and `constrain_loss` of training.losses.
"""

import torch
from torch import Tensor
from torch.nn import functional

LEAST = 1e-4
# The grid that the papers' numbers belong to: 321 pixels at a stride of 8.
GRID = 41


def floored(logits: Tensor, least: float = LEAST) -> Tensor:
    """Logarithms of the softmax of logits (N,C,H,W) with `least` added, summing to 1 again.

    As logits of the losses they are their own log softmax. A class that is given up is not pushed
    any further: the gradient ends at the floor. Source: SEC's and DSRG's softmax layer (C).
    """
    wide = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    return torch.log((wide.softmax(dim=1) + least) / (1 + least * wide.shape[1]))


def as_seeds(labels: Tensor, classes: int) -> Tensor:
    """Labels int64 (N,H,W) of channels, 255 none, as float32 (N,classes,H,W) of 0 and 1.

    Raises ValueError for a label that is neither a channel nor 255.
    """
    known = labels != 255
    if bool((labels[known] >= classes).any()) or bool((labels < 0).any()):
        raise ValueError(f"labels must be channels 0..{classes - 1} or 255.")
    hot = functional.one_hot(labels.where(known, 0), classes) * known[..., None]
    return hot.movedim(-1, 1).float()


def decay_at(decay: float, cells: int) -> float:
    """The decay of a class's ranked cells, on a grid of so many, that weighs the same part of them
    as `decay` does on the papers' 41x41.
    """
    return float(decay ** (GRID * GRID / cells))
