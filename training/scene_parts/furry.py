"""Cat and rabbit: one body and coat for both, sitting or lying; told apart by the ears."""

from functools import partial

from training.scene_parts.painter import Painter
from training.scene_parts.palette import FURS, Colour, darker, lighter, mix, pick, rgb
from training.scene_parts.shapes import ellipse, limb, moved, polygon, smooth

INK = "#2b2326"


def cat(p: Painter) -> None:
    """The tell: pointed ears and whiskers; a long tail."""
    rng = p.rng
    tail = p.rng.random()
    x, y, r, (tx, ty), fur, bib = _quadruped(p)
    line = (
        [(tx, ty), (tx - 0.12, ty + 0.02), (tx - 0.17, ty + 0.14), (tx - 0.1, ty + 0.27)]
        if tail < 0.6
        else [(tx + 0.02, ty), (tx - 0.06, 0.03), (tx + 0.12, 0.028), (tx + 0.28, 0.04)]
    )
    p.fill(
        limb(line, [0.034, 0.034, 0.032, 0.03]),
        darker(fur, 0.06),
        texture="fur",
        strength=0.1,
        lift=0.01,
    )
    for side in (-1, 1):
        ear = smooth(
            [
                (x + side * 0.92 * r, y + 0.3 * r),
                (x + side * 0.95 * r, y + 0.9 * r),
                (x + side * 0.86 * r, y + 1.42 * r),
                (x + side * 0.5 * r, y + 1.15 * r),
                (x + side * 0.15 * r, y + 0.8 * r),
            ]
        )
        p.fill(ear, fur, puff=0.5, texture="fur", strength=0.075)
        p.fill(
            moved(ear - (x + side * 0.6 * r, y + 0.9 * r), x + side * 0.62 * r, y + 0.88 * r, 0.55),
            rgb("#d99a8c"),
            form="flat",
            atop=True,
        )
    _head(p, x, y, r, fur, bib, 1.1)
    _face(p, x, y, r, rgb(("#c7c35a", "#8fb07a", "#d9a441")[rng.integers(3)]), 0.85)


def rabbit(p: Painter) -> None:
    """The tell: long ears; a round scut."""
    x, y, r, (tx, ty), fur, bib = _quadruped(p)
    p.fill(ellipse(tx - 0.02, ty + 0.03, 0.068), lighter(bib, 0.45), texture="fur", strength=0.0754)
    flop = p.rng.uniform(-0.1, 0.3)
    for side in (-1, 1):
        turn = side * 0.17 + (flop if side > 0 else 0.12)
        ear = (
            smooth(
                [
                    (-0.1, 0.0),
                    (-0.24, 0.75),
                    (-0.14, 1.55),
                    (0.0, 1.72),
                    (0.14, 1.55),
                    (0.24, 0.75),
                    (0.1, 0.0),
                ]
            )
            * r
        )
        root = (x + side * 0.42 * r, y + 0.66 * r)
        p.fill(moved(ear, *root, 1, -turn), fur, puff=0.6, texture="fur", strength=0.075, lift=0.01)
        p.fill(
            moved(ear * (0.52, 0.78), root[0], root[1] + 0.15 * r, 1, -turn),
            rgb("#d99a8c"),
            form="flat",
            atop=True,
        )
    _head(p, x, y, r, fur, bib, 1.0)
    _face(p, x, y, r, rgb("#4a3630"), 0.55)


def _quadruped(p: Painter) -> tuple[float, float, float, tuple[float, float], Colour, Colour]:
    """Body without head and tail: head x, y, radius, root of the tail, fur and bib colours."""
    rng = p.rng
    fur, second = pick(rng, FURS), pick(rng, FURS)
    bib = lighter(fur, rng.uniform(0.35, 0.7)) if rng.random() < 0.7 else fur
    kind = int(rng.choice([0, 1, 2], p=[0.45, 0.3, 0.25]))
    coat = partial(p.fill, texture="fur", strength=0.075)
    if rng.random() < 0.55:
        body = smooth(
            [
                (-0.23, 0.0),
                (-0.31, 0.13),
                (-0.27, 0.31),
                (-0.14, 0.47),
                (0.02, 0.56),
                (0.14, 0.5),
                (0.19, 0.36),
                (0.17, 0.16),
                (0.18, 0.01),
                (0.0, -0.01),
            ]
        )
        coat(
            limb([(0.08, 0.25), (0.07, 0.1), (0.08, 0.03)], [0.06, 0.045, 0.045]), darker(fur, 0.2)
        )
        coat(body, fur)
        _coat(p, fur, second, kind, [(-0.26, 0.3), (-0.2, 0.39), (-0.11, 0.47), (-0.02, 0.53)])
        coat(ellipse(0.13, 0.36, 0.085, 0.14, 0.15), bib, form="flat", atop=True, opacity=0.8)
        coat(ellipse(-0.12, 0.15, 0.15, 0.155, -0.3), fur, lift=0.012)
        coat(ellipse(-0.03, 0.028, 0.115, 0.036), mix(fur, bib, 0.4), lift=0.008)
        coat(limb([(0.12, 0.32), (0.14, 0.15), (0.14, 0.04)], [0.07, 0.05, 0.05]), fur, lift=0.008)
        coat(ellipse(0.165, 0.03, 0.07, 0.036), mix(fur, bib, 0.6))
        return 0.11, 0.63, 0.155, (-0.25, 0.06), fur, bib
    body = smooth(
        [
            (-0.4, 0.0),
            (-0.47, 0.14),
            (-0.4, 0.31),
            (-0.2, 0.41),
            (0.05, 0.38),
            (0.24, 0.3),
            (0.31, 0.14),
            (0.26, 0.0),
            (-0.1, -0.01),
        ]
    )
    coat(body, fur)
    _coat(p, fur, second, kind, [(-0.36, 0.34), (-0.24, 0.4), (-0.12, 0.42), (0.0, 0.41)])
    coat(ellipse(0.22, 0.16, 0.09, 0.13), bib, form="flat", atop=True, opacity=0.7)
    coat(ellipse(-0.28, 0.15, 0.16, 0.145), fur, lift=0.012)
    coat(ellipse(-0.2, 0.027, 0.13, 0.034), mix(fur, bib, 0.4), lift=0.008)
    coat(
        limb([(0.16, 0.13), (0.2, 0.05), (0.3, 0.03)], [0.06, 0.045, 0.036]),
        mix(fur, bib, 0.3),
        lift=0.008,
    )
    return 0.28, 0.4, 0.145, (-0.44, 0.12), fur, bib


