"""Images and their tags."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from sqlite_utils import Database

from backend.errors import StoreError
from backend.exchange.names import image_name, safe_name
from backend.store.checking import CheckedImage, check_image
from backend.store.doubles import note_copy
from backend.store.files import FileBatch
from backend.store.rows import Noun, Page, dumps, like, marks, now

_COLUMNS = "id, name, digest, width, height, truth_digest, source, added"


@dataclass(frozen=True)
class Image:
    """A photograph; width and height are pixels after its EXIF turn, tags are class ids."""

    id: int
    name: str
    digest: str
    width: int
    height: int
    tags: tuple[int, ...]
    truth_digest: str | None
    source: str
    added: float


@dataclass(frozen=True)
class Added:
    """What `add` answers: `new` is False where the same bytes were there already."""

    image: Image
    new: bool


@dataclass(frozen=True)
class TagChange:
    """One change of an image's tags: who turned which class ids into which, when.

    `judged` are the classes that a person said yes or no to: a row whose tags stay the same says
    that they are right. `undoes` is the row that this one takes back.
    """

    image_id: int
    before: tuple[int, ...]
    after: tuple[int, ...]
    by: str
    at: float
    id: int = 0
    action_id: str | None = None
    judged: tuple[int, ...] = ()
    undoes: int | None = None


@dataclass(frozen=True)
class ImageNumbers:
    """How many images: in all, with tags, with a true mask, and with each class's tag."""

    images: int
    tagged: int
    with_truth: int
    by_class: dict[int, int]


