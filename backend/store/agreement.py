"""Agreement: how far pairs of reviewers judge and draw alike, in all and by class."""

from collections import OrderedDict
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from threading import Lock

from backend.agreeing import class_ious, cohen_kappa
from backend.labels import read_labels
from backend.store.connection import Connections
from backend.store.files import FileStore
from backend.store.opinions import Opinion, judgements, opinions
from backend.store.rows import Noun

Pair = tuple[str, str]

_KEPT_PAIRS = 50_000
_SHOWN = 200


@dataclass(frozen=True)
class Judged:
    """What two reviewers said of the masks that both judged: those of images with the tag
    `class_id`, or (None) all. `kappa` is Cohen's, None where it is not defined.
    """

    first: str
    second: str
    class_id: int | None
    masks: int
    both_keep: int
    only_first: int
    only_second: int
    neither: int
    kappa: float | None

    @property
    def same(self) -> int:
        """How many masks both judged alike."""
        return self.both_keep + self.neither


@dataclass(frozen=True)
class Drawn:
    """How far the masks overlap that two reviewers kept of the same images: the mean IoU of class
    `class_id` or (None) of each image's classes. `identical` of the `images` have one mask.
    """

    first: str
    second: str
    class_id: int | None
    images: int
    identical: int
    iou: float


@dataclass(frozen=True)
class Apart:
    """A mask that reviewers judge differently: who would keep it, who would not."""

    candidate_id: int
    image_id: int
    image_name: str
    method: str
    keep: tuple[str, ...]
    reject: tuple[str, ...]


class Agreement(Noun):
    """Reads the log of decisions; stores nothing."""

    def __init__(self, connections: Connections, files: FileStore) -> None:
        super().__init__(connections, files)
        # A digest's content never changes, so neither does the overlap of two.
        self._overlaps: OrderedDict[Pair, dict[int, float]] = OrderedDict()
        self._lock = Lock()

    def verdicts(self) -> list[Judged]:
        """Every pair that judged a mask in common: in all first, then by class."""
        with self._connections.read() as database, database.atomic():
            kept = judgements(opinions(database))
            images = dict(database.execute("SELECT id, image_id FROM candidates").fetchall())
            tags: dict[int, list[int]] = {}
            for image, tag in database.execute("SELECT image_id, class_id FROM image_tags"):
                tags.setdefault(image, []).append(tag)
        tables: dict[tuple[Pair, int | None], dict[tuple[bool, bool], int]] = {}
        for candidate, said in kept.items():
            for pair in combinations(sorted(said), 2):
                answer = (said[pair[0]], said[pair[1]])
                for class_id in (None, *tags.get(images[candidate], ())):
                    table = tables.setdefault((pair, class_id), {})
                    table[answer] = table.get(answer, 0) + 1
        return [
            Judged(
                *pair,
                class_id,
                sum(table.values()),
                table.get((True, True), 0),
                table.get((True, False), 0),
                table.get((False, True), 0),
                table.get((False, False), 0),
                cohen_kappa(table),
            )
            for (pair, class_id), table in sorted(tables.items(), key=_order)
        ]

    def masks(self) -> list[Drawn]:
        """Every pair that kept a mask of the same image: in all first, then by class.

        The mask of an image that a reviewer kept is the one they accepted or drew last. Reads
        mask files, those of a pair of digests once.
        """
        with self._connections.read() as database:
            said = opinions(database)
        last: dict[int, dict[str, Opinion]] = {}
        for opinion in said:
            if opinion.keeps:
                last.setdefault(opinion.image_id, {})[opinion.reviewer] = opinion
        found: dict[tuple[Pair, int | None], list[tuple[float, bool]]] = {}
        for kept in last.values():
            for pair in combinations(sorted(kept), 2):
                digests = (kept[pair[0]].digest, kept[pair[1]].digest)
                ious = self._overlap(*digests)
                one = digests[0] == digests[1]
                for class_id, iou in ious.items():
                    found.setdefault((pair, class_id), []).append((iou, one))
                # Two masks of nothing but background are as alike as masks can be.
                mean = fmean(ious.values()) if ious else 1.0
                found.setdefault((pair, None), []).append((mean, one))
        return [
            Drawn(
                *pair,
                class_id,
                len(each),
                sum(one for _, one in each),
                fmean(iou for iou, _ in each),
            )
            for (pair, class_id), each in sorted(found.items(), key=_order)
        ]

    def apart(self, limit: int = _SHOWN) -> list[Apart]:
        """The masks that reviewers judge differently, the latest candidates first."""
        with self._connections.read() as database, database.atomic():
            kept = judgements(opinions(database))
            differ = sorted(
                (id for id, said in kept.items() if len(set(said.values())) > 1), reverse=True
            )[:limit]
            found = []
            for id in differ:
                image, name, method = database.execute(
                    "SELECT images.id, images.name, c.method FROM candidates AS c"
                    " JOIN images ON images.id = c.image_id WHERE c.id = ?",
                    [id],
                ).fetchone()
                said = sorted(kept[id].items())
                keep = tuple(who for who, keeps in said if keeps)
                found.append(
                    Apart(id, image, name, method, keep, tuple(w for w, keeps in said if not keeps))
                )
        return found

    def _overlap(self, first: str, second: str) -> dict[int, float]:
        key = (min(first, second), max(first, second))
        with self._lock:
            known = self._overlaps.get(key)
        if known is not None:
            return known
        one = read_labels(self._files.path(key[0]))
        other = one if key[0] == key[1] else read_labels(self._files.path(key[1]))
        ious = class_ious(one, other)
        with self._lock:
            self._overlaps[key] = ious
            while len(self._overlaps) > _KEPT_PAIRS:
                self._overlaps.popitem(last=False)
        return ious


def _order(item: tuple[tuple[Pair, int | None], object]) -> tuple[Pair, int]:
    (pair, class_id), _ = item
    return pair, -1 if class_id is None else class_id
