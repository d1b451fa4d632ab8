"""What the mask editor asks for: a mask to draw over, "grow to edge", and saving what was drawn."""

import base64
import binascii
import zlib
from dataclasses import asdict
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from backend.errors import DataError, NewerMask, RefinementError
from backend.images import read_image
from backend.labels import encode_labels
from backend.snapping import LARGEST_REACH, SMALLEST_REACH, grow_to_edge
from backend.store import QueueRow
from ui.context import Context
from ui.routes.curate import Act, Digest, Number
from ui.who import named

# As text of base64; a mask of 64 million pixels is a small part of it, unless it is noise.
LARGEST_MASK = 24 << 20
# Deflated bytes of label ids, row by row, as base64: no format on the way that could change one.
Labels = Annotated[str, Field(max_length=LARGEST_MASK)]
Side = Annotated[int, Field(ge=0, le=1 << 16)]


class Fixing(Act):
    """A mask that was drawn over a candidate. `fixed`: the newest drawn mask of the image that the
    page knew of.
    """

    candidate: Number
    digest: Digest
    labels: Labels
    fixed: Number | None
    reason: str = Field(default="", max_length=500)


class Snapping(BaseModel):
    """A part of a mask as it is drawn now, and which class is to grow to the edges in it."""

    candidate: Number
    class_id: Annotated[int, Field(ge=1, le=255)]
    reach: Annotated[int, Field(ge=SMALLEST_REACH, le=LARGEST_REACH)]
    left: Side
    top: Side
    width: Annotated[int, Field(ge=1, le=1 << 16)]
    height: Annotated[int, Field(ge=1, le=1 << 16)]
    labels: Labels


def router(context: Context) -> APIRouter:
    """Routes under /tagmask/api/fix."""
    routes = APIRouter(prefix="/tagmask/api/fix")
    store = context.store

    @routes.get("/{candidate}")
    def begin(
        candidate: Number, reviewer: Annotated[str, Query(max_length=64)] = ""
    ) -> dict[str, Any]:
        """The candidate as it is now, and the newest drawn mask where that is another one, unless
        whoever drew it and the reviewer are to judge the image without a hint.
        """
        row = store.candidates.row(candidate)
        drawn = None if row.fixed_id in (None, candidate) else row.fixed_id
        newer = None if drawn is None else store.candidates.row(drawn)
        if newer is not None and store.assignments.independently(
            row.image_id, named(reviewer), newer.reviewer or ""
        ):
            newer = None
        return {
            "row": _shown(row),
            "newer": None if newer is None else _shown(newer),
            "snap": None if context.crf is None else context.crf.reason or None,
        }

    @routes.post("/snap")
    def snap(part: Snapping) -> Response:
        """The labels of the same part, grown: bare bytes, row by row."""
        row = store.candidates.row(part.candidate)
        if part.left + part.width > row.width or part.top + part.height > row.height:
            raise DataError("This part lies outside the image. Open the mask again.")
        labels = _labels(part.labels, (part.height, part.width))
        image = read_image(store.files.path(row.image_digest))
        seen = image[part.top : part.top + part.height, part.left : part.left + part.width]
        if context.crf is None:
            raise RefinementError("There is no dense CRF in this process, so nothing can be grown.")
        grown = grow_to_edge(seen, labels, part.class_id, part.reach, context.crf.refine)
        return Response(
            zlib.compress(grown.tobytes(), 1),
            media_type="application/octet-stream",
            headers={"Content-Encoding": "deflate", "Cache-Control": "no-store"},
        )

    @routes.post("")
    def save(drawn: Fixing) -> Any:
        """Keeps it as a new version; 409 with the newest one where that was not seen."""
        row = store.candidates.row(drawn.candidate)
        labels = _labels(drawn.labels, (row.height, row.width))
        try:
            fix = store.fixes.record(
                drawn.candidate,
                drawn.digest,
                encode_labels(labels),
                fixed=drawn.fixed,
                reviewer=drawn.reviewer,
                session=drawn.session,
                action_id=drawn.action_id,
                client_time=drawn.client_time,
                reason=drawn.reason,
            )
        except NewerMask as newer:
            row = store.candidates.row(newer.candidate)
            return JSONResponse({"error": str(newer), "newer": _shown(row)}, status_code=409)
        return {
            "decision": asdict(fix.decision),
            "row": _shown(store.candidates.row(fix.candidate_id)),
            "parent": _shown(store.candidates.row(fix.parent_id)),
        }

    return routes


def _shown(row: QueueRow) -> dict[str, Any]:
    return asdict(row)


def _labels(text: str, size: tuple[int, int]) -> np.ndarray:
    """Label ids uint8 (H,W) out of what the page sends; DataError for anything else."""
    height, width = size
    wrong = DataError(
        f"The mask did not arrive whole: it must hold {width} x {height} label ids. Save it again."
    )
    unpacked = zlib.decompressobj()
    try:
        # Never more than the image has, whatever it would unfold to.
        data = unpacked.decompress(base64.b64decode(text, validate=True), height * width)
        # A stream's checksum may still stand behind its last byte.
        rest = unpacked.decompress(unpacked.unconsumed_tail, 1)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise wrong from error
    if len(data) != height * width or rest or not unpacked.eof:
        raise wrong
    return np.frombuffer(data, np.uint8).reshape(size)
