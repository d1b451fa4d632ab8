"""Duplicates: names under which an image came again, and the hashes by which images look alike."""

from dataclasses import dataclass

from sqlite_utils import Database

from backend.store.rows import Noun, now


@dataclass(frozen=True)
class Copy:
    """The bytes of an image came again, called `name` there, from `source`."""

    image_id: int
    name: str
    source: str
    added: float


@dataclass(frozen=True)
class Hashed:
    """An image and its perceptual hash."""

    id: int
    name: str
    digest: str
    phash: str


class Doubles(Noun):
    """What is known of images that are there twice."""

    def copies(self) -> list[Copy]:
        """Every other name of an image's bytes, by image."""
        with self._connections.read() as database:
            rows = database.execute(
                "SELECT image_id, name, source, added FROM image_copies ORDER BY image_id, name"
            )
            return [Copy(*row) for row in rows]

    def hashed(self) -> list[Hashed]:
        """Every image whose hash is known, in the order they came."""
        with self._connections.read() as database:
            rows = database.execute(
                "SELECT id, name, digest, phash FROM images WHERE phash IS NOT NULL ORDER BY id"
            )
            return [Hashed(*row) for row in rows]

    def unhashed(self) -> list[tuple[int, str, str]]:
        """(id, name, digest) of every image whose hash is not known yet."""
        with self._connections.read() as database:
            return list(
                database.execute(
                    "SELECT id, name, digest FROM images WHERE phash IS NULL ORDER BY id"
                )
            )

    def keep_hashes(self, hashes: dict[int, str]) -> None:
        """Keeps hashes by image id, in one transaction."""
        with self._connections.write() as database:
            database.conn.executemany(
                "UPDATE images SET phash = ? WHERE id = ?",
                [(phash, id) for id, phash in hashes.items()],
            )


def note_copy(database: Database, image_id: int, kept: str, name: str, source: str) -> None:
    """Remembers that an image's bytes came under another name; the same again is no news.

    A name that had to be numbered to be free (`a-2` of `a`) is no other name.
    """
    base, _, number = kept.rpartition("-")
    if name == kept or (number.isdecimal() and base == name[:60]):
        return
    database.execute(
        "INSERT OR IGNORE INTO image_copies (image_id, name, source, added) VALUES (?, ?, ?, ?)",
        [image_id, name, source, now()],
    )
