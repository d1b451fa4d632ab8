"""What is kept about images, out of one workspace's tables and into another's."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlite_utils import Database

from backend.store.candidates import Candidates, CheckedCandidate
from backend.store.rows import Noun, dumps, marks, now
from backend.store.scores import give

Rows = list[dict[str, Any]]

_DECISIONS = (
    "action_id, verdict, reason, reviewer, session, client_time, server_time, supersedes, undoes,"
    " restores, batch"
)
_CHANGES = "before, after, judged, action_id, session, client_time, undoes"
_FLAGS = "action_id, flagged, note, reviewer, session, client_time, server_time"
_AT_ONCE = 500


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
                for name, rows in _about(database, images[start : start + _AT_ONCE]).items():
                    found.setdefault(name, []).extend(rows)
            runs = {row["run"] for name in ("candidates", "scores") for row in found.get(name, [])}
            found["runs"] = _runs(database, sorted(runs - {None}))
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
        """Enters rows that `gather` gave elsewhere, in one transaction; done twice, it adds none.

        Images and masks are there already; `masks` are their digests here by those there, `classes`
        likewise. Where people of this workspace decided on a candidate, or changed an image's tags
        or flag, theirs stays and what came is left out.
        """
        done = Adopted()
        with self._connections.write() as database:
            ids = _image_ids(database, [row["digest"] for row in tables["images"]])
            runs = {row["id"]: _run(database, row, origin, done) for row in tables["runs"]}
            candidates = self._candidates(database, tables["candidates"], ids, runs, masks, done)
            for row in tables["scores"]:
                if row["candidate"] in candidates:
                    run = runs.get(row["run"])
                    give(database, candidates[row["candidate"]], run, row["scores"], row["added"])
            _decisions(database, tables["decisions"], candidates, masks, done)
            _tags(database, tables, ids, classes, origin, done)
            _flags(database, tables["flags"], ids, done)
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


def _about(database: Database, digests: Sequence[str]) -> dict[str, Rows]:
    some = marks(len(digests))
    images = database.execute(
        "SELECT id, name, digest, truth_digest, source, added FROM images"
        f" WHERE digest IN ({some}) ORDER BY id",
        list(digests),
    ).fetchall()
    digest_of = {row[0]: row[2] for row in images}
    ids = [*digest_of]
    among = marks(len(ids))
    tags: dict[int, list[int]] = {}
    for image, tag in database.execute(
        f"SELECT image_id, class_id FROM image_tags WHERE image_id IN ({among}) ORDER BY 1, 2", ids
    ):
        tags.setdefault(image, []).append(tag)
    candidates = [
        dict(zip(("id", "image", "run", "method", "mask", "parent", "added"), row, strict=True))
        for row in database.execute(
            "SELECT id, image_id, run_id, method, digest, parent_id, added FROM candidates"
            f" WHERE image_id IN ({among}) ORDER BY id",
            ids,
        )
    ]
    offered = f"SELECT id FROM candidates WHERE image_id IN ({among})"
    return {
        "images": [
            {"name": name, "digest": digest, "truth": truth, "tags": tags.get(id, [])}
            | {"source": source, "added": added}
            for id, name, digest, truth, source, added in images
        ],
        "candidates": [row | {"image": digest_of[row["image"]]} for row in candidates],
        "scores": [
            {"candidate": candidate, "run": run, "scores": json.loads(scores), "added": added}
            for candidate, run, scores, added in database.execute(
                "SELECT candidate_id, run_id, scores, added FROM candidate_scores"
                f" WHERE candidate_id IN ({offered}) ORDER BY id",
                ids,
            )
        ],
        "decisions": [
            dict(zip(("id", "candidate", "mask", *_names(_DECISIONS)), row, strict=True))
            for row in database.execute(
                f"SELECT id, candidate_id, mask_digest, {_DECISIONS} FROM decisions"
                f" WHERE candidate_id IN ({offered}) ORDER BY id",
                ids,
            )
        ],
        "tag_changes": [
            _change(dict(zip(("id", "image", "by", "at", *_names(_CHANGES)), row, strict=True)))
            | {"image": digest_of[row[1]]}
            for row in database.execute(
                f"SELECT id, image_id, changed_by, changed_at, {_CHANGES} FROM tag_changes"
                f" WHERE image_id IN ({among}) ORDER BY id",
                ids,
            )
        ],
        "flags": [
            dict(zip(("image", *_names(_FLAGS)), row, strict=True)) | {"image": digest_of[row[0]]}
            for row in database.execute(
                f"SELECT image_id, {_FLAGS} FROM flags WHERE image_id IN ({among}) ORDER BY id", ids
            )
        ],
    }


def _names(columns: str) -> list[str]:
    return columns.split(", ")


def _change(row: dict[str, Any]) -> dict[str, Any]:
    return row | {key: json.loads(row[key]) for key in ("before", "after", "judged")}


def _runs(database: Database, ids: Sequence[int]) -> Rows:
    rows = database.execute(
        "SELECT id, name, recipe, config, created, finished, metrics FROM runs"
        f" WHERE id IN ({marks(len(ids))}) ORDER BY id",
        list(ids),
    )
    return [
        {"id": id, "name": name, "recipe": recipe, "config": json.loads(config)}
        | {"created": created, "finished": finished, "metrics": json.loads(metrics)}
        for id, name, recipe, config, created, finished, metrics in rows
    ]


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
                f"INSERT INTO decisions (candidate_id, mask_digest, {_DECISIONS})"
                f" VALUES ({marks(2 + len(_names(_DECISIONS)))})",
                [candidate, masks[row["mask"]], *(values[name] for name in _names(_DECISIONS))],
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
                f"INSERT INTO tag_changes (image_id, changed_by, changed_at, {_CHANGES})"
                f" VALUES ({marks(3 + len(_names(_CHANGES)))})",
                [image, row["by"], row["at"], *(values[name] for name in _names(_CHANGES))],
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
            f"INSERT OR IGNORE INTO flags (image_id, {_FLAGS})"
            f" VALUES ({marks(1 + len(_names(_FLAGS)))})",
            [image, *(row[name] for name in _names(_FLAGS))],
        ).rowcount
        done.new["flags"] = done.new.get("flags", 0) + new
    done.kept_flags = len(kept)
