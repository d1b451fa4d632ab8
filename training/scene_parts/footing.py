"""How things stand in their ground: grass before a foot, snow heaped along it."""

import cv2
import numpy as np

from training.scene_parts.ground import soil_tone
from training.scene_parts.layout import Item
from training.scene_parts.light import Light
from training.scene_parts.noise import Field
from training.scene_parts.palette import Colour, mix
from training.scene_parts.settings import Setting

Span = tuple[float, float]


def grow_meadow(canvas: Field, setting: Setting, light: Light, rng: np.random.Generator) -> None:
    """Blades all over a grassy ground, taller towards the viewer, on the canvas, in place."""
    if setting.ground not in ("grass", "leaves"):
        return
    start = (setting.horizon if setting.water is None else setting.water[1]) + 0.06
    depth = 1 - start
    for k in range(3):
        low = start + depth * (0.1 + 0.3 * k)
        rows = (low, low + depth * 0.3)
        _grass(canvas, None, (0, 1), rows, 0.008 + 0.012 * k, 150, soil_tone(setting, light), rng)


def seat(
    canvas: Field, labels: np.ndarray, item: Item, setting: Setting, rng: np.random.Generator
) -> None:
    """Let the ground hide the item's foot a little, in the canvas and in its label map."""
    left, _, right, foot = item.reach(item.extent)
    if setting.is_water(item.y) or foot > 1.02:
        return
    tone = _tone_below(canvas, (left, right), foot)
    if setting.ground in ("grass", "leaves"):
        high = float(np.clip(item.scale * 0.06, 0.012, 0.04))
        count = int(30 + 170 * (right - left))
        tones = (tone * np.float32(1.22), tone * np.float32(0.72))
        rows = (foot - 0.004, foot + 0.012)
        _grass(canvas, labels, (left, right), rows, high, count, tones, rng)
    elif setting.ground == "snow":
        _drift(canvas, labels, (left, right), foot, tone)


def _tone_below(canvas: Field, across: Span, foot: float) -> Colour:
    """The mean colour of the canvas just below a foot."""
    side = canvas.shape[0]
    depth = side // 48
    top = int(np.clip((foot + 0.015) * side, 0, side - depth))
    left = int(np.clip(across[0] * side, 0, side - 2))
    right = int(np.clip(across[1] * side, left + 2, side))
    tone: Colour = canvas[top : top + depth, left:right].mean((0, 1))
    return tone


def _drift(canvas: Field, labels: np.ndarray, across: Span, foot: float, tone: Colour) -> None:
    """A soft heap of the snow that lies there already."""
    side = canvas.shape[0]
    top = int(np.clip((foot - 0.03) * side, 0, side - 1))
    bottom = int(np.clip((foot + 0.045) * side, top + 1, side))
    middle, half = (across[0] + across[1]) / 2, (across[1] - across[0]) / 2 + 0.02
    centre = (round(middle * side * 16), round(((foot + 0.007) * side - top) * 16))
    axes = (round(half * side * 16), round(0.012 * side * 16))
    heap = np.zeros((bottom - top, side), np.float32)
    cv2.ellipse(heap, centre, axes, 0, 0, 360, 1.0, -1, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(heap, (0, 0), side / 150)
    canvas[top:bottom] += soft[..., None] * (tone * np.float32(1.03) - canvas[top:bottom])
    labels[top:bottom][soft > 0.5] = 0


def _grass(
    canvas: Field,
    labels: np.ndarray | None,
    across: Span,
    rows: Span,
    high: float,
    count: int,
    tones: tuple[Colour, Colour],
    rng: np.random.Generator,
) -> None:
    """`count` blades about `high` (shares of the side) with their feet in a strip.

    tones: the light and the dark colour. Where labels are given, a blade's pixels become 0.
    """
    side = canvas.shape[0]
    left, right = max(int((across[0] - high) * side), 0), min(int((across[1] + high) * side), side)
    top = max(int((rows[0] - 2 * high) * side), 0)
    bottom = min(int((rows[1] + 0.01) * side), side)
    seen = np.ones((max(bottom - top, 0), max(right - left, 0)), np.float32)
    number = max(count // 2, 1)
    for share in (0.3, 0.9):
        x, y = rng.uniform(*across, number), rng.uniform(*rows, number)
        tall = high * rng.uniform(0.5, 1.5, number)
        bow = rng.normal(0, 0.45, number) * tall
        if left >= right or top >= bottom:
            continue
        stems = np.stack([x, y, x + bow * 0.25, y - tall * 0.6, x + bow, y - tall], 1)
        stems = stems.reshape(number, 3, 2) * side - (left, top)
        cover = np.zeros((bottom - top, right - left), np.uint8)
        thickness = max(1, round(side * 0.004))
        fixed = list(np.round(stems * 16).astype(np.int32))
        cv2.polylines(cover, fixed, False, 255, thickness, cv2.LINE_AA, 4)
        region = canvas[top:bottom, left:right]
        alpha = (cover * np.float32(1 / 255))[..., None]
        region += alpha * (mix(tones[1], tones[0], share) - region)
        seen *= 1 - alpha[..., 0]
    if labels is not None:
        labels[top:bottom, left:right][seen < 0.5] = 0
