"""What the Curate tab asks for: the queue, label maps by digest, decisions and undo."""

import zlib
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from backend.errors import StoreError
from backend.labels import read_labels
from backend.store import ORDERS, VERDICTS, Filter, QueueRow
from ui.context import Context
from ui.routes.files import FOREVER

PAGE_LIMIT = 200
STRIP_LIMIT = 24
Name = Annotated[str, Field(min_length=1, max_length=64)]
# What every reader of JSON keeps exact; far beyond any id, and within SQLite's integers.
Number = Annotated[int, Field(ge=-(2**53), le=2**53)]
Tau = Annotated[float, Query(ge=0, le=1, allow_inf_nan=False)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Act(BaseModel):
    """What every act of a reviewer names: who, from which visit, and the act itself."""

    reviewer: Name
    session: Name
    action_id: Name
    client_time: Annotated[float, Field(allow_inf_nan=False)] | None = None


class Deciding(Act):
    """A verdict on the mask that the reviewer saw."""

    candidate: Number
    digest: Digest
    verdict: Name
    reason: str = Field(default="", max_length=500)


def filter_of(
    verdict: str = "undecided",
    tag: Number | None = None,
    run: Number | None = None,
    min_score: float | None = None,
    max_score: float | None = None,
    query: Annotated[str, Query(max_length=200)] = "",
) -> Filter:
    """The filter of the queue, as its address says it."""
    return Filter(verdict, tag, run, None, min_score, max_score, query)


Chosen = Annotated[Filter, Depends(filter_of)]


def router(context: Context) -> APIRouter:
    """Routes under /tagmask/api/curate."""
    routes = APIRouter(prefix="/tagmask/api/curate")
    store = context.store

    @routes.get("/setup")
    def setup() -> dict[str, Any]:
        return {
            "classes": [asdict(each) for each in store.classes.all()],
            "runs": [{"id": run.id, "name": run.name} for run in store.runs.all()],
            "orders": ORDERS,
            "verdicts": VERDICTS,
            "scores": store.candidates.known_scores(),
            "read_only": context.read_only,
        }

    @routes.get("/queue")
    def queue(
        chosen: Chosen,
        order: str = "score",
        seed: Number = 0,
        by: str = "SF",
        tau: Tau = 0.5,
        offset: Annotated[int, Query(ge=0, le=2**53)] = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 50,
    ) -> dict[str, Any]:
        page = store.candidates.queue(
            order, seed=seed, by=by, tau=tau, offset=offset, limit=limit, **vars(chosen)
        )
        rows = [_shown(row) for row in page.rows]
        return {"rows": rows, "total": page.total, "offset": page.offset}

    @routes.get("/histogram")
    def histogram(chosen: Chosen, by: str = "SF") -> dict[str, Any]:
        """How many candidates under the filter have which score: counts, however many there are."""
        return asdict(store.candidates.spread(by, chosen))

    @routes.get("/sides")
    def sides(
        chosen: Chosen,
        tau: Tau,
        by: str = "SF",
        limit: Annotated[int, Query(ge=1, le=STRIP_LIMIT)] = 8,
    ) -> dict[str, Any]:
        """The candidates nearest to tau on either side of it, the nearest first."""
        below, above = store.candidates.either_side(by, tau, chosen, limit)
        return {"below": [_shown(row) for row in below], "above": [_shown(row) for row in above]}

    @routes.get("/scores/{candidate}")
    def scores(candidate: Number) -> dict[str, Any]:
        """Every scoring of a candidate, the newest first."""
        return {"scorings": [asdict(each) for each in store.candidates.scorings(candidate)]}

    @routes.get("/counts")
    def counts(run: Number | None = None) -> dict[str, Any]:
        return asdict(store.candidates.counts(run))

    @routes.get("/labels/{digest}")
    def labels(digest: str) -> Response:
        """The label map as bare bytes, row by row, so that the browser colours exact ids."""
        try:
            values = read_labels(store.files.path(digest))
        except StoreError as error:
            return JSONResponse({"error": str(error)}, status_code=404)
        height, width = values.shape
        size = {"X-Width": str(width), "X-Height": str(height), "Content-Encoding": "deflate"}
        return Response(
            zlib.compress(values.tobytes(), 1),
            media_type="application/octet-stream",
            headers=FOREVER | size,
        )

    @routes.post("/decide")
    async def decide(act: Deciding) -> dict[str, Any]:
        decision = await run_in_threadpool(
            store.decisions.record,
            act.candidate,
            act.digest,
            act.verdict,
            reviewer=act.reviewer,
            session=act.session,
            action_id=act.action_id,
            client_time=act.client_time,
            reason=act.reason,
        )
        return {"decision": asdict(decision)}

    @routes.post("/undo")
    async def undo(act: Act) -> dict[str, Any]:
        decision = await run_in_threadpool(
            store.decisions.undo, act.reviewer, act.session, act.action_id, act.client_time
        )
        if decision is None:
            return {"decision": None, "row": None}
        row = await run_in_threadpool(store.candidates.row, decision.candidate_id)
        return {"decision": asdict(decision), "row": _shown(row)}

    @routes.get("/history/{image_id}")
    def history(image_id: Number) -> dict[str, Any]:
        return {"decisions": [asdict(each) for each in store.decisions.history(image_id)]}

    return routes


def _shown(row: QueueRow) -> dict[str, Any]:
    return asdict(row)
