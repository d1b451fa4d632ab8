"""What comes into the store is decoded first, so that nothing unreadable is ever kept."""

import hashlib
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from backend.errors import DataError, ImageError
from backend.exchange.duplicates import perceptual_hash
from backend.glance import glance
from backend.images import image_size
from backend.labels import BACKGROUND, IGNORE, decode_labels
from backend.store.files import FileBatch, FileStore

_LARGE = 64_000_000


@dataclass(frozen=True)
class CheckedImage:
    """A photograph that can be read and is stored; width and height after its EXIF turn.

    `phash` is its perceptual hash, None where it was known already.
    """

    name: str
    digest: str
    width: int
    height: int
    truth_digest: str | None
    phash: str | None = None


def check_image(
    files: FileStore | FileBatch,
    name: str,
    data: bytes | Path,
    truth: bytes | Path | None,
    class_ids: Container[int],
) -> CheckedImage:
    """Decodes a photograph and its true label map and stores both, durably.

    Bytes that are stored already were decoded when they came. Raises ImageError or DataError.
    """
    content = _content(data)
    digest = hashlib.sha256(content).hexdigest()
    phash = None
    if files.has(digest):
        width, height = image_size(content)
    else:
        width, height, grey = glance(content, name)
        phash = perceptual_hash(grey)
    truth_digest = None
    if truth is not None:
        truth_digest = check_labels(files, truth, (height, width), class_ids, f"The mask of {name}")
    files.put(content, PurePath(data if isinstance(data, Path) else name).suffix, digest)
    return CheckedImage(name, digest, width, height, truth_digest, phash)


def _content(data: bytes | Path) -> bytes:
    if isinstance(data, bytes):
        return data
    try:
        if data.stat().st_size > _LARGE:
            # Refuses what cannot be a photograph (a disk image, a film) before it fills the memory.
            image_size(data)
        return data.read_bytes()
    except OSError as error:
        raise ImageError(f"{data} could not be read: {error.strerror}.") from error


def check_labels(
    files: FileStore | FileBatch,
    labels: bytes | Path | str,
    size: tuple[int, int],
    class_ids: Container[int],
    name: str = "The mask",
) -> str:
    """Stores a label PNG (bytes, a file, or the digest of a stored one); its digest.

    `size` is the image's (height, width). Raises DataError for what is no label PNG, has another
    size, or holds ids that are neither 0, 255 nor a class of the workspace.
    """
    if isinstance(labels, Path):
        try:
            content = labels.read_bytes()
        except OSError as error:
            raise DataError(f"{labels} could not be read: {error.strerror}.") from error
    else:
        content = labels if isinstance(labels, bytes) else files.read(labels)
    values = decode_labels(content, name)
    if values.shape != size:
        raise DataError(
            f"{name} is {values.shape[1]}x{values.shape[0]} pixels, its image {size[1]}x{size[0]}. "
            "A mask must have its image's size."
        )
    held = np.flatnonzero(np.bincount(values.ravel(), minlength=256)).tolist()
    unknown = [id for id in held if id not in (BACKGROUND, IGNORE) and id not in class_ids]
    if unknown:
        raise DataError(
            f"{name} holds the value {', '.join(map(str, unknown[:8]))}, which is no class of this "
            "workspace. Accepted are 0 (background), 255 (ignore) and the ids of its classes."
        )
    return files.put(content, ".png")
