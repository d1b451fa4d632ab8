"""Files of the workspace, by their digest and nothing else."""

import threading
from collections import OrderedDict

from fastapi import APIRouter
from starlette.responses import FileResponse, JSONResponse, Response

from backend.errors import ImageError, StoreError
from backend.images import read_image, thumbnail
from ui.context import Context

FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
THUMBNAIL_SIDES = (96, 192, 384)
KEPT_THUMBNAILS = 2000

# A stored file is served only as one of these; anything else would be offered as a download.
MEDIA = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
}


def router(context: Context) -> APIRouter:
    """GET /tagmask/files/DIGEST and /tagmask/thumbs/DIGEST?side=192; a digest's content never
    changes, so a browser may keep both for ever."""
    routes = APIRouter(prefix="/tagmask")
    files = context.store.files
    thumbnails: OrderedDict[tuple[str, int], bytes] = OrderedDict()
    lock = threading.Lock()

    @routes.get("/files/{digest}")
    def whole(digest: str) -> Response:
        try:
            path = files.path(digest)
        except StoreError as error:
            return JSONResponse({"error": str(error)}, status_code=404)
        media = MEDIA.get(path.suffix)
        if media is None:
            return FileResponse(path, filename=path.name, headers=FOREVER)
        return FileResponse(path, media_type=media, headers=FOREVER)

    @routes.get("/thumbs/{digest}")
    def small(digest: str, side: int = 192) -> Response:
        side = min(THUMBNAIL_SIDES, key=lambda known: abs(known - side))
        with lock:
            data = thumbnails.get((digest, side))
        if data is None:
            try:
                data = thumbnail(read_image(files.path(digest)), side)
            except (StoreError, ImageError) as error:
                return JSONResponse({"error": str(error)}, status_code=404)
            with lock:
                thumbnails[(digest, side)] = data
                while len(thumbnails) > KEPT_THUMBNAILS:
                    thumbnails.popitem(last=False)
        return Response(data, media_type="image/jpeg", headers=FOREVER)

    return routes
