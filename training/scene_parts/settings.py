"""What kind of place a scene is: season, ground, horizon, water, and what stands far away."""

from dataclasses import dataclass

import numpy as np

from training.scene_parts.palette import Colour, pick


@dataclass(frozen=True)
class Setting:
    """A place; heights are shares of the picture's side from the top.

    water: (first, last) row of the water, None where there is none; `shore` is True where land
    lies before it. far: what closes the view.
    """

    name: str
    season: str
    ground: str
    horizon: float
    water: tuple[float, float] | None
    far: tuple[str, ...]
    foliage: tuple[Colour, Colour]
    soil: Colour

    def is_water(self, y: float) -> bool:
        """Whether something with its foot at height y stands in water."""
        return self.water is not None and self.water[0] + 0.03 < y < self.water[1] - 0.015


FOLIAGE = {
    "spring": (("#9ab862", "#86ab5c", "#a8bf70"), ("#7fa55c", "#d9a3a0", "#94b56a")),
    "summer": (("#7f9f50", "#6f9a52", "#8fa35a"), ("#5d8a4c", "#6f9048", "#4f7d55")),
    "autumn": (("#a89a52", "#b09a55", "#98934f"), ("#c9852f", "#b35f2f", "#c9a23f", "#9a4f35")),
    "winter": (("#e3eaee", "#dfe6ee", "#ebeeee"), ("#4c6b60", "#5b7a68", "#577079")),
    "dry": (("#b3a566", "#a89a5e", "#bcae74"), ("#8a9457", "#7d8a58", "#97935a")),
}
SOILS = {
    "grass": ("#84a255",),
    "leaves": ("#a8854a", "#9c7d4a"),
    "snow": ("#e6ecf0", "#e2e8ef"),
    "sand": ("#dcc393", "#d9b98a", "#e2cda3"),
    "cobble": ("#a39b92", "#8f8e90", "#b0a08c"),
    "plank": ("#a58562", "#8f7a63", "#b09470"),
    "water": ("#5f93a0", "#4f8a92", "#6b98a6"),
}
LAND_SETTINGS = ("meadow", "autumn", "snow", "dunes", "street", "lake", "coast")


def draw_setting(rng: np.random.Generator, name: str) -> Setting:
    """A place of the named kind; raises KeyError for a kind that does not exist."""
    makers = {
        "meadow": _meadow,
        "autumn": _autumn,
        "snow": _snow,
        "dunes": _dunes,
        "street": _street,
        "lake": _lake,
        "coast": _coast,
        "water": _water,
    }
    season, ground, horizon, water, far = makers[name](rng)
    grass, leaves = FOLIAGE[season]
    field = pick(rng, grass)
    soil = field if ground == "grass" else pick(rng, SOILS[ground], 0.03)
    return Setting(name, season, ground, horizon, water, far, (field, pick(rng, leaves)), soil)


_Parts = tuple[str, str, float, tuple[float, float] | None, tuple[str, ...]]


def _one(rng: np.random.Generator, *choices: str) -> str:
    return choices[int(rng.integers(len(choices)))]


def _meadow(rng: np.random.Generator) -> _Parts:
    far = (
        _one(rng, "mountains", "hills", "hills", "forest"),
        _one(rng, "hills", "fields", "fields"),
    )
    return (
        _one(rng, "spring", "summer", "summer", "dry"),
        "grass",
        rng.uniform(0.42, 0.64),
        None,
        far,
    )


def _autumn(rng: np.random.Generator) -> _Parts:
    far = (_one(rng, "mountains", "hills"), "forest", "forest")
    return "autumn", _one(rng, "leaves", "grass"), rng.uniform(0.45, 0.64), None, far


def _snow(rng: np.random.Generator) -> _Parts:
    far = (_one(rng, "mountains", "hills"), _one(rng, "forest", "hills"))
    return "winter", "snow", rng.uniform(0.42, 0.62), None, far


def _dunes(rng: np.random.Generator) -> _Parts:
    return "dry", "sand", rng.uniform(0.42, 0.62), None, (_one(rng, "mesas", "mountains"), "dunes")


def _street(rng: np.random.Generator) -> _Parts:
    season = _one(rng, "spring", "summer", "autumn")
    ground = _one(rng, "cobble", "cobble", "plank")
    return season, ground, rng.uniform(0.6, 0.7), None, ("houses",)


def _lake(rng: np.random.Generator) -> _Parts:
    season = _one(rng, "spring", "summer", "autumn", "winter")
    horizon = rng.uniform(0.38, 0.55)
    ground = "snow" if season == "winter" else _one(rng, "grass", "sand", "plank")
    shore = horizon + rng.uniform(0.12, 0.26)
    return season, ground, horizon, (horizon, shore), (_one(rng, "mountains", "hills"), "forest")


def _coast(rng: np.random.Generator) -> _Parts:
    season = _one(rng, "summer", "dry", "spring")
    horizon = rng.uniform(0.4, 0.58)
    shore = horizon + rng.uniform(0.1, 0.26)
    ground = _one(rng, "sand", "sand", "grass", "cobble")
    return season, ground, horizon, (horizon, shore), (_one(rng, "sea", "sea", "headland"),)


def _water(rng: np.random.Generator) -> _Parts:
    season = _one(rng, "spring", "summer", "autumn", "summer")
    far = (
        (_one(rng, "mountains", "hills"), "forest")
        if rng.random() < 0.6
        else (_one(rng, "sea", "headland"),)
    )
    horizon = rng.uniform(0.36, 0.58)
    return season, "water", horizon, (horizon, 1.2), far
