"""What the Curate tab asks for: the queue, label maps by digest, decisions, flags and undo."""

import time
import zlib
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from backend.errors import NewerMask, StoreError
from backend.labels import read_labels
from backend.store import ORDERS, VERDICTS, Filter, QueueRow
from ui.comparing import Comparing
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
    """A verdict on the mask that the reviewer saw. `fixed`: the newest mask of the image drawn by a
    person that the page knew of; left out, a newer one is not asked for.
    """

    candidate: Number
    digest: Digest
    verdict: Name
    reason: str = Field(default="", max_length=500)
    fixed: Number | None = None


class Undoing(Act):
    """The last act taken back; `assigned` whose share is looked at, as in the queue's filter."""

    assigned: Name | None = None


class Flagging(Act):
    """An image's flag, set or taken away."""

    image: Number
    flagged: bool
    note: str = Field(default="", max_length=500)


class Filtering(BaseModel):
    """The filter of the queue, as its address says it."""

    verdict: Annotated[str, Field(max_length=16)] = "undecided"
    tag: Number | None = None
    run: Number | None = None
    method: Annotated[str, Field(max_length=64)] | None = None
    min_score: Annotated[float, Field(allow_inf_nan=False)] | None = None
    max_score: Annotated[float, Field(allow_inf_nan=False)] | None = None
    query: Annotated[str, Field(max_length=200)] = ""
    reviewer: Name | None = None
    flagged: bool | None = None
    truth: bool | None = None
    kept: bool | None = None
    assigned: Name | None = None

    def filter(self) -> Filter:
        """The same, as the store takes it."""
        return Filter(**self.model_dump(include=set(Filtering.model_fields)))


class Batch(Act):
    """A verdict on a whole filtered set, `digest` the name of the set that was looked at."""

    filter: Filtering
    digest: Digest
    verdict: Name
    reason: str = Field(default="", max_length=500)


def filter_of(asked: Annotated[Filtering, Query()]) -> Filter:
    """The filter in a query."""
    return asked.filter()


Chosen = Annotated[Filter, Depends(filter_of)]


def router(context: Context) -> APIRouter:
    """Routes under /tagmask/api/curate."""
    routes = APIRouter(prefix="/tagmask/api/curate")
    store = context.store
    comparing = Comparing(store)

    @routes.get("/setup")
    def setup() -> dict[str, Any]:
        return {
            "classes": [asdict(each) for each in store.classes.all()],
            "runs": [{"id": run.id, "name": run.name} for run in store.runs.all()],
            "orders": ORDERS,
            "verdicts": VERDICTS,
            "scores": store.candidates.known_scores(),
            "reviewers": store.decisions.reviewers(),
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

    @routes.get("/choices/{image}")
    def choices(image: Number, assigned: Name | None = None) -> dict[str, Any]:
        """Every candidate of an image, the oldest first."""
        return {"rows": [_shown(row) for row in store.candidates.choices(image, assigned)]}

    @routes.get("/counts")
    def counts(run: Number | None = None, by_class: bool = False) -> dict[str, Any]:
        return asdict(store.candidates.counts(run, by_class=by_class))

    @routes.get("/pace")
    def pace(reviewer: Annotated[Name, Query()]) -> dict[str, Any]:
        """How many seconds ago a reviewer gave each of the latest verdicts."""
        now = time.time()
        return {"ages": [round(now - at, 2) for at in store.decisions.times(reviewer)]}

    @routes.get("/comparing")
    def compared() -> dict[str, Any]:
        """How far the comparing of methods is."""
        return comparing.state()

    @routes.post("/compare")
    def compare() -> dict[str, Any]:
        """Begins to compare the masks of images that have some which were not compared yet."""
        comparing.start()
        return comparing.state()

    @routes.get("/batch")
    def preview(chosen: Chosen) -> dict[str, Any]:
        """What a batch would decide on: how many, by verdict, and the name of this very set."""
        return asdict(store.decisions.filtered(chosen))

    @routes.post("/batch")
    async def batch(act: Batch) -> dict[str, Any]:
        count = await run_in_threadpool(
            store.decisions.record_all,
            act.filter.filter(),
            act.verdict,
            digest=act.digest,
            reviewer=act.reviewer,
            session=act.session,
            action_id=act.action_id,
            client_time=act.client_time,
            reason=act.reason,
        )
        return {"count": count}

    @routes.post("/flag")
    async def flag(act: Flagging) -> dict[str, Any]:
        flag = await run_in_threadpool(
            store.flags.set,
            act.image,
            act.flagged,
            reviewer=act.reviewer,
            session=act.session,
            action_id=act.action_id,
            client_time=act.client_time,
            note=act.note,
        )
        return {"flag": asdict(flag)}

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
    async def decide(act: Deciding) -> Any:
        try:
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
                fixed=act.fixed if "fixed" in act.model_fields_set else ...,
            )
        except NewerMask as newer:
            row = await run_in_threadpool(store.candidates.row, newer.candidate)
            return JSONResponse({"error": str(newer), "row": _shown(row)}, status_code=409)
        return {"decision": asdict(decision)}

    @routes.post("/undo")
    async def undo(act: Undoing) -> dict[str, Any]:
        decision = await run_in_threadpool(
            store.decisions.undo, act.reviewer, act.session, act.action_id, act.client_time
        )
        if decision is None:
            return {"decision": None, "row": None, "count": 0}
        row = await run_in_threadpool(store.candidates.row, decision.candidate_id, act.assigned)
        count = 1
        if decision.batch is not None:
            count = await run_in_threadpool(store.decisions.size_of, decision.batch)
        return {"decision": asdict(decision), "row": _shown(row), "count": count}

    @routes.get("/history/{image_id}")
    def history(image_id: Number) -> dict[str, Any]:
        return {"decisions": [asdict(each) for each in store.decisions.history(image_id)]}

    return routes


def _shown(row: QueueRow) -> dict[str, Any]:
    return asdict(row)
