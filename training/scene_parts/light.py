"""Time of day: where the light comes from, its colours, the sky's and what the haze does."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.scene_parts.noise import Field
from training.scene_parts.palette import Colour, mix, rgb


@dataclass(frozen=True)
class Light:
    """One scene's light; colours are RGB around 0..1, directions are of the picture (y down)."""

    name: str
    direction: NDArray[np.float32]
    key: Colour
    sky: Colour
    bounce: Colour
    haze: Colour
    gradient: tuple[Colour, Colour, Colour]
    shadow: float
    lean: tuple[float, float]
    thickness: float
    lamps: bool

    def on(self, normal_x: Field, normal_y: Field, normal_z: Field) -> Field:
        """Light that a surface with these unit normals receives, (..., 3)."""
        x, y, z = self.direction
        facing = np.maximum(normal_x * x + normal_y * y + normal_z * z, 0)
        lit = facing[..., None] * self.key
        lit += normal_y[..., None] * ((self.bounce - self.sky) * np.float32(0.5))
        lit += (self.bounce + self.sky) * np.float32(0.5)
        return lit


@dataclass(frozen=True)
class Hour:
    """The recipe of one time of day."""

    weight: float
    top: str
    middle: str
    low: str
    key: str
    key_strength: float
    ambient: str
    ambient_strength: float
    elevation: tuple[float, float]
    shadow: float
    haze: tuple[float, float]


HOURS: dict[str, Hour] = {
    "morning": Hour(
        1.3,
        "#6fa3c8",
        "#bcd6dc",
        "#f6e6c8",
        "#ffe2b4",
        0.82,
        "#93a9c6",
        0.62,
        (0.35, 0.6),
        0.45,
        (0.25, 0.6),
    ),
    "noon": Hour(
        1.5,
        "#4c8fc4",
        "#92c3de",
        "#dcebe6",
        "#fff4da",
        0.86,
        "#a3b8cc",
        0.62,
        (0.7, 1.05),
        0.5,
        (0.1, 0.35),
    ),
    "golden": Hour(
        1.3,
        "#84a4bd",
        "#e6cfa8",
        "#fbdfa8",
        "#ffcd90",
        0.94,
        "#9a9cb8",
        0.57,
        (0.22, 0.42),
        0.48,
        (0.25, 0.6),
    ),
    "dusk": Hour(
        0.7,
        "#5f6b96",
        "#c9a3a4",
        "#f6c9a2",
        "#ffc8a6",
        0.74,
        "#9298b2",
        0.6,
        (0.18, 0.35),
        0.4,
        (0.25, 0.6),
    ),
    "overcast": Hour(
        0.8,
        "#a9b6bf",
        "#cbd3d4",
        "#e4e5dc",
        "#f4f0e4",
        0.42,
        "#b4bfc8",
        0.86,
        (0.9, 1.2),
        0.26,
        (0.35, 0.8),
    ),
    "night": Hour(
        0.35,
        "#141d3d",
        "#2c4468",
        "#5b7c93",
        "#a9c4f0",
        0.6,
        "#5a6da0",
        0.5,
        (0.5, 0.9),
        0.45,
        (0.15, 0.4),
    ),
}


def draw_light(rng: np.random.Generator) -> Light:
    """A time of day and a sun (or moon) position."""
    names = list(HOURS)
    weights = np.array([HOURS[name].weight for name in names])
    name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    hour = HOURS[name]
    side = rng.choice([-1.0, 1.0]) * rng.uniform(0.45, 1.0)
    elevation = rng.uniform(*hour.elevation)
    front = rng.uniform(0.35, 0.75)
    direction = np.array([side, -np.tan(elevation) * 0.9, front], np.float32)
    direction /= np.linalg.norm(direction)
    ambient = rgb(hour.ambient) * hour.ambient_strength
    length = np.clip(0.55 / np.tan(elevation), 0.25, 1.3)
    return Light(
        name=name,
        direction=direction,
        key=rgb(hour.key) * hour.key_strength,
        sky=mix(ambient, rgb(hour.top) * hour.ambient_strength, 0.35),
        bounce=ambient * np.array([0.62, 0.56, 0.5], np.float32),
        haze=mix(rgb(hour.low), rgb(hour.middle), 0.4),
        gradient=(rgb(hour.top), rgb(hour.middle), rgb(hour.low)),
        shadow=hour.shadow,
        lean=(float(-np.sign(side) * length), float(rng.uniform(0.26, 0.5))),
        thickness=float(rng.uniform(*hour.haze)),
        lamps=name in ("night", "dusk"),
    )
