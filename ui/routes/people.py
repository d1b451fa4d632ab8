"""What several reviewers need: leases, assignment and progress, agreement, history and revert."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from backend.errors import NewerMask
from backend.store.agreement import Judged
from ui.context import Context
from ui.routes.curate import Act, Name, Number
from ui.who import named

Names = Annotated[list[Name], Field(min_length=1, max_length=50)]


class Leasing(BaseModel):
    """The image that a visit edits; `steal` once the reviewer said that it is to be taken over."""

    image: Number
    reviewer: Name
    session: Name
    steal: bool = False


class SharingOut(Act):
    """Whom the images are to go to, and what share of them to two."""

    reviewers: Names
    overlap: Annotated[float, Field(ge=0, le=1)] = 0.0
    seed: Number = 0
    tag: Number | None = None
    dry_run: bool = False


class Withdrawing(Act):
    """Whose assignments are taken back; None for everybody's."""

    whose: Name | None = None


class Reverting(Act):
    """The event to go back to, and the one that the reviewer saw as current; `fixed` as for a
    verdict: the newest drawn mask that the history showed, left out by who judges unhinted.
    """

    image: Number
    key: Annotated[str, Field(pattern="^[a-z]+:[0-9]{1,15}$")]
    to: Literal["before", "after"]
    seen: Annotated[str, Field(pattern="^[a-z]+:[0-9]{1,15}$")]
    fixed: Number | None = None


def router(context: Context) -> APIRouter:
    """Routes under /tagmask/api/people."""
    routes = APIRouter(prefix="/tagmask/api/people")
    store = context.store

    @routes.post("/lease")
    def lease(body: Leasing) -> dict[str, Any]:
        """Takes or renews the lease; 409 with who has it where that is somebody else."""
        held = store.leases.hold(
            body.image, reviewer=body.reviewer, session=body.session, steal=body.steal
        )
        return {"until": held.until}

    @routes.get("/lease/{image_id}")
    def leased(
        image_id: Number, session: Annotated[str, Query(max_length=64)] = ""
    ) -> dict[str, Any]:
        """Who edits an image, unless it is the visit that asks."""
        held = store.leases.on(image_id)
        if held is None or held.session == session:
            return {"lease": None}
        return {"lease": {"reviewer": held.reviewer, "taken_at": held.taken_at}}

    @routes.post("/release")
    def release(body: Leasing) -> dict[str, Any]:
        freed = store.leases.release(body.image, reviewer=body.reviewer, session=body.session)
        return {"released": freed}

    @routes.get("/summary")
    def summary(tag: Number | None = None) -> dict[str, Any]:
        """How far everybody is, what is left to share out, who edits what."""
        editing = [
            {"image": held.image_id, "reviewer": held.reviewer, "taken_at": held.taken_at}
            for held in store.leases.all()
        ]
        return {
            "reviewers": [asdict(each) for each in store.assignments.progress()],
            "open": store.assignments.open_images(tag),
            "classes": [asdict(each) for each in store.classes.all()],
            "editing": editing,
            "read_only": context.read_only,
        }

    @routes.post("/assign")
    def assign(body: SharingOut) -> dict[str, Any]:
        shares = store.assignments.share_out(
            body.reviewers,
            body.overlap,
            seed=body.seed,
            tag=body.tag,
            made_by=body.reviewer,
            action_id=body.action_id,
            dry_run=body.dry_run,
        )
        return {"shares": [asdict(each) for each in shares]}

    @routes.post("/withdraw")
    def withdraw(body: Withdrawing) -> dict[str, Any]:
        images = store.assignments.withdraw(
            body.whose, made_by=body.reviewer, action_id=body.action_id
        )
        return {"images": images}

    @routes.get("/agreement")
    def agreement() -> dict[str, Any]:
        """Every pair's verdicts, and the masks that they judge differently."""
        return {
            "verdicts": [_shown(each) for each in store.agreement.verdicts()],
            "apart": [asdict(each) for each in store.agreement.apart()],
        }

    @routes.get("/agreement/masks")
    def masks() -> dict[str, Any]:
        """Every pair's masks; reads files, so it is asked for by itself."""
        return {"masks": [asdict(each) for each in store.agreement.masks()]}

    @routes.get("/history/{image_id}")
    def history(
        image_id: Number, reviewer: Annotated[str, Query(max_length=64)] = ""
    ) -> dict[str, Any]:
        """All that was done to an image, the oldest first, but what would hint at a verdict."""
        viewer = named(reviewer)
        events = store.audit.history(image_id, viewer)
        return {
            "events": [_told(asdict(each)) for each in events],
            "withheld": store.audit.withheld(image_id, viewer),
            "assigned": store.assignments.of(image_id),
            "classes": [asdict(each) for each in store.classes.all()],
            "read_only": context.read_only,
        }

    @routes.post("/revert")
    def revert(body: Reverting) -> Any:
        try:
            event = store.audit.revert(
                body.image,
                body.key,
                body.to,
                seen=body.seen,
                reviewer=body.reviewer,
                session=body.session,
                action_id=body.action_id,
                client_time=body.client_time,
                fixed=body.fixed if "fixed" in body.model_fields_set else ...,
            )
        except NewerMask as newer:
            drawn = asdict(store.candidates.row(newer.candidate))
            return JSONResponse({"error": str(newer), "row": drawn}, status_code=409)
        row = None if event.candidate_id is None else store.candidates.row(event.candidate_id)
        return {"event": _told(asdict(event)), "row": row and asdict(row)}

    return routes


def _shown(judged: Judged) -> dict[str, Any]:
    return asdict(judged) | {"same": judged.same}


def _told(event: dict[str, Any]) -> dict[str, Any]:
    # The name of an act is its author's: who knows it could claim to send that act again.
    return {name: value for name, value in event.items() if name != "action_id"}
