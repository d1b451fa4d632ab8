"""What the Compare tab asks for: what can be compared, and the images as they are measured."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from backend.showing.comparing import Measured, measured, pairs, summary
from backend.showing.measuring import Measuring
from backend.showing.sides import side, sides
from ui.context import Context

MOST_SAID = 5


def router(context: Context) -> APIRouter:
    """Routes under /tagmask/api/compare."""
    routes = APIRouter(prefix="/tagmask/api/compare")
    store = context.store
    measuring = Measuring(store.files)

    @routes.get("/sides")
    def what() -> dict[str, Any]:
        """Runs, methods and kept masks; the classes' names and colours."""
        classes = store.classes.all()
        return {
            "sides": [vars(each) for each in sides(store)],
            "classes": [
                {"id": each.id, "name": each.name, "colour": each.colour} for each in classes
            ],
        }

    @routes.get("")
    def compare(request: Request, a: str, b: str) -> StreamingResponse:
        """Lines of JSON: how many images there are, the measured ones some at a time, and at the
        end what they say together. Nothing is made twice: measures are kept by the masks'
        digests."""
        found, a_alone, b_alone = pairs(store, a, b)
        begun = {
            "total": len(found),
            "a": vars(side(store, a)) | {"alone": a_alone},
            "b": vars(side(store, b)) | {"alone": b_alone},
        }

        def lines() -> Iterator[bytes]:
            yield _line(begun)
            whole: list[Measured] = []
            said: list[str] = []
            for some in measured(measuring, found):
                good = [each for each in some if isinstance(each, Measured)]
                said += [each for each in some if isinstance(each, str)]
                whole += good
                yield _line({"rows": [each.as_json() for each in good]})
            more = len(said) - MOST_SAID
            said = said[:MOST_SAID] + ([f"{more} more likewise."] if more > 0 else [])
            yield _line({"summary": summary(whole), "said": said})

        return StreamingResponse(
            _while_wanted(request, lines()),
            media_type="application/x-ndjson",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


async def _while_wanted(request: Request, lines: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The lines, worked out in a thread, for as long as the browser still listens."""
    async for one in iterate_in_threadpool(lines):
        if await request.is_disconnected():
            return
        yield one
