"""Train, tram and boat: train and tram share a carriage; the boat's cabin has its windows."""

import numpy as np

from training.scene_parts.painter import Painter
from training.scene_parts.palette import (
    BRASS,
    METAL,
    TRIMS,
    WOODS,
    Colour,
    darker,
    lighter,
    paint,
    pick,
    rgb,
)
from training.scene_parts.shapes import bend, box, ellipse, polygon, smooth


def _wheel(p: Painter, x: float, radius: float, colour: Colour) -> None:
    p.fill(ellipse(x, radius, radius), rgb(METAL), puff=0.5)
    p.fill(ellipse(x, radius, radius * 0.7), colour, puff=0.6)
    for angle in np.linspace(0, np.pi, 4)[:-1] + p.rng.uniform(0, 1):
        arm = radius * 0.66 * np.array([np.cos(angle), np.sin(angle)])
        p.stroke([(x - arm[0], radius - arm[1]), (x + arm[0], radius + arm[1])], 0.007, rgb(METAL))
    p.fill(ellipse(x, radius, radius * 0.22), rgb(BRASS), gloss=0.5)


def _windows(p: Painter, x0: float, x1: float, y0: float, y1: float, count: int) -> None:
    trim = pick(p.rng, TRIMS)
    step = (x1 - x0) / count
    for k in range(count):
        left, right = x0 + step * (k + 0.14), x0 + step * (k + 0.86)
        p.fill(box(left, y0, right, y1, 0.018), trim, form="flat", atop=True)
        pane = box(left + 0.009, y0 + 0.009, right - 0.009, y1 - 0.009, 0.012)
        p.glass(pane)
        p.stroke(
            [(left + step * 0.2, y0 + 0.015), (left + step * 0.42, y1 - 0.015)],
            0.012,
            rgb("#ffffff"),
            atop=True,
            opacity=0.22,
        )


def _carriage(p: Painter, length: float) -> tuple[float, float]:
    """Wheels, walls, windows, roof from x = -length/2; gives back the front x and the roof's y."""
    rng = p.rng
    x0, x1 = -length / 2, length / 2
    body, second, trim = paint(rng), paint(rng), pick(rng, TRIMS)
    if rng.random() < 0.45:
        second = lighter(second, 0.5)
    rim = paint(rng)
    p.fill(box(x0 + 0.03, 0.045, x1 - 0.03, 0.11), darker(rgb(METAL), 0.2), form="along")
    places = [x0 + 0.1, x0 + 0.22, x1 - 0.22, x1 - 0.1]
    for x in places if length > 0.66 else (places[0], places[-1]):
        _wheel(p, x, 0.052, rim)
    low, high = 0.085, rng.uniform(0.35, 0.4)
    wall = box(x0, low, x1, high, 0.03)
    p.fill(
        wall, body, foot=darker(body, 0.15), form="along", texture="soft", strength=0.03, gloss=0.15
    )
    belt = low + (high - low) * rng.uniform(0.36, 0.46)
    kind = rng.integers(3)
    if kind == 0:
        p.fill(box(x0, belt, x1, high), second, form="flat", atop=True)
    elif kind == 1:
        p.fill(box(x0, low, x1, low + 0.07), second, form="flat", atop=True)
    p.stroke([(x0, belt), (x1, belt)], 0.012, trim, atop=True)
    p.stroke([(x0, low + 0.022), (x1, low + 0.022)], 0.006, trim, atop=True)
    count = round((length - 0.08) / rng.uniform(0.115, 0.16))
    _windows(p, x0 + 0.03, x1 - 0.03, belt + 0.025, high - 0.035, count)
    if rng.random() < 0.6:
        door = x0 + length * rng.uniform(0.25, 0.75)
        p.stroke(
            box(door - 0.04, low + 0.01, door + 0.04, belt),
            0.006,
            darker(body, 0.35),
            atop=True,
            closed=True,
        )
    roof = pick(rng, (*TRIMS[2:4], "#6c6f70", "#8b6a55", "#7f8c86"))
    p.fill(
        box(x0 - 0.015, high - 0.015, x1 + 0.015, high + 0.045, 0.03),
        roof,
        form="along",
        lift=0.016,
    )
    for x in np.arange(x0 + 0.12, x1 - 0.1, rng.uniform(0.15, 0.22)):
        p.fill(
            box(x - 0.03, high + 0.035, x + 0.03, high + 0.058, 0.012),
            darker(roof, 0.12),
            form="along",
        )
    return x1, high + 0.045


