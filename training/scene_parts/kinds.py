"""The ten classes: who paints each, how far it reaches, where its tell is, where it is at home."""

from collections.abc import Callable
from dataclasses import dataclass

from training.scene_parts import birds, furry, shelled, towers, vehicles
from training.scene_parts.painter import Painter

Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True)
class Kind:
    """A class. Rectangles are (left, bottom, right, top) in unit coordinates, y up, unmirrored.

    tell: where the part is that names the class. homes: settings it is painted in with that
    probability when it is the scene's main object; else any land. floats: how much it wants to be
    in water; sink: how much of it is then under water, in units.
    """

    name: str
    draw: Callable[[Painter], None]
    extent: Rectangle
    tell: Rectangle
    homes: tuple[tuple[str, float], ...] = ()
    floats: float = 0.0
    sink: float = 0.0

    @property
    def length(self) -> float:
        """The longer side of its extent, in units."""
        return max(self.extent[2] - self.extent[0], self.extent[3])


KINDS = (
    Kind(
        "train",
        vehicles.train,
        extent=(-0.38, 0, 0.58, 0.46),
        tell=(0.3, 0, 0.58, 0.46),
    ),
    Kind(
        "tram",
        vehicles.tram,
        extent=(-0.44, 0, 0.44, 0.6),
        tell=(-0.22, 0.42, 0.22, 0.6),
        homes=(("street", 0.55),),
    ),
    Kind(
        "boat",
        vehicles.boat,
        extent=(-0.48, 0, 0.5, 0.67),
        tell=(-0.24, 0.34, 0.26, 0.67),
        homes=(("water", 0.86),),
        floats=1.0,
        sink=0.025,
    ),
    Kind(
        "lighthouse",
        towers.lighthouse,
        extent=(-0.22, 0, 0.22, 1.0),
        tell=(-0.16, 0.66, 0.16, 1.0),
        homes=(("coast", 0.55), ("water", 0.2)),
    ),
    Kind(
        "windmill",
        towers.windmill,
        extent=(-0.34, 0, 0.38, 1.04),
        tell=(-0.3, 0.42, 0.36, 1.04),
        homes=(("meadow", 0.4),),
    ),
    Kind(
        "cat",
        furry.cat,
        extent=(-0.5, 0, 0.44, 0.84),
        tell=(-0.04, 0.3, 0.43, 0.84),
    ),
    Kind(
        "rabbit",
        furry.rabbit,
        extent=(-0.48, 0, 0.44, 0.98),
        tell=(-0.04, 0.3, 0.43, 0.98),
    ),
    Kind(
        "duck",
        birds.duck,
        extent=(-0.5, 0, 0.6, 0.78),
        tell=(0.16, 0.5, 0.6, 0.78),
        homes=(("water", 0.55),),
        floats=0.9,
        sink=0.125,
    ),
    Kind(
        "snail",
        shelled.snail,
        extent=(-0.56, 0, 0.6, 0.66),
        tell=(0.34, 0.2, 0.6, 0.66),
    ),
    Kind(
        "tortoise",
        shelled.tortoise,
        extent=(-0.47, 0, 0.6, 0.6),
        tell=(0.34, 0.14, 0.6, 0.48),
    ),
)