def _coat(
    p: Painter, fur: Colour, second: Colour, kind: int, spine: list[tuple[float, float]]
) -> None:
    """Plain, tabby or patched, painted on whatever body is there."""
    rng = p.rng
    if kind == 1:
        for x, y in spine:
            tip = (x + rng.uniform(0.0, 0.05), y - rng.uniform(0.12, 0.2))
            p.fill(
                limb(
                    [(x - 0.02, y + 0.02), ((x + tip[0]) / 2 + 0.02, (y + tip[1]) / 2), tip],
                    [0.02, 0.016, 0.004],
                ),
                darker(fur, 0.35),
                form="flat",
                atop=True,
                opacity=0.6,
            )
    elif kind == 2:
        for _ in range(int(rng.integers(2, 5))):
            x, y = spine[int(rng.integers(len(spine)))]
            blob = ellipse(
                x,
                y - rng.uniform(0, 0.15),
                rng.uniform(0.06, 0.13),
                rng.uniform(0.05, 0.1),
                rng.uniform(0, 3),
            )
            p.fill(
                blob, second, form="flat", atop=True, opacity=0.85, texture="fur", strength=0.0752
            )


def _head(p: Painter, x: float, y: float, r: float, fur: Colour, bib: Colour, wide: float) -> None:
    p.fill(
        smooth(
            [
                (x - wide * r, y - 0.1 * r),
                (x - 0.75 * r, y + 0.62 * r),
                (x, y + 0.92 * r),
                (x + 0.75 * r, y + 0.62 * r),
                (x + wide * r, y - 0.1 * r),
                (x + 0.62 * r, y - 0.72 * r),
                (x, y - 0.86 * r),
                (x - 0.62 * r, y - 0.72 * r),
            ]
        ),
        fur,
        texture="fur",
        strength=0.1,
        lift=0.02,
    )
    p.fill(
        ellipse(x + 0.05 * r, y - 0.42 * r, 0.46 * r, 0.34 * r),
        lighter(bib, 0.25),
        form="round",
        puff=0.8,
        opacity=0.9,
    )


def _face(p: Painter, x: float, y: float, r: float, eye: Colour, whiskers: float) -> None:
    ink = rgb(INK)
    for side in (-0.42, 0.5):
        p.fill(ellipse(x + side * r, y + 0.1 * r, 0.17 * r, 0.2 * r), eye, form="flat", glow=0.2)
        p.fill(ellipse(x + side * r + 0.02 * r, y + 0.1 * r, 0.1 * r, 0.17 * r), ink, form="flat")
        p.fill(
            ellipse(x + side * r - 0.04 * r, y + 0.18 * r, 0.05 * r),
            rgb("#ffffff"),
            form="flat",
            glow=0.7,
        )
    p.fill(
        polygon(
            [(x - 0.05 * r, y - 0.2 * r), (x + 0.15 * r, y - 0.2 * r), (x + 0.05 * r, y - 0.34 * r)]
        ),
        rgb("#c9736c"),
        form="flat",
    )
    for side in (-1, 1):
        p.stroke(
            [
                (x + 0.05 * r, y - 0.34 * r),
                (x + (0.05 + 0.14 * side) * r, y - 0.47 * r),
                (x + (0.05 + 0.28 * side) * r, y - 0.42 * r),
            ],
            0.06 * r,
            ink,
            curved=True,
            opacity=0.8,
        )
        for k in (-1, 0, 1):
            p.stroke(
                [
                    (x + (0.05 + 0.35 * side) * r, y - (0.34 + 0.06 * k) * r),
                    (x + (0.05 + (0.35 + whiskers) * side) * r, y - (0.34 + 0.17 * k) * r),
                ],
                0.02 * r,
                rgb("#fbf4e6"),
                opacity=0.75,
            )
