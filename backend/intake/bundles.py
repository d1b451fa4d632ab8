"""Bundles: a snapshot with all that is known of it, out of a workspace and into another."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import DataError, StoreError
from backend.exchange.bundle import FORMAT, Bundle, bundle_entries, damaged
from backend.exchange.entries import Entry
from backend.exchange.items import Source
from backend.exchange.snapshot import read_manifest
from backend.images import SUFFIXES
from backend.intake.data_sets import (
    FILES_AT_ONCE,
    Import,
    Progress,
    classes_in,
    renumbered,
    take_in_source,
)
from backend.labels import encode_labels, read_labels
from backend.store.adopting import adopt_snapshot
from backend.store.checking import check_labels
from backend.store.files import FileBatch

if TYPE_CHECKING:
    from backend.store import Store
    from backend.workspace import Workspace


def bundle_of(workspace: "Workspace", digest: str) -> tuple[Iterator[Entry], int]:
    """The files of a snapshot's bundle, and how many images it has."""
    store = workspace.store
    snapshot = store.snapshots.get(digest)
    store.snapshots.verify(snapshot.digest)
    manifest = read_manifest(snapshot.path)
    entries = manifest["items"]
    tables = store.bundles.gather([each["sha256"] for each in entries])
    files: dict[str, Path] = {}
    paths: dict[str, str] = {}
    for row in tables["images"]:
        file = store.files.path(row["digest"])
        suffix = file.suffix if file.suffix in SUFFIXES else ".png"
        row["file"] = paths[row["digest"]] = f"images/{row['name']}{suffix}"
        files[row["file"]] = file
    masks = {row["mask"] for row in tables["candidates"]}
    masks |= {row["truth"] for row in tables["images"]} - {None}
    for each in entries:
        each["file"] = paths[each["sha256"]]
        truth = each.get("truth")
        each["truth"] = None if truth is None else _packed(masks, Path(truth).stem)
        each["mask"] = _packed(masks, each["mask_sha256"])
        offered = each.get("candidate")
        if offered is not None:
            offered["mask"] = _packed(masks, offered["mask_sha256"])
    about = {
        "format": FORMAT,
        "made": datetime.now(UTC).replace(microsecond=0).isoformat(),
        "workspace": {"name": workspace.name, "id": workspace.settings.get("id", "")},
        "snapshot": {
            "digest": snapshot.digest,
            "name": snapshot.name,
            "by": snapshot.frozen_by,
            "at": snapshot.frozen_at,
            "images": snapshot.count,
        },
        "classes": manifest["classes"],
    }
    found = {digest: store.files.path(digest) for digest in sorted(masks)}
    return bundle_entries(about, manifest, tables, files, found), len(files)


def _packed(masks: set[str], digest: str | None) -> str | None:
    if digest is None:
        return None
    masks.add(digest)
    return f"masks/{digest}.png"


def take_in_bundle(
    store: "Store",
    bundle: Bundle,
    *,
    progress: Progress | None = None,
    start: int = 0,
    counted: dict[str, int] | None = None,
) -> tuple[Import, list[str]]:
    """Brings a bundle in: images, masks, and the logs of what people did with them.

    Done twice, it adds nothing. What people of this workspace did stays as it is. Answers what is
    new, with sentences about what else came. Raises DataError for a bundle that is not whole.
    """
    origin = _origin(bundle)
    source = Source("bundle", bundle.root, bundle.classes, bundle.items())
    counts = {} if counted is None else counted
    done = take_in_source(
        store, source, origin=origin, truth=True, progress=progress, start=start, counted=counts
    )
    absent = [
        row["name"]
        for row in bundle.tables["images"]
        if store.images.by_digest(row["digest"]) is None
    ]
    if absent:
        why = done.refused.sentences[:1] or [f"{absent[0]} is not the image that it was"]
        raise damaged(bundle.root, f"{len(absent)} of its images: {why[0].rstrip('.')}")
    classes = classes_in(store, bundle.classes)
    masks = _masks(store, bundle, classes)
    adopted = store.bundles.adopt(bundle.tables, origin=origin, masks=masks, classes=classes)
    for name, number in adopted.new.items():
        counts[name] = counts.get(name, 0) + number
    said = []
    if adopted.kept_decisions:
        said.append(
            f"{adopted.kept_decisions} masks were decided on here, too; what was decided here "
            "stands, and what the bundle says of them was left out."
        )
    if adopted.kept_tags:
        said.append(f"{adopted.kept_tags} images have other tags here, which stay.")
    if adopted.kept_flags:
        said.append(f"{adopted.kept_flags} images were flagged here, which stays.")
    said += _snapshot(store, bundle)
    return replace(done, candidates=counts.get("candidates", 0)), said


def _origin(bundle: Bundle) -> str:
    """What names the bundle wherever its rows say where they come from."""
    about = bundle.about
    named = about.get("workspace") if isinstance(about.get("workspace"), dict) else {}
    frozen = about.get("snapshot") if isinstance(about.get("snapshot"), dict) else {}
    workspace = str(named.get("id") or "unknown")[:32]  # type: ignore[union-attr]
    digest = str(frozen.get("digest") or "unknown")[:12]  # type: ignore[union-attr]
    return f"bundle {workspace}/{digest}"


def _masks(store: "Store", bundle: Bundle, classes: dict[int, int]) -> dict[str, str]:
    """The digest here of every mask in the bundle, stored; other ones where classes' ids differ."""
    sizes: dict[str, tuple[int, int]] = {}
    for row in bundle.tables["images"]:
        image = store.images.by_digest(row["digest"])
        assert image is not None
        sizes[row["digest"]] = image.height, image.width
    wanted = {row["mask"]: sizes[row["image"]] for row in bundle.tables["candidates"]}
    class_ids = {each.id for each in store.classes.all()}
    same = all(there == here for there, here in classes.items())

    def keep(digest: str, files: FileBatch) -> tuple[str, str]:
        path = bundle.mask(digest)
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise damaged(bundle.root, f"the mask {digest[:12]} has changed")
        content: bytes | Path = (
            path if same else encode_labels(renumbered(read_labels(path), classes))
        )
        return digest, check_labels(
            files, content, wanted[digest], class_ids, f"Mask {digest[:12]}"
        )

    found: dict[str, str] = {}
    digests = [*wanted]
    with ThreadPoolExecutor(4) as threads:
        for start in range(0, len(digests), FILES_AT_ONCE):
            with store.files.batch() as files:
                some = digests[start : start + FILES_AT_ONCE]
                found |= dict(threads.map(partial(keep, files=files), some))
    return found


def _snapshot(store: "Store", bundle: Bundle) -> list[str]:
    """Puts the snapshot itself back, where ids are the same here; a sentence about it."""
    told = bundle.about.get("snapshot")
    if not isinstance(told, dict):
        return []
    try:
        frozen = adopt_snapshot(store, bundle.manifest, told)
    except (DataError, StoreError) as error:
        return [f"The snapshot itself was not put back: {error}"]
    return [f"The snapshot “{frozen.name}” ({frozen.digest[:12]}) is here as it was frozen."]