class Images(Noun):
    """All photographs, each once by its digest."""

    def add(
        self,
        name: str,
        data: bytes | Path,
        *,
        source: str,
        tags: Iterable[int] = (),
        truth: bytes | Path | None = None,
    ) -> Added:
        """Stores a photograph with its tags; the same bytes give the image that is there.

        The name loses an image's extension and what cannot stand in a file name (as in
        `backend.exchange`); one that another image has gets a suffix. `truth` is a label PNG of
        the image's size. Tags and truth of an image that is already there are left as they are,
        or added where it has none. Raises ImageError or DataError where a file cannot be read as
        what it should be, StoreError for unknown tags.
        """
        return self.enter([(self.check(name, data, truth=truth), tuple(tags))], source=source)[0]

    def check(
        self,
        name: str,
        data: bytes | Path,
        *,
        truth: bytes | Path | None = None,
        into: FileBatch | None = None,
    ) -> CheckedImage:
        """The slow half of `add`: decodes and stores the files. Many threads may do it at once.

        `into` a batch, the files are stored when that ends; `enter` what was checked after it.
        """
        # Which classes there are is asked for masks alone: thousands of images come without.
        class_ids = set() if truth is None else self._class_ids()
        return check_image(into or self._files, name, data, truth, class_ids)

    def enter(
        self, checked: Iterable[tuple[CheckedImage, Iterable[int]]], *, source: str
    ) -> list[Added]:
        """The quick half of `add`, for many images and their tags in one transaction."""
        with self._connections.write() as database:
            return [self._enter(database, each, tags, source) for each, tags in checked]

    def get(self, id: int) -> Image:
        """One image; StoreError where there is none."""
        with self._connections.read() as database:
            image = self._one(database, "id = ?", id)
        if image is None:
            raise StoreError(f"There is no image {id} in this workspace.")
        return image

    def many(self, ids: Iterable[int]) -> list[Image]:
        """Images by their ids, in that order; those that are not there are left out."""
        ids = list(ids)
        with self._connections.read() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM images WHERE id IN (SELECT value FROM json_each(?))",
                [dumps(ids)],
            ).fetchall()
            found = {image.id: image for image in self._with_tags(database, rows)}
        return [found[id] for id in ids if id in found]

    def by_name(self, name: str) -> Image | None:
        """The image of this name, or None."""
        with self._connections.read() as database:
            return self._one(database, "name = ?", name)

    def by_digest(self, digest: str) -> Image | None:
        """The image with these bytes, or None."""
        with self._connections.read() as database:
            return self._one(database, "digest = ?", digest)

    def count(self) -> int:
        """How many images there are."""
        with self._connections.read() as database:
            return int(database.execute("SELECT count(*) FROM images").fetchone()[0])

    def numbers(self) -> ImageNumbers:
        """How many images there are, of which kinds."""
        with self._connections.read() as database:
            images, truth = database.execute(
                "SELECT count(*), count(truth_digest) FROM images"
            ).fetchone()
            tagged = database.execute("SELECT count(DISTINCT image_id) FROM image_tags").fetchone()
            by_class = database.execute(
                "SELECT class_id, count(*) FROM image_tags GROUP BY class_id"
            ).fetchall()
        return ImageNumbers(images, tagged[0], truth, dict(by_class))

    def page(
        self,
        offset: int = 0,
        limit: int = 50,
        *,
        query: str = "",
        tag: int | None = None,
        verdict: str | None = None,
    ) -> Page[Image]:
        """Images in the order they came, those whose name holds `query` and that have the tag.

        `verdict`: those with a candidate of this current verdict; "none": those without candidate.
        """
        conditions, values = ["1"], []
        if query:
            conditions.append("name LIKE ? ESCAPE '!'")
            values.append(like(query))
        if tag is not None:
            conditions.append("id IN (SELECT image_id FROM image_tags WHERE class_id = ?)")
            values.append(str(int(tag)))
        if verdict == "none":
            conditions.append("id NOT IN (SELECT image_id FROM candidates)")
        elif verdict:
            conditions.append("id IN (SELECT image_id FROM candidates WHERE verdict = ?)")
            values.append(verdict)
        where = " AND ".join(conditions)
        with self._connections.read() as database:
            total = database.execute(f"SELECT count(*) FROM images WHERE {where}", values)
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM images WHERE {where} ORDER BY id LIMIT ? OFFSET ?",
                [*values, limit, offset],
            ).fetchall()
            return Page(self._with_tags(database, rows), int(total.fetchone()[0]), offset)

    def set_tags(self, id: int, ids: Iterable[int], by: str) -> Image:
        """Replaces an image's tags and keeps who did it; StoreError for unknown classes."""
        after = tuple(sorted(set(ids)))
        with self._connections.write() as database:
            before = self.get(id).tags
            if before != after:
                judged = sorted(set(before) ^ set(after))
                self._replace_tags(database, id, before, after, by, judged)
            return self.get(id)

    def tag_changes(self, id: int) -> list[TagChange]:
        """Every change of an image's tags, the oldest first."""
        with self._connections.read() as database:
            rows = database.execute(
                "SELECT before, after, judged, changed_by, changed_at, id, action_id, undoes"
                " FROM tag_changes WHERE image_id = ? ORDER BY id",
                [id],
            )
            return [
                TagChange(id, _ids(before), _ids(after), by, at, row, action, _ids(judged), undoes)
                for before, after, judged, by, at, row, action, undoes in rows
            ]

    def set_losses(self, losses: Iterable[tuple[int, float]], run_id: int | None) -> None:
        """Keeps the losses of images by their ids, measured by a run, as the latest there are."""
        rows = [(loss, run_id, id) for id, loss in losses]
        with self._connections.write() as database:
            database.conn.executemany("UPDATE images SET loss = ?, loss_run = ? WHERE id = ?", rows)

    def tags_of(self, ids: Iterable[int]) -> dict[int, tuple[int, ...]]:
        """The tags of many images at once; images without tags are left out."""
        ids = list(ids)
        found: dict[int, list[int]] = {}
        with self._connections.read() as database:
            for start in range(0, len(ids), 500):
                some = ids[start : start + 500]
                for image, tag in database.execute(
                    "SELECT image_id, class_id FROM image_tags"
                    f" WHERE image_id IN ({marks(len(some))}) ORDER BY image_id, class_id",
                    some,
                ):
                    found.setdefault(image, []).append(tag)
        return {image: tuple(tags) for image, tags in found.items()}

    def _enter(
        self, database: Database, checked: CheckedImage, tags: Iterable[int], source: str
    ) -> Added:
        known = self._one(database, "digest = ?", checked.digest)
        truth = checked.truth_digest
        if known is None:
            name, added = _free_name(database, checked.name), now()
            size = checked.width, checked.height
            id = database.execute(
                "INSERT INTO images (name, digest, width, height, source, truth_digest, added,"
                " phash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [name, checked.digest, *size, source, truth, added, checked.phash],
            ).lastrowid
            assert id is not None
            image = Image(id, name, checked.digest, *size, (), truth, source, added)
        else:
            image = known
            note_copy(database, image.id, known.name, image_name(checked.name), source)
            if known.truth_digest is None and truth is not None:
                database.execute(
                    "UPDATE images SET truth_digest = ? WHERE id = ?", [truth, image.id]
                )
                image = replace(image, truth_digest=truth)
        wanted = tuple(sorted(set(tags)))
        if wanted and not image.tags:
            self._replace_tags(database, image.id, (), wanted, source)
            image = replace(image, tags=wanted)
        return Added(image, new=known is None)

    def _class_ids(self) -> set[int]:
        with self._connections.read() as database:
            return {id for (id,) in database.execute("SELECT id FROM classes")}

    def _replace_tags(
        self,
        database: Database,
        id: int,
        before: tuple[int, ...],
        after: tuple[int, ...],
        by: str,
        judged: Iterable[int] = (),
    ) -> None:
        unknown = sorted(set(after) - self._class_ids())
        if unknown:
            raise StoreError(
                f"There is no class {', '.join(map(str, unknown))} in this workspace; add the "
                "class first, then tag images with it."
            )
        database.execute("DELETE FROM image_tags WHERE image_id = ?", [id])
        for tag in after:
            database.execute("INSERT INTO image_tags VALUES (?, ?)", [id, tag])
        database.execute(
            "INSERT INTO tag_changes (image_id, before, after, changed_by, changed_at, judged)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [id, dumps(before), dumps(after), by, now(), dumps(list(judged))],
        )

    def _one(self, database: Database, condition: str, value: int | str) -> Image | None:
        rows = database.execute(
            f"SELECT {_COLUMNS} FROM images WHERE {condition}", [value]
        ).fetchall()
        return self._with_tags(database, rows)[0] if rows else None

    def _with_tags(self, database: Database, rows: list[tuple]) -> list[Image]:
        tags = self.tags_of(row[0] for row in rows)
        return [
            Image(id, name, digest, width, height, tags.get(id, ()), truth, source, added)
            for id, name, digest, width, height, truth, source, added in rows
        ]


def _ids(told: str) -> tuple[int, ...]:
    return tuple(json.loads(told))


def _free_name(database: Database, name: str) -> str:
    """The name, or the name with the first free suffix -2, -3, ...; safe as a file name."""
    name = free = image_name(name)
    number = 1
    while database.execute("SELECT 1 FROM images WHERE name = ?", [free]).fetchone():
        number += 1
        free = safe_name(f"{name[:60]}-{number}")
    return free
