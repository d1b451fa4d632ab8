"""Snapshots: frozen lists of image and mask, named by the digest of what they hold."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from backend.errors import DataError, StoreError
from backend.store.batches import require_settled
from backend.store.connection import Connections
from backend.store.files import FileStore, sync_folder, write_durably
from backend.store.offered import GIVEN_AT, Offered, candidates_offered
from backend.store.queue import VERDICTS
from backend.store.rows import Noun, dumps, marks, now
from backend.store.tag_log import EVERY, before, last_change, net_changes

FORMAT = "tagmask-snapshot/1"
INCLUDE = ("decided", "tagged", EVERY)
LONGEST_NAME = 64


@dataclass(frozen=True)
class Snapshot:
    """A frozen set; `path` is its manifest.json, `count` how many images it lists."""

    digest: str
    name: str
    path: Path
    count: int
    frozen_by: str
    frozen_at: float


class Snapshots(Noun):
    """All snapshots; each is a folder `snapshots/DIGEST` with a manifest that trainers read."""

    def __init__(self, connections: Connections, files: FileStore, root: Path) -> None:
        super().__init__(connections, files)
        self._root = root

    def freeze(
        self,
        name: str,
        by: str,
        verdicts: Sequence[str] = ("accept", "fix"),
        *,
        include: str = "decided",
        with_undecided: bool = False,
    ) -> Snapshot:
        """Freezes images as they are now, with one mask an image at most.

        `include`: "decided" takes the images with a candidate of one of these current verdicts;
        "tagged" takes every image that has a tag, with its decided mask where it has one; "all"
        takes every image, for a network to look at. Of several such candidates of an image the one
        decided last counts. `with_undecided`: every other image that has a candidate and is neither
        accepted nor fixed too, as rejected where all of its candidates are and else undecided, and
        with each image the mask that was offered for it and its scores. The same content gives the
        snapshot that is there, whatever its name. The manifest says whose tags have changed since
        the snapshot before (those of all images do not count).
        Raises StoreError where there is nothing, and for a name that is empty or too long,
        StoreUnavailable in the seconds in which a whole set is being decided on.
        """
        if not name.strip() or len(name) > LONGEST_NAME:
            raise StoreError(
                f"A snapshot's name has 1 to {LONGEST_NAME} characters, this one {len(name):,}. "
                "Choose a shorter one."
                if name.strip()
                else f"A snapshot needs a name of 1 to {LONGEST_NAME} characters."
            )
        unknown = set(verdicts) - set(VERDICTS)
        if unknown:
            raise StoreError(f"No verdict {sorted(unknown)}; there are {', '.join(VERDICTS)}.")
        if include not in INCLUDE:
            raise StoreError(f"A snapshot includes {' or '.join(INCLUDE)} images, not {include!r}.")
        self._connections.require_writable()
        # One moment of the database is read, and written down without holding up the reviewers.
        with self._connections.read() as database, database.atomic():
            require_settled(database)
            rows = _chosen(database, verdicts, include, with_undecided)
            offered = candidates_offered(database, verdicts) if with_undecided else {}
            if include == "decided":
                # Accepted or fixed images whose verdict was not asked for are no undecided ones.
                rows = [row for row in rows if row[4] is not None or row[1] in offered]
            named = database.execute("SELECT id, name FROM classes ORDER BY id").fetchall()
            seen = last_change(database)
        if not rows:
            raise _nothing(verdicts, include, with_undecided)
        classes = {str(id): each for id, each in named}
        items = [self._item(row, offered.get(row[1])) for row in rows]
        digest = content_digest(classes, items)
        with self._connections.read() as database:
            known = self._one(database, digest)
            since = _tags_since(database, digest, seen, {item["image"] for item in items})
        at = known.frozen_at if known else now()
        manifest = {
            "format": FORMAT,
            "digest": digest,
            "name": known.name if known else name,
            "created": datetime.fromtimestamp(at, UTC).replace(microsecond=0).isoformat(),
            "classes": classes,
            "tags_since": since,
            "items": items,
        }
        self._write(digest, manifest)
        with self._connections.write() as database:
            database.execute(
                "INSERT OR IGNORE INTO snapshots (digest, name, frozen_by, frozen_at, count, kind,"
                " tags_seen) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [digest, name, by, at, len(items), include, seen],
            )
            frozen = self._one(database, digest)
            assert frozen is not None
            return frozen

    def adopt(self, manifest: Mapping[str, Any], told: Mapping[str, Any]) -> Snapshot:
        """Enters a snapshot of another workspace, whose files are here; `backend.store.adopting`
        has checked both. The same again is the one that is there.
        """
        digest = str(told["digest"])
        items = []
        for item in manifest["items"]:
            truth, offered = item.get("truth"), item.get("candidate")
            mask = item["mask_sha256"]
            paths: dict[str, Any] = {
                "file": self._relative(item["sha256"]),
                "mask": None if mask is None else self._relative(mask),
                "truth": None if truth is None else self._relative(Path(truth).stem),
            }
            if offered is not None:
                paths["candidate"] = {**offered, "mask": self._relative(offered["mask_sha256"])}
            items.append({**item, **paths})
        name, by, at = str(told.get("name")), str(told.get("by")), float(told.get("at") or now())
        with self._connections.read() as database:
            known = self._one(database, digest)
        if known is None:
            self._write(digest, {**manifest, "items": items})
        with self._connections.write() as database:
            database.execute(
                "INSERT OR IGNORE INTO snapshots (digest, name, frozen_by, frozen_at, count)"
                " VALUES (?, ?, ?, ?, ?)",
                [digest, name, by, at, len(items)],
            )
            adopted = self._one(database, digest)
            assert adopted is not None
            return adopted

    def free_name(self, called: str) -> str:
        """`called 1`, or with the next number that no snapshot has: when it was frozen is told
        beside its name.
        """
        known = {each.name for each in self.all()}
        return next(name for n in count(1) if (name := f"{called} {n}") not in known)

    def all(self) -> list[Snapshot]:
        """Every snapshot, the newest first."""
        with self._connections.read() as database:
            rows = database.execute(
                "SELECT digest, name, count, frozen_by, frozen_at FROM snapshots"
                " ORDER BY rowid DESC"
            )
            return [self._snapshot(row) for row in rows]

    def get(self, digest: str) -> Snapshot:
        """One snapshot by its digest or the beginning of it (8 digits or more), or by its name."""
        with self._connections.read() as database:
            exact = self._one(database, digest)
            if exact is not None:
                return exact
            rows = database.execute(
                "SELECT digest, name, count, frozen_by, frozen_at FROM snapshots"
                " WHERE name = ? OR (length(?) >= 8 AND substr(digest, 1, length(?)) = ?)",
                [digest, digest, digest, digest],
            ).fetchall()
        if len(rows) > 1:
            raise StoreError(
                f"{len(rows)} snapshots are called {digest!r}; name one by its digest."
            )
        if not rows:
            raise StoreError(f"There is no snapshot {digest!r} in this workspace.")
        return self._snapshot(rows[0])

    def verify(self, digest: str) -> None:
        """Raises StoreError where a snapshot's manifest or one of its files is not as frozen."""
        path = self.get(digest).path
        try:
            manifest = json.loads(path.read_bytes())
            found = content_digest(manifest["classes"], manifest["items"])
        except (OSError, ValueError, KeyError) as error:
            raise StoreError(
                f"The manifest of snapshot {digest[:12]} cannot be read ({error}). Freeze the "
                "same set again to write it anew, or restore a backup."
            ) from error
        if found != digest:
            raise StoreError(
                f"The manifest of snapshot {digest[:12]} was changed after it was frozen. Freeze "
                "a new snapshot, or restore the manifest from a backup."
            )
        for item in manifest["items"]:
            proposed = item.get("candidate") or {}
            for file in (item["sha256"], item["mask_sha256"], proposed.get("mask_sha256")):
                if file is not None and not self._files.intact(file):
                    raise StoreError(
                        f"The file {file[:12]}… of snapshot {digest[:12]} is missing or "
                        "damaged. Restore it from a backup."
                    )

    def _item(self, row: tuple, offered: Offered | None) -> dict[str, Any]:
        name, image, truth, mask, verdict, tags = row
        told = {
            "image": name,
            "file": self._relative(image),
            "sha256": image,
            "tags": sorted(int(tag) for tag in tags.split(",")) if tags else [],
            "mask": None if mask is None else self._relative(mask),
            "mask_sha256": mask,
            "verdict": verdict,
            "truth": None if truth is None else self._relative(truth),
        }
        if offered is not None:
            told["verdict"] = verdict or offered.verdict
            told["candidate"] = {
                "mask": self._relative(offered.digest),
                "mask_sha256": offered.digest,
                "method": offered.method,
                "scores": offered.scores,
            }
        return told

    def _relative(self, digest: str) -> str:
        """Relative to the manifest, so that a workspace can be moved as a whole."""
        path = os.path.relpath(self._files.path(digest), self._root / digest)
        return Path(path).as_posix()

    def _write(self, digest: str, manifest: dict[str, Any]) -> None:
        data = (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
        folder = self._root / digest
        try:
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(self._root)
            write_durably(folder / "manifest.json", data)
        except (OSError, DataError) as error:
            raise StoreError(f"Nothing was frozen: {error}") from error

    def _one(self, database: Database, digest: str) -> Snapshot | None:
        row = database.execute(
            "SELECT digest, name, count, frozen_by, frozen_at FROM snapshots WHERE digest = ?",
            [digest],
        ).fetchone()
        return self._snapshot(row) if row else None

    def _snapshot(self, row: tuple) -> Snapshot:
        digest, name, number, by, at = row
        return Snapshot(digest, name, self._root / digest / "manifest.json", number, by, at)


def content_digest(classes: dict[str, str], items: list[dict[str, Any]]) -> str:
    """SHA-256 of what a snapshot means: classes, images, tags, masks, verdicts, and what was
    offered where that is in it; not paths.
    """
    meaning = [
        [
            *(item[key] for key in ("image", "sha256", "tags", "mask_sha256", "verdict")),
            *_meant(item.get("candidate")),
        ]
        for item in sorted(items, key=lambda item: str(item["sha256"]))
    ]
    return hashlib.sha256(dumps([FORMAT, classes, meaning]).encode()).hexdigest()


def _meant(candidate: dict[str, Any] | None) -> list[Any]:
    """What is digested of an item's candidate: nothing where there is none, as in older ones."""
    if candidate is None:
        return []
    return [[candidate[key] for key in ("mask_sha256", "method", "scores")]]


def _tags_since(
    database: Database, digest: str, seen: int, images: set[str]
) -> dict[str, Any] | None:
    """Which of these images' tags changed since the snapshot before, and which image has none left
    and is not among these for it; None for the first one.

    A set that was frozen before has changed since the snapshot before its first freezing.
    """
    earlier = before(database, digest)
    if earlier is None:
        return None
    known = database.execute("SELECT tags_seen FROM snapshots WHERE digest = ?", [digest])
    upto = (known.fetchone() or [seen])[0]
    changes = net_changes(database, earlier.mark, upto)
    net = [each for each in changes if each.image in images]
    return {
        "snapshot": earlier.digest,
        "name": earlier.name,
        "first_tags": sum(each.first for each in net),
        "changed": [
            {"image": each.image, "before": list(each.before), "after": list(each.after)}
            for each in net
            if not each.first
        ],
        "untagged": [each.image for each in changes if not each.after and each.image not in images],
    }


def _chosen(
    database: Database, verdicts: Sequence[str], include: str, with_undecided: bool
) -> list[tuple]:
    """(name, digest, truth, mask, verdict, tags) an image, by name."""
    join, where = "JOIN", ""
    if include == EVERY:
        join = "LEFT JOIN"
    elif include == "tagged":
        join, where = "LEFT JOIN", " WHERE tags IS NOT NULL"
    elif with_undecided:
        join = "LEFT JOIN"
        where = " WHERE EXISTS (SELECT 1 FROM candidates AS c WHERE c.image_id = images.id)"
    return database.execute(
        "WITH decided AS ("
        " SELECT image_id, digest, verdict, row_number() OVER"
        f" (PARTITION BY image_id ORDER BY {GIVEN_AT} DESC, id DESC) AS place"
        f" FROM candidates WHERE verdict IN ({marks(len(verdicts))})"
        ") SELECT images.name, images.digest, images.truth_digest, decided.digest, decided.verdict,"
        " (SELECT group_concat(class_id) FROM image_tags WHERE image_id = images.id) AS tags"
        f" FROM images {join} decided ON decided.image_id = images.id AND decided.place = 1"
        f"{where} ORDER BY images.name",
        list(verdicts),
    ).fetchall()


def _nothing(verdicts: Sequence[str], include: str, with_undecided: bool) -> StoreError:
    if include == EVERY:
        return StoreError("There is no image yet, so there is nothing to freeze. Add some first.")
    if include == "tagged":
        return StoreError("No image has a tag, so there is nothing to freeze. Tag some first.")
    if with_undecided:
        return StoreError(
            f"No image has a candidate that was decided {' or '.join(verdicts)}, or one that is "
            "rejected or not decided on, so there is nothing to freeze. Make some in Train first."
        )
    return StoreError(
        f"No image has a mask that was decided {' or '.join(verdicts)}, so there is nothing to "
        "freeze. Accept some candidates in Curate first."
    )
