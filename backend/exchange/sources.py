"""The one door for data sets: what a path holds is found out, then read."""

from pathlib import Path

from backend.errors import DataError
from backend.exchange.folder import open_images, open_tagged
from backend.exchange.items import Item, Source
from backend.exchange.snapshot import is_manifest, open_snapshot
from backend.exchange.voc import find_voc, open_voc

__all__ = ["Item", "Source", "open_source"]

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
