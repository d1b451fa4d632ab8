"""Outlines in unit coordinates: x to the right, y up, closed polygons of shape (points, 2)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]
Points = Sequence[tuple[float, float]] | Outline


def polygon(points: Points) -> Outline:
    """The points as they are."""
    return np.asarray(points, np.float64)


def smooth(points: Points, steps: int = 6) -> Outline:
    """A closed Catmull-Rom curve through the points."""
    p1 = np.asarray(points, np.float64)
    p0, p2, p3 = np.roll(p1, 1, 0), np.roll(p1, -1, 0), np.roll(p1, -2, 0)
    t = (np.arange(steps) / steps)[None, :, None]
    p0, p1, p2, p3 = (p[:, None, :] for p in (p0, p1, p2, p3))
    curve = 0.5 * (
        2 * p1
        + (p2 - p0) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
        + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    return curve.reshape(-1, 2)


def bend(points: Points, steps: int = 6) -> Outline:
    """An open Catmull-Rom curve through the points, its ends included."""
    ends = np.asarray(points, np.float64)
    padded = np.vstack([2 * ends[0] - ends[1], ends, 2 * ends[-1] - ends[-2]])
    inner = smooth(padded, steps)[steps : steps * (len(padded) - 2)]
    return np.vstack([inner, ends[-1]])


def ellipse(
    x: float, y: float, rx: float, ry: float | None = None, turn: float = 0.0, count: int = 28
) -> Outline:
    """An ellipse around (x, y), turned by `turn` radians."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    across, along = rx * np.cos(angle), (rx if ry is None else ry) * np.sin(angle)
    cosine, sine = np.cos(turn), np.sin(turn)
    return np.stack([x + across * cosine - along * sine, y + across * sine + along * cosine], 1)


def box(x0: float, y0: float, x1: float, y1: float, radius: float = 0.0) -> Outline:
    """A rectangle, its corners rounded."""
    if radius <= 0:
        return polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    radius = min(radius, abs(x1 - x0) / 2, abs(y1 - y0) / 2)
    quarter = np.linspace(0, np.pi / 2, 5)
    corners = [
        (x1 - radius, y1 - radius, 0.0),
        (x0 + radius, y1 - radius, np.pi / 2),
        (x0 + radius, y0 + radius, np.pi),
        (x1 - radius, y0 + radius, 3 * np.pi / 2),
    ]
    return np.concatenate(
        [
            np.stack(
                [x + radius * np.cos(quarter + start), y + radius * np.sin(quarter + start)], 1
            )
            for x, y, start in corners
        ]
    )


def arch(x0: float, y0: float, x1: float, y1: float) -> Outline:
    """A door or window with a round head."""
    radius = (x1 - x0) / 2
    angle = np.linspace(0, np.pi, 9)
    head = np.stack([(x0 + x1) / 2 + radius * np.cos(angle), y1 - radius + radius * np.sin(angle)])
    return np.vstack([[(x0, y0), (x1, y0)], head.T])


def limb(points: Points, widths: Sequence[float], steps: int = 6) -> Outline:
    """A bent limb: a centre line with a half-width at each of its points, round at both ends."""
    line = bend(points, steps)
    half = np.interp(
        np.linspace(0, len(widths) - 1, len(line)), np.arange(len(widths)), np.asarray(widths)
    )[:, None]
    direction = np.gradient(line, axis=0)
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
    normal = np.stack([-direction[:, 1], direction[:, 0]], 1)
    angle = np.linspace(0, np.pi, 7)[1:-1, None]
    cap_end = line[-1] + half[-1] * (normal[-1] * np.cos(angle) + direction[-1] * np.sin(angle))
    cap_start = line[0] + half[0] * (-normal[0] * np.cos(angle) - direction[0] * np.sin(angle))
    return np.vstack([line + normal * half, cap_end, (line - normal * half)[::-1], cap_start])


def moved(outline: Outline, x: float, y: float, scale: float = 1.0, turn: float = 0.0) -> Outline:
    """The outline scaled, turned by `turn` radians and shifted."""
    cosine, sine = np.cos(turn) * scale, np.sin(turn) * scale
    return outline @ np.array([[cosine, sine], [-sine, cosine]]) + (x, y)
