"""Photographs and zips dropped onto the page, each with a sentence about what became of it."""

import hashlib
import shutil
import tempfile
from pathlib import Path, PurePath
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from backend.errors import DataError, ImageError, StoreError, TagmaskError
from backend.exchange.archive import Extracted, extract
from backend.exchange.folder import MASK_FOLDERS
from backend.exchange.snapshot import is_manifest
from backend.exchange.sources import Source, open_source
from backend.intake import take_in_source
from ui.context import Context
from ui.who import named

LARGEST_UPLOAD = 4 * 1024**3
# A photograph is read into memory to be looked at; a zip is not.
LARGEST_PHOTOGRAPH = 256 * 1000**2
MOST_FILES = 10_000
SHOWN_RESULTS = 500
SCRATCH = ".upload-"

_KINDS = {"voc": "a Pascal VOC data set", "tagged": "a tagged data set", "snapshot": "a snapshot"}


def router(context: Context) -> APIRouter:
    """POST /tagmask/api/upload, multipart: `files`, and `reviewer` who brought them."""
    routes = APIRouter(prefix="/tagmask/api")
    if not context.read_only:
        # One web app holds a workspace, so what is there was left by one that was killed.
        for left in context.workspace.root.glob(f"{SCRATCH}*"):
            shutil.rmtree(left, ignore_errors=True)

    @routes.post("/upload")
    async def upload(request: Request) -> Response:
        length = request.headers.get("content-length", "")
        if not length.isdigit():
            return _error("An upload must say how long it is (Content-Length).", 411)
        if int(length) > LARGEST_UPLOAD:
            return _error(
                "Together these files are larger than 4 GB. Put them into a folder and use "
                "`python -m backend import` instead.",
                413,
            )
        try:
            async with request.form(max_files=MOST_FILES) as form:
                files = [file for file in form.getlist("files") if isinstance(file, UploadFile)]
                if not files:
                    return _error("No file was sent.", 422)
                reviewer = named(str(form.get("reviewer") or "reviewer")[:64])
                taken = _Taking(context, f"upload by {reviewer}")
                await run_in_threadpool(taken.take_all, files)
                return JSONResponse(taken.report())
        except HTTPException as error:
            return _error(
                f"These files could not be received: {error.detail} Drop at most "
                f"{MOST_FILES:,} at once, or pack them as a zip.",
                error.status_code,
            )
        except OSError as error:
            return _error(
                f"These files could not be received ({error.strerror or error}); nothing of them "
                f"was kept. Make room in {tempfile.gettempdir()} and drop them again.",
                507,
            )

    return routes


