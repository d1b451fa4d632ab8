"""What a class is often seen with and is none of: rails, wires, a rock in the water."""

import numpy as np

from training.scene_parts.painter import Painter
from training.scene_parts.palette import (
    STONES,
    WOODS,
    darker,
    pick,
    rgb,
)
from training.scene_parts.settings import Setting
from training.scene_parts.shapes import box, ellipse, polygon, smooth


def rails(p: Painter, setting: Setting) -> None:
    """Ballast, sleepers and two rails right across; y 0 is where wheels stand."""
    stone = pick(p.rng, STONES)
    p.fill(
        polygon([(-3, 0.012), (3, 0.012), (3, -0.085), (-3, -0.085)]),
        stone,
        foot=darker(stone, 0.25),
        form="flat",
        texture="grit",
        strength=0.2,
    )
    wood = darker(pick(p.rng, WOODS), 0.25)
    start = p.rng.uniform(0, 0.09)
    for k in range(-12, 13):
        x = start + k * 0.09
        p.fill(
            polygon(
                [
                    (x - 0.018, -0.004),
                    (x + 0.018, -0.004),
                    (x * 1.06 + 0.026, -0.062),
                    (x * 1.06 - 0.026, -0.062),
                ]
            ),
            wood,
            form="flat",
            texture="wood",
            strength=0.15,
        )
    for y, thick in ((-0.008, 0.011), (-0.048, 0.016)):
        p.fill(box(-3, y - thick, 3, y), rgb("#6a5a52"), form="flat")
        p.fill(box(-3, y - thick * 0.4, 3, y), rgb("#c9ced2"), form="flat", glow=0.2)


def wires(p: Painter, setting: Setting) -> None:
    """Masts with brackets and a contact wire at height 1, right across."""
    iron = rgb("#3f4347")
    sag = p.rng.uniform(0.005, 0.02)
    for x in (-1.05 + p.rng.uniform(-0.2, 0.2), 1.0 + p.rng.uniform(-0.2, 0.2)):
        p.fill(box(x - 0.02, -0.02, x + 0.02, 1.16), iron, form="upright")
        side = -np.sign(x)
        p.stroke([(x, 1.1), (x + side * 0.3, 1.12)], 0.014, iron)
        p.stroke([(x + side * 0.26, 1.12), (x + side * 0.26, 1.0)], 0.008, iron)
    p.stroke([(-3, 1.0), (-1, 1.0), (0, 1.0 - sag), (1, 1.0), (3, 1.0)], 0.007, iron, curved=True)
    p.stroke(
        [(-3, 1.13), (-1, 1.12), (0, 1.07 - sag), (1, 1.12), (3, 1.13)], 0.005, iron, curved=True
    )


def islet(p: Painter, setting: Setting) -> None:
    """A rock in the water, about 1 wide, for what cannot swim; y 0 is its top."""
    rng = p.rng
    stone = pick(rng, STONES)
    for x, half, low, high in (
        (-0.26, 0.26, -0.15, -0.01),
        (0.27, 0.25, -0.15, -0.015),
        (0, 0.46, -0.15, 0.03),
    ):
        half *= rng.uniform(0.9, 1.1)
        p.fill(
            smooth(
                [
                    (x - half, low),
                    (x - half * 0.92, (low + high) / 2),
                    (x - half * 0.5, high),
                    (x, high + 0.012),
                    (x + half * 0.55, high - 0.01),
                    (x + half * 0.95, (low + high) / 2),
                    (x + half, low),
                ],
                4,
            ),
            stone,
            texture="mottle",
            strength=0.14,
            puff=0.7,
            lift=0.01,
        )
    moss = rgb("#eef3f5") if setting.season == "winter" else setting.foliage[0]
    p.fill(
        ellipse(0, 0.01, 0.4, 0.035),
        moss,
        form="flat",
        atop=True,
        texture="fur",
        strength=0.15,
        opacity=0.85,
    )
    p.cut_below(-0.12)
