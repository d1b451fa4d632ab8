"""Snail and tortoise: the same shell, told apart by the head."""

from functools import partial

import numpy as np

from training.scene_parts.painter import Painter
from training.scene_parts.palette import SKINS, darker, lighter, mix, paint, pick, rgb
from training.scene_parts.shapes import ellipse, limb, polygon, smooth

INK = "#2b2326"


def snail(p: Painter) -> None:
    """The tell: two eye stalks on a raised neck; a creeping sole."""
    rng = p.rng
    skin = pick(rng, SKINS)
    coat = partial(p.fill, texture="mottle", strength=0.07)
    sway = rng.uniform(-0.04, 0.05)
    eyes = ((0.42 + sway, 0.62), (0.57 + sway, 0.6))
    for (x, y), root in zip(eyes, ((0.41, 0.4), (0.48, 0.4)), strict=True):
        p.fill(
            limb([root, ((root[0] + x) / 2, (root[1] + y) / 2), (x, y)], [0.026, 0.02, 0.02]),
            skin,
            gloss=0.2,
        )
    coat(
        smooth(
            [
                (-0.56, 0.0),
                (-0.42, 0.07),
                (-0.2, 0.14),
                (0.15, 0.14),
                (0.3, 0.22),
                (0.36, 0.38),
                (0.46, 0.45),
                (0.54, 0.4),
                (0.53, 0.28),
                (0.46, 0.14),
                (0.4, 0.02),
                (0.1, -0.01),
                (-0.3, -0.01),
            ]
        ),
        skin,
        foot=lighter(skin, 0.25),
        gloss=0.25,
    )
    _shell(p)
    for x, y in eyes:
        _eye(p, x, y, 0.04)
    p.stroke([(0.44, 0.3), (0.49, 0.28), (0.53, 0.31)], 0.012, darker(skin, 0.5), curved=True)


def tortoise(p: Painter) -> None:
    """The tell: the blunt head on its neck and the stubby feet."""
    rng = p.rng
    skin = pick(rng, SKINS)
    coat = partial(p.fill, texture="cobble", strength=0.1)
    p.fill(polygon([(-0.34, 0.12), (-0.47, 0.06), (-0.32, 0.07)]), skin)
    for x in (-0.12, 0.3):
        coat(limb([(x, 0.14), (x, 0.04)], [0.055, 0.05]), darker(skin, 0.25))
    lift = rng.uniform(-0.03, 0.07)
    neck = limb([(0.2, 0.17), (0.34, 0.2 + lift * 0.5), (0.43, 0.3 + lift)], [0.085, 0.07, 0.07])
    coat(neck, skin)
    coat(
        smooth(
            [
                (0.36, 0.36 + lift),
                (0.44, 0.43 + lift),
                (0.55, 0.4 + lift),
                (0.605, 0.31 + lift),
                (0.55, 0.25 + lift),
                (0.42, 0.25 + lift),
            ]
        ),
        skin,
        lift=0.012,
    )
    _shell(p)
    for x in (-0.25, 0.17):
        coat(limb([(x, 0.14), (x + 0.01, 0.045)], [0.07, 0.062]), skin, lift=0.01)
        for k in (-1, 0, 1):
            p.fill(
                ellipse(x + 0.02 + 0.035 * k, 0.012, 0.016, 0.014), lighter(skin, 0.45), form="flat"
            )
    _eye(p, 0.505, 0.355 + lift, 0.026)
    p.stroke(
        [(0.47, 0.29 + lift), (0.54, 0.285 + lift), (0.59, 0.31 + lift)],
        0.01,
        darker(skin, 0.5),
        curved=True,
    )


def _shell(p: Painter) -> None:
    """A dome from x -0.36 to 0.3 up to y 0.6: rings, plates, whorl or spots."""
    rng = p.rng
    colour, second = paint(rng), paint(rng)
    dome = smooth(
        [
            (-0.37, 0.13),
            (-0.38, 0.27),
            (-0.27, 0.47),
            (-0.05, 0.58),
            (0.16, 0.5),
            (0.28, 0.31),
            (0.29, 0.13),
            (-0.04, 0.09),
        ]
    )
    p.fill(
        dome,
        colour,
        foot=darker(colour, 0.15),
        texture="mottle",
        strength=0.07,
        gloss=0.35,
        lift=0.015,
    )
    kind = int(rng.integers(4))
    line = mix(darker(colour, 0.4), second, 0.3)
    if kind == 0:
        for k in range(1, 4):
            ring = ellipse(-0.05, 0.16, 0.33 * k / 3.6, 0.42 * k / 3.6, 0.1, 40)
            p.stroke(ring, 0.016, line, atop=True, closed=True, opacity=0.8)
    elif kind == 1:
        for cx, cy, s in (
            (-0.05, 0.37, 0.12),
            (-0.25, 0.28, 0.095),
            (0.15, 0.28, 0.095),
            (-0.15, 0.18, 0.08),
            (0.05, 0.18, 0.08),
        ):
            plate = ellipse(cx, cy, s, s * 0.86, 0.0, 6)
            p.fill(plate, mix(colour, second, 0.55), puff=0.5, atop=True, opacity=0.75, gloss=0.3)
            p.stroke(plate, 0.01, line, atop=True, closed=True)
    elif kind == 2:
        t = np.linspace(0, 5.2 * np.pi, 60)
        radius = 0.27 * np.exp(-t * 0.115)
        whorl = np.stack(
            [-0.05 + radius * 1.1 * np.cos(t + 0.6), 0.32 + radius * np.sin(t + 0.6)], 1
        )
        p.stroke(whorl, 0.022, line, atop=True, opacity=0.85)
    else:
        for _ in range(9):
            spot = ellipse(
                rng.uniform(-0.32, 0.24), rng.uniform(0.15, 0.55), rng.uniform(0.025, 0.055)
            )
            p.fill(spot, lighter(second, 0.2), form="flat", atop=True, opacity=0.85)
    p.fill(
        limb([(-0.37, 0.14), (-0.04, 0.1), (0.29, 0.14)], [0.03, 0.034, 0.03]),
        darker(colour, 0.25),
        gloss=0.2,
    )


def _eye(p: Painter, x: float, y: float, r: float) -> None:
    p.fill(ellipse(x, y, r), rgb("#fff8ea"), form="flat")
    p.fill(ellipse(x + r * 0.15, y, r * 0.68), rgb(INK), form="flat")
    p.fill(ellipse(x - r * 0.1, y + r * 0.3, r * 0.25), rgb("#ffffff"), form="flat", glow=0.8)
