"""Sky and far land, painted at the picture's own size."""

import cv2
import numpy as np

from training.scene_parts import noise
from training.scene_parts.light import Light
from training.scene_parts.noise import Field
from training.scene_parts.painter import Frame, Painter
from training.scene_parts.palette import (
    PAINTS,
    darker,
    lighter,
    mix,
    pick,
    rgb,
)
from training.scene_parts.settings import Setting
from training.scene_parts.shapes import box, ellipse, polygon


def paint_sky(side: int, setting: Setting, light: Light, rng: np.random.Generator) -> Field:
    """Gradient, sun or moon, stars and clouds, float32 (side, side, 3)."""
    y = (np.arange(side, dtype=np.float32) + 0.5) / side / setting.horizon
    top, middle, low = light.gradient
    stops = np.array([0, 0.62, 1.0])
    column = np.stack(
        [np.interp(y, stops, [top[c], middle[c], low[c]]) for c in range(3)], 1
    ).astype(np.float32)
    sky = np.repeat(column[:, None], side, 1)
    x = (np.arange(side, dtype=np.float32) + 0.5) / side
    yy, xx = y[:, None] * setting.horizon, x[None]
    sun_x = 0.5 + 0.42 * float(np.sign(light.direction[0]))
    sun_y = setting.horizon * rng.uniform(0.25, 0.8)
    distance = np.sqrt((xx - sun_x) ** 2 + (yy - sun_y) ** 2)
    warmth = {"golden": 0.5, "dusk": 0.4, "morning": 0.35, "night": 0.3}.get(light.name, 0.15)
    glow = np.exp(-distance / 0.28) * warmth
    sky += glow[..., None] * (light.key * 0.9 + 0.1 - sky * 0.4)
    if light.name == "night":
        stars = rng.random((side, side), dtype=np.float32) > 0.9985
        sky += (stars * rng.random((side, side), dtype=np.float32) * (yy < setting.horizon))[
            ..., None
        ] * np.float32(0.8)
    if light.name in ("night", "dusk", "golden") and rng.random() < 0.6:
        disc = np.clip((0.035 - distance) * side / 1.5 + 0.5, 0, 1)[..., None]
        sky += disc * (lighter(light.key, 0.6) * 1.05 - sky)
    _clouds(sky, setting, light, rng)
    return sky


def _clouds(sky: Field, setting: Setting, light: Light, rng: np.random.Generator) -> None:
    side = sky.shape[0]
    rows = int(setting.horizon * side) + 2
    offset = (int(rng.integers(side)), int(rng.integers(side)))
    veil = noise.cut("cloud", side, (0, 0, side, rows), offset)
    above = noise.cut("cloud", side, (0, 0, side, rows), (offset[0] + 3, offset[1] - 4))
    amount = rng.uniform(-0.4, 1.3) if light.name != "overcast" else rng.uniform(-0.9, 0.2)
    cover = np.clip((veil - amount) * 0.75, 0, 1)
    cover *= np.clip(np.linspace(1.3, 0.15, rows, dtype=np.float32), 0, 1)[:, None]
    relief = np.clip(0.72 + (veil - above) * 0.5, 0.45, 1.1)[..., None]
    white = np.minimum(light.key * 0.55 + light.sky * 0.45 + light.gradient[2] * 0.35, 1.05)
    shade = mix(light.gradient[1], light.gradient[2], 0.4) * np.float32(0.92)
    tone = shade + (white - shade) * relief
    sky[:rows] += cover[..., None] * np.float32(0.85) * (tone - sky[:rows])
    if light.name in ("night", "overcast") or rng.random() < 0.45:
        return
    for _ in range(int(rng.integers(1, 4))):
        x, y = rng.uniform(0, side), setting.horizon * side * rng.uniform(0.2, 0.8)
        p = Painter(side, Frame(x, y, side * rng.uniform(0.14, 0.34)), light, rng)
        body = mix(rgb("#ffffff"), light.gradient[2], 0.25) * np.float32(1.2)
        for _ in range(int(rng.integers(5, 9))):
            u = rng.uniform(-0.45, 0.45)
            r = rng.uniform(0.1, 0.2) * (1.15 - abs(u) * 1.3)
            p.fill(ellipse(u, r * 0.75, r, r * 0.85), body, puff=1.2)
        p.fill(box(-0.5, 0.0, 0.5, 0.08, 0.04), body, puff=1.2)
        if p.box is None:
            continue
        window = slice(p.box[1], p.box[3])
        colour = cv2.GaussianBlur(p.colour[window], (0, 0), side / 130)
        alpha = cv2.GaussianBlur(p.alpha[window], (0, 0), side / 130)[..., None]
        fade = np.linspace(1.0, 0.35, colour.shape[0], dtype=np.float32)[:, None, None]
        haze = mix(light.gradient[1], light.gradient[2], 0.7)
        sky[window] += fade * (
            colour + np.float32(0.3) * (haze * alpha - colour) - sky[window] * alpha
        )


