"""How far apart the masks of an image are: 1 - mean IoU over all pairs of its candidates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from sqlite_utils import Database

from backend.errors import TagmaskError
from backend.labels import BACKGROUND, IGNORE, read_labels
from backend.store.connection import Connections
from backend.store.files import FileStore

_BATCH = 100
# Masks of one image beyond these are old versions; all pairs of hundreds would take for ever.
_MOST = 12
_UNCOMPARED = (
    "SELECT image_id FROM candidates WHERE parent_id IS NULL"
    " GROUP BY image_id HAVING count(*) > 1 AND count(apart) < count(*)"
)


@dataclass
class Compared:
    """How many images were measured, and a sentence for each mask that could not be read."""

    images: int = 0
    unread: list[str] = field(default_factory=list)


def mean_iou(first: np.ndarray, second: np.ndarray) -> float:
    """The mean IoU, 0..1, of two label maps uint8 (H,W) over the classes that either holds.

    Background is no class here, or the small objects that methods differ about would not count;
    pixels that either ignores (255) are left out. Two maps without any object agree: 1.
    """
    valid = (first != IGNORE) & (second != IGNORE)
    one, other = first[valid], second[valid]
    both = np.bincount(one[one == other], minlength=256)
    either = np.bincount(one, minlength=256) + np.bincount(other, minlength=256) - both
    either[BACKGROUND] = 0
    held = either > 0
    return float(np.mean(both[held] / either[held])) if held.any() else 1.0


def apart(masks: Sequence[np.ndarray]) -> float:
    """1 - the mean IoU over all pairs of two or more label maps of one size, 0..1."""
    agreed = [mean_iou(first, second) for first, second in combinations(masks, 2)]
    return 1.0 - float(np.mean(agreed))


def waiting(database: Database) -> int:
    """How many images have masks that were not compared with each other yet."""
    return int(database.execute(f"SELECT count(*) FROM ({_UNCOMPARED})").fetchone()[0])


def compare(
    connections: Connections, files: FileStore, tell: Callable[[int, int], None] | None = None
) -> Compared:
    """Measures every image that waits; see `Candidates.compare`.

    A mask that a person drew from another is no opinion of a method and is not compared.
    """
    connections.require_writable()
    with connections.read() as database:
        images = [image for (image,) in database.execute(_UNCOMPARED).fetchall()]
    done = Compared()
    for start in range(0, len(images), _BATCH):
        found: list[tuple[float, int, int]] = []
        for image in images[start : start + _BATCH]:
            with connections.read() as database:
                rows = database.execute(
                    "SELECT id, digest FROM candidates WHERE image_id = ? AND parent_id IS NULL"
                    " ORDER BY id DESC LIMIT ?",
                    [image, _MOST],
                ).fetchall()
            try:
                masks = [read_labels(files.path(digest)) for _, digest in rows]
                found.append((apart(masks), image, rows[0][0]))
            except TagmaskError as error:
                done.unread.append(str(error))
        with connections.write() as database:
            for value, image, newest in found:
                # One that came meanwhile was not compared and goes on waiting.
                database.execute(
                    "UPDATE candidates SET apart = ? WHERE image_id = ? AND id <= ?"
                    " AND parent_id IS NULL",
                    [value, image, newest],
                )
        done.images += len(found)
        if tell is not None:
            tell(min(start + _BATCH, len(images)), len(images))
    return done
