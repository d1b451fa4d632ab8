"""Who stands where: sizes, places, contexts and clutter of a scene; planned, nothing painted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.scene_parts import clutter, contexts
from training.scene_parts.kinds import KINDS, Kind, Rectangle
from training.scene_parts.painter import Painter
from training.scene_parts.settings import LAND_SETTINGS, Setting, draw_setting

# How often a train has its rails and a tram its wires, and how often those are there alone.
CONTEXT_SHARE, STRAY_SHARE = 0.86, 0.07


@dataclass(frozen=True)
class Item:
    """One thing to paint: its foot (x, y) and pixels a unit (scale) as shares of the side.

    kind: the class, None for clutter and contexts. extent: as in Kind.
    """

    draw: Callable[[Painter, Setting], None]
    x: float
    y: float
    scale: float
    mirror: bool = False
    lean: float = 0.0
    kind: Kind | None = None
    extent: Rectangle = (-0.4, 0, 0.4, 0.9)
    afloat: bool = False

    @property
    def label(self) -> int:
        """Its id in the label map: 1..10, 0 for what belongs to no class."""
        return 0 if self.kind is None else KINDS.index(self.kind) + 1

    def reach(self, part: Rectangle) -> Rectangle:
        """A unit rectangle in the picture: (left, top, right, bottom), y down."""
        x0, y0, x1, y1 = part
        if self.mirror:
            x0, x1 = -x1, -x0
        return (
            self.x + x0 * self.scale,
            self.y - y1 * self.scale,
            self.x + x1 * self.scale,
            self.y - y0 * self.scale,
        )


@dataclass(frozen=True)
class Layout:
    """A planned scene: what lies on the ground (rails, wires), and what stands, far to near."""

    setting: Setting
    ground: tuple[Item, ...]
    items: tuple[Item, ...]


def main_kind(seed: int, index: int) -> Kind:
    """Every ten images have each class once as the main object, in an order of their own."""
    order = np.random.default_rng([seed, index // len(KINDS), 77]).permutation(len(KINDS))
    return KINDS[int(order[index % len(KINDS)])]


def plan(kind: Kind, rng: np.random.Generator) -> Layout:
    """Plan a scene around an object of a class."""
    setting = draw_setting(rng, _home(kind, rng))
    objects = [_main_object(kind, setting, rng)]
    for _ in range(int(rng.choice(3, p=[0.42, 0.4, 0.18]))):
        other = _other_object(objects, setting, rng)
        if other is not None:
            objects.append(other)
    ground = _contexts(objects, setting, rng)
    extras = [_clutter(objects, setting, rng) for _ in range(int(rng.integers(2, 7)))]
    items = [*objects, *(extra for extra in extras if extra is not None)]
    return Layout(setting, ground, tuple(sorted(items, key=lambda item: item.y)))


def islet(item: Item) -> Item:
    """A rock for something that stands in water and does not float."""
    left, _, right, _ = item.extent
    middle = (left + right) / 2 * (-1 if item.mirror else 1)
    scale = (right - left) * item.scale * 1.5
    return Item(contexts.islet, item.x + middle * item.scale, item.y, scale, item.mirror)


def _home(kind: Kind, rng: np.random.Generator) -> str:
    chance = rng.random()
    for name, share in kind.homes:
        if chance < share:
            return name
        chance -= share
    return LAND_SETTINGS[int(rng.integers(len(LAND_SETTINGS)))]


def _object(
    kind: Kind, y: float, scale: float, afloat: bool, setting: Setting, rng: np.random.Generator
) -> Item:
    """An object of the class somewhere across the picture."""
    mirror = bool(rng.random() < 0.5)
    return Item(
        lambda painter, _setting: kind.draw(painter),
        _across(kind, scale, mirror, rng),
        y,
        scale,
        mirror,
        float(rng.normal(0, 0.02)),
        kind,
        kind.extent,
        afloat,
    )


def _across(kind: Kind, scale: float, mirror: bool, rng: np.random.Generator) -> float:
    """A foot x that keeps the tell in the picture and most of the body, not all of it."""
    left, _, right, _ = kind.tell
    if mirror:
        left, right = -right, -left
    centre = (kind.extent[0] + kind.extent[2]) / 2 * (-1 if mirror else 1) * scale
    low = max(0.04 - left * scale, 0.24 - centre)
    high = min(0.96 - right * scale, 0.76 - centre)
    return (low + high) / 2 if low > high else float(rng.uniform(low, high))


def _main_object(kind: Kind, setting: Setting, rng: np.random.Generator) -> Item:
    top = kind.extent[3]
    size = 0.4 + 0.58 * rng.beta(1.7, 1.4)
    scale = min(size / kind.length, 0.97 / top)
    low = max(0.64, top * scale - 0.02, setting.horizon + 0.1)
    open_water = setting.name == "water"
    if open_water and kind.floats == 0:
        low = min(low, 0.86)
    elif setting.water is not None and not open_water:
        low = max(low, setting.water[1] + 0.06)
    high = max(low, 0.93)
    y = rng.uniform(low, high) if rng.random() < 0.9 else high + 0.05
    return _object(kind, y, scale, open_water and kind.floats > 0, setting, rng)


def _other_object(objects: list[Item], setting: Setting, rng: np.random.Generator) -> Item | None:
    """A smaller object behind or before the main one; None where no place was found."""
    main, water = objects[0], setting.water
    for _ in range(14):
        kind = KINDS[int(rng.integers(len(KINDS)))]
        scale = float(np.clip(main.scale * rng.uniform(0.4, 0.9), 0.28, 0.62)) / kind.length
        if rng.random() < 0.62:
            y = main.y - rng.uniform(0.03, 0.2)
        else:
            y, scale = min(main.y + rng.uniform(0.03, 0.14), 0.99), scale * 0.9
        if kind.floats > 0 and water is not None and rng.random() < 0.8:
            y = rng.uniform(water[0] + 0.05, min(water[1] - 0.02, 0.9))
        wet = setting.is_water(y)
        lowest = setting.horizon + 0.04 if water is None else water[0] + 0.05
        if y < lowest or (water is not None and not wet and y < water[1] + 0.02):
            continue
        dislike = kind.floats * 0.6
        if wet:
            dislike = 0.0 if kind.floats > 0 else 0.6 if kind.name == "lighthouse" else 0.75
        if rng.random() < dislike:
            continue
        item = _object(kind, y, scale, wet and kind.floats > 0, setting, rng)
        if item.reach(kind.extent)[1] > -0.02 and _fits(item, objects):
            return item
    return None


def _overlap(part: Rectangle, cover: Rectangle) -> float:
    """The share of `part` under `cover`, both in the picture."""
    width = min(part[2], cover[2]) - max(part[0], cover[0])
    height = min(part[3], cover[3]) - max(part[1], cover[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / ((part[2] - part[0]) * (part[3] - part[1]))


def _fits(new: Item, objects: list[Item]) -> bool:
    """Whether every tell stays to be seen and nothing is mostly hidden."""
    for item in objects:
        near, far = (new, item) if new.y > item.y else (item, new)
        if _hides(near, far, tell=0.12, body=0.0 if abs(new.y - item.y) < 0.02 else 0.5):
            return False
    return True


def _hides(near: Item, far: Item, *, tell: float, body: float) -> bool:
    """Whether more than these shares of the far object's tell or body are behind the near one."""
    assert far.kind is not None
    cover = near.reach(near.extent)
    return (
        _overlap(far.reach(far.kind.tell), cover) > tell
        or _overlap(far.reach(far.extent), cover) > body
    )


