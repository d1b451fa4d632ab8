"""Artifacts: maps that a run or a person made of an image, kept by digest."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from backend.errors import StoreError
from backend.store.rows import Noun, dumps, now

_COLUMNS = "id, run_id, image_id, stage, tag, digest, numbers, added"


@dataclass(frozen=True)
class Artifact:
    """A stored map: `stage` is a StageMap's dotted name, `tag` a class id or None."""

    id: int
    run_id: int | None
    image_id: int
    stage: str
    tag: int | None
    digest: str
    numbers: dict[str, float]
    added: float


class Artifacts(Noun):
    """All stored maps."""

    def add(
        self,
        image_id: int,
        stage: str,
        digest: str,
        *,
        run_id: int | None = None,
        tag: int | None = None,
        numbers: Mapping[str, float] | None = None,
    ) -> int:
        """Enters a map whose file is in `store.files`; its id, the same id when entered again."""
        if not self._files.has(digest):
            raise StoreError(f"Store the file {digest[:12]}… before the artifact that names it.")
        with self._connections.write() as database:
            database.execute(
                "INSERT OR IGNORE INTO artifacts"
                " (run_id, image_id, stage, tag, digest, numbers, added)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [run_id, image_id, stage, tag, digest, dumps(dict(numbers or {})), now()],
            )
            row = database.execute(
                "SELECT id FROM artifacts WHERE image_id = ? AND ifnull(run_id, 0) = ?"
                " AND stage = ? AND ifnull(tag, 0) = ? AND digest = ?",
                [image_id, run_id or 0, stage, tag or 0, digest],
            ).fetchone()
            return int(row[0])

    def enter(self, stage: str, maps: Iterable[tuple[int, str]], run_id: int | None) -> None:
        """Enters the maps (image id, digest) that a run made of many images, in one transaction.

        Their files are in `store.files`; what is entered already is left as it is.
        """
        with self._connections.write() as database:
            for image_id, digest in maps:
                database.execute(
                    "INSERT OR IGNORE INTO artifacts"
                    " (run_id, image_id, stage, tag, digest, numbers, added)"
                    " VALUES (?, ?, ?, NULL, ?, '{}', ?)",
                    [run_id, image_id, stage, digest, now()],
                )

    def get(self, id: int) -> Artifact:
        """One artifact; StoreError where there is none."""
        with self._connections.read() as database:
            row = database.execute(
                f"SELECT {_COLUMNS} FROM artifacts WHERE id = ?", [id]
            ).fetchone()
        if row is None:
            raise StoreError(f"There is no stored map {id} in this workspace.")
        return _artifact(row)

    def of_image(self, image_id: int, run_id: int | None = None) -> list[Artifact]:
        """The maps of an image, of one run or (None) of all, in the order they came."""
        with self._connections.read() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM artifacts WHERE image_id = ?"
                " AND (? IS NULL OR run_id = ?) ORDER BY id",
                [image_id, run_id, run_id],
            )
            return [_artifact(row) for row in rows]


def _artifact(row: tuple) -> Artifact:
    id, run_id, image_id, stage, tag, digest, numbers, added = row
    return Artifact(id, run_id, image_id, stage, tag, digest, json.loads(numbers), added)
