"""A snapshot that was frozen in another workspace, put back under its own digest."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backend.errors import DataError, StoreError
from backend.store.snapshots import FORMAT, Snapshot, content_digest

if TYPE_CHECKING:
    from backend.store.opening import Store


def adopt_snapshot(
    store: "Store", manifest: Mapping[str, Any], told: Mapping[str, Any]
) -> Snapshot:
    """Enters a snapshot whose files are all stored here; the same again is the one that is there.

    `told` says its digest, name, by whom and when it was frozen. Raises StoreError where classes
    have other ids here or a file is missing, DataError where the manifest is not what its digest
    says.
    """
    digest, classes, items = told.get("digest"), manifest.get("classes"), manifest.get("items")
    here = {str(each.id): each.name for each in store.classes.all()}
    try:
        assert isinstance(digest, str)
        assert isinstance(classes, dict)
        assert isinstance(items, list)
        whole = content_digest(classes, items) == digest
        files = [
            file
            for item in items
            for file in (
                item["sha256"],
                item["mask_sha256"],
                (item.get("candidate") or {}).get("mask_sha256"),
            )
            if file is not None
        ]
    except (AssertionError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError("its manifest is not one of a snapshot.") from error
    if manifest.get("format") != FORMAT or not whole:
        raise DataError("its manifest is not what its digest says.")
    if any(here.get(number) != name for number, name in classes.items()):
        raise StoreError("its classes have other ids in this workspace; freeze a new one.")
    lost = [file for file in files if not store.files.has(file)]
    if lost:
        raise StoreError(f"its file {lost[0][:12]}… did not come with it.")
    return store.snapshots.adopt(manifest, told)
