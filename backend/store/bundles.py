"""What is kept about images, out of one workspace's tables and into another's."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlite_utils import Database

from backend.errors import StoreError
from backend.store.bundle_rows import (
    CHANGES,
    DECISIONS,
    FLAGS,
    Rows,
    about,
    names_of,
    runs_of,
)
from backend.store.candidates import Candidates, CheckedCandidate
from backend.store.rows import Noun, dumps, marks, now
from backend.store.scores import give

_AT_ONCE = 500
_IMAGES_AT_ONCE = 50
"""Entered in one transaction, so that a decision waits for some milliseconds at most."""
_REST_SECONDS = 0.01


@dataclass
class Adopted:
    """How many rows are new, and of how many candidates and images the workspace's own stayed."""

    new: dict[str, int] = field(default_factory=dict)
    kept_decisions: int = 0
    kept_tags: int = 0
    kept_flags: int = 0


class Bundles(Noun):
    """The tables about images, as rows that name images and masks by their digests."""

    def gather(self, images: Sequence[str]) -> dict[str, Rows]:
        """Every row about the images with these digests, by table, in the order they were made."""
        found: dict[str, Rows] = {}
        with self._connections.read() as database, database.atomic():
            for start in range(0, len(images), _AT_ONCE):
                for name, rows in about(database, images[start : start + _AT_ONCE]).items():
                    found.setdefault(name, []).extend(rows)
            runs = {row["run"] for name in ("candidates", "scores") for row in found.get(name, [])}
            found["runs"] = runs_of(database, sorted(runs - {None}))
        for name in ("candidates", "decisions", "tag_changes"):
            found.get(name, []).sort(key=lambda row: row["id"])
        return found

    def adopt(
        self,
        tables: Mapping[str, Rows],
        *,
        origin: str,
        masks: Mapping[str, str],
        classes: Mapping[int, int],
    ) -> Adopted:
        """Enters rows that `gather` gave elsewhere, all of some images in one transaction; done
        twice, it adds none, and done again after a kill, the rest.

        Images and masks are there already; `masks` are their digests here by those there, `classes`
        likewise. Where people of this workspace decided on a candidate, or changed an image's tags
        or flag, theirs stays and what came is left out. Raises StoreError, before anything is
        entered, where an action of the rows is one about another image here.
        """
        done = Adopted()
        with self._connections.write() as database:
            _require_own_actions(database, tables)
            runs = {row["id"]: _run(database, row, origin, done) for row in tables["runs"]}
        for part in _parts(tables):
            with self._connections.write() as database:
                ids = _image_ids(database, [row["digest"] for row in part["images"]])
                candidates = self._candidates(database, part["candidates"], ids, runs, masks, done)
                for row in part["scores"]:
                    one, run = candidates[row["candidate"]], runs.get(row["run"])
                    give(database, one, run, row["scores"], row["added"])
                _decisions(database, part["decisions"], candidates, masks, done)
                _tags(database, part, ids, classes, origin, done)
                _flags(database, part["flags"], ids, done)
            time.sleep(_REST_SECONDS)
        return done

    def _candidates(
        self,
        database: Database,
        rows: Rows,
        images: Mapping[str, int],
        runs: Mapping[int, int],
        masks: Mapping[str, str],
        done: Adopted,
    ) -> dict[int, int]:
        """Ids here by those there; what they were drawn from came before them."""
        candidates = Candidates(self._connections, self._files)
        ids: dict[int, int] = {}
        for row in rows:
            parent = ids.get(row["parent"])
            image, mask = images[row["image"]], masks[row["mask"]]
            checked = CheckedCandidate(image, row["image"], row["method"], mask, {}, parent)
            ((id, new),) = candidates.enter([checked], runs.get(row["run"]))
            ids[row["id"]] = id
            if new:
                database.execute("UPDATE candidates SET added = ? WHERE id = ?", [row["added"], id])
                done.new["candidates"] = done.new.get("candidates", 0) + 1
        return ids


def _parts(tables: Mapping[str, Rows]) -> list[dict[str, Rows]]:
    """The tables of some images at a time: no row names one of another image."""
    part_of = {row["digest"]: at // _IMAGES_AT_ONCE for at, row in enumerate(tables["images"])}
    image_of = {row["id"]: row["image"] for row in tables["candidates"]}
    names = [name for name in tables if name != "runs"]
    parts: list[dict[str, Rows]] = [
        {name: [] for name in names} for _ in range(max(part_of.values(), default=-1) + 1)
    ]
    for name in names:
        for row in tables[name]:
            image = row["digest"] if name == "images" else row.get("image")
            parts[part_of[image or image_of[row["candidate"]]]][name].append(row)
    return parts


def _require_own_actions(database: Database, tables: Mapping[str, Rows]) -> None:
    image_of = {row["id"]: row["image"] for row in tables["candidates"]}
    told = {row["action_id"]: image_of[row["candidate"]] for row in tables["decisions"]}
    queries = (
        (
            "SELECT action_id, images.digest FROM decisions JOIN candidates"
            " ON candidates.id = candidate_id JOIN images ON images.id = image_id",
            told,
        ),
        (
            "SELECT action_id, images.digest FROM flags JOIN images ON images.id = image_id",
            {row["action_id"]: row["image"] for row in tables["flags"]},
        ),
    )
    for query, images in queries:
        actions = [*images]
        for start in range(0, len(actions), _AT_ONCE):
            some = actions[start : start + _AT_ONCE]
            for action, digest in database.execute(
                f"{query} WHERE action_id IN ({marks(len(some))})", some
            ):
                if images[action] != digest:
                    raise StoreError(
                        f"The bundle has the action {action[:40]!r}, which is about another image "
                        "here, so that nothing of what it says was brought in."
                    )


def _image_ids(database: Database, digests: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(digests), _AT_ONCE):
        some = list(digests[start : start + _AT_ONCE])
        found |= dict(
            database.execute(
                f"SELECT digest, id FROM images WHERE digest IN ({marks(len(some))})", some
            )
        )
    return found


def _run(database: Database, row: dict[str, Any], origin: str, done: Adopted) -> int:
    """The run's id here; its folder stayed behind, so it is named by where it came from."""
    folder = f"imported/{origin}/{row['id']}"
    known = database.execute(
        "SELECT id FROM runs WHERE name = ? AND recipe = ? AND created = ? AND config = ?",
        [row["name"], row["recipe"], row["created"], dumps(row["config"])],
    ).fetchone()
    if known is not None:
        return int(known[0])
    done.new["runs"] = done.new.get("runs", 0) + 1
    id = database.execute(
        "INSERT INTO runs (name, recipe, folder, config, created, finished, metrics)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            row["name"],
            row["recipe"],
            folder,
            dumps(row["config"]),
            row["created"],
            row["finished"],
            dumps(row["metrics"]),
        ],
    ).lastrowid
    assert id is not None
    return id


