"""A snapshot's manifest: the frozen list of images and masks that a run trains on."""

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.errors import DataError
from backend.exchange.classes import check_classes, read_text
from backend.exchange.items import Item, Source
from backend.exchange.names import safe_name, some

FORMAT = "tagmask-snapshot/1"
VERDICTS = ("accept", "fix")
# Frozen only on request: what people said no to, and what nobody has decided on yet.
UNDECIDED = ("reject", "undecided")
EVERYTHING = "all"


def is_manifest(path: Path) -> bool:
    """Whether a file says of itself, near its beginning, that it is a snapshot's manifest."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return b"tagmask-snapshot/" in file.read(65536)


def open_snapshot(
    path: Path, split: str | None = None, *, verify: bool = True, within: Path | None = None
) -> Source:
    """The images and masks of a manifest.json.

    Rejected and undecided images, where any were frozen, belong to the split "all" alone: who does
    not ask for them has what people accepted. With `verify` every file is hashed and compared, so
    that what is trained on is what was frozen. `within`: a folder that none of the files may lie
    outside of. Raises DataError for a damaged manifest, missing files, files that have changed or
    lie outside, and where nothing is accepted and not all was asked for.
    """
    if split not in (None, EVERYTHING):
        raise DataError(f"{path} is a snapshot, which has no split {split}: all of it is used.")
    manifest = read_manifest(path)
    classes = _classes(path, manifest)
    entries = manifest.get("items")
    if not isinstance(entries, list) or not entries:
        raise _damaged(path, "it lists no items")
    items = [_item(path, entry, classes, verify, within) for entry in entries]
    names = [item.name for item in items]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise _damaged(path, f"it lists {some(twice)} more than once")
    digest = manifest.get("digest")
    source = Source(
        "snapshot",
        path.parent,
        classes,
        items,
        notes=_tags_since(manifest.get("tags_since"), set(names)),
        digest=digest if isinstance(digest, str) else None,
    )
    return source if split == EVERYTHING else _decided(path, source)


def _decided(path: Path, source: Source) -> Source:
    """The source without rejected and undecided images; how many they are is a note."""
    items = [item for item in source.items if item.verdict not in UNDECIDED]
    left = len(source.items) - len(items)
    if not left:
        return source
    if not items:
        raise DataError(
            f"None of the {left} images of {path} was accepted or fixed. --split all takes the "
            "rejected and undecided ones; the recipe sal learns from them by their scores."
        )
    note = f"{left} images that were rejected or not decided on are left out (--split all)."
    return replace(source, items=items, notes=(*source.notes, note))


def _tags_since(told: Any, images: set[str]) -> tuple[str, ...]:
    """The sentence about the tags that changed since the snapshot before; older ones say nothing.

    It only informs, so what cannot be read of it is passed over.
    """
    if not isinstance(told, dict) or not isinstance(told.get("changed"), list):
        return ()
    names = (each.get("image") for each in told["changed"] if isinstance(each, dict))
    changed = sorted(name for name in names if isinstance(name, str) and name in images)
    first = told.get("first_tags")
    said = []
    if changed:
        said.append(f"the tags of {_images(len(changed))} changed ({some(changed)})")
    if isinstance(first, int) and first:
        said.append(f"{_images(first)} got tags for the first time")
    gone = told.get("untagged")
    gone = [name for name in gone if isinstance(name, str)] if isinstance(gone, list) else []
    if gone:
        said.append(f"{_images(len(gone))} lost all tags ({some(gone)})")
    if not said:
        return ()
    return (f"Since the snapshot {str(told.get('name'))[:64]!r}, {_listed(said)}.",)


def _listed(said: list[str]) -> str:
    return " and ".join([", ".join(said[:-1]), said[-1]] if said[1:] else said)


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"


def read_manifest(path: Path) -> dict[str, Any]:
    """A manifest.json as it is written, its items unchecked; raises DataError for another file."""
    try:
        manifest = json.loads(read_text(path))
    except (ValueError, RecursionError) as problem:
        raise _damaged(path, f"it is not readable JSON ({problem})") from problem
    if not isinstance(manifest, dict):
        raise _damaged(path, "it is not a JSON object")
    named = manifest.get("format")
    if named != FORMAT:
        raise DataError(
            f"{path} is of the format {named!r}; this version of Tagmask reads {FORMAT!r}."
        )
    return manifest


def _classes(path: Path, manifest: dict[str, Any]) -> dict[int, str]:
    given = manifest.get("classes")
    try:
        classes = {int(number): str(name) for number, name in given.items()}  # type: ignore[union-attr]
    except (AttributeError, ValueError) as problem:
        raise _damaged(path, "its classes are not a map from ids to names") from problem
    return check_classes(classes, str(path))


def _item(
    path: Path, entry: Any, classes: dict[int, str], verify: bool, within: Path | None
) -> Item:
    if not isinstance(entry, dict) or not isinstance(entry.get("image"), str):
        raise _damaged(path, "an item has no image name")
    name = entry["image"]
    tags = entry.get("tags", [])
    if not isinstance(tags, list) or not all(type(tag) is int and tag in classes for tag in tags):
        raise _damaged(path, f"the tags of {name} are not ids of its classes")
    verdict = entry.get("verdict")
    if verdict is not None and verdict not in (*VERDICTS, *UNDECIDED):
        raise _damaged(path, f"the verdict of {name} is {verdict!r}")
    image = _file(path, name, entry, "file", "sha256" if verify else None, within)
    if image is None:
        raise _damaged(path, f"{name} has no file")
    candidate = _candidate(path, name, entry)
    return Item(
        name=safe_name(name),
        image=image,
        tags=tuple(sorted(set(tags))),
        truth=_file(path, name, entry, "truth", None, within),
        mask=_file(path, name, entry, "mask", "mask_sha256" if verify else None, within),
        verdict=verdict,
        candidate=_file(
            path, name, candidate, "mask", "mask_sha256" if verify else None, within, "candidate"
        ),
        scores=candidate["scores"],
    )


def _candidate(path: Path, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """What a manifest says of the mask that was offered for review; older ones say nothing."""
    told = entry.get("candidate")
    if told is None:
        return {"mask": None, "scores": {}}
    scores = told.get("scores", {}) if isinstance(told, dict) else None
    if not isinstance(scores, dict) or not all(
        type(each) in (int, float) and math.isfinite(each) for each in scores.values()
    ):
        raise _damaged(path, f"the candidate of {name} is not a mask with scores")
    return {**told, "scores": {key: float(each) for key, each in scores.items()}}


def _file(
    path: Path,
    name: str,
    entry: dict[str, Any],
    key: str,
    digest_key: str | None,
    within: Path | None,
    called: str = "",
) -> Path | None:
    """A file of an item, relative to the manifest, there and unchanged, and inside `within`."""
    relative = entry.get(key)
    if relative is None:
        return None
    said = called or key
    if not isinstance(relative, str) or "\0" in relative or Path(relative).is_absolute():
        raise _damaged(path, f"the {said} of {name} is not a path relative to the manifest")
    file = path.parent / relative
    if within is not None and not file.resolve().is_relative_to(within.resolve()):
        raise _damaged(path, f"the {said} of {name} leads out of its folder")
    try:
        data = file.read_bytes() if digest_key and entry.get(digest_key) else None
        there = file.is_file()
    except OSError:
        data, there = None, False
    if not there:
        raise DataError(f"The {said} of {name} that {path} names is missing: {file}.")
    if data is not None and digest_key:
        found = hashlib.sha256(data).hexdigest()
        if found != entry[digest_key]:
            raise DataError(
                f"The {said} of {name} ({file}) has changed since the snapshot was frozen. Restore "
                "it from a backup or freeze a new snapshot."
            )
    return file


def _damaged(path: Path, why: str) -> DataError:
    return DataError(f"{path} is not a usable snapshot: {why}. Freeze the snapshot again.")
