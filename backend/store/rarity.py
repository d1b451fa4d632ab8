"""The order by class rarity: images with the rarest tag first, tag by tag, read off an index."""

from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from backend.store.rows import marks


@dataclass(frozen=True)
class Rarity:
    """The classes that tag any image, the rarest first: id, name, how many images."""

    ranked: tuple[tuple[int, str, int], ...]

    def rarest(self, tags: tuple[int, ...]) -> tuple[str, int] | None:
        """The rarest of some tags and its count of images; None without tags."""
        held = set(tags)
        return next(((name, count) for id, name, count in self.ranked if id in held), None)


def rarity(database: Database) -> Rarity:
    """How rare each class is among the images of the workspace."""
    rows = database.execute(
        "SELECT t.class_id, classes.name, t.images FROM"
        " (SELECT class_id, count(*) AS images FROM image_tags GROUP BY class_id) AS t"
        " JOIN classes ON classes.id = t.class_id ORDER BY t.images, t.class_id"
    )
    return Rarity(tuple(rows.fetchall()))


def rarest_first(
    database: Database, where: str, values: list[Any], offset: int, limit: int
) -> list[int]:
    """Ids of a page of all candidates under a filter, those of the rarest class first.

    `where` and `values` are those of `Filter.conditions`. An image belongs to its rarest tag; the
    groups before the page are only counted, so a page near the front looks at one class.
    """
    ids: list[int] = []
    rarer: list[int] = []
    groups: list[int | None] = [id for id, _, _ in rarity(database).ranked]
    for group in [*groups, None]:
        tables, condition, of_group = _group(group, rarer)
        clause = f"{where}{' AND' if where else ' WHERE'} {condition}"
        if offset:
            counted = database.execute(
                f"SELECT count(*) FROM {tables}{clause}", [*values, *of_group]
            )
            size = int(counted.fetchone()[0])
            if offset >= size:
                offset -= size
                rarer += [] if group is None else [group]
                continue
        found = database.execute(
            f"SELECT c.id FROM {tables}{clause} ORDER BY +c.id LIMIT ? OFFSET ?",
            [*values, *of_group, limit - len(ids), offset],
        )
        ids += [id for (id,) in found.fetchall()]
        offset = 0
        if len(ids) >= limit:
            break
        rarer += [] if group is None else [group]
    return ids


def _group(group: int | None, rarer: list[int]) -> tuple[str, str, list[int]]:
    """Tables, condition and values of the candidates whose rarest tag is `group` (None: no tag)."""
    if group is None:
        untagged = "NOT EXISTS (SELECT 1 FROM image_tags AS r WHERE r.image_id = c.image_id)"
        return "candidates AS c", untagged, []
    tables = "image_tags AS t CROSS JOIN candidates AS c ON c.image_id = t.image_id"
    condition = "t.class_id = ?"
    if rarer:
        condition += (
            " AND NOT EXISTS (SELECT 1 FROM image_tags AS r WHERE r.image_id = t.image_id"
            f" AND r.class_id IN ({marks(len(rarer))}))"
        )
    return tables, condition, [group, *rarer]
