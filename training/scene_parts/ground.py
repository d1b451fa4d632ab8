"""The near ground in perspective: grass, leaves, snow, sand, cobbles, planks, water."""

import cv2
import numpy as np

from training.scene_parts import noise
from training.scene_parts.light import Light
from training.scene_parts.noise import Field
from training.scene_parts.palette import Colour, darker, lighter, mix, rgb
from training.scene_parts.settings import Setting


def _plane(side: int, horizon: float, start: float, zoom: float) -> tuple[Field, Field, int, Field]:
    """Tile coordinates (512 a period) of the ground's pixels, the first row, and nearness 0..1."""
    first = int(start * side)
    y = (np.arange(first, side, dtype=np.float32) + 0.5) / side
    near = np.clip((y - horizon + 0.03) / (1.03 - horizon), 0.02, 1)
    depth = 1 / near
    x = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    u = x[None] * depth[:, None] * noise.TILE * zoom
    v = np.repeat(depth[:, None], side, 1) * noise.TILE * zoom * 0.9
    return u.astype(np.float32), v.astype(np.float32), first, near


def _sample(kind: str, u: Field, v: Field, offset: float) -> Field:
    period = noise.TILE
    return cv2.remap(
        noise.tile(kind),
        np.mod(u + offset, period - 1),
        np.mod(v + offset * 0.37, period - 1),
        cv2.INTER_LINEAR,
    )


def paint_land(picture: Field, setting: Setting, light: Light, rng: np.random.Generator) -> None:
    """Fill the land part of the picture, float32 (side, side, 3), in place."""
    side = picture.shape[0]
    start = setting.horizon if setting.water is None else setting.water[1]
    if start >= 1:
        return
    u, v, first, near = _plane(side, setting.horizon, max(start - 0.03, 0), 0.55)
    offset = float(rng.uniform(0, 400))
    soft, fine = _sample("soft", u * 0.5, v * 0.5, offset), _sample("mottle", u, v, offset)
    fade = np.clip(near * 1.6, 0.15, 1)[:, None]
    soil = setting.soil
    tone = np.broadcast_to(soil, (*fine.shape, 3)).copy()
    if setting.ground in ("grass", "leaves"):
        warm = mix(soil, rgb("#d9c67a"), 0.4)
        tone += (np.clip(soft * 0.5 + 0.3, 0, 1) * 0.55)[..., None] * (warm - tone)
        tone *= (1 + 0.13 * fine * fade + 0.1 * _sample("fur", u, v * 1.5, offset) * fade)[
            ..., None
        ]
        if setting.ground == "leaves":
            spot = np.clip(_sample("grit", u * 0.7, v * 0.7, offset) - 1.0, 0, 1)[..., None]
            tone += spot * 0.8 * (setting.foliage[1] - tone)
    elif setting.ground == "snow":
        tone *= (1 + 0.035 * soft + 0.02 * fine)[..., None]
        dip = np.clip(-soft * 0.35, 0, 0.5)[..., None]
        tone += dip * (rgb("#b9cbe0") - tone)
    elif setting.ground == "sand":
        ripple = _sample("ripple", u * 0.8, v * 0.8, offset)
        tone *= (
            1 + 0.05 * soft + 0.045 * ripple * fade + 0.05 * _sample("grit", u, v, offset) * fade
        )[..., None]
    elif setting.ground in ("cobble", "plank"):
        pattern = _sample(setting.ground, u * 1.5, v * 1.5, offset)
        tone *= (1 + 0.17 * pattern * fade + 0.05 * soft)[..., None]
    flat = light.on(
        np.zeros(1, np.float32), np.full(1, -0.8, np.float32), np.full(1, 0.6, np.float32)
    )
    tone *= flat
    tone *= np.linspace(1.04, 0.92, tone.shape[0], dtype=np.float32)[:, None, None]
    haze = np.clip((1 - near * 2.2) * light.thickness, 0, 0.8)[:, None, None]
    tone += haze * (light.haze - tone)
    edge = start * side + noise.wave(rng, side, 4) * side * (0.012 if setting.water else 0.006)
    rows = np.arange(first, side, dtype=np.float32)[:, None] + 0.5
    cover = np.clip(rows - edge[None], 0, 1)[..., None]
    if setting.water is not None:
        _shoreline(picture, tone, rows - edge[None], first, setting, light)
    picture[first:] += cover * (tone - picture[first:])


def _shoreline(
    picture: Field, tone: Field, below: Field, first: int, setting: Setting, light: Light
) -> None:
    """Foam on the water's side, wet ground on the land's."""
    side = picture.shape[0]
    wet = np.exp(-np.maximum(below, 0) / (side * 0.016))[..., None]
    tone *= 1 - 0.28 * wet
    foam = np.exp(-((below + side * 0.006) ** 2) / (side * 0.0045) ** 2)[..., None]
    white = np.minimum(light.key * 0.6 + light.sky * 0.6, 1)
    picture[first:] += foam * np.float32(0.6) * (white - picture[first:])


def paint_water(picture: Field, setting: Setting, light: Light, rng: np.random.Generator) -> None:
    """Mirror what stands above the horizon, ripple it, tint it, in place."""
    if setting.water is None:
        return
    side = picture.shape[0]
    top = setting.water[0]
    u, v, first, near = _plane(side, setting.horizon, top, 0.4)
    offset = float(rng.uniform(0, 400))
    ripple = _sample("ripple", u, v * 1.6, offset)
    swell = _sample("soft", u * 0.4, v * 0.8, offset)
    rough = rng.uniform(0.35, 1.0)
    rows = np.arange(first, side, dtype=np.float32)[:, None] + 0.5
    columns = np.repeat(np.arange(side, dtype=np.float32)[None], side - first, 0)
    stretch = rng.uniform(0.75, 1.0)
    source_y = 2 * top * side - rows - (rows - top * side) * (stretch - 1)
    source_y = np.clip(source_y + ripple * rough * side * 0.03 * near[:, None], 0, top * side - 1)
    source_x = np.clip(columns + ripple * rough * side * 0.008, 0, side - 1)
    mirror = cv2.remap(
        picture, source_x.astype(np.float32), source_y.astype(np.float32), cv2.INTER_LINEAR
    )
    deep = mix(rgb("#3f7a86"), mix(rgb("#35618a"), light.gradient[0], 0.4), rng.random())
    flat = light.on(
        np.zeros(1, np.float32), np.full(1, -0.8, np.float32), np.full(1, 0.6, np.float32)
    )
    body = deep * flat * 0.75
    share = (0.3 + 0.4 * near)[:, None, None].astype(np.float32)
    tone = mirror + share * (body - mirror)
    tone *= (1 + 0.08 * ripple * rough + 0.05 * swell)[..., None]
    glint = np.clip(ripple - 1.25, 0, 1)[..., None] * np.float32(0.45 * rough)
    tone += glint * np.minimum(light.key * 0.8 + light.gradient[2] * 0.4, 1.1)
    haze = np.clip((1 - near * 3) * light.thickness, 0, 0.7)[:, None, None]
    tone += haze * (light.haze - tone)
    picture[first:] = tone


def soil_tone(setting: Setting, light: Light) -> tuple[Colour, Colour]:
    """The lit colours of what grows or lies at an object's foot: light and dark."""
    flat = light.on(
        np.zeros(1, np.float32), np.full(1, -0.6, np.float32), np.full(1, 0.75, np.float32)
    )[0]
    return lighter(setting.soil, 0.12) * flat, darker(setting.soil, 0.3) * flat
