"""The one door for data sets: what a path holds is found out, then read."""

from pathlib import Path
from typing import Any

from backend.errors import DataError
from backend.exchange.annotated import read_json
from backend.exchange.folder import open_images, open_tagged
from backend.exchange.items import Item, Source
from backend.exchange.snapshot import is_manifest, open_snapshot
from backend.exchange.voc import find_voc, open_voc

__all__ = ["Item", "Source", "open_exchange", "open_source"]

KINDS = (
    "a Pascal VOC devkit (JPEGImages, ImageSets), a folder of images with or without a tags.csv, "
    "or a snapshot's manifest.json"
)


def open_source(
    path: str | Path, split: str | None = None, *, within: Path | None = None
) -> Source:
    """Read a data set: VOC devkit, folder with tags.csv, plain folder of images, or snapshot.

    `split` names a list of ImageSets/Segmentation, or "all"; without it train_aug, else train, else
    all. A folder that holds nothing but one folder is entered. `within`: what came from a stranger
    may name files of this folder only. Raises DataError.
    """
    path = Path(path)
    if path.is_file():
        if path.name == "manifest.json" or is_manifest(path):
            return open_snapshot(path, split, within=within)
        raise DataError(f"{path} is a file. Tagmask reads {KINDS}; a zip must be imported first.")
    if not path.is_dir():
        raise DataError(f"{path} does not exist. Name {KINDS}.")
    try:
        return _open_folder(path, split, within)
    except PermissionError as problem:
        raise DataError(f"{problem.filename} may not be read by this user.") from problem


def _open_folder(path: Path, split: str | None, within: Path | None) -> Source:
    if is_manifest(path / "manifest.json"):
        return open_snapshot(path / "manifest.json", split, within=within)
    root = find_voc(path)
    if root is not None:
        return open_voc(root, split)
    if (path / "tags.csv").is_file():
        return open_tagged(path, split)
    inside = [
        entry for entry in path.iterdir() if entry.name[0] != "." and entry.name != "__MACOSX"
    ]
    if len(inside) == 1 and inside[0].is_dir() and inside[0].name != "images":
        return _open_folder(inside[0], split, within)
    return open_images(path, split)


EXCHANGED = (
    "a Pascal VOC devkit, a folder of images with or without a tags.csv, a snapshot's "
    "manifest.json, COCO's or Label Studio's JSON, CVAT's annotations.xml, or a zip of any of them"
)


def open_exchange(
    path: str | Path,
    split: str | None = None,
    *,
    within: Path | None = None,
    images: Path | None = None,
    by_folders: bool = False,
) -> Source:
    """As `open_source`, and what other annotation programs write: COCO, Label Studio, CVAT.

    `images`: the folder of the images that such a file names, where they are not beside it.
    `by_folders`: a plain folder's images are tagged by the folders they lie in. Raises DataError.
    """
    path = Path(path)
    try:
        found = _annotations(path)
        if found:
            return _open_annotations(found, images)
        if by_folders:
            from backend.exchange.folder_tags import open_by_folders

            if path.is_dir():
                return open_by_folders(_entered(path))
    except PermissionError as problem:
        raise DataError(f"{problem.filename} may not be read by this user.") from problem
    if path.is_file() and path.suffix.lower() in (".json", ".xml") and not is_manifest(path):
        raise DataError(f"{path} is nothing that is read here. Tagmask brings in {EXCHANGED}.")
    return open_source(path, split, within=within)


def _annotations(path: Path) -> list[tuple[Path, Any]]:
    """The annotation files at a path, with what their JSON holds; none for other data sets."""
    if path.is_file():
        if path.suffix.lower() == ".xml":
            return [(path, None)]
        if path.suffix.lower() != ".json" or is_manifest(path):
            return []
        return [(path, read_json(path))]
    if not path.is_dir():
        return []
    root = _entered(path)
    known = ("manifest.json", "tags.csv", "JPEGImages")
    if find_voc(root) is not None or any((root / name).exists() for name in known):
        return []
    if (root / "annotations.xml").is_file():
        return [(root / "annotations.xml", None)]
    files = sorted([*root.glob("*.json"), *(root / "annotations").glob("*.json")])
    told = [
        (file, read_json(file))
        for file in files
        if not file.name.startswith(("captions", "person_keypoints"))
    ]
    return [(file, each) for file, each in told if _kind(each)]


def _entered(path: Path) -> Path:
    """The folder, or, where it holds nothing but one folder, that one."""
    while True:
        inside = [
            each for each in path.iterdir() if each.name[0] != "." and each.name != "__MACOSX"
        ]
        if len(inside) != 1 or not inside[0].is_dir() or inside[0].name == "images":
            return path
        path = inside[0]


def _kind(told: Any) -> str | None:
    from backend.exchange.coco import is_coco
    from backend.exchange.label_studio import is_label_studio

    return "coco" if is_coco(told) else "label-studio" if is_label_studio(told) else None


def _open_annotations(found: list[tuple[Path, Any]], images: Path | None) -> Source:
    from backend.exchange.coco import open_coco
    from backend.exchange.cvat import open_cvat
    from backend.exchange.label_studio import open_label_studio

    first, told = found[0]
    if first.suffix.lower() == ".xml":
        return open_cvat(first, images)
    if _kind(told) == "label-studio":
        return open_label_studio(first, told, images)
    if _kind(told) == "coco":
        return open_coco({path: each for path, each in found if _kind(each) == "coco"}, images)
    raise DataError(
        f"{first} is neither COCO's nor Label Studio's JSON. Tagmask brings in {EXCHANGED}."
    )
