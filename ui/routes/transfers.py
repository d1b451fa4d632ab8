"""Data sets in and snapshots out, as transfers: uploads in pieces, progress, stop, go on.

No name that a page sends becomes a path: an upload lies under its transfer's number.
"""

import re
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi import Path as Part
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from backend.errors import StoreError
from backend.exchange.names import fit_class_name
from backend.store import Transfer
from backend.transfers import Starter, begin_export, cancel_transfer, place_of
from ui.context import Context
from ui.who import named

LARGEST_PIECE = 8 << 20
LARGEST_ARCHIVE = 64 << 30
_UPLOADED = "upload.zip"
_SHOWN = 8

Name = Annotated[str, Field(min_length=1, max_length=64)]
# What SQLite keeps.
Id = Annotated[int, Part(ge=0, le=2**53)]


class Upload(BaseModel):
    """An archive that a page is about to send in pieces; `changed` tells two of a name apart."""

    name: Annotated[str, Field(min_length=1, max_length=300)]
    size: Annotated[int, Field(ge=1, le=LARGEST_ARCHIVE)]
    changed: Annotated[int, Field(ge=-(2**53), le=2**53)] = 0
    reviewer: Name


class Wish(BaseModel):
    """What an archive's masks are, and whether its folders' names are tags."""

    masks: Literal["truth", "candidates", "none"] = "truth"
    called: Annotated[str, Field(max_length=40)] = ""
    by_folders: bool = False


class Export(BaseModel):
    """A snapshot to be written as a zip."""

    snapshot: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    format: Literal["voc", "coco", "label-studio", "cvat", "bundle"]
    reviewer: Name


def router(context: Context) -> APIRouter:
    """Routes under /tagmask/api/transfers."""
    routes = APIRouter(prefix="/tagmask/api/transfers")
    workspace, transfers = context.workspace, context.store.transfers
    starter = Starter(workspace)

    def told(each: Transfer) -> dict[str, Any]:
        return _json(workspace.root, each, starter)

    @routes.get("")
    def latest() -> dict[str, Any]:
        return {"transfers": [told(each) for each in transfers.latest(_SHOWN)]}

    @routes.post("/upload")
    def upload(body: Upload) -> dict[str, Any]:
        """Where to send the pieces, and how much came before the connection broke."""
        about = {"name": PurePath(body.name.replace("\\", "/")).name[:200]}
        options = {**about, "size": body.size, "changed": body.changed}
        by = named(body.reviewer)
        begun = transfers.begin("import", "", "", options, by, state="receiving")
        place = place_of(workspace.root, begun.id)
        place.mkdir(parents=True, exist_ok=True)
        return told(begun) | {"received": _size(place / _UPLOADED), "piece": LARGEST_PIECE}

    @routes.post("/{id}/piece")
    async def piece(id: Id, request: Request, offset: int = 0) -> Response:
        """Takes the bytes from `offset` on; answers how many are there now."""
        found = transfers.get(id)
        if found.state != "receiving":
            raise StoreError(f"Transfer {id} is {found.state}; it takes no more bytes.")
        data = await request.body()
        if len(data) > LARGEST_PIECE:
            raise HTTPException(413, f"A piece may have up to {LARGEST_PIECE:,} bytes.")
        file = place_of(workspace.root, id) / _UPLOADED
        size = int(found.options["size"])
        received = await run_in_threadpool(_append, file, data, offset, size)
        return JSONResponse({"received": received, "size": size})

    @routes.post("/{id}/start")
    def start(id: Id, body: Wish) -> dict[str, Any]:
        """Brings an archive in that has come in full."""
        found = transfers.get(id)
        place = place_of(workspace.root, id)
        if found.state != "receiving" or _size(place / _UPLOADED) != found.options["size"]:
            raise StoreError(f"Transfer {id} has not come in full yet; send the rest first.")
        called = fit_class_name(body.called) if body.called.strip() else "imported"
        options = {
            **found.options,
            "truth": body.masks == "truth",
            "as_candidates": called if body.masks == "candidates" else None,
            "by_folders": body.by_folders,
            "split": None,
            "origin": f"{found.options['name']}, uploaded by {found.by}",
        }
        transfers.prepare(id, str(place / _UPLOADED), options, "zip")
        begun = transfers.resume(id)
        starter.start(id)
        return told(begun)

    @routes.post("/export")
    def export(body: Export) -> dict[str, Any]:
        frozen = context.store.snapshots.get(body.snapshot)
        folder = workspace.root / "exports"
        folder.mkdir(exist_ok=True)
        path = folder / _free(folder, f"{frozen.digest[:12]}-{body.format}")
        begun = begin_export(workspace, frozen.digest, body.format, path, named(body.reviewer))
        starter.start(begun.id)
        return told(begun)

    @routes.post("/{id}/resume")
    def resume(id: Id) -> dict[str, Any]:
        """Goes on with a transfer that failed, or whose process was killed."""
        found = transfers.get(id)
        if found.state == "receiving":
            raise StoreError("This upload has not come in full; choose the same file again.")
        begun = transfers.resume(id)
        starter.start(id)
        return told(begun)

    @routes.post("/{id}/cancel")
    def cancel(id: Id) -> dict[str, Any]:
        return told(cancel_transfer(workspace, id))

    @routes.get("/{id}/file")
    def file(id: Id) -> Response:
        """The zip that an export from the page wrote."""
        found = transfers.get(id)
        path = _exported(workspace.root, found)
        if path is None:
            raise HTTPException(404, "This export has no file here any more; export it again.")
        return FileResponse(path, media_type="application/zip", filename=path.name)

    @routes.post("/{id}/remove")
    def remove(id: Id) -> dict[str, Any]:
        """Takes an exported zip off the disk; the snapshot stays and can be exported again."""
        found = transfers.get(id)
        path = _exported(workspace.root, found)
        if path is not None:
            path.unlink(missing_ok=True)
        return told(found)

    return routes