def train(p: Painter) -> None:
    """The tell: the boiler's nose with chimney, lamp and cowcatcher."""
    rng = p.rng
    length = rng.uniform(0.62, 0.78)
    front, _ = _carriage(p, length)
    colour = darker(paint(rng), rng.uniform(0.1, 0.5))
    nose = front + rng.uniform(0.15, 0.19)
    _wheel(p, (front + nose) / 2 + 0.01, 0.046, paint(rng))
    p.fill(
        polygon(
            [(nose - 0.03, 0.09), (nose + 0.02, 0.09), (nose + 0.075, 0.012), (nose - 0.03, 0.012)]
        ),
        rgb("#8d3b32"),
        form="flat",
        texture="wood",
        strength=0.2,
    )
    for k in range(4):
        x = nose - 0.015 + 0.012 * k
        p.stroke([(x, 0.085), (x + 0.006 + 0.012 * k, 0.014)], 0.006, darker(rgb("#8d3b32"), 0.5))
    p.fill(box(front - 0.01, 0.1, nose, 0.27, 0.02), colour, form="along", gloss=0.5)
    for x in (front + 0.05, nose - 0.03):
        p.stroke([(x, 0.105), (x, 0.265)], 0.01, rgb(BRASS))
    p.fill(
        box(nose - 0.02, 0.09, nose + 0.018, 0.28, 0.018),
        darker(colour, 0.25),
        form="along",
        gloss=0.4,
    )
    x = (front + nose) / 2 + 0.03
    p.fill(
        polygon(
            [
                (x - 0.024, 0.26),
                (x + 0.024, 0.26),
                (x + 0.028, 0.38),
                (x + 0.05, 0.44),
                (x - 0.05, 0.44),
                (x - 0.028, 0.38),
            ]
        ),
        rgb(METAL),
        form="upright",
        gloss=0.3,
    )
    p.fill(box(x - 0.055, 0.43, x + 0.055, 0.455, 0.01), rgb(BRASS), form="upright", gloss=0.6)
    p.fill(
        smooth(
            [
                (front + 0.025, 0.265),
                (front + 0.03, 0.31),
                (front + 0.055, 0.32),
                (front + 0.075, 0.3),
                (front + 0.08, 0.265),
            ]
        ),
        rgb(BRASS),
        gloss=0.7,
    )
    p.fill(
        box(nose - 0.02, 0.275, nose + 0.035, 0.335, 0.012), darker(rgb(METAL), 0.1), form="round"
    )
    p.fill(ellipse(nose + 0.032, 0.305, 0.018, 0.027), rgb("#fff2c0"), form="flat", glow=0.9)


def tram(p: Painter) -> None:
    """The tell: the pantograph on the roof."""
    rng = p.rng
    length = rng.uniform(0.7, 0.95)
    front, roof = _carriage(p, length)
    x = rng.uniform(-0.22, 0.22) * length
    iron = rgb("#3c3a40")
    p.fill(
        box(x - 0.085, roof - 0.005, x + 0.085, roof + 0.022, 0.008),
        darker(rgb(BRASS), 0.25),
        form="along",
    )
    wide, low, middle, high = 0.085, roof + 0.02, roof + 0.085, roof + 0.15
    for side in (-1, 1):
        p.stroke(
            [(x + side * 0.05, low), (x + side * wide, middle), (x + side * 0.012, high)],
            0.013,
            iron,
        )
        p.stroke([(x + side * 0.05, low), (x - side * wide * 0.45, middle)], 0.008, iron)
    p.stroke([(x - wide, middle), (x + wide, middle)], 0.007, iron)
    p.fill(
        box(x - 0.1, high - 0.006, x + 0.1, high + 0.012, 0.008),
        rgb("#a8473a"),
        form="along",
        gloss=0.3,
    )
    for side in (-1, 1):
        p.stroke([(x + side * 0.098, high + 0.004), (x + side * 0.125, high - 0.02)], 0.01, iron)
    p.fill(ellipse(front - 0.012, 0.145, 0.013, 0.02), rgb("#fff2c0"), form="flat", glow=0.8)


