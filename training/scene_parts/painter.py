"""Painting lit, textured, anti-aliased parts onto one object's layer."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.scene_parts import noise, shapes
from training.scene_parts.light import Light
from training.scene_parts.noise import Field
from training.scene_parts.palette import Colour, darker, lighter, mix, rgb

FORM_PIXELS = 30


@dataclass(frozen=True)
class Frame:
    """Where unit coordinates lie on the canvas: base point, pixels a unit, mirroring, lean."""

    x: float
    y: float
    scale: float
    mirror: bool = False
    lean: float = 0.0

    def pixels(self, outline: shapes.Outline) -> NDArray[np.float64]:
        """Canvas coordinates (x right, y down) of unit coordinates (x right, y up)."""
        cosine, sine = math.cos(self.lean) * self.scale, math.sin(self.lean) * self.scale
        sign = -1.0 if self.mirror else 1.0
        return outline @ np.array([[sign * cosine, sign * sine], [sine, -cosine]]) + (
            self.x,
            self.y,
        )


Box = tuple[int, int, int, int]


class Painter:
    """A layer of `side` x `side` pixels, premultiplied colour and alpha, and how to paint on it.

    `colour` float32 (side, side, 3); `alpha` float32 (side, side) in 0..1; `box` is what has been
    touched so far (left, top, right, bottom), None before the first part.
    """

    def __init__(self, side: int, frame: Frame, light: Light, rng: np.random.Generator) -> None:
        self.side, self.frame, self.light, self.rng = side, frame, light, rng
        self.colour: Field = np.zeros((side, side, 3), np.float32)
        self.alpha: Field = np.zeros((side, side), np.float32)
        self.box: Box | None = None
        zero = np.zeros((1, 1), np.float32)
        self._flat: Field = light.on(zero, zero, zero + 1)
        self._offset = (int(rng.integers(0, side)), int(rng.integers(0, side)))

    def fill(
        self,
        outline: shapes.Outline,
        colour: Colour,
        *,
        form: str = "round",
        puff: float = 1.0,
        foot: Colour | None = None,
        texture: str = "",
        strength: float = 0.08,
        gloss: float = 0.0,
        lift: float = 0.0,
        atop: bool = False,
        opacity: float = 1.0,
        glow: float = 0.0,
    ) -> None:
        """Paint a closed outline (points, 2), in unit coordinates.

        form: "round" (inflated), "upright" and "along" (cylinders), "flat". foot: the colour at
        the bottom, graded from `colour` at the top. lift: how far the part stands above what is
        already painted, in units; it then throws a soft shade there. atop: only where the layer is
        painted already. glow: the share of its own light.
        """
        points = self.frame.pixels(outline)
        area = self._clip(points, 1)
        if area is None:
            return
        if lift > 0:
            self._shade_beneath(points, lift * self.frame.scale)
        left, top, right, bottom = area
        cover = self._cover(points, area) * np.float32(opacity / 255)
        paint = self._lit(points, area, form, puff, gloss)
        if glow > 0:
            paint = paint * np.float32(1 - glow) + np.float32(glow)
        paint = paint * self._tone(points, area, colour, foot)
        alpha = self.alpha[top:bottom, left:right]
        if texture:
            pattern = noise.cut(texture, self.side, area, self._offset)
            paint = paint * np.maximum(1 + pattern * np.float32(strength), 0.1)[..., None]
        if atop:
            cover *= alpha
        else:
            alpha += cover * (1 - alpha)
        region = self.colour[top:bottom, left:right]
        change = paint - region
        change *= cover[..., None]
        region += change
        self._touch(area)

    def stroke(
        self,
        points: shapes.Points,
        width: float,
        colour: Colour,
        *,
        atop: bool = False,
        opacity: float = 1.0,
        glow: float = 0.0,
        curved: bool = False,
        closed: bool = False,
    ) -> None:
        """Paint a line through the points, `width` units wide, at least a pixel."""
        line = shapes.bend(points) if curved else shapes.polygon(points)
        pixels = self.frame.pixels(line)
        thickness = max(1, round(width * self.frame.scale))
        area = self._clip(pixels, thickness + 1)
        if area is None:
            return
        left, top, right, bottom = area
        cover8 = np.zeros((bottom - top, right - left), np.uint8)
        fixed = np.round((pixels - (left, top)) * 16).astype(np.int32)
        cv2.polylines(cover8, [fixed], closed, 255, thickness, cv2.LINE_AA, 4)
        cover = cover8 * np.float32(opacity / 255)
        alpha = self.alpha[top:bottom, left:right]
        lit = (self.light.key * 0.62 + self.light.sky * 0.6 + self.light.bounce * 0.2) * (
            1 - glow
        ) + glow
        if atop:
            cover = cover * alpha
        region = self.colour[top:bottom, left:right]
        region *= 1 - cover[..., None]
        region += (colour * lit).astype(np.float32) * cover[..., None]
        if not atop:
            alpha += cover * (1 - alpha)
        self._touch(area)

    def cut_below(self, y: float) -> None:
        """Remove everything under the level y (units): a hull sits in the water, not on it."""
        row = round(self.frame.y - y * self.frame.scale)
        row = max(row, 0)
        if self.box is None or row >= self.box[3]:
            return
        self.colour[row:] = 0
        self.alpha[row:] = 0
        self.box = (*self.box[:3], row) if row > self.box[1] else None

    def glass(self, outline: shapes.Outline, *, atop: bool = True) -> None:
        """A window pane: the sky in it by day, a lamp behind it after dark."""
        if self.light.lamps and self.rng.random() < 0.85:
            self.fill(
                outline, rgb("#ffdf94"), foot=rgb("#f2a84e"), form="flat", glow=0.95, atop=atop
            )
            return
        top, middle, _ = self.light.gradient
        self.fill(
            outline,
            darker(mix(top, middle, 0.3), 0.45),
            foot=lighter(middle, 0.25),
            form="flat",
            glow=0.35,
            atop=atop,
        )

    def _clip(self, points: NDArray[np.float64], margin: float) -> Box | None:
        (x0, y0), (x1, y1) = points.min(0).tolist(), points.max(0).tolist()
        left, top = max(math.floor(x0 - margin), 0), max(math.floor(y0 - margin), 0)
        right = min(math.ceil(x1 + margin + 1), self.side)
        bottom = min(math.ceil(y1 + margin + 1), self.side)
        if left >= right or top >= bottom:
            return None
        return left, top, right, bottom

    def _touch(self, area: Box) -> None:
        if self.box is None:
            self.box = area
            return
        a, b = self.box, area
        self.box = (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))

    @staticmethod
    def _cover(points: NDArray[np.float64], area: Box) -> np.ndarray:
        left, top, right, bottom = area
        cover = np.zeros((bottom - top, right - left), np.uint8)
        fixed = np.round((points - (left, top)) * 16).astype(np.int32)
        cv2.fillPoly(cover, [fixed], 255, cv2.LINE_AA, 4)
        return cover

    def _tone(
        self, points: NDArray[np.float64], area: Box, colour: Colour, foot: Colour | None
    ) -> Field:
        if foot is None:
            return colour[None, None, :]
        first, last = points[:, 1].min(), points[:, 1].max()
        share = (np.arange(area[1], area[3]) + 0.5 - first) / max(last - first, 1e-6)
        share = np.clip(share, 0, 1).astype(np.float32)[:, None]
        return (colour + (foot - colour) * share)[:, None, :]

    def _lit(
        self, points: NDArray[np.float64], area: Box, form: str, puff: float, gloss: float
    ) -> Field:
        """The light on the part over `area`: normals found on a small copy of its outline."""
        if form == "flat":
            return self._flat
        low, high = points.min(0), points.max(0)
        span = np.maximum(high - low, 1.0)
        longest = float(span.max())
        shrink = min(max(0.5, 6 / longest), FORM_PIXELS / longest, 1.0)
        pad = 2
        size = np.ceil(span * shrink).astype(int) + 2 * pad
        small = np.zeros((size[1], size[0]), np.uint8)
        shifted = np.round(((points - low) * shrink + pad) * 16).astype(np.int32)
        cv2.fillPoly(small, [shifted], 255, cv2.LINE_AA, 4)
        contour = points.astype(np.float32)
        girth = max(cv2.arcLength(contour, True) * shrink, 1.0)
        radius = max(0.8, puff * 2.3 * cv2.contourArea(contour) * shrink**2 / girth)
        normal_x, normal_y = _across(small, form) if form != "round" else _inflated(small, radius)
        slope = np.minimum(normal_x**2 + normal_y**2, 0.98)
        normal_z = np.sqrt(1 - slope)
        lit = self.light.on(normal_x, normal_y, normal_z)
        if gloss > 0:
            x, y, z = self.light.direction
            half = np.array([x, y, z + 1]) / np.linalg.norm([x, y, z + 1])
            shine = np.maximum(normal_x * half[0] + normal_y * half[1] + normal_z * half[2], 0)
            lit = lit + (gloss * shine[..., None] ** 18 * (self.light.key + 0.25)).astype(
                np.float32
            )
        scale = 1 / shrink
        move = np.array(
            [
                [scale, 0, low[0] - area[0] - pad * scale + (scale - 1) / 2],
                [0, scale, low[1] - area[1] - pad * scale + (scale - 1) / 2],
            ]
        )
        return cv2.warpAffine(
            lit,
            move,
            (area[2] - area[0], area[3] - area[1]),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def _shade_beneath(self, points: NDArray[np.float64], reach: float) -> None:
        x, y, _ = self.light.direction
        points = points - np.array([x, y]) * reach
        area = self._clip(points, reach * 1.5 + 1)
        if area is None:
            return
        left, top, right, bottom = area
        shrink = float(np.clip(2.5 / max(reach, 0.1), 0.2, 1))
        height = max(2, round((bottom - top) * shrink))
        width = max(2, round((right - left) * shrink))
        cover = np.zeros((height, width), np.uint8)
        ratio = (width / (right - left), height / (bottom - top))
        fixed = np.round((points - (left, top)) * ratio * 16).astype(np.int32)
        cv2.fillPoly(cover, [fixed], 255, cv2.LINE_AA, 4)
        soft = cv2.GaussianBlur(cover, (0, 0), max(0.5, reach * shrink * 0.6))
        shade = cv2.resize(soft, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
        factor = 1 - shade * np.float32(0.5 / 255)
        self.colour[top:bottom, left:right] *= factor[..., None]


def _across(small: np.ndarray, form: str) -> tuple[Field, Field]:
    """x and y of the normals of a cylinder, upright or lying along the picture."""
    inside = small > 127 if form == "upright" else (small > 127).T
    count = inside.shape[1]
    rows = np.flatnonzero(inside.any(1))
    if rows.size == 0:
        rows = np.array([0])
    every = np.arange(inside.shape[0])
    first = np.interp(every, rows, inside.argmax(1)[rows])[:, None]
    last = np.interp(every, rows, count - inside[:, ::-1].argmax(1)[rows])[:, None]
    across = (np.arange(count)[None] + 0.5 - first) / np.maximum(last - first, 1) * 2 - 1
    across = (np.clip(across, -0.97, 0.97) * 0.96).astype(np.float32)
    flat = np.zeros(small.shape, np.float32)
    return (across, flat) if form == "upright" else (flat, across.T.copy())


def _inflated(small: np.ndarray, radius: float) -> tuple[Field, Field]:
    """x and y of the normals of an outline blown up like a cushion."""
    height = cv2.GaussianBlur(
        small.astype(np.float32) / 255, (0, 0), radius, borderType=cv2.BORDER_CONSTANT
    )
    cv2.sqrt(height, height)
    steep = radius * 0.3
    x = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=-steep)
    y = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=-steep)
    length = np.sqrt(x**2 + y**2 + 1)
    return x / length, y / length
