"""Lighthouse and windmill: the same tapered tower, told apart by what stands on it."""

import numpy as np

from training.scene_parts.painter import Painter
from training.scene_parts.palette import (
    TRIMS,
    WOODS,
    darker,
    lighter,
    paint,
    pick,
    rgb,
)
from training.scene_parts.shapes import arch, box, ellipse, moved, polygon

TOP = 0.66


def _tower(p: Painter) -> float:
    """Walls, stripes, door and windows up to the height TOP; gives back the half-width there."""
    rng = p.rng
    foot, head = rng.uniform(0.16, 0.205), rng.uniform(0.105, 0.13)
    waist = head + (foot - head) * 0.32

    def half(y: float) -> float:
        t = y / TOP
        return foot * (1 - t) ** 2 + 2 * waist * t * (1 - t) + head * t**2

    def band(low: float, high: float, slant: float = 0.0) -> np.ndarray:
        steps = np.linspace(0, 1, 6)
        right = [(half(low + (high - low) * t), low + (high - low) * t + slant) for t in steps]
        left = [(-half(low + (high - low) * t), low + (high - low) * t - slant) for t in steps]
        sag = 0.028
        lower = [(x * half(low), low - sag * (1 - x * x)) for x in np.linspace(-1, 1, 7)[1:-1]]
        upper = [(x * half(high), high - sag * (1 - x * x)) for x in np.linspace(1, -1, 7)[1:-1]]
        return polygon([*lower, *right, *upper, *left[::-1]])

    if rng.random() < 0.35:
        _cottage(p, foot)
    wall = lighter(paint(rng), rng.uniform(0.3, 0.75)) if rng.random() < 0.75 else paint(rng)
    texture, strength = (("brick", 0.13), ("mottle", 0.07), ("shingle", 0.12))[rng.integers(3)]
    p.fill(band(0, TOP), wall, form="upright", texture=texture, strength=strength)
    other = paint(rng)
    stripes = int(rng.choice([0, 1, 2, 3], p=[0.25, 0.2, 0.25, 0.3]))
    for k in range(stripes):
        step = TOP / (stripes * 2 + 1)
        p.fill(
            band(step * (2 * k + 1), step * (2 * k + 2)),
            other,
            form="upright",
            texture=texture,
            strength=strength,
            atop=True,
        )
    p.fill(
        band(0, 0.055), rgb("#8d867b"), form="upright", texture="cobble", strength=0.2, atop=True
    )
    trim = pick(rng, TRIMS)
    door = foot * rng.uniform(-0.35, 0.35)
    p.fill(arch(door - 0.05, -0.02, door + 0.05, 0.15), trim, form="flat", atop=True)
    p.fill(
        arch(door - 0.037, -0.02, door + 0.037, 0.135),
        darker(pick(rng, WOODS), 0.1),
        form="flat",
        texture="wood",
        strength=0.15,
        atop=True,
    )
    for k, y in enumerate(np.linspace(0.26, 0.54, int(rng.integers(2, 4)))):
        x = half(y) * (0.42 if k % 2 else -0.36) * rng.uniform(0.6, 1.1)
        p.fill(arch(x - 0.026, y - 0.038, x + 0.026, y + 0.04), trim, form="flat", atop=True)
        p.glass(arch(x - 0.018, y - 0.03, x + 0.018, y + 0.032))
    return head


def _cottage(p: Painter, foot: float) -> None:
    rng = p.rng
    side = rng.choice([-1.0, 1.0])
    width, height = rng.uniform(0.2, 0.3), rng.uniform(0.13, 0.18)
    near, far = side * foot * 0.5, side * (foot * 0.7 + width)
    x0, x1 = min(near, far), max(near, far)
    p.fill(box(x0, 0, x1, height), lighter(paint(rng), 0.55), form="flat", texture="mottle")
    roof = polygon(
        [
            (x0 - 0.02, height),
            (x1 + 0.02, height),
            (x1 - 0.04, height + 0.1),
            (x0 + 0.04, height + 0.1),
        ]
    )
    p.fill(roof, paint(rng), form="flat", texture="shingle", strength=0.16, lift=0.012)
    middle = (x0 + x1) / 2 + side * 0.05
    p.glass(box(middle - 0.03, 0.05, middle + 0.03, 0.11))


