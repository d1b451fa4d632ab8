"""What SAL learns from: a `SegmentBench` whose images weigh what their selection says.

An image of weight 0 keeps its tags and loses its mask; without the attention loss it is left out.
"""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.nn import functional

from backend.atomic import write_whole
from backend.exchange.names import some
from backend.labels import IGNORE
from backend.networks.salnet import SalNet, SalOutput
from training import losses
from training.data import Batch
from training.masks import Masked, classes_in, look_through
from training.networks import trunk_of
from training.run import CONFIG, Run, read_config
from training.segmenting import SegmentBench, dilations
from training.selection import WEIGHTS_OF_IMAGES, Selection


class SalLosses(NamedTuple):
    """selection and attention (None without the subnetwork), and the part of the pixels that weigh
    anything which the gated network labels right.
    """

    selection: torch.Tensor
    attention: torch.Tensor | None
    right: torch.Tensor


def masked(selection: Selection, run: Run, *, tags_teach: bool) -> Masked:
    """The images that teach: with their mask where it weighs anything, and where tags teach too
    every other image with a tag.

    Raises DataError for a mask that is used and does not fit its image, TrainingError where none
    holds a class. Masks that weigh nothing are not read.
    """
    whole = selection.source
    items = []
    for item in whole.items:
        if selection.weight(item.name) > 0:
            items.append(item)
        elif tags_teach and item.tags:
            items.append(replace(item, mask=None))
    taught = replace(whole, items=items)
    weighed = replace(whole, items=[item for item in items if item.mask is not None])
    held, digest = look_through(run, weighed)
    class_ids = classes_in(held, len(weighed.items))
    tags = {tag for item in whole.items for tag in item.tags}
    absent = [name for id, name in whole.classes.items() if id in tags - held]
    if absent:
        how = "the tags alone teach" if tags_teach else "the network does not learn"
        them = "it" if len(absent) == 1 else "them"
        run.message(f"No mask that teaches holds {some(absent, 25)}; {how} {them}.")
    if tags_teach:
        class_ids = sorted({*class_ids, *tags})
    left = len(whole.items) - len(items)
    if left:
        run.message(f"{left} of {len(whole.items)} images teach nothing and are left out.")
    origin: dict[str, Any] = {"masks": len(weighed.items), "digest": digest}
    return Masked(whole, taught, class_ids, origin)


def origin_of(earlier: str) -> dict[str, Any]:
    """What a run's record says of the run that its proposed masks are of."""
    if not earlier:
        return {}
    told: dict[str, Any] = {"run": Path(earlier).name}
    if (Path(earlier) / CONFIG).is_file():
        config = read_config(Path(earlier))
        told |= {"recipe": config["recipe"], "settings": config["settings"]}
    return told


class SalBench(SegmentBench):
    """A `SegmentBench` that knows the weight of each image; see there for its order."""

    def __init__(self, settings: Any, run: Run, selection: Selection, learnt: Masked) -> None:
        super().__init__(settings, run, learnt)
        self.selection = selection
        run.about["selection"] = f"{selection.digest()[:12]} {learnt.origin['digest'][:12]}"
        write_whole(run.folder / WEIGHTS_OF_IMAGES, selection.lines())

    @cached_property
    def weights(self) -> torch.Tensor:
        """w_i of each image that is learnt from, in their order, float32."""
        return torch.tensor([self.selection.weight(item.name) for item in self.taught.items])

    def losses(self, seen: SalOutput, batch: Batch) -> SalLosses:
        """The losses of a batch. Either is 0 where nothing in it teaches: no mask of any weight, or
        no tag. Source: SAL Eq. 12 and 13.
        """
        if batch.masks is None:
            nothing = torch.full(
                (len(batch.images), *batch.images.shape[2:]), IGNORE, device=batch.images.device
            )
            batch = batch._replace(masks=nothing)
        logits = seen.segmentation
        if self.settings.loss_size == "image":
            size = batch.images.shape[-2:]
            logits = functional.interpolate(logits, size, mode="bilinear", align_corners=False)
        targets = self.targets(batch, logits.shape[2:])
        weights = self.weights.to(logits.device)[batch.indices]
        selected = losses.selection_loss(logits, targets, weights, seen.scores, ignore=IGNORE)
        attended = None
        if seen.scores is not None:
            # An image without a tag is one that nobody tagged, not one that holds no class.
            tagged = batch.tags.sum(dim=1) > 0
            attended = (
                losses.attention_loss(seen.scores[tagged], batch.tags[tagged])
                if bool(tagged.any())
                else seen.scores.sum() * 0
            )
        return SalLosses(selected, attended, _right(logits, seen.scores, targets, weights))


@torch.no_grad()
def _right(
    logits: torch.Tensor,
    scores: torch.Tensor | None,
    targets: torch.Tensor,
    weights: torch.Tensor,
) -> torch.Tensor:
    if scores is not None:
        logits = logits + functional.pad(functional.logsigmoid(scores), (1, 0))[:, :, None, None]
    known = (targets != IGNORE) & (weights > 0)[:, None, None]
    right = (logits.argmax(dim=1) == targets) & known
    return right.sum() / known.sum().clamp(min=1)


def salnet(settings: Any, classes: int) -> SalNet:
    """SAL-Net of these settings, with random weights; without --attention DeepLab alone."""
    return SalNet(
        settings.backbone,
        classes,
        **trunk_of(settings),
        rates=dilations(settings),
        channels=settings.head_channels,
        attention_rates=settings.branches if settings.attention else (),
        branch_sum=settings.branch_sum,
        attention_channels=settings.attention_channels,
        attention_squeeze=settings.attention_squeeze,
    )
