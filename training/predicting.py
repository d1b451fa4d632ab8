"""From one image to what a network paints of it: labels of a segmenter, the map of a saliency
network; views are fused at the finest of their grids and enlarged once.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from backend.networks.normalisation import Normalisation
from training.loop import Diverged
from training.viewing import Viewing

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# Values enlarged at a time: a large photograph is painted in strips.
MOST_VALUES = 1 << 24


def inputs(
    views: Sequence[np.ndarray], normalisation: Normalisation, viewing: Viewing
) -> list[torch.Tensor]:
    """What a network is given of an image's views uint8 (h,w,3): float32 (1,3,h,w), or (2,3,h,w)
    with the mirrored one; on the CPU, so that a thread can make them while the network is busy.
    """
    made = []
    for view in views:
        batch = normalisation.batch(torch.from_numpy(view).permute(2, 0, 1)[None])
        if viewing.flip:
            batch = torch.cat([batch, batch.flip(-1)])
        made.append(batch.contiguous(memory_format=torch.channels_last))
    return made


@torch.inference_mode()
def see(
    fabric: "Fabric", network: nn.Module, given: Sequence[torch.Tensor], viewing: Viewing
) -> torch.Tensor:
    """What the network makes of an image's views (`inputs`), on its device.

    float32 (C+1,h,w): values whose softmax are a segmenter's probabilities, or (1,h,w) in 0..1, a
    saliency network's map. Raises Diverged where they are no numbers.
    """
    bare: Any = getattr(network, "module", network)
    paints = hasattr(bare, "saliency")
    looks: list[torch.Tensor] = []
    for batch in given:
        with fabric.autocast():
            raw = (bare.saliency if paints else bare.segment)(fabric.to_device(batch)).float()
        looks.append(raw[0])
        if viewing.flip:
            looks.append(raw[1].flip(-1))
    fused = _fused(looks, viewing.fusion, are_logits=not paints)
    if not bool(fused.isfinite().all()):
        raise Diverged(
            "The network's outputs are no longer numbers: its last steps left them. Train again in "
            "another --out with a lower --learning-rate, or limit the gradient with --clip 5."
        )
    return fused


def _fused(looks: Sequence[torch.Tensor], fusion: str, *, are_logits: bool) -> torch.Tensor:
    if len(looks) == 1:
        return looks[0]
    grid = max((look.shape[1:] for look in looks), key=lambda shape: shape[0] * shape[1])
    aligned = torch.stack([enlarged(look, (grid[0], grid[1])) for look in looks])
    if fusion == "max":
        return aligned.amax(dim=0)
    if not are_logits:
        return aligned.mean(dim=0)
    # The logarithm of the mean probability; log_softmax and not log: a probability may round to 0.
    return torch.logsumexp(aligned.log_softmax(dim=1), dim=0) - float(np.log(len(looks)))


def enlarged(values: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """values (C,h,w) at another (height, width), bilinearly."""
    if values.shape[1:] == torch.Size(size):
        return values
    return functional.interpolate(values[None], size, mode="bilinear", align_corners=False)[0]


def label_map(
    values: torch.Tensor, size: Sequence[int], ids: Sequence[int] | np.ndarray | None = None
) -> np.ndarray:
    """The id of the largest channel at each pixel, uint8 (H,W), a tie going to the first.

    ids are those of the channels, without them their numbers. values (C,h,w) are enlarged
    bilinearly to `size`, a strip of rows at a time; channels that can win no pixel are passed over,
    which is most of the work.
    """
    height, width = size
    channels = contenders(values)
    values = values[channels]
    rows = max(1, MOST_VALUES // (len(values) * width))
    strips = [
        _winners(_strip(values, first, min(rows, height - first), (height, width)))
        for first in range(0, height, rows)
    ]
    painted = np.array(channels if ids is None else [ids[each] for each in channels], np.uint8)
    return painted[torch.cat(strips).cpu().numpy()]


def contenders(values: torch.Tensor) -> list[int]:
    """The channels of values (C,h,w) that may be the largest somewhere once they are enlarged.

    Between four cells a channel stays between the smallest and the largest of its four values, so
    one that nowhere reaches up to the best of the smallest cannot win.
    """
    framed = functional.pad(values[None], (1, 1, 1, 1), mode="replicate")
    largest = functional.max_pool2d(framed, 2, stride=1)[0]
    smallest = -functional.max_pool2d(-framed, 2, stride=1)[0]
    reach = (largest >= smallest.amax(dim=0)).flatten(1).any(dim=1)
    return torch.nonzero(reach).flatten().tolist()


def _winners(values: torch.Tensor) -> torch.Tensor:
    """The first largest channel at each pixel, uint8 (H,W); many times as fast as argmax."""
    best = values[0]
    winners = torch.zeros(best.shape, dtype=torch.uint8, device=best.device)
    for channel in range(1, len(values)):
        winners.masked_fill_(values[channel] > best, channel)
        best = torch.maximum(best, values[channel])
    return winners


def heat_map(values: torch.Tensor, size: Sequence[int]) -> np.ndarray:
    """A map (1,h,w) enlarged bilinearly to `size`, float32 (H,W)."""
    height, width = size
    return enlarged(values, (height, width))[0].cpu().numpy()


def _strip(values: torch.Tensor, first: int, rows: int, size: tuple[int, int]) -> torch.Tensor:
    """Rows `first` to `first + rows` of the values (C,h,w) enlarged to `size`."""
    height, width = size
    if rows == height:
        return enlarged(values, size)
    inner = values.shape[1]
    places = (torch.arange(first, first + rows, device=values.device) + 0.5) * (inner / height)
    places = (places - 0.5).clamp(0, inner - 1)
    above = places.long()
    below = (above + 1).clamp(max=inner - 1)
    part = (places - above)[None, :, None]
    upright = torch.lerp(values[:, above], values[:, below], part.to(values.dtype))
    return enlarged(upright, (rows, width))
