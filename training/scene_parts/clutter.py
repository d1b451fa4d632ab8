"""Things that belong to no class: trees, bushes, rocks, lamp posts, fences, barrels."""

import numpy as np

from training.scene_parts.painter import Painter
from training.scene_parts.palette import (
    METAL,
    STONES,
    WOODS,
    darker,
    lighter,
    mix,
    paint,
    pick,
    rgb,
)
from training.scene_parts.settings import Setting
from training.scene_parts.shapes import box, ellipse, limb, polygon, smooth


def tree(p: Painter, setting: Setting) -> None:
    """A round tree, about 1 high."""
    rng = p.rng
    bark = pick(rng, WOODS)
    p.fill(
        limb([(0, -0.01), (rng.uniform(-0.02, 0.02), 0.25), (0.01, 0.5)], [0.055, 0.036, 0.03]),
        bark,
        form="upright",
        texture="fur",
        strength=0.15,
    )
    leaf = setting.foliage[1] if rng.random() < 0.8 else setting.foliage[0]
    leaf = leaf * np.float32(rng.uniform(0.85, 1.12))
    for x, y, r in (
        (-0.17, 0.5, 0.17),
        (0.18, 0.52, 0.17),
        (0.0, 0.6, 0.24),
        (-0.1, 0.72, 0.17),
        (0.1, 0.75, 0.16),
    ):
        x, y, r = x + rng.normal(0, 0.02), y + rng.normal(0, 0.02), r * rng.uniform(0.85, 1.12)
        wobble = 1 + rng.normal(0, 0.07, 9)
        angle = np.linspace(0, 2 * np.pi, 9, endpoint=False)
        crown = smooth(
            np.stack([x + r * wobble * np.cos(angle), y + r * wobble * np.sin(angle)], 1)
        )
        p.fill(crown, leaf, texture="mottle", strength=0.16, puff=1.1, lift=0.02)


def conifer(p: Painter, setting: Setting) -> None:
    """A fir, about 1 high, snowed on in winter."""
    rng = p.rng
    p.fill(box(-0.03, -0.01, 0.03, 0.2), pick(rng, WOODS), form="upright")
    green = pick(rng, ("#4c6b52", "#5b7a58", "#41605a"))
    layers = int(rng.integers(3, 5))
    for k in range(layers):
        low, high = 0.14 + 0.62 * k / layers, 0.14 + 0.62 * k / layers + 0.36
        half = 0.25 * (1 - 0.72 * k / layers)
        skirt = [
            (-half, low),
            (-half * 0.5, low - 0.02),
            (0, low - 0.025),
            (half * 0.5, low - 0.02),
            (half, low),
        ]
        p.fill(
            polygon([*skirt, (0, min(high, 1.0))]),
            green,
            texture="fur",
            strength=0.14,
            lift=0.02,
            puff=0.9,
        )
        if setting.season == "winter":
            cap = [
                (-half * 0.9, low + 0.03),
                (-half * 0.3, low + 0.075),
                (half * 0.2, low + 0.05),
                (half * 0.8, low + 0.045),
            ]
            p.fill(polygon([*cap, (0, min(high, 1.0))]), rgb("#eef3f5"), puff=0.8, opacity=0.88)


def bush(p: Painter, setting: Setting) -> None:
    """A low shrub, sometimes in flower."""
    rng = p.rng
    leaf = mix(setting.foliage[0], setting.foliage[1], rng.uniform(0.3, 1)) * np.float32(0.92)
    for x, r in ((-0.28, 0.18), (0.27, 0.19), (0.0, 0.25)):
        r *= rng.uniform(0.85, 1.15)
        p.fill(
            ellipse(x, r * 0.75, r * 1.15, r * 0.85),
            leaf,
            texture="mottle",
            strength=0.17,
            lift=0.02,
        )
    if setting.season in ("spring", "summer") and rng.random() < 0.5:
        bloom = pick(rng, ("#e8c9cf", "#f0e2b8", "#d98f8f", "#c9b4dd"))
        for _ in range(9):
            p.fill(
                ellipse(rng.uniform(-0.38, 0.38), rng.uniform(0.08, 0.34), 0.026),
                bloom,
                puff=0.6,
                atop=True,
            )


