"""What a camera and a colourist do at the end: bloom, grade, vignette, softness, grain."""

import cv2
import numpy as np

from training.scene_parts import noise
from training.scene_parts.light import Light
from training.scene_parts.noise import Field

GRADES = {
    "morning": ((1.02, 1.0, 0.97), (0.01, 0.012, 0.025)),
    "noon": ((1.01, 1.0, 0.98), (0.006, 0.008, 0.016)),
    "golden": ((1.05, 0.99, 0.91), (0.02, 0.01, 0.025)),
    "dusk": ((1.02, 0.97, 1.0), (0.02, 0.012, 0.045)),
    "overcast": ((0.99, 1.0, 1.01), (0.016, 0.018, 0.022)),
    "night": ((0.94, 0.99, 1.08), (0.01, 0.016, 0.04)),
}


def develop(picture: Field, light: Light, rng: np.random.Generator) -> np.ndarray:
    """A linear-ish float picture (side, side, 3) as the finished uint8 image."""
    side = picture.shape[0]
    softness = rng.uniform(0, 0.55) * side / 192
    if softness > 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), softness)
    small = cv2.resize(
        np.maximum(picture - 0.78, 0), (side // 3, side // 3), interpolation=cv2.INTER_AREA
    )
    bloom = cv2.GaussianBlur(small, (0, 0), side / 3 * 0.03)
    picture = picture + cv2.resize(bloom, (side, side)) * np.float32(0.7)
    gain, lift = GRADES[light.name]
    exposure = np.float32(rng.uniform(0.94, 1.07))
    picture = picture * (np.array(gain, np.float32) * exposure) + np.array(lift, np.float32)
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    vignette = (
        1 - np.float32(rng.uniform(0.06, 0.2)) * (axis[:, None] ** 2 + axis[None] ** 2) ** 1.2 / 2
    )
    picture *= vignette[..., None]
    bright = picture > 0.82
    picture = np.where(bright, 0.82 + 0.18 * np.tanh((picture - 0.82) / 0.22), picture)
    picture = picture + 0.06 * (picture - picture.mean(2, keepdims=True))
    offset = (int(rng.integers(512)), int(rng.integers(512)))
    grain = noise.cut("grain", 384, (0, 0, side, side), offset)
    picture += grain[..., None] * np.float32(rng.uniform(0.002, 0.007))
    return np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)