def _decisions(
    database: Database,
    rows: Rows,
    candidates: Mapping[int, int],
    masks: Mapping[str, str],
    done: Adopted,
) -> None:
    theirs: dict[int, Rows] = {}
    for row in rows:
        theirs.setdefault(candidates[row["candidate"]], []).append(row)
    ids: dict[int | None, int | None] = {None: None}
    for candidate, log in theirs.items():
        known: dict[str, int] = dict(
            database.execute(
                "SELECT action_id, id FROM decisions WHERE candidate_id = ?", [candidate]
            )
        )
        if known.keys() - {row["action_id"] for row in log}:
            done.kept_decisions += 1
            continue
        for row in log:
            if row["action_id"] in known:
                ids[row["id"]] = known[row["action_id"]]
                continue
            values = row | {key: ids.get(row[key]) for key in ("supersedes", "undoes", "restores")}
            ids[row["id"]] = database.execute(
                f"INSERT INTO decisions (candidate_id, mask_digest, {DECISIONS})"
                f" VALUES ({marks(2 + len(names_of(DECISIONS)))})",
                [candidate, masks[row["mask"]], *(values[name] for name in names_of(DECISIONS))],
            ).lastrowid
            done.new["decisions"] = done.new.get("decisions", 0) + 1


def _tags(
    database: Database,
    tables: Mapping[str, Rows],
    images: Mapping[str, int],
    classes: Mapping[int, int],
    origin: str,
    done: Adopted,
) -> None:
    logs: dict[str, Rows] = {}
    for row in tables["tag_changes"]:
        logs.setdefault(row["image"], []).append(row)
    for told in tables["images"]:
        image, tags = images[told["digest"]], sorted(classes[tag] for tag in told["tags"])
        own = database.execute("SELECT 1 FROM tag_changes WHERE image_id = ?", [image]).fetchone()
        if own is not None:
            here = database.execute(
                "SELECT class_id FROM image_tags WHERE image_id = ? ORDER BY class_id", [image]
            )
            done.kept_tags += [id for (id,) in here] != tags
            continue
        after: list[int] = []
        ids: dict[int | None, int | None] = {None: None}
        for row in logs.get(told["digest"], []):
            lists = {k: [classes[t] for t in row[k]] for k in ("before", "after", "judged")}
            values = row | {key: dumps(sorted(each)) for key, each in lists.items()}
            values["undoes"] = ids.get(row["undoes"])
            ids[row["id"]] = database.execute(
                f"INSERT INTO tag_changes (image_id, changed_by, changed_at, {CHANGES})"
                f" VALUES ({marks(3 + len(names_of(CHANGES)))})",
                [image, row["by"], row["at"], *(values[name] for name in names_of(CHANGES))],
            ).lastrowid
            after = sorted(lists["after"])
        if after != tags:
            database.execute(
                "INSERT INTO tag_changes (image_id, before, after, changed_by, changed_at)"
                " VALUES (?, ?, ?, ?, ?)",
                [image, dumps(after), dumps(tags), origin, now()],
            )
        for tag in tags:
            database.execute("INSERT INTO image_tags VALUES (?, ?)", [image, tag])


def _flags(database: Database, rows: Rows, images: Mapping[str, int], done: Adopted) -> None:
    theirs = {row["action_id"] for row in rows}
    kept: set[int] = set()
    own: dict[int, bool] = {}
    for row in rows:
        image = images[row["image"]]
        if image not in own:
            log = database.execute("SELECT action_id FROM flags WHERE image_id = ?", [image])
            own[image] = any(action not in theirs for (action,) in log)
        if own[image]:
            kept.add(image)
            continue
        new = database.execute(
            f"INSERT OR IGNORE INTO flags (image_id, {FLAGS})"
            f" VALUES ({marks(1 + len(names_of(FLAGS)))})",
            [image, *(row[name] for name in names_of(FLAGS))],
        ).rowcount
        done.new["flags"] = done.new.get("flags", 0) + new
    done.kept_flags = len(kept)
