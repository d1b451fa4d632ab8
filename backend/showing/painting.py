"""Maps and masks as pixels, in the page's own colours, at the size at which they are printed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from backend.labels import BACKGROUND, IGNORE

# Seventeen evenly spaced colours of each map, those of ui/static/viewer/colours.js.
_POINTS = {
    "viridis": "44015448186a472d7b4240863b528b33638d2c728e26828e21918c1f9f88"
    "27ad813dbc745cc86381d34daadc32d5e21afde725",
    "magma": "0000040a08221d114736106b51127c6a1c818326819c2e7fb73779cf4070"
    "e55064f4695cfb8761fea571fec287fde0a1fcfdbf",
    "turbo": "30123b4040a2466be34294ff28bceb18ddc232f2986dfe62a4fc3ccbed34"
    "ecd13afdae35fb8122ec530fd23105ac17017a0403",
    "grey": "000000ffffff",
}
COLOUR_MAPS = tuple(_POINTS)

ZONES = {0: ("attention", "#d7263d"), 1: ("potential", "#f3bf4f"), -1: ("background", "#2b59a8")}
OUTCOMES = {
    1: ("hit", "#56b4e9"),
    2: ("missed", "#f0e442"),
    3: ("false alarm", "#d55e00"),
    4: ("wrong class", "#cc79a7"),
}
IGNORED = ("ignored", "#d8d8d8")
_IGNORED_SHARE = 0.75
_DIM = (9, 14, 13)


@dataclass(frozen=True)
class Look:
    """How maps lie over the photograph: `opacity` 0..1, `colours` one of COLOUR_MAPS for heat,
    `flat` masks by themselves on black, `outline` lines around them, `line` pixels wide."""

    opacity: float = 0.6
    colours: str = "viridis"
    flat: bool = False
    outline: bool = True
    line: int = 1


@dataclass(frozen=True)
class Picture:
    """One cell: a photograph uint8 (H,W,3) and what lies over it.

    kind: image (nothing, or `values` uint8 (h,w,3) instead of the photograph), heat (float 0..1),
    zones (int8), labels (uint8 class ids), errors (uint8 codes) or score (bool-like uint8).
    `classes` are the labels' colours `#rrggbb` by id, `names` what they are called; `truth` is what
    labels are measured against, where it is known.
    """

    photo: np.ndarray
    kind: str = "image"
    values: np.ndarray | None = None
    classes: Mapping[int, str] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    truth: np.ndarray | None = None

    @property
    def codes(self) -> list[int]:
        """Which ids, zones or outcomes can be seen; background and clear ones are left out."""
        if self.values is None or self.kind not in ("zones", "labels", "errors"):
            return []
        found = np.unique(self.values).tolist()
        return found if self.kind == "zones" else [each for each in found if each != BACKGROUND]


def paint(picture: Picture, size: tuple[int, int], look: Look) -> np.ndarray:
    """The picture at (height, width) pixels, uint8 (height,width,3)."""
    photo, values = resized(picture.photo, size), picture.values
    if picture.kind == "image":
        return photo if values is None else resized(values, size)
    assert values is not None
    if picture.kind == "heat":
        table = colour_table(look.colours)
        heat = np.clip(resized(values.astype(np.float32), size), 0, 1)
        grey = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        return _blend(grey, table[np.rint(heat * 255).astype(np.uint8)], look.opacity)
    if picture.kind == "score":
        inside = resized(values.astype(np.float32), size) > (0.5 if values.max() <= 1 else 127)
        dimmed = _blend(photo, np.broadcast_to(np.array(_DIM, np.uint8), photo.shape), 0.84)
        return np.where(inside[..., None], photo, dimmed)
    return _coded(picture, photo, values, size, look)


def _coded(
    picture: Picture, photo: np.ndarray, values: np.ndarray, size: tuple[int, int], look: Look
) -> np.ndarray:
    """Values that each have a colour of their own: labels, zones, errors."""
    codes = resized_codes(values, size)
    colours, shares = np.zeros((256, 3), np.uint8), np.zeros(256, np.float32)
    for code in np.unique(values).tolist():
        colour = _colour(picture, code)
        if colour is not None:
            colours[code % 256] = rgb(colour)
            shares[code % 256] = look.opacity
    if picture.kind == "labels" and IGNORE in values:
        shares[IGNORE] = max(look.opacity, _IGNORED_SHARE)
    if picture.kind == "errors":
        photo = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    at = codes.astype(np.int16) % 256
    if look.flat:
        return colours[at]
    share = shares[at][..., None]
    painted = np.rint(photo * (1 - share) + colours[at] * share).astype(np.uint8)
    if look.outline:
        edge = _edges(at.astype(np.uint8), look.line) & (shares[at] > 0) & (at != IGNORE)
        painted[edge] = colours[at][edge]
    return painted


def resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels or heat at (height, width)."""
    height, width = size
    if values.shape[:2] == (height, width):
        return values
    smaller = height * width < values.shape[0] * values.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(values), (width, height), interpolation=how)


def resized_codes(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Codes at (height, width): each pixel the code that has most of it, so that borders come out
    smooth and no code is ever mixed out of two others."""
    height, width = size
    if values.shape == size:
        return values
    smaller = height * width < values.size
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    codes = np.unique(values)
    most = np.full(size, -1.0, np.float32)
    best = np.empty(size, values.dtype)
    for code in codes:
        share = cv2.resize((values == code).astype(np.float32), (width, height), interpolation=how)
        more = share > most
        most[more], best[more] = share[more], code
    return best


def colour_table(name: str) -> np.ndarray:
    """256 colours of a colour map, uint8 (256,3)."""
    text = _POINTS[name]
    points = np.array([rgb(f"#{text[at : at + 6]}") for at in range(0, len(text), 6)], np.float64)
    places = np.linspace(0, len(points) - 1, 256)
    channels = [np.interp(places, np.arange(len(points)), points[:, each]) for each in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


def rgb(colour: str) -> tuple[int, int, int]:
    """`#rrggbb` as three numbers."""
    value = int(colour[1:], 16)
    return value >> 16, (value >> 8) & 255, value & 255


def _colour(picture: Picture, code: int) -> str | None:
    if picture.kind == "zones":
        return ZONES[code][1]
    if picture.kind == "errors":
        return OUTCOMES[code][1] if code in OUTCOMES else None
    if code == IGNORE:
        return IGNORED[1]
    return None if code == BACKGROUND else picture.classes.get(code, "#8a8a8a")


def _blend(below: np.ndarray, above: np.ndarray, opacity: float) -> np.ndarray:
    return np.rint(below * (1.0 - opacity) + above * float(opacity)).astype(np.uint8)


def _edges(codes: np.ndarray, line: int) -> np.ndarray:
    """Which pixels lie at the border of their code's region, `line` pixels into it."""
    around = np.ones((2 * line + 1, 2 * line + 1), np.uint8)
    return cv2.dilate(codes, around) != cv2.erode(codes, around)