def rock(p: Painter, setting: Setting) -> None:
    """A boulder, mossy or snowed on."""
    rng = p.rng
    stone = pick(rng, STONES)
    angle = np.linspace(0, np.pi, 7)
    radius = rng.uniform(0.75, 1.1, 7)
    outline = np.stack([0.36 * radius * np.cos(angle), 0.42 * radius * np.sin(angle)], 1)
    p.fill(
        smooth([*outline, (-0.3, -0.02), (0.3, -0.02)], 4),
        stone,
        texture="mottle",
        strength=0.12,
        puff=0.8,
    )
    cap = rgb("#eef3f5") if setting.season == "winter" else setting.foliage[0]
    p.fill(
        ellipse(0, 0.42, 0.3, 0.13),
        cap,
        form="round",
        atop=True,
        opacity=0.75,
        texture="mottle",
        strength=0.15,
    )


def lamp_post(p: Painter, setting: Setting) -> None:
    """An iron street lamp."""
    iron = darker(rgb(METAL), 0.1)
    p.fill(box(-0.022, 0, 0.022, 0.76), iron, form="upright", gloss=0.2)
    p.fill(box(-0.045, 0, 0.045, 0.09, 0.01), iron, form="upright")
    bright = 0.95 if p.light.lamps else 0.35
    p.fill(
        polygon([(-0.045, 0.76), (0.045, 0.76), (0.07, 0.92), (-0.07, 0.92)]),
        rgb("#fff0c0"),
        form="flat",
        glow=bright,
    )
    p.fill(polygon([(-0.085, 0.915), (0.085, 0.915), (0, 1.0)]), iron)


def fence(p: Painter, setting: Setting) -> None:
    """A few pickets."""
    rng = p.rng
    wood = lighter(pick(rng, WOODS), rng.uniform(0, 0.6))
    for y in (0.11, 0.24):
        p.fill(box(-0.55, y, 0.55, y + 0.04), darker(wood, 0.1), form="along", texture="wood")
    for k in range(7):
        x = -0.48 + 0.16 * k
        high = 0.34 + rng.normal(0, 0.01)
        p.fill(
            polygon(
                [
                    (x - 0.035, 0),
                    (x + 0.035, 0),
                    (x + 0.035, high),
                    (x, high + 0.05),
                    (x - 0.035, high),
                ]
            ),
            wood,
            form="upright",
            texture="fur",
            strength=0.08,
            lift=0.01,
        )


def barrel(p: Painter, setting: Setting) -> None:
    """An oak barrel with two hoops."""
    wood = pick(p.rng, WOODS)
    p.fill(
        smooth(
            [
                (-0.2, 0),
                (-0.27, 0.3),
                (-0.2, 0.6),
                (0, 0.63),
                (0.2, 0.6),
                (0.27, 0.3),
                (0.2, 0),
                (0, -0.03),
            ]
        ),
        wood,
        form="upright",
        texture="fur",
        strength=0.12,
    )
    for y in (0.13, 0.45):
        p.fill(box(-0.3, y, 0.3, y + 0.05), rgb(METAL), form="upright", atop=True)
    p.fill(
        ellipse(0, 0.6, 0.19, 0.045), darker(wood, 0.25), form="flat", texture="wood", strength=0.1
    )


def crate(p: Painter, setting: Setting) -> None:
    """A wooden box."""
    wood = pick(p.rng, WOODS)
    p.fill(box(-0.25, 0, 0.25, 0.46), wood, form="flat", texture="wood", strength=0.12)
    for bar in (
        box(-0.25, 0, 0.25, 0.07),
        box(-0.25, 0.39, 0.25, 0.46),
        box(-0.25, 0, -0.18, 0.46),
        box(0.18, 0, 0.25, 0.46),
    ):
        p.fill(bar, lighter(wood, 0.12), form="flat", texture="wood", lift=0.012, atop=True)


