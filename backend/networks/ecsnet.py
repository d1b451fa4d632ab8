"""ECS-Net: the map of an erased image supervises the map of the whole one."""

from typing import Any, Literal, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from backend.networks.backbones import build_backbone
from backend.networks.classifier import ClassifierOutput
from backend.networks.head import start_layers
from backend.networks.refine import PixelCorrelation

EPSILON = 1e-5


class EcsMaps(NamedTuple):
    """Of one pass, on one grid: raw class maps cam (N,C,h,w), the heat in them refined, at least 0,
    and the raw scores (N,C) of either: their spatial means before what is negative was cut off.
    """

    cam: torch.Tensor
    refined: torch.Tensor
    scores: torch.Tensor
    refined_scores: torch.Tensor

    def of(self, kind: str) -> torch.Tensor:
        """The maps by the name that settings call them by: "cam" or "refined"."""
        return self.refined if kind == "refined" else self.cam


class EcsNet(nn.Module):
    """A 3x3 layer to the classes and a refine module on one trunk, run twice with shared weights.

    F sees the image at `scale` (beta), F' the image at full size with what F saw blurred away. F'
    alone, and in training alone, overlays the classifier's kernel at the dilations `overlay`.
    Source: ECS-Net, section 3; the refine module is read as pixel correlation.
    """

    def __init__(
        self,
        backbone_name: str,
        num_classes: int,
        *,
        stride: int | None = None,
        dropout: float = 0.0,
        frozen_norm: bool = False,
        head_start: str = "gauss",
        refine: bool = True,
        final: Literal["refined", "cam"] = "refined",
        label_source: Literal["cam", "refined"] = "cam",
        overlay: tuple[int, ...] = (5, 7, 12),
        scale: float = 0.5,
        erase: float = 0.6,
        sigma: float = 10 / 448,
        reliable: float = 0.8,
    ) -> None:
        super().__init__()
        if num_classes < 1:
            raise ValueError(f"A classifier has at least one class; {num_classes} were asked for.")
        self.backbone = build_backbone(backbone_name, stride=stride, frozen_norm=frozen_norm)
        self.num_classes = num_classes
        self.final, self.label_source = final, label_source
        self.overlay = tuple(overlay)
        self.scale, self.erase, self.sigma, self.reliable = scale, erase, sigma, reliable
        self.settings: dict[str, Any] = {
            "backbone_name": backbone_name,
            "num_classes": num_classes,
            "stride": self.backbone.stride,
            "dropout": dropout,
            "frozen_norm": frozen_norm,
            "refine": refine,
            "final": final,
            "label_source": label_source,
            "overlay": list(self.overlay),
            "scale": scale,
            "erase": erase,
            "sigma": sigma,
            "reliable": reliable,
        }
        self.dropout = nn.Dropout2d(dropout)
        self.classifier = nn.Conv2d(self.backbone.channels, num_classes, 3, padding=1)
        self.refine = PixelCorrelation(*self.backbone.tap_channels) if refine else None
        start_layers(self.classifier, head_start)

    def forward(self, images: torch.Tensor, *, overlaid: bool = False) -> EcsMaps:
        """The raw class maps of normalised images (N,3,H,W); `overlaid` as F' makes them in
        training (Eq. 8).
        """
        fourth, fifth, last = self.backbone.taps(images)
        last = self.dropout(last)
        cam = self.classifier(last)
        if overlaid and self.overlay:
            weight, bias = self.classifier.weight, self.classifier.bias
            wider = [functional.conv2d(last, weight, bias, 1, d, d) for d in self.overlay]
            cam = 0.5 * cam + torch.stack(wider).mean(dim=0) * 0.5
        scores = cam.mean(dim=(2, 3))
        if self.refine is None:
            return EcsMaps(cam, cam.relu(), scores, scores)
        # One affinity spreads the heat and, for the scores, the raw maps.
        both = torch.cat([cam.relu(), cam], dim=1)
        heat, raw = self.refine(both, images, fourth, fifth).chunk(2, dim=1)
        return EcsMaps(cam, heat, scores, raw.mean(dim=(2, 3)))

    def attend(self, images: torch.Tensor, tags: torch.Tensor) -> ClassifierOutput:
        """The refined maps E of one look in 0..1 (Eq. 1), or the CAMs where `final` says so."""
        seen = self(images)
        return ClassifierOutput(seen.scores, class_attention(seen.of(self.final), tags))


