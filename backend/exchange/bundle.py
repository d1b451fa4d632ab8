"""A bundle: a zip that says all of itself, with images, masks, decisions and where they come from.

`bundle.json` says what it is, `manifest.json` is the snapshot that a trainer can read from the
unpacked folder, and one JSON file a table holds what was kept about its images. Numbers (`id`,
`candidate`, `run`, ...) mean rows of this bundle only.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from backend.errors import DataError
from backend.exchange.annotated import read_json
from backend.exchange.classes import check_classes
from backend.exchange.entries import Entry, encoded_json
from backend.exchange.items import Item
from backend.exchange.names import safe_name

FORMAT = "tagmask-bundle/1"
ABOUT = "bundle.json"
TABLES = ("images", "runs", "candidates", "scores", "decisions", "tag_changes", "flags")
_TEXT, _NUMBER, _ID = (str,), (int, float), (int,)
_MAYBE_ID, _MAYBE_NUMBER = (int, type(None)), (int, float, type(None))
_MAYBE_TEXT = (str, type(None))
_LONGEST_TEXT = 10_000
_LARGEST_NUMBER = 2**53
_VERDICTS = ("accept", "reject", "fix", "skip", "undecided")
_DIGEST = re.compile(r"[0-9a-f]{64}")

COLUMNS: dict[str, dict[str, tuple[type, ...]]] = {
    "images": {
        "name": _TEXT,
        "digest": _TEXT,
        "file": _TEXT,
        "truth": _MAYBE_TEXT,
        "tags": (list,),
        "source": _TEXT,
        "added": _NUMBER,
    },
    "runs": {
        "id": _ID,
        "name": _TEXT,
        "recipe": _TEXT,
        "config": (dict,),
        "created": _NUMBER,
        "finished": _MAYBE_NUMBER,
        "metrics": (dict,),
    },
    "candidates": {
        "id": _ID,
        "image": _TEXT,
        "run": _MAYBE_ID,
        "method": _TEXT,
        "mask": _TEXT,
        "parent": _MAYBE_ID,
        "added": _NUMBER,
    },
    "scores": {"candidate": _ID, "run": _MAYBE_ID, "scores": (dict,), "added": _NUMBER},
    "decisions": {
        "id": _ID,
        "action_id": _TEXT,
        "candidate": _ID,
        "mask": _TEXT,
        "verdict": _TEXT,
        "reason": _TEXT,
        "reviewer": _TEXT,
        "session": _TEXT,
        "client_time": _MAYBE_NUMBER,
        "server_time": _NUMBER,
        "supersedes": _MAYBE_ID,
        "undoes": _MAYBE_ID,
        "restores": _MAYBE_ID,
        "batch": _MAYBE_TEXT,
    },
    "tag_changes": {
        "id": _ID,
        "image": _TEXT,
        "before": (list,),
        "after": (list,),
        "judged": (list,),
        "by": _TEXT,
        "at": _NUMBER,
        "action_id": _MAYBE_TEXT,
        "session": _TEXT,
        "client_time": _MAYBE_NUMBER,
        "undoes": _MAYBE_ID,
    },
    "flags": {
        "action_id": _TEXT,
        "image": _TEXT,
        "flagged": _ID,
        "note": _TEXT,
        "reviewer": _TEXT,
        "session": _TEXT,
        "client_time": _MAYBE_NUMBER,
        "server_time": _NUMBER,
    },
}
"""What a row of each table holds, and of which kind."""

README = """This is a bundle of the program Tagmask, format tagmask-bundle/1.

bundle.json         what this is: workspace, snapshot, classes, when it was made
manifest.json       the snapshot: images, tags, masks, verdicts (a trainer reads it as it is)
images/             the photographs, byte for byte as they came in
masks/              label maps, named by the SHA-256 of the file: the numbers are class ids,
                    0 is background, 255 counts for nothing
images.json         each image: name, SHA-256, tags, true mask, where it came from
runs.json           what made the masks, with all settings
candidates.json     every mask that was offered for an image, and by what
scores.json         every scoring of a mask
decisions.json      the log of decisions: who said what about which mask, and when
tag_changes.json    every change of an image's tags
flags.json          every flag

    python -m backend import WORKSPACE THIS.zip

brings all of it into a workspace; done twice, it adds nothing.
"""


@dataclass(frozen=True)
class Bundle:
    """A bundle that lies unpacked in `root`; `tables` are rows by table, checked."""

    root: Path
    about: dict[str, Any]
    manifest: dict[str, Any]
    classes: dict[int, str]
    tables: dict[str, list[dict[str, Any]]]

    def items(self) -> list[Item]:
        """Its images with their true masks; their tags come with the log of tags."""
        return [
            Item(safe_name(row["name"]), self.file(row["file"]), truth=self.truth(row))
            for row in self.tables["images"]
        ]

    def truth(self, row: Mapping[str, Any]) -> Path | None:
        """The true mask of an image's row."""
        return None if row["truth"] is None else self.mask(row["truth"])

    def mask(self, digest: str) -> Path:
        """The file of a mask."""
        return self.file(f"masks/{digest}.png")

    def file(self, relative: str) -> Path:
        """A file of the bundle; raises DataError for one that is not there or leads outside."""
        parts = PurePosixPath(relative).parts
        inside = relative and not relative.startswith("/") and ".." not in parts
        path = self.root / relative
        if not inside or "\0" in relative or not path.is_file() or path.is_symlink():
            raise damaged(self.root, f"{relative[:120]!r} is not in it")
        return path


