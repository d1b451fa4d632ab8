"""What the Data tab asks for: what is in the workspace, its classes, snapshots and their export."""

import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, JSONResponse, Response

from backend.errors import StoreError
from backend.exchange.duplicates import NEAR
from backend.exchange.export import export_zip
from backend.exchange.sources import open_source
from backend.intake.duplicates import find_duplicates, hash_missing
from backend.store import Snapshot
from ui.context import Context

SHOWN_GROUPS = 200
SHOWN_ALIKE = 24
LOOKED_AT_ONCE = 256

Name = Annotated[str, Field(min_length=1, max_length=64)]


class NewClass(BaseModel):
    """A class that images can be tagged with from now on."""

    name: Name


class Freezing(BaseModel):
    """A snapshot of what is accepted and fixed now; on request with all other candidates too."""

    name: Name
    reviewer: Name
    with_undecided: bool = False


def router(context: Context) -> APIRouter:
    """Routes under /tagmask/api/data."""
    routes = APIRouter(prefix="/tagmask/api/data")
    store = context.store

    @routes.get("/summary")
    def summary() -> dict[str, Any]:
        free = shutil.disk_usage(context.workspace.root).free
        counts = store.images.numbers()
        return {
            "name": context.workspace.name,
            "folder": str(context.workspace.root),
            "images": counts.images,
            "tagged": counts.tagged,
            "with_truth": counts.with_truth,
            "candidates": asdict(store.candidates.counts()),
            "decisions": store.decisions.count(),
            "classes": [
                asdict(each) | {"images": counts.by_class.get(each.id, 0)}
                for each in store.classes.all()
            ],
            "free_bytes": free,
            "read_only": context.read_only,
        }

    @routes.post("/classes")
    def add_class(body: NewClass) -> dict[str, Any]:
        return asdict(store.classes.add(body.name))

    @routes.get("/snapshots")
    def snapshots() -> dict[str, Any]:
        return {"snapshots": [_snapshot_json(each) for each in store.snapshots.all()]}

    @routes.post("/snapshots")
    def freeze(body: Freezing) -> dict[str, Any]:
        before = {each.digest for each in store.snapshots.all()}
        frozen = store.snapshots.freeze(
            body.name.strip() or "snapshot", body.reviewer, with_undecided=body.with_undecided
        )
        return _snapshot_json(frozen) | {"new": frozen.digest not in before}

    @routes.get("/duplicates")
    def duplicates(within: Annotated[int, Query(ge=0, le=16)] = NEAR) -> dict[str, Any]:
        """Images that are there twice: the same bytes under other names, and those alike."""
        found = find_duplicates(store, within)
        return {
            "same": [
                {"id": id, "name": name, "digest": digest, "also": [each.name for each in copies]}
                for id, name, digest, copies in found.same[:SHOWN_GROUPS]
            ],
            "near": [
                {
                    "apart": group.apart,
                    "images": [
                        {"id": each.id, "name": each.name, "digest": each.digest}
                        for each in group.images[:SHOWN_ALIKE]
                    ],
                    "count": len(group.images),
                }
                for group in found.near[:SHOWN_GROUPS]
            ],
            "same_count": len(found.same),
            "near_count": len(found.near),
            "unhashed": found.unhashed,
        }

    @routes.post("/duplicates")
    def look() -> dict[str, Any]:
        """Looks at some images that came before Tagmask kept hashes; how many are left."""
        done = hash_missing(store, most=LOOKED_AT_ONCE)
        return {"done": done, "unhashed": len(store.doubles.unhashed())}

    @routes.get("/snapshots/{digest}.zip")
    def export(
        digest: str, format: Literal["voc", "coco", "label-studio", "cvat"] = "voc"
    ) -> Response:
        """The snapshot for another program; made for this answer and deleted after it."""
        try:
            snapshot = store.snapshots.get(digest)
        except StoreError as error:
            return JSONResponse({"error": str(error)}, status_code=404)
        folder = Path(tempfile.mkdtemp(prefix="tagmask-export-"))
        clean = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
        try:
            name = f"snapshot-{snapshot.digest[:12]}"
            name += "" if format == "voc" else f"-{format}"
            packed = export_zip(open_source(snapshot.path), folder / f"{name}.zip", format)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return FileResponse(
            packed, media_type="application/zip", filename=packed.name, background=clean
        )

    return routes


def _snapshot_json(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "digest": snapshot.digest,
        "name": snapshot.name,
        "count": snapshot.count,
        "by": snapshot.frozen_by,
        "at": snapshot.frozen_at,
    }