def _json(root: Path, each: Transfer, starter: Starter) -> dict[str, Any]:
    """What a page may know; paths of the machine are none of it."""
    state = each.state
    if state == "running" and not starter.works_on(each.id):
        state = "interrupted"
    name = str(each.options.get("name") or Path(each.path).name)
    received = _size(place_of(root, each.id) / _UPLOADED) if state == "receiving" else 0
    exported = _exported(root, each)
    return {
        "id": each.id,
        "kind": each.kind,
        "format": each.format,
        "name": name,
        "state": state,
        "done": each.done,
        "total": each.total,
        "counts": each.counts,
        "said": [_without_paths(sentence, root, each, name) for sentence in each.said],
        "by": each.by,
        "started": each.started,
        "finished": each.finished,
        "received": received,
        "size": each.options.get("size"),
        "file": None if exported is None else _size(exported),
    }


def _without_paths(sentence: str, root: Path, each: Transfer, name: str) -> str:
    place = place_of(root, each.id)
    sentence = re.sub(re.escape(f"{place}/unpacked") + r"(?=[/ .:]|$)", name, sentence)
    return sentence.replace(f"{place}/", "").replace(_UPLOADED, name).replace(str(root), "…")


def _exported(root: Path, each: Transfer) -> Path | None:
    """The zip of a finished export that lies where exports from the page are written."""
    path = Path(each.path)
    fit = each.kind == "export" and each.state == "done" and path.parent == root / "exports"
    return path if fit and path.is_file() else None


def _free(folder: Path, stem: str) -> str:
    number = 1
    name = f"{stem}.zip"
    while (folder / name).exists():
        number += 1
        name = f"{stem}-{number}.zip"
    return name


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _append(path: Path, data: bytes, offset: int, size: int) -> int:
    """Writes a piece where it belongs; a piece that is there already is no error."""
    there = _size(path)
    if not 0 <= offset <= there or offset + len(data) > size:
        raise HTTPException(409, f"{there:,} bytes are here, so the next piece begins there.")
    with path.open("r+b" if path.exists() else "xb") as file:
        file.seek(offset)
        file.write(data)
    return _size(path)
