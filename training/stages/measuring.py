"""mIoU of label maps that a pipeline made, over the images whose true mask is known."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.atomic import write_whole
from backend.errors import DataError, ImageError
from training.measures import measure_items, result

if TYPE_CHECKING:
    from backend.exchange.sources import Source
    from training.stages.files import FileDigests

FILE = "measured.json"
FORMAT = "tagmask-measured/2"


def measured(
    made: Path,
    folder: Path,
    source: "Source",
    files: "FileDigests",
    check: Callable[[], None],
    tell: Callable[[str], None],
) -> dict[str, Any] | None:
    """What `training.measures.result` says of made/IMAGE.png, over those images of a list that have
    a true mask; None where none has. An image without a label map counts as background; one whose
    true mask cannot be used is told and counts nowhere.

    Kept in folder/measured.json until a true mask changes. Only ever a measure.
    """
    known = [item for item in source.items if item.truth is not None]
    if not known:
        return None
    told = hashlib.sha256()
    for item in known:
        told.update(f"{item.name} {files.of(item.truth)}\n".encode())  # type: ignore[arg-type]
    digest = told.hexdigest()
    kept = _kept(folder / FILE, digest)
    if kept is not None:
        return kept
    usable = []
    for item in known:
        check()
        try:
            source.truth(item)
        except (DataError, ImageError) as problem:
            tell(f"{problem} {item.name} is not measured.")
        else:
            usable.append(item)
    counted = measure_items(usable, made, source.classes, check)
    if counted is None:
        return None
    found = result(counted, source.classes)
    text = json.dumps({"format": FORMAT, "truth": digest, "found": found}, ensure_ascii=False)
    write_whole(folder / FILE, text.encode())
    return found


def _kept(path: Path, digest: str) -> dict[str, Any] | None:
    try:
        told = json.loads(path.read_bytes())
        if told["format"] != FORMAT or told["truth"] != digest:
            return None
        found: dict[str, Any] = told["found"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found