def paint_far(picture: Field, setting: Setting, light: Light, rng: np.random.Generator) -> None:
    """Mountains, hills, woods, a sea line or a row of houses, back to front, in place."""
    count = len(setting.far)
    for k, kind in enumerate(setting.far):
        near = (k + 1) / count
        if kind == "houses":
            _houses(picture, setting, light, rng)
        elif kind != "sea":
            _range(picture, setting, light, rng, kind, near)


def _range(
    picture: Field, setting: Setting, light: Light, rng: np.random.Generator, kind: str, near: float
) -> None:
    side = picture.shape[0]
    field, leaves = setting.foliage
    haze = float(np.clip(light.thickness * (1.25 - 0.75 * near), 0.05, 0.9))
    height = rng.uniform(0.05, 0.12) * (1.5 - 0.6 * near)
    base = setting.horizon + 0.012
    rows = np.arange(side, dtype=np.float32)[:, None] + 0.5
    grain = noise.cut("mottle", side, (0, 0, side, side), (int(rng.integers(side)), 0))
    if kind == "mountains":
        crest = (
            base - 0.03 - noise.ridge(rng, side, int(rng.integers(2, 4))) * rng.uniform(0.18, 0.34)
        ) * side
        local = rgb("#7d8795")
    elif kind == "mesas":
        steps = np.tanh(3 * noise.wave(rng, side, 3)) * 0.5 + 0.5
        crest = (base - 0.01 - steps * rng.uniform(0.08, 0.16)) * side
        local = rgb("#b5774f")
    elif kind == "headland":
        slope = np.clip(
            np.linspace(1.1, -1.2, side, dtype=np.float32)
            if rng.random() < 0.5
            else np.linspace(-1.2, 1.1, side, dtype=np.float32),
            0,
            1,
        )
        crest = (
            base - slope**0.7 * rng.uniform(0.08, 0.18) - 0.006 * noise.wave(rng, side, 5)
        ) * side
        crest = np.where(slope > 0, crest, side * 2.0)
        local = mix(field, rgb("#8f8b7a"), 0.35)
    else:
        crest = (base - height * (0.55 + 0.45 * noise.wave(rng, side, 3))) * side
        local = (
            mix(field, leaves, 0.25) if kind != "dunes" else mix(setting.soil, rgb("#c99a66"), 0.3)
        )
    if kind == "forest":
        local = leaves
        spikes = setting.season == "winter" or rng.random() < 0.35
        teeth = rng.uniform(9, 15)
        phase = np.linspace(0, side / teeth * 2.2, side, dtype=np.float32) + 0.6 * noise.wave(
            rng, side, 4
        )
        bump = np.abs(((phase * 1.7) % 1) * 2 - 1) * 1.5 if spikes else np.abs(np.sin(phase * 2.6))
        crest = crest - bump * side * 0.024 * (0.7 + 0.5 * noise.wave(rng, side, 5)) - side * 0.015
    cover = np.clip(rows - crest[None], 0, 1)
    depth = np.clip((rows - crest[None]) / side, 0, 1)
    crest = crest.astype(np.float32)
    slope = np.gradient(crest)
    slope = np.clip(cv2.GaussianBlur(slope[None].astype(np.float32), (0, 0), 2), -1.2, 1.2)
    tone = np.broadcast_to(local, picture.shape).copy()
    if kind == "mountains":
        facet = noise.cut("ridge", side, (0, 0, side, side), (int(rng.integers(side)), 0))
        slope = slope * np.exp(-depth * 22) + cv2.Sobel(facet, cv2.CV_32F, 1, 0, scale=0.6)
        slope = np.clip(slope, -1.2, 1.2)
    facing = light.on(
        slope * np.float32(0.55), np.full_like(slope, -0.62), np.full_like(slope, 0.62)
    )
    if kind == "mountains":
        tone *= (1 + 0.16 * np.clip(facet * 1.4, -1.3, 1.0))[..., None]
        if setting.season in ("winter", "spring") or rng.random() < 0.5:
            line = 0.06 + 0.05 * facet + 0.02 * grain
            snow = np.clip((line - depth) * 40, 0, 1)[..., None]
            tone += snow * (rgb("#eef2f4") * (0.92 + 0.08 * facet[..., None]) - tone)
    elif kind == "fields":
        stripe = np.sin(
            (
                depth * 60
                + slope * 2
                + np.linspace(0, rng.uniform(-20, 20), side, dtype=np.float32)[None]
            )
            * 1.5
        )
        patch = noise.cut("soft", side, (0, 0, side, side), (int(rng.integers(side)), 5))
        other = mix(field, rgb("#d8bd62"), 0.55)
        tone += (np.clip(patch * 2, 0, 1) * 0.8)[..., None] * (other - tone)
        tone *= (1 + 0.05 * stripe + 0.04 * grain)[..., None]
    elif kind == "forest":
        spots = noise.cut("mottle", side, (0, 0, side, side), (7, int(rng.integers(side))))
        tone *= (1 + 0.2 * np.clip(spots, -1.5, 1.5) - np.clip(depth * 3, 0, 0.3))[..., None]
    else:
        tone *= (1 + 0.07 * grain - np.clip(depth * 1.5, 0, 0.2))[..., None]
    tone *= facing
    tone += np.float32(haze) * (light.haze * np.float32(0.97) - tone)
    mist = np.clip((rows / side - base + 0.08) * 7, 0, 1)[..., None] * np.float32(haze * 0.6)
    tone += mist * (light.haze - tone)
    picture += cover[..., None] * (tone - picture)