class _Taking:
    def __init__(self, context: Context, source: str) -> None:
        self.store = context.store
        self.source = source
        self.results: list[dict[str, Any]] = []
        self.counts = {"added": 0, "duplicate": 0, "refused": 0}
        self.sets: list[str] = []
        # On the workspace's own disk, so that what is unpacked need not fit into /tmp.
        self.folder = context.workspace.root

    def take_all(self, files: list[UploadFile]) -> None:
        for file in files:
            name = PurePath((file.filename or "image").replace("\\", "/")).name[:200] or "image"
            try:
                if _is_zip(file):
                    self._take_zip(file, name)
                elif (file.size or 0) > LARGEST_PHOTOGRAPH:
                    self._refuse(
                        name,
                        f"{name} is {(file.size or 0) / 1e6:,.0f} MB; a photograph may have up to "
                        f"{LARGEST_PHOTOGRAPH / 1e6:,.0f} MB. Scale it down first.",
                    )
                else:
                    self._add(name, file.file.read())
            except OSError as error:
                self._refuse(
                    name,
                    f"{name} could not be stored ({error.strerror or error}); nothing of it was "
                    "kept. Make room on the disk and drop it again.",
                )

    def _take_zip(self, file: UploadFile, name: str) -> None:
        with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=self.folder) as scratch:
            packed = Path(scratch) / "archive.zip"
            with packed.open("wb") as target:
                shutil.copyfileobj(file.file, target)
            try:
                found = extract(packed, Path(scratch) / "out")
                packed.unlink()
                for refused in found.refused:
                    self._refuse(f"{name}/{refused.name}", f"In {name}, {refused}.")
                if _is_data_set(found):
                    self._take_data_set(name, found.root)
                else:
                    self._take_photographs(name, found)
            except TagmaskError as error:
                sentence = str(error).replace(str(packed), name).replace(packed.name, name)
                self._refuse(name, sentence.replace(str(Path(scratch) / "out"), name))

    def _take_photographs(self, name: str, found: Extracted) -> None:
        masks = 0
        for path in found.images:
            if {*MASK_FOLDERS} & {*path.relative_to(found.root).parts[:-1]}:
                masks += 1
            else:
                self._add(path.name, path.read_bytes())
        if masks:
            self._say(
                name,
                "note",
                f"In {name}, {masks:,} masks were passed over: masks come in with the tags of "
                "their images, as a folder with tags.csv or in Pascal VOC's layout.",
            )

    def _take_data_set(self, name: str, root: Path) -> None:
        source = open_source(root, "all", within=root)
        if source.kind == "images":
            raise DataError(
                f"{root} holds a data set, but not at its top: tags.csv or JPEGImages belongs into "
                "its outermost folder. Pack that folder alone. Nothing of it was added."
            )
        done = take_in_source(self.store, source, origin=self.source, truth=True)
        self.counts["added"] += done.new
        self.counts["duplicate"] += done.known
        for sentence in done.refused.sentences:
            self._refuse(name, f"In {name}: {sentence.replace(str(root), name)}")
        self.counts["refused"] += done.refused.count - len(done.refused.sentences)
        tagged = sum(bool(item.tags) for item in source.items)
        truths = sum(item.truth is not None for item in source.items)
        self.sets.append(
            f"{name} is {_KINDS[source.kind]}: {len(source.items):,} images, {tagged:,} of them "
            f"with tags, {truths:,} with a true mask."
        )
        self._say(name, "added" if done.new else "duplicate", self.sets[-1], self._first(source))
        for note in source.notes:
            self._say(name, "note", f"In {name}: {note}")

    def _first(self, source: Source) -> dict[str, Any] | None:
        """An image of the data set that came in, to be shown."""
        for item in source.items[:20]:
            digest = hashlib.sha256(item.image.read_bytes()).hexdigest()
            image = self.store.images.by_digest(digest)
            if image is not None:
                return {"id": image.id, "name": image.name, "digest": image.digest}
        return None

    def _add(self, name: str, data: bytes) -> None:
        try:
            added = self.store.images.add(name, data, source=self.source)
        except (ImageError, DataError, StoreError) as error:
            self._refuse(name, str(error) if name in str(error) else f"{name}: {error}")
            return
        image = added.image
        shown = {"id": image.id, "name": image.name, "digest": image.digest}
        outcome = "added" if added.new else "duplicate"
        self.counts[outcome] += 1
        if added.new:
            kept = image.name in (name, PurePath(name).stem)
            self._say(
                name, outcome, f"{name} was added{'' if kept else f' as {image.name}'}.", shown
            )
        else:
            self._say(name, outcome, f"{name} is here already, as {image.name}.", shown)

    def _refuse(self, file: str, sentence: str) -> None:
        self.counts["refused"] += 1
        self._say(file, "refused", sentence)

    def _say(
        self, file: str, outcome: str, sentence: str, image: dict[str, Any] | None = None
    ) -> None:
        if len(self.results) < SHOWN_RESULTS:
            self.results.append(
                {"file": file, "outcome": outcome, "sentence": sentence, "image": image}
            )

    def report(self) -> dict[str, Any]:
        sentence = " ".join([_sum(self.counts), *self.sets[:3]])
        return {"results": self.results, "counts": self.counts, "sentence": sentence}


def _is_data_set(found: Extracted) -> bool:
    """Whether what came out of a zip has tags or masks to read, so is more than photographs."""
    folders = {part for path in found.images for part in path.relative_to(found.root).parts[:-1]}
    return "JPEGImages" in folders or any(
        path.name == "tags.csv" or (path.name == "manifest.json" and is_manifest(path))
        for path in found.others
    )


def _is_zip(file: UploadFile) -> bool:
    start = file.file.read(4)
    file.file.seek(0)
    return start in (b"PK\x03\x04", b"PK\x05\x06") or (file.filename or "").lower().endswith(".zip")


def _sum(counts: dict[str, int]) -> str:
    said = [
        text.format(counts[key])
        for key, text in (
            ("added", "{:,} added"),
            ("duplicate", "{:,} here already"),
            ("refused", "{:,} refused"),
        )
        if counts[key]
    ]
    return ", ".join(said) + "." if said else "Nothing was sent."


def _error(sentence: str, status: int) -> Response:
    return JSONResponse({"error": sentence}, status_code=status)