def boat(p: Painter) -> None:
    """The tell: the funnel with its band, and the mast's pennant."""
    rng = p.rng
    hull, second, trim = paint(rng), lighter(paint(rng), rng.uniform(0, 0.5)), pick(rng, TRIMS)
    deck = pick(rng, WOODS)
    cabin, high = lighter(paint(rng), rng.uniform(0.2, 0.7)), rng.uniform(0.33, 0.37)
    mast = rng.uniform(0.17, 0.24)
    p.stroke([(mast, 0.15), (mast, 0.66)], 0.016, darker(deck, 0.2))
    p.stroke([(mast, 0.64), (0.47, 0.26)], 0.005, rgb("#54483f"))
    p.stroke([(mast, 0.64), (-0.4, 0.24)], 0.005, rgb("#54483f"))
    flag = polygon(
        [
            (mast, 0.655),
            (mast - 0.08, 0.645),
            (mast - 0.16, 0.615),
            (mast - 0.08, 0.6),
            (mast, 0.585),
        ]
    )
    p.fill(flag, paint(rng), puff=0.8)
    x = rng.uniform(-0.17, -0.07)
    rake = 0.02
    stack = polygon(
        [
            (x - 0.05, high),
            (x + 0.05, high),
            (x + 0.045 - rake, high + 0.2),
            (x - 0.045 - rake, high + 0.2),
        ]
    )
    p.fill(stack, paint(rng), form="upright", gloss=0.3)
    p.fill(
        polygon(
            [
                (x - 0.06, high + 0.09),
                (x + 0.06, high + 0.09),
                (x + 0.06, high + 0.145),
                (x - 0.06, high + 0.145),
            ]
        ),
        lighter(pick(rng, TRIMS[:2]), 0.2),
        form="upright",
        atop=True,
    )
    p.fill(
        box(x - 0.055 - rake, high + 0.185, x + 0.055 - rake, high + 0.21, 0.01),
        rgb(METAL),
        form="upright",
    )
    p.fill(box(-0.3, 0.14, 0.12, high, 0.02), cabin, form="along", texture="wood", strength=0.05)
    _windows(p, -0.28, 0.1, high - 0.125, high - 0.035, int(rng.integers(3, 5)))
    p.fill(box(-0.33, high - 0.018, 0.15, high + 0.02, 0.015), paint(rng), form="along", lift=0.014)
    outline = np.vstack(
        [
            bend([(-0.47, 0.235), (-0.25, 0.185), (0.1, 0.175), (0.34, 0.215), (0.5, 0.29)]),
            bend([(0.5, 0.29), (0.45, 0.17), (0.36, 0.02), (0.3, -0.03)]),
            [(-0.36, -0.03), (-0.43, 0.06)],
        ]
    )
    p.fill(
        outline, hull, foot=darker(hull, 0.25), puff=1.0, texture="wood", strength=0.06, lift=0.012
    )
    p.fill(box(-0.6, -0.05, 0.6, 0.052), second, form="along", atop=True)
    for y in (0.085, 0.12):
        p.stroke(
            [(-0.5, y + 0.02), (-0.2, y - 0.005), (0.15, y), (0.5, y + 0.05)],
            0.005,
            darker(hull, 0.35),
            atop=True,
            curved=True,
        )
    p.stroke(
        [(-0.475, 0.238), (-0.25, 0.188), (0.1, 0.178), (0.34, 0.218), (0.505, 0.293)],
        0.022,
        trim,
        curved=True,
    )
    for k, px in enumerate((-0.3, -0.17)):
        p.fill(ellipse(px + 0.44 * (k + 1) * 0.5, 0.128, 0.022), trim, puff=0.6)
        p.glass(ellipse(px + 0.44 * (k + 1) * 0.5, 0.128, 0.014))