def _contexts(objects: list[Item], setting: Setting, rng: np.random.Generator) -> tuple[Item, ...]:
    """Rails under most trains, wires over most trams, each now and then without them."""
    ground: list[Item] = []
    start = setting.horizon if setting.water is None else setting.water[1]
    for name, draw, height in (("train", contexts.rails, 1.0), ("tram", contexts.wires, 0.6)):
        owners = [item for item in objects if item.kind is not None and item.kind.name == name]
        owners = [item for item in owners if not setting.is_water(item.y)]
        if owners and rng.random() < CONTEXT_SHARE:
            ground.append(Item(draw, owners[0].x, owners[0].y, owners[0].scale * height))
        elif not owners and setting.name != "water" and rng.random() < STRAY_SHARE:
            y = rng.uniform(start + 0.08, 0.93)
            ground.append(Item(draw, rng.uniform(0.3, 0.7), y, rng.uniform(0.4, 0.7)))
    return tuple(ground)


def _clutter(objects: list[Item], setting: Setting, rng: np.random.Generator) -> Item | None:
    """A tree, a rock, ... of the place, in perspective; None where it would hide too much."""
    choices = clutter.BY_SETTING[setting.name]
    start = setting.horizon if setting.water is None else setting.water[1]
    for _ in range(6):
        draw = choices[int(rng.integers(len(choices)))]
        if setting.name == "water":
            y = rng.uniform(setting.horizon + 0.06, 1.02)
            x = rng.uniform(-0.05, 0.2) + 0.85 * int(rng.integers(2))
        else:
            y = start + 0.025 + (1.03 - start) * rng.beta(1.0, 2.2)
            x = rng.uniform(-0.05, 1.05)
        near = (y - setting.horizon) / (1 - setting.horizon)
        scale = clutter.SIZES[draw] * (0.3 + 0.8 * near) * rng.uniform(0.75, 1.2)
        item = Item(draw, x, y, scale, bool(rng.random() < 0.5))
        behind = (far for far in objects if far.y < y)
        if not any(_hides(item, far, tell=0.05, body=0.25) for far in behind):
            return item
    return None