def lighthouse(p: Painter) -> None:
    """The tell: gallery, lantern room and its lamp."""
    rng = p.rng
    head = _tower(p)
    iron, roof = darker(pick(rng, TRIMS), 0.55), paint(rng)
    wide = head * 1.32
    p.fill(_disc(wide, TOP, TOP + 0.035), iron, form="upright", lift=0.025)
    room = head * 0.66
    p.fill(box(-room, TOP + 0.03, room, TOP + 0.165), rgb("#33424c"), form="upright")
    p.fill(
        box(-room * 0.94, TOP + 0.045, room * 0.94, TOP + 0.155),
        rgb("#fff3c4"),
        foot=rgb("#ffd36b"),
        form="upright",
        glow=0.75 if p.light.lamps else 0.5,
    )
    p.fill(
        ellipse(0, TOP + 0.1, room * 0.34, 0.045), rgb("#fffbe8"), form="flat", glow=1.0, atop=True
    )
    for x in (-0.62, -0.05, 0.55):
        p.stroke([(x * room, TOP + 0.04), (x * room, TOP + 0.16)], 0.008, iron, atop=True)
    p.fill(_dome(room * 1.22, TOP + 0.16, 0.1), roof, puff=1.0, gloss=0.5, lift=0.02)
    p.fill(ellipse(0, TOP + 0.275, 0.018), rgb("#c9a04a"), gloss=0.6)
    p.stroke([(0, TOP + 0.28), (0, TOP + 0.34)], 0.008, iron)
    for x in np.linspace(-1, 1, 7):
        p.stroke([(x * wide * 0.97, TOP + 0.03), (x * wide * 0.97, TOP + 0.085)], 0.006, iron)
    p.stroke([(-wide * 0.97, TOP + 0.085), (wide * 0.97, TOP + 0.085)], 0.008, iron)


def windmill(p: Painter) -> None:
    """The tell: the cap's four lattice sails."""
    rng = p.rng
    head = _tower(p)
    p.fill(_dome(head * 1.15, TOP - 0.01, 0.15), paint(rng), texture="shingle", lift=0.02)
    p.fill(ellipse(0, TOP + 0.15, 0.016), rgb("#c9a04a"), gloss=0.5)
    wood, cloth = pick(rng, WOODS), lighter(pick(rng, TRIMS), 0.15)
    hub_x, hub_y, reach = head * 0.25, TOP + 0.06, rng.uniform(0.29, 0.35)
    start = rng.uniform(0.15, np.pi / 2 - 0.15)
    for k in range(4):
        turn = start + k * np.pi / 2
        sail = moved(
            polygon([(0.2, 0.015), (1.0, 0.015), (1.0, 0.26), (0.2, 0.22)]) * reach,
            hub_x,
            hub_y,
            1,
            turn,
        )
        p.fill(sail, cloth, form="flat", texture="wood", strength=0.05, lift=0.03)
        for bar in np.linspace(0.25, 1.0, 6):
            ends = moved(polygon([(bar, -0.02), (bar, 0.26)]) * reach, hub_x, hub_y, 1, turn)
            p.stroke(ends, 0.006, wood)
        for line in (0.13, 0.25):
            ends = moved(polygon([(0.2, line), (1.0, line)]) * reach, hub_x, hub_y, 1, turn)
            p.stroke(ends, 0.005, wood)
        arm = moved(polygon([(0, 0), (1.03, 0)]) * reach, hub_x, hub_y, 1, turn)
        p.stroke(arm, 0.02, darker(wood, 0.2))
    p.fill(ellipse(hub_x, hub_y, 0.03), darker(wood, 0.3), gloss=0.3)


def _disc(half: float, low: float, high: float) -> np.ndarray:
    across = np.linspace(-1, 1, 9)
    lower = [(x * half, low - 0.022 * (1 - x * x)) for x in across]
    upper = [(x * half, high - 0.018 * (1 - x * x)) for x in across[::-1]]
    return polygon([*lower, *upper])


def _dome(half: float, low: float, height: float) -> np.ndarray:
    angle = np.linspace(0, np.pi, 13)
    top = np.stack([half * np.cos(angle), low + height * np.sin(angle) ** 0.85], 1)
    across = np.linspace(-1, 1, 7)[1:-1]
    return np.vstack([top, [(x * half, low - 0.02 * (1 - x * x)) for x in across]])