class Reliable(NamedTuple):
    """labels int64 (N,h,w), 0 the background and c + 1 the class map c; reliable, and what each
    rule of noise suppression removes: bool (N,h,w).
    """

    labels: torch.Tensor
    reliable: torch.Tensor
    in_region: torch.Tensor
    background: torch.Tensor
    unsure: torch.Tensor


def class_attention(maps: torch.Tensor, tags: torch.Tensor) -> torch.Tensor:
    """Eq. 1, without a gradient: raw maps (N,C,h,w) -> 0..1, each tag's from its minimum to its
    maximum, classes that are no tag (N,C) of the image zero.
    """
    positive = maps.detach().float().relu()
    least = positive.amin(dim=(2, 3), keepdim=True)
    most = positive.amax(dim=(2, 3), keepdim=True)
    return (positive - least) / (most - least + EPSILON) * (tags > 0)[:, :, None, None]


def to_erase(
    maps: torch.Tensor, tags: torch.Tensor, threshold: float, size: torch.Size
) -> torch.Tensor:
    """The region R, bool (N,1,*size): where the score map (Eq. 2) reaches the threshold."""
    score = class_attention(maps, tags).amax(dim=1, keepdim=True)
    grown = functional.interpolate(score, size=size, mode="bilinear", align_corners=False)
    return grown >= threshold


def reliable_labels(
    maps: torch.Tensor, tags: torch.Tensor, region: torch.Tensor, threshold: float
) -> Reliable:
    """L' (Eq. 3) and the pixels of it to trust (section 3.1, noise suppression).

    maps raw (N,C,h,w) of the erased image, region bool (N,1,H,W). The background is 1 minus the
    strongest class. Not trusted: pixels that were erased, those labelled background, and those
    whose score is under the threshold.
    """
    attention = class_attention(maps, tags)
    score, best = attention.max(dim=1)
    background = 1 - score > score
    inside = functional.adaptive_max_pool2d(region.float(), maps.shape[2:])[:, 0] > 0
    unsure = score < threshold
    labels = torch.where(background, 0, best + 1)
    return Reliable(labels, ~(inside | background | unsure), inside, background, unsure)


def with_background(maps: torch.Tensor) -> torch.Tensor:
    """Scores (N,C,h,w) with those of the background, 1 minus the largest, in front: (N,C+1,h,w)."""
    return torch.cat([1 - maps.amax(dim=1, keepdim=True), maps], dim=1)


def scaled(images: torch.Tensor, scale: float) -> torch.Tensor:
    """Images (N,3,H,W) at `scale` times their size, no smaller than 32 pixels a side."""
    size = tuple(max(32, round(side * scale)) for side in images.shape[2:])
    if size == tuple(images.shape[2:]):
        return images
    return functional.interpolate(
        images, size=size, mode="bilinear", align_corners=False, antialias=True
    )


def blurred_inside(images: torch.Tensor, region: torch.Tensor, sigma: float) -> torch.Tensor:
    """Images (N,3,H,W) with a Gaussian blur inside region bool (N,1,H,W).

    sigma is in parts of the shorter side. A blur commutes with normalisation, so that normalised
    images may be given: `backend.maps.erasing.blur_region` does the same to pixels.
    """
    deviation = sigma * min(images.shape[2:])
    if deviation <= 0 or not bool(region.any()):
        return images
    # A matrix for each axis: many times faster on a CPU than a convolution with so wide a kernel.
    down, across = (
        blur_matrix(side, deviation, images.device).to(images.dtype) for side in images.shape[2:]
    )
    return torch.where(region, down @ images @ across.T, images)


def blur_matrix(side: int, deviation: float, device: torch.device) -> torch.Tensor:
    """The Gaussian blur of one axis as a matrix float32 (side,side); edges reflect."""
    reach = max(1, min(round(4 * deviation), side - 1))
    places = torch.arange(-reach, side + reach, device=device)
    apart = places - torch.arange(side, device=device)[:, None]
    weight = torch.exp(-(apart.float() ** 2) / (2 * deviation**2)) * (apart.abs() <= reach)
    inside = places.abs()
    inside = torch.where(inside >= side, 2 * (side - 1) - inside, inside)
    matrix = torch.zeros(side, side, device=device).index_add_(1, inside, weight)
    return matrix / matrix.sum(dim=1, keepdim=True)
