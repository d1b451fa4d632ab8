"""What is kept about images as rows, with images and masks named by their digests."""

import json
from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from backend.store.rows import marks

Rows = list[dict[str, Any]]

DECISIONS = (
    "action_id, verdict, reason, reviewer, session, client_time, server_time, supersedes, undoes,"
    " restores, batch"
)
CHANGES = "before, after, judged, action_id, session, client_time, undoes"
FLAGS = "action_id, flagged, note, reviewer, session, client_time, server_time"


def about(database: Database, digests: Sequence[str]) -> dict[str, Rows]:
    """Every row about the images with these digests, by table; runs are not among them."""
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
            dict(zip(("id", "candidate", "mask", *names_of(DECISIONS)), row, strict=True))
            for row in database.execute(
                f"SELECT id, candidate_id, mask_digest, {DECISIONS} FROM decisions"
                f" WHERE candidate_id IN ({offered}) ORDER BY id",
                ids,
            )
        ],
        "tag_changes": [
            _change(dict(zip(("id", "image", "by", "at", *names_of(CHANGES)), row, strict=True)))
            | {"image": digest_of[row[1]]}
            for row in database.execute(
                f"SELECT id, image_id, changed_by, changed_at, {CHANGES} FROM tag_changes"
                f" WHERE image_id IN ({among}) ORDER BY id",
                ids,
            )
        ],
        "flags": [
            dict(zip(("image", *names_of(FLAGS)), row, strict=True)) | {"image": digest_of[row[0]]}
            for row in database.execute(
                f"SELECT image_id, {FLAGS} FROM flags WHERE image_id IN ({among}) ORDER BY id", ids
            )
        ],
    }


def names_of(columns: str) -> list[str]:
    """The columns of a list, one by one."""
    return columns.split(", ")


def _change(row: dict[str, Any]) -> dict[str, Any]:
    return row | {key: json.loads(row[key]) for key in ("before", "after", "judged")}


def runs_of(database: Database, ids: Sequence[int]) -> Rows:
    """Runs by their numbers, with all their settings."""
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
