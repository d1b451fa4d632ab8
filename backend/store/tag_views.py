"""Which images the Tags tab lists, and in which order."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from backend.errors import StoreError
from backend.store.rows import dumps, like

SHOWS = ("all", "untagged", "suggested", "doubted", "changed")
LEAST, MOST = 0.5, 0.2
"""From which score on a class is suggested, and up to which a tag is doubted, unless asked."""

# What a person has said about a class of an image is asked no more. A suggestion is looked for
# among the likely classes, a doubt among the tags: either is few of what a classifier says.
_FOUND = {
    "suggested": (
        "tag_suggestions AS s WHERE s.judged IS NULL AND s.score >= :least AND NOT EXISTS (SELECT 1"
        " FROM image_tags AS t WHERE t.image_id = s.image_id AND t.class_id = s.class_id)"
    ),
    "doubted": (
        "image_tags AS t CROSS JOIN tag_suggestions AS s USING (image_id, class_id)"
        " WHERE s.judged IS NULL AND s.score <= :most"
    ),
}


@dataclass(frozen=True)
class TagView:
    """What to list: `tag` a class id, `query` a part of the image's name.

    "all" with a tag are the images that have it; "suggested" those that lack a class of which the
    classifier is at least as sure as `least`, the surest first; "doubted" those with a tag that it
    gives `most` at most, the least likely first; "changed" those whose tags are others than in the
    latest training.
    """

    show: str = "all"
    tag: int | None = None
    query: str = ""
    least: float = LEAST
    most: float = MOST


def listed(database: Database, view: TagView, changed: Sequence[int] = ()) -> list[int]:
    """The ids of the images of a view; StoreError for an unknown one."""
    if view.show not in SHOWS:
        raise StoreError(f"The tags can be shown {', '.join(SHOWS)}; {view.show[:40]!r} is none.")
    values = {
        "tag": view.tag,
        "query": like(view.query) if view.query else None,
        "least": view.least,
        "most": view.most,
        "changed": dumps(list(changed)),
    }
    named = " AND (:query IS NULL OR name LIKE :query ESCAPE '!')"
    has = " AND id IN (SELECT image_id FROM image_tags WHERE class_id = :tag)" if view.tag else ""
    if view.show in ("suggested", "doubted"):
        best = "-max(s.score)" if view.show == "suggested" else "min(s.score)"
        of = " AND s.class_id = :tag" if view.tag else ""
        statement = (
            f"SELECT id FROM (SELECT s.image_id AS image, {best} AS place"
            f" FROM {_FOUND[view.show]}{of} GROUP BY s.image_id) JOIN images ON images.id = image"
            f" WHERE 1{named} ORDER BY place, id"
        )
    else:
        condition = {
            "all": "1",
            "untagged": "id NOT IN (SELECT image_id FROM image_tags)",
            "changed": "id IN (SELECT value FROM json_each(:changed))",
        }[view.show]
        statement = f"SELECT id FROM images WHERE {condition}{has}{named} ORDER BY id"
    return [id for (id,) in database.execute(statement, values)]


@dataclass(frozen=True)
class Questions:
    """How many tags the classifier suggests and doubts, by class, and of how many images."""

    suggested: dict[int, int]
    doubted: dict[int, int]
    suggested_images: int
    doubted_images: int


def questions(database: Database, least: float = LEAST, most: float = MOST) -> Questions:
    """What is still to be answered."""
    by_class: dict[str, dict[int, int]] = {}
    images: dict[str, int] = {}
    for show, which in _FOUND.items():
        rows = database.execute(
            f"WITH found AS MATERIALIZED (SELECT s.class_id, s.image_id FROM {which})"
            " SELECT class_id, count(*) FROM found GROUP BY class_id"
            " UNION ALL SELECT NULL, count(DISTINCT image_id) FROM found",
            {"least": least, "most": most},
        ).fetchall()
        images[show] = int(rows[-1][1])
        by_class[show] = dict(rows[:-1])
    return Questions(
        by_class["suggested"], by_class["doubted"], images["suggested"], images["doubted"]
    )
