"""The losses of the papers, on logits, stable at any size and zero where a set is empty.

All take raw scores and apply the one softmax or sigmoid themselves. A loss over an empty set of
pixels is a zero that still belongs to the graph, so it can be added and stepped like any other.
Batches are averaged over their images, so a loss does not depend on how they were split; the one
exception is `selection_loss`, a mean over the labelled pixels of the whole batch.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Per = Literal["class", "channels"]
SMALLEST = 1e-30


def hybrid_loss(
    logits: Tensor, target: Tensor, per: Per = "class", positive_above: float = 0.0
) -> Tensor:
    """OAA+'s loss: raise where attention was accumulated, hold down where there was none.

    logits and target (N,C,H,W), target the accumulated attention in 0..1, zero for absent classes.
    Pixels with target above `positive_above` cost -target log sigmoid(logit), the others
    -log(1 - sigmoid(logit)), each set divided by its size. per="class": the sets are those of one
    class, and classes are summed (Eq. 9); per="channels": one pair of sets for all classes of
    an image (the released code, with positive_above=0.001). Raises ValueError for shapes that
    differ. Source: OAA, Eq. 7 to 9.
    """
    scores, wanted = _maps(logits, target, "target")
    dims = _set_dims(per)
    positive = wanted > positive_above
    raised = -wanted * F.logsigmoid(scores)
    lowered = -F.logsigmoid(-scores)
    loss = _set_mean(raised, positive, dims) + _set_mean(lowered, ~positive, dims)
    return _sum_classes(loss).mean()


def multilabel_loss(logits: Tensor, target: Tensor, per: Per = "class") -> Tensor:
    """Multi-label cross entropy with soft targets, the plain loss that OAA+ compares with (MCE).

    logits and target (N,C,H,W), target in 0..1. The mean over the pixels of a class, summed over
    classes as in `hybrid_loss`; with per="channels" the mean over all classes.
    Raises ValueError for shapes that differ. Source: OAA Eq. 6.
    """
    scores, wanted = _maps(logits, target, "target")
    loss = F.binary_cross_entropy_with_logits(scores, wanted, reduction="none")
    return _sum_classes(loss.mean(dim=_set_dims(per))).mean()


def selection_loss(
    logits: Tensor,
    labels: Tensor,
    weights: Tensor | None = None,
    gate: Tensor | None = None,
    ignore: int = 255,
) -> Tensor:
    """Cross entropy on the proxy labels of the images that were selected.

    logits (N,C,H,W) with the background first; labels (N,H,W) integers, `ignore` where nothing is
    known; weights (N,) of the images, 0 or 1 in the paper, all 1 without them. With a gate (N,C-1),
    the raw scores d_s of the classification subnetwork, foreground probabilities are multiplied by
    sigmoid(gate), the background by 1, and renormalised first. The weighted mean over the labelled
    pixels. Raises ValueError for shapes that do not fit. Source: SAL Eq. 8, 9, 11 and 13.
    """
    scores = _logits(logits)
    images, classes = scores.shape[:2]
    _require("labels", labels, (images, *scores.shape[2:]))
    if gate is not None:
        # softmax(z) g / sum(softmax(z) g) is softmax(z + log g): one softmax, and no underflow.
        opened = F.logsigmoid(_vectors("gate", gate, (images, classes - 1)).to(scores.dtype))
        scores = scores + F.pad(opened, (1, 0))[:, :, None, None]
    wanted = labels.long()
    cost = F.cross_entropy(scores, wanted, ignore_index=ignore, reduction="none")
    known = (wanted != ignore).to(cost.dtype)
    if weights is not None:
        _require("weights", weights, (images,))
        known = known * weights.to(cost.dtype)[:, None, None]
    return (cost * known).sum() / known.sum().clamp(min=SMALLEST)


def attention_loss(scores: Tensor, tags: Tensor) -> Tensor:
    """Binary cross entropy of the classification subnetwork against the clean tags.

    scores (N,C) raw, or (N,C,1,1); tags (N,C) of 0 and 1, foreground classes only -> the mean over
    classes and images. Raises ValueError for shapes that differ.
    Source: SAL Eq. 12, which prints the positive half alone, trivially minimised by scoring
    every class high; both halves are used.
    """
    raw = _vectors("scores", scores, tuple(tags.shape))
    raw = _wide(raw)
    return F.binary_cross_entropy_with_logits(raw, tags.to(raw.dtype))


def seed_loss(logits: Tensor, seeds: Tensor, balanced: bool = False) -> Tensor:
    """Cross entropy on a few trusted pixels.

    logits and seeds (N,C,H,W), background first; seeds are 0 or 1, a pixel without any belongs to
    no class. The sum over an image's seeds divided by their number; balanced: background
    and foreground each divided by their own number, and added. Raises ValueError for
    shapes that differ. Source: SEC's seeding loss; DSRG's balanced one.
    """
    scores, wanted = _maps(logits, seeds, "seeds")
    cost = -F.log_softmax(scores, dim=1)
    chosen = wanted > 0
    if not balanced:
        return _set_mean(cost, chosen, (1, 2, 3)).mean()
    background = _set_mean(cost[:, :1], chosen[:, :1], (1, 2, 3))
    foreground = _set_mean(cost[:, 1:], chosen[:, 1:], (1, 2, 3))
    return (background + foreground).mean()


def expand_loss(
    logits: Tensor,
    tags: Tensor,
    decay: float = 0.996,
    background_decay: float = 0.999,
) -> Tensor:
    """Global weighted rank pooling of each class against the tags.

    logits (N,C,H,W), background first; tags (N,C-1) of 0 and 1. A class's probabilities, sorted
    from the largest, are averaged with weights decay^0, decay^1, ...: 0 pools the maximum, 1 the
    mean. Tags and the background should score high, absent classes low, these by their maximum.
    Tags are averaged over the tags of an image, absent classes over the absent ones.
    Raises ValueError for shapes that do not fit or a decay outside 0..1. Source: SEC's expansion
    loss and its decays.
    """
    scores = _logits(logits)
    images, classes = scores.shape[:2]
    _require("tags", tags, (images, classes - 1))
    for name, value in (("decay", decay), ("background_decay", background_decay)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie in 0..1, but is {value}.")
    present = tags > 0
    flat = scores.flatten(2)
    log_probabilities = F.log_softmax(flat, dim=1)
    background = _rank_pooled(log_probabilities[:, :1], background_decay)
    foreground = _rank_pooled(log_probabilities[:, 1:], decay)
    refused = _log_of_rest_at_peak(flat, log_probabilities)
    loss = (
        _set_mean(-foreground, present, (1,))
        + _set_mean(-refused, ~present, (1,))
        - background.squeeze(1)
    )
    return loss.mean()


def constrain_loss(logits: Tensor, refined: Tensor) -> Tensor:
    """How far the network's probabilities are from the CRF's, KL(refined || network).

    logits and refined (N,C,H,W); refined are probabilities that sum to 1 over C, taken as given
    (no gradient). The mean over pixels. Raises ValueError for shapes that differ.
    Source: SEC's constrain-to-boundary loss, which DSRG keeps.
    """
    scores, wanted = _maps(logits, refined, "refined")
    wanted = wanted.detach()
    divergence = torch.xlogy(wanted, wanted) - wanted * F.log_softmax(scores, dim=1)
    return divergence.sum(dim=1).mean()


def _rank_pooled(log_values: Tensor, decay: float) -> Tensor:
    """The logarithm of the rank-weighted mean over the last dimension."""
    if decay == 0:
        return log_values.amax(dim=-1)
    count = log_values.shape[-1]
    ranks = torch.arange(count, device=log_values.device, dtype=log_values.dtype)
    log_weights = torch.log_softmax(ranks * math.log(decay), dim=0)
    ordered = log_values.sort(dim=-1, descending=True).values
    return torch.logsumexp(ordered + log_weights, dim=-1)


def _log_of_rest_at_peak(flat: Tensor, log_probabilities: Tensor) -> Tensor:
    """log(1 - p) of each foreground class at the pixel where its p is largest, (N,C-1).

    1 - p is summed from the other classes there: subtracting p near 1 would leave nothing of it.
    """
    classes = flat.shape[1]
    peak = log_probabilities[:, 1:].argmax(dim=2)
    at_peak = flat.gather(2, peak[:, None, :].expand(-1, classes, -1))
    own = torch.eye(classes, dtype=torch.bool, device=flat.device)[:, 1:]
    others = at_peak.masked_fill(own, -math.inf)
    return torch.logsumexp(others, dim=1) - torch.logsumexp(at_peak, dim=1)


def _set_dims(per: Per) -> tuple[int, ...]:
    if per == "class":
        return (2, 3)
    if per == "channels":
        return (1, 2, 3)
    raise ValueError(f"per must be 'class' or 'channels', but is {per!r}.")


def _sum_classes(loss: Tensor) -> Tensor:
    return loss.sum(dim=1) if loss.ndim == 2 else loss


def _set_mean(values: Tensor, chosen: Tensor, dims: tuple[int, ...]) -> Tensor:
    """The mean over the chosen ones, 0 where none is; what is not chosen gets no gradient."""
    total = values.masked_fill(~chosen, 0).sum(dim=dims)
    return total / chosen.sum(dim=dims).clamp(min=1)


def _wide(tensor: Tensor) -> Tensor:
    """Half precision as float32: exponentials of logits do not fit in it."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _logits(logits: Tensor) -> Tensor:
    if logits.ndim != 4 or 0 in logits.shape:
        raise ValueError(
            f"logits must have the shape (N, C, H, W), none of them 0, but have "
            f"{tuple(logits.shape)}."
        )
    return _wide(logits)


def _maps(logits: Tensor, other: Tensor, name: str) -> tuple[Tensor, Tensor]:
    scores = _logits(logits)
    _require(name, other, tuple(scores.shape))
    return scores, other.to(scores.dtype)


def _vectors(name: str, tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    flat = tensor.flatten(1) if tensor.ndim == 4 and tensor.shape[2:] == (1, 1) else tensor
    _require(name, flat, shape)
    return flat


def _require(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != tuple(shape):
        raise ValueError(
            f"{name} must have the shape {tuple(shape)}, but has {tuple(tensor.shape)}."
        )