def find_bundle(path: Path) -> Path | None:
    """The folder that holds bundle.json: `path`, or the one folder in it; None elsewhere."""
    if not path.is_dir():
        return None
    inside = [each for each in path.iterdir() if each.is_dir()]
    tries = [path, *(inside if len(inside) == 1 else [])]
    return next((folder for folder in tries if (folder / ABOUT).is_file()), None)


def open_bundle(root: Path) -> Bundle:
    """Reads and checks all but the images and masks; raises DataError."""
    about = read_json(root / ABOUT)
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        told = about.get("format") if isinstance(about, dict) else None
        raise DataError(
            f"{root} is a bundle of the format {told!r}; this version of Tagmask reads {FORMAT!r}."
        )
    manifest = read_json(root / "manifest.json")
    try:
        classes = {int(number): str(name) for number, name in about["classes"].items()}
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise damaged(root, "its classes are not a map from ids to names") from problem
    check_classes(classes, str(root))
    if not isinstance(manifest, dict) or not isinstance(manifest.get("items"), list):
        raise damaged(root, "its manifest lists no items")
    tables = {name: _table(root, name) for name in TABLES}
    for table in ("images", "tag_changes"):
        for row in tables[table]:
            for key in ("tags", "before", "after", "judged"):
                if not all(type(tag) is int and tag in classes for tag in row.get(key, [])):
                    raise damaged(root, f"{table} name a class that it does not have")
    for row in tables["scores"]:
        if not all(_fits(each, _NUMBER) for each in row["scores"].values()):
            raise damaged(root, "a score is no number")
    _require_references(root, tables)
    return Bundle(root, about, manifest, classes, tables)


def _table(root: Path, name: str) -> list[dict[str, Any]]:
    rows = read_json(root / f"{name}.json")
    if not isinstance(rows, list):
        raise damaged(root, f"{name}.json is no list")
    kinds = COLUMNS[name]
    for row in rows:
        if not isinstance(row, dict) or any(
            key not in row or not _fits(row[key], kind) for key, kind in kinds.items()
        ):
            raise damaged(root, f"a row of {name}.json is not as it should be: {str(row)[:120]}")
    return rows


def _fits(value: Any, kinds: tuple[type, ...]) -> bool:
    if type(value) not in kinds:
        return False
    if isinstance(value, int | float):
        return math.isfinite(value) and abs(value) < _LARGEST_NUMBER
    return not isinstance(value, str) or len(value) <= _LONGEST_TEXT


def _require_references(root: Path, tables: dict[str, list[dict[str, Any]]]) -> None:
    """Raises DataError where a row names an image, run or candidate that is not in the bundle."""
    images = {row["digest"] for row in tables["images"]}
    runs: set[int | None] = {row["id"] for row in tables["runs"]} | {None}
    masks: dict[int | None, str] = {}
    image_of: dict[int | None, str] = {}
    for row in tables["candidates"]:
        if row["image"] not in images or row["run"] not in runs:
            raise damaged(root, f"the candidate {row['id']} names an image or run it lacks")
        if row["parent"] is not None and image_of.get(row["parent"]) != row["image"]:
            raise damaged(root, f"the candidate {row['id']} comes before what it was drawn from")
        masks[row["id"]], image_of[row["id"]] = row["mask"], row["image"]
    for name in ("scores", "decisions"):
        for row in tables[name]:
            if row["candidate"] not in masks or row.get("mask") not in (
                None,
                masks[row["candidate"]],
            ):
                raise damaged(root, f"a row of {name}.json names a candidate or mask it lacks")
    for name in ("tag_changes", "flags"):
        if any(row["image"] not in images for row in tables[name]):
            raise damaged(root, f"a row of {name}.json names an image that it lacks")
    if any(row["flagged"] not in (0, 1) for row in tables["flags"]):
        raise damaged(root, "a flag is neither 0 nor 1")
    if any(row["verdict"] not in _VERDICTS for row in tables["decisions"]):
        raise damaged(root, "a verdict is none")
    for name in ("decisions", "flags"):
        actions = [row["action_id"] for row in tables[name]]
        if len(set(actions)) != len(actions):
            raise damaged(root, f"an action stands twice in {name}.json")
    undone = [row["undoes"] for row in tables["decisions"] if row["undoes"] is not None]
    if len(set(undone)) != len(undone):
        raise damaged(root, "a decision was undone twice")
    digests = [*images, *masks.values(), *(row["truth"] for row in tables["images"])]
    if not all(each is None or _DIGEST.fullmatch(each) for each in digests):
        raise damaged(root, "a digest is none")


def damaged(root: Path, why: str) -> DataError:
    """The error for a bundle that is not whole."""
    return DataError(f"The bundle {root.name} is damaged: {why}. Export it again.")


def bundle_entries(
    about: Mapping[str, Any],
    manifest: Mapping[str, Any],
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    images: Mapping[str, Path],
    masks: Mapping[str, Path],
) -> Iterator[Entry]:
    """The files of a bundle; `images` by their path in it, `masks` by digest."""
    done = 0
    for done, (path, file) in enumerate(images.items(), start=1):
        yield Entry(path, file, done)
    for digest, file in masks.items():
        yield Entry(f"masks/{digest}.png", file, done)
    for name in TABLES:
        yield Entry(f"{name}.json", partial(_lines, tables[name]), done)
    yield Entry("manifest.json", partial(encoded_json, manifest), done)
    yield Entry("README.txt", README.encode(), done)
    yield Entry(ABOUT, partial(encoded_json, about), done)


def _lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A JSON list with a row a line, to be read and compared by people, too."""
    return b"[" + b",\n".join(encoded_json(row).rstrip() for row in rows) + b"]\n"
