"""The classes that tags name and masks hold."""

import colorsys
from dataclasses import dataclass

from backend.errors import StoreError
from backend.exchange.names import check_class_name
from backend.store.rows import Noun

LAST_ID = 254


@dataclass(frozen=True)
class Class:
    """A class; `id` (1..254) is the value its pixels have, `colour` is `#rrggbb`."""

    id: int
    name: str
    colour: str


class Classes(Noun):
    """All classes of the workspace; 0 is background and 255 ignore, so neither is here."""

    def all(self) -> list[Class]:
        """Every class, by ascending id."""
        with self._connections.read() as database:
            rows = database.execute("SELECT id, name, colour FROM classes ORDER BY id")
            return [Class(*row) for row in rows]

    def by_name(self) -> dict[str, Class]:
        """Every class by its name."""
        return {each.name: each for each in self.all()}

    def get(self, id: int) -> Class:
        """One class; StoreError where there is none."""
        with self._connections.read() as database:
            row = database.execute(
                "SELECT id, name, colour FROM classes WHERE id = ?", [id]
            ).fetchone()
        if row is None:
            raise StoreError(f"There is no class {id} in this workspace; add it first.")
        return Class(*row)

    def add(self, name: str, id: int | None = None) -> Class:
        """The class of this name (in any case), added where it is new.

        `id` is a wish: it is kept where free, else the lowest free id is taken. Raises DataError
        for a name that cannot name a class, StoreError where all 254 ids are taken.
        """
        name = check_class_name(" ".join(name.split()))
        if name.casefold() == "background":
            raise StoreError("Every mask has a background (0); it cannot be added as a class.")
        with self._connections.write() as database:
            row = database.execute(
                "SELECT id, name, colour FROM classes WHERE name = ?", [name]
            ).fetchone()
            if row is not None:
                return Class(*row)
            taken = {each for (each,) in database.execute("SELECT id FROM classes")}
            if id is None or id in taken or not 1 <= id <= LAST_ID:
                free = (each for each in range(1, LAST_ID + 1) if each not in taken)
                id = next(free, None)
            if id is None:
                raise StoreError(f"A mask can hold {LAST_ID} classes and all are taken.")
            added = Class(id, name, colour_of(id))
            database.execute("INSERT INTO classes VALUES (?, ?, ?)", [id, name, added.colour])
            return added


# Chosen so that neighbours differ for normal, red-blind and green-blind sight alike.
_COLOURS = [
    "#db9e00",
    "#0061db",
    "#49e7db",
    "#92553d",
    "#0c92c2",
    "#c2db92",
    "#9e496d",
    "#aa5500",
    "#49dbff",
    "#e78692",
    "#3d9eff",
    "#ff7955",
    "#b62492",
    "#00b6c2",
    "#c2db55",
    "#499e3d",
    "#6d61c2",
    "#db6d9e",
    "#6db6ff",
    "#ce866d",
]


def colour_of(id: int) -> str:
    """A colour `#rrggbb` for a class: of a chosen list, then hues by the golden angle."""
    if id <= len(_COLOURS):
        return _COLOURS[id - 1]
    hue = (id * 0.6180339887498949) % 1.0
    lightness = (0.58, 0.46, 0.68)[id % 3]
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.62)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