def _houses(picture: Field, setting: Setting, light: Light, rng: np.random.Generator) -> None:
    """A row of facades: plaster walls, shutters, tiled roofs, chimneys."""
    side = picture.shape[0]
    p = Painter(side, Frame(0, (setting.horizon + 0.015) * side, side), light, rng)
    x = -rng.uniform(0.05, 0.2)
    while x < 1:
        width, height = rng.uniform(0.2, 0.36), rng.uniform(0.22, 0.46)
        wall = lighter(pick(rng, PAINTS), rng.uniform(0.35, 0.7))
        roof = mix(pick(rng, ("#a8583f", "#8b5c4a", "#6b6f7c", "#b5704a")), wall, 0.1)
        if rng.random() < 0.8:
            cx = x + width * rng.uniform(0.2, 0.75)
            p.fill(
                box(cx, height, cx + 0.035, height + rng.uniform(0.13, 0.17)),
                darker(roof, 0.2),
                form="flat",
                texture="brick",
            )
        if rng.random() < 0.5:
            p.fill(
                polygon(
                    [
                        (x - 0.01, height),
                        (x + width + 0.01, height),
                        (x + width * 0.5, height + rng.uniform(0.1, 0.17)),
                    ]
                ),
                roof,
                form="flat",
                texture="shingle",
                strength=0.14,
            )
        else:
            p.fill(
                polygon(
                    [
                        (x - 0.01, height),
                        (x + width + 0.01, height),
                        (x + width - 0.03, height + 0.1),
                        (x + 0.03, height + 0.1),
                    ]
                ),
                roof,
                form="flat",
                texture="shingle",
                strength=0.14,
            )
        p.fill(
            box(x, 0, x + width, height),
            wall,
            foot=darker(wall, 0.12),
            form="flat",
            texture="brick" if rng.random() < 0.4 else "mottle",
            strength=0.05,
        )
        p.fill(box(x, 0, x + width, 0.03), darker(wall, 0.3), form="flat")
        shutter = pick(rng, PAINTS)
        columns, floors = max(1, round(width / 0.11)), max(1, round(height / 0.15))
        for i in range(columns):
            for j in range(floors):
                wx, wy = (
                    x + width * (i + 0.5) / columns,
                    0.06 + (height - 0.06) * (j + 0.35) / floors,
                )
                if j == 0 and i == columns // 2:
                    p.fill(
                        box(wx - 0.026, 0, wx + 0.026, 0.11, 0.01),
                        darker(shutter, 0.2),
                        form="flat",
                    )
                    continue
                for s in (-1, 1):
                    p.fill(
                        box(wx + s * 0.03 - 0.01, wy - 0.035, wx + s * 0.03 + 0.01, wy + 0.035),
                        shutter,
                        form="flat",
                    )
                p.fill(
                    box(wx - 0.021, wy - 0.036, wx + 0.021, wy + 0.036),
                    lighter(wall, 0.6),
                    form="flat",
                )
                p.glass(box(wx - 0.017, wy - 0.031, wx + 0.017, wy + 0.031))
        x += width
    haze = np.float32(light.thickness * 0.4)
    over = p.colour + haze * (light.haze * p.alpha[..., None] - p.colour)
    picture *= 1 - p.alpha[..., None]
    picture += over
