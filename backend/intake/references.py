"""The reference masks that a run leaves beside its scores: references/IMAGE.png, as artifacts."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from backend.errors import DataError
from backend.intake.masks import Refusals, batches
from backend.store import REFERENCE, Image, Store
from backend.store.checking import check_labels
from backend.store.files import FileBatch

FOLDER = "references"
_THREADS = 4


def checked_reference(folder: Path, image: Image, files: FileBatch) -> str | None:
    """The digest of the reference mask that a run made of an image, stored; None without one.

    Raises DataError where it is no mask or has another size than the image.
    """
    path = folder / FOLDER / f"{image.name}.png"
    if not path.is_file():
        return None
    size, said = (image.height, image.width), f"The reference mask of {image.name}"
    return check_labels(files, path, size, (), said)


def take_in_references(store: Store, folder: Path, run_id: int | None) -> tuple[int, Refusals]:
    """Enters a run folder's references as the run's; how many there are, and what was refused.

    Images are found by name. Taken in twice, nothing is doubled.
    """
    paths = sorted((folder / FOLDER).glob("*.png"))
    refused = Refusals()
    entered = 0

    def check(path: Path, batch: FileBatch) -> tuple[int, str] | str | None:
        image = store.images.by_name(path.stem)
        if image is None:
            return f"The workspace has no image {path.stem} for its reference mask."
        try:
            digest = checked_reference(folder, image, batch)
        except DataError as error:
            return str(error)
        return None if digest is None else (image.id, digest)

    with ThreadPoolExecutor(_THREADS) as threads:
        for batch in batches(paths):
            with store.files.batch() as files:
                checked = list(threads.map(partial(check, batch=files), batch))
            found = refused.sift(checked)
            store.artifacts.enter(REFERENCE, found, run_id)
            entered += len(found)
    return entered, refused
