"""Putting a scene together: shadows, reflections, layers far to near, and whose pixel is whose."""

import cv2
import numpy as np

from training.scene_parts.layout import Item, Layout
from training.scene_parts.light import Light
from training.scene_parts.noise import Field
from training.scene_parts.painter import Frame, Painter
from training.scene_parts.settings import Setting

QUARTER = 4


def paint_item(
    item: Item, side: int, setting: Setting, light: Light, rng: np.random.Generator
) -> Painter:
    """The item on a layer of its own."""
    sink = item.kind.sink if item.kind is not None and item.afloat else 0.0
    foot = item.y + sink * item.scale
    frame = Frame(item.x * side, foot * side, item.scale * side, item.mirror, item.lean)
    painter = Painter(side, frame, light, rng)
    item.draw(painter, setting)
    if item.afloat:
        painter.cut_below(sink)
    return painter


def lay(canvas: Field, painter: Painter, fog: Field | None = None, share: float = 0.0) -> None:
    """Composite a layer onto the canvas, in place, `share` of it lost in fog of that colour."""
    if painter.box is None:
        return
    left, top, right, bottom = painter.box
    alpha = painter.alpha[top:bottom, left:right, None]
    colour = painter.colour[top:bottom, left:right]
    if fog is not None and share > 0:
        colour = colour + np.float32(share) * (fog * alpha - colour)
    region = canvas[top:bottom, left:right]
    region *= 1 - alpha
    region += colour


def cast_shadows(
    canvas: Field, layers: list[tuple[Item, Painter]], layout: Layout, light: Light
) -> None:
    """Soft shadows of everything that stands, on the ground only, in place."""
    side = canvas.shape[0]
    small = side // QUARTER
    buffer = np.zeros((small, small), np.float32)
    for item, painter in layers:
        if painter.box is None:
            continue
        left, top, right, bottom = painter.box
        shrunk = (max((right - left) // QUARTER, 1), max((bottom - top) // QUARTER, 1))
        alpha = cv2.resize(
            painter.alpha[top:bottom, left:right], shrunk, interpolation=cv2.INTER_AREA
        )
        foot = item.y * small
        x, y = left / QUARTER, top / QUARTER
        lean, flat = light.lean
        if item.afloat:
            lean, flat = lean * 0.3, flat * 0.2
        move = np.array([[1, -lean, x + (foot - y) * lean], [0, flat, foot - (foot - y) * flat]])
        shade = cv2.warpAffine(alpha, move, (small, small), flags=cv2.INTER_LINEAR)
        np.maximum(buffer, shade, out=buffer)
        x0, _, x1, _ = item.reach(item.extent)
        if not item.afloat:
            centre = (round((x0 + x1) / 2 * small * 16), round((foot + 0.004 * small) * 16))
            axes = (max(round((x1 - x0) * 0.46 * small * 16), 8), max(round(0.014 * small * 16), 8))
            cv2.ellipse(buffer, centre, axes, 0, 0, 360, 1.0, -1, cv2.LINE_AA, 4)
    buffer = cv2.GaussianBlur(buffer, (0, 0), small * 0.011)
    first = int(layout.setting.horizon * small) + 1
    shadow = cv2.resize(buffer[first:], (side, (small - first) * QUARTER))[..., None]
    tint = np.float32(1) - light.sky / max(float(light.sky.max()), 1e-3) * np.float32(0.35)
    canvas[-shadow.shape[0] :] *= 1 - shadow * (np.float32(light.shadow * 1.15) * tint)


def reflect(canvas: Field, item: Item, painter: Painter, rng: np.random.Generator) -> None:
    """The item upside down in the water before it, rippled, in place."""
    if painter.box is None:
        return
    side = canvas.shape[0]
    left, top, right, bottom = painter.box
    foot = min(bottom, side)
    depth = min(int((foot - top) * 0.85), side - foot)
    if depth < 4:
        return
    margin = side // 40
    left, right = max(left - margin, 0), min(right + margin, side)
    rows = np.arange(depth, dtype=np.float32)[:, None]
    phase = rng.uniform(0, 6)
    wobble = (
        np.sin(rows * 0.55 / (1 + rows * 0.012) + phase) + 0.6 * np.sin(rows * 0.23 + phase * 2)
    ) * (side * 0.004 * (0.4 + rows / depth))
    columns = np.arange(left, right, dtype=np.float32)[None]
    map_x = (columns + wobble).astype(np.float32)
    map_y = np.repeat(np.float32(foot - 1) - rows / np.float32(0.92), right - left, 1)
    colour = cv2.remap(painter.colour, map_x, map_y, cv2.INTER_LINEAR)
    alpha = cv2.remap(painter.alpha, map_x, map_y, cv2.INTER_LINEAR)
    fade = (0.62 * (1 - rows / depth) ** 0.7).astype(np.float32)
    region = canvas[foot : foot + depth, left:right]
    region *= 1 - (alpha * fade)[..., None]
    region += colour * fade[..., None] * np.float32(0.88)


def majority(labels: np.ndarray, factor: int) -> np.ndarray:
    """Shrink a label map by a whole factor: each block goes to the label most of it has."""
    side = labels.shape[0] // factor
    blocks = labels.reshape(side, factor, side, factor)
    best = np.zeros((side, side), np.uint8)
    result = np.zeros((side, side), np.uint8)
    for label in np.flatnonzero(np.bincount(labels.ravel(), minlength=256))[::-1]:
        same = (blocks == label).view(np.uint8)
        count = np.zeros((side, side), np.uint8)
        for row in range(factor):
            for column in range(factor):
                count += same[:, row, :, column]
        better = count > best
        result[better] = label
        best[better] = count[better]
    return result