def hay(p: Painter, setting: Setting) -> None:
    """A haystack, or a snow heap in winter."""
    straw = rgb("#eef3f5") if setting.season == "winter" else pick(p.rng, ("#d9b65c", "#c9a552"))
    p.fill(
        smooth(
            [
                (-0.34, 0),
                (-0.33, 0.22),
                (-0.2, 0.45),
                (0, 0.56),
                (0.2, 0.45),
                (0.33, 0.22),
                (0.34, 0),
                (0, -0.03),
            ]
        ),
        straw,
        texture="fur",
        strength=0.03 if setting.season == "winter" else 0.12,
    )


def pumpkin(p: Painter, setting: Setting) -> None:
    """A ribbed gourd in one of the world's paints."""
    rng = p.rng
    colour = paint(rng)
    for x in (-0.2, 0.2, -0.11, 0.11, 0.0):
        p.fill(ellipse(x, 0.22, 0.14, 0.22), colour, puff=1.1, gloss=0.25, lift=0.01)
    p.fill(limb([(0, 0.4), (0.02, 0.47), (0.06, 0.5)], [0.03, 0.022, 0.02]), rgb("#6f7a45"))


def toadstool(p: Painter, setting: Setting) -> None:
    """A mushroom under a dome of the shells' colours."""
    rng = p.rng
    p.fill(
        limb([(0, 0), (0.01, 0.2), (0, 0.34)], [0.09, 0.065, 0.07]), rgb("#efe3cb"), form="upright"
    )
    cap = paint(rng)
    p.fill(
        smooth([(-0.32, 0.33), (-0.27, 0.5), (0, 0.64), (0.27, 0.5), (0.32, 0.33), (0, 0.28)]),
        cap,
        gloss=0.3,
        lift=0.02,
    )
    for _ in range(6):
        p.fill(
            ellipse(rng.uniform(-0.24, 0.24), rng.uniform(0.36, 0.58), rng.uniform(0.02, 0.04)),
            lighter(cap, 0.75),
            form="flat",
            atop=True,
        )


def reeds(p: Painter, setting: Setting) -> None:
    """Bulrushes."""
    rng = p.rng
    for _ in range(8):
        x, tip = rng.uniform(-0.2, 0.2), rng.uniform(-0.12, 0.12)
        high = rng.uniform(0.4, 0.95)
        p.fill(
            limb([(x, -0.02), (x + tip * 0.3, high * 0.5), (x + tip, high)], [0.018, 0.012, 0.004]),
            mix(setting.foliage[0], setting.foliage[1], rng.random())
            * np.float32(rng.uniform(0.75, 1)),
        )
        if rng.random() < 0.4:
            p.fill(
                limb([(x + tip, high - 0.02), (x + tip, high + 0.1)], [0.022, 0.022]),
                rgb("#6d4a35"),
            )


SIZES = {
    tree: 0.75,
    conifer: 0.75,
    bush: 0.3,
    rock: 0.26,
    lamp_post: 0.62,
    fence: 0.42,
    barrel: 0.27,
    crate: 0.26,
    hay: 0.36,
    pumpkin: 0.2,
    toadstool: 0.22,
    reeds: 0.34,
}
BY_SETTING = {
    "meadow": (tree, tree, bush, rock, fence, hay, toadstool, conifer),
    "autumn": (tree, tree, bush, rock, fence, pumpkin, toadstool, hay),
    "snow": (conifer, conifer, rock, fence, barrel, hay),
    "dunes": (rock, rock, bush, barrel, crate),
    "street": (lamp_post, lamp_post, barrel, crate, bush, pumpkin),
    "lake": (tree, reeds, rock, bush, crate, conifer),
    "coast": (rock, rock, crate, barrel, fence, bush),
    "water": (rock, reeds),
}
