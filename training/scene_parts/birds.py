"""The duck: coloured like the furry ones, told by its bill."""

from functools import partial

from training.scene_parts.painter import Painter
from training.scene_parts.palette import FURS, darker, lighter, mix, pick, rgb
from training.scene_parts.shapes import ellipse, limb, polygon, smooth

INK = "#2b2326"


def duck(p: Painter) -> None:
    """The tell: the head with its flat bill."""
    rng = p.rng
    plume, second = pick(rng, FURS), pick(rng, FURS)
    orange = pick(rng, ("#e08a2e", "#d9a12f", "#d2722f"))
    coat = partial(p.fill, texture="fur", strength=0.09)
    for x in (-0.02, 0.1):
        p.fill(limb([(x, 0.12), (x, 0.04)], [0.018, 0.016]), darker(orange, 0.15))
        p.fill(polygon([(x - 0.03, 0.0), (x + 0.1, 0.0), (x + 0.01, 0.045)]), orange, puff=0.6)
    head = pick(rng, (*FURS, "#4f7f6b", "#3d4f73"))
    neck = limb([(0.2, 0.3), (0.27, 0.45), (0.29, 0.6)], [0.12, 0.075, 0.08])
    coat(neck, head)
    if rng.random() < 0.6:
        p.fill(
            limb([(0.15, 0.44), (0.28, 0.42), (0.38, 0.46)], [0.018, 0.018, 0.018]),
            rgb("#f3ead8"),
            form="flat",
            atop=True,
        )
    body = smooth(
        [
            (-0.5, 0.4),
            (-0.4, 0.27),
            (-0.25, 0.14),
            (-0.02, 0.06),
            (0.2, 0.08),
            (0.34, 0.2),
            (0.36, 0.33),
            (0.24, 0.42),
            (0.02, 0.4),
            (-0.2, 0.39),
            (-0.38, 0.44),
        ]
    )
    coat(body, plume, foot=lighter(plume, 0.35), lift=0.015)
    wing = smooth(
        [
            (0.2, 0.32),
            (0.08, 0.39),
            (-0.15, 0.39),
            (-0.4, 0.4),
            (-0.3, 0.28),
            (-0.1, 0.18),
            (0.1, 0.19),
        ]
    )
    coat(wing, mix(plume, second, 0.6), lift=0.018)
    for k in range(3):
        p.stroke(
            [(-0.36 + 0.05 * k, 0.37 - 0.055 * k), (-0.1, 0.3 - 0.045 * k), (0.1, 0.27 - 0.03 * k)],
            0.008,
            darker(second, 0.4),
            atop=True,
            curved=True,
            opacity=0.6,
        )
    coat(ellipse(0.3, 0.66, 0.125, 0.12), head, lift=0.012)
    p.fill(
        smooth(
            [
                (0.39, 0.68),
                (0.46, 0.66),
                (0.56, 0.645),
                (0.6, 0.625),
                (0.57, 0.6),
                (0.47, 0.595),
                (0.39, 0.6),
            ]
        ),
        orange,
        gloss=0.4,
        lift=0.008,
    )
    p.stroke([(0.41, 0.625), (0.5, 0.62), (0.58, 0.62)], 0.008, darker(orange, 0.45), curved=True)
    p.fill(ellipse(0.345, 0.7, 0.026), rgb("#fff8ea"), form="flat")
    p.fill(ellipse(0.35, 0.7, 0.019), rgb(INK), form="flat")
    p.fill(ellipse(0.344, 0.708, 0.007), rgb("#ffffff"), form="flat", glow=0.8)
