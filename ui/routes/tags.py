"""What the Tags tab asks for: which images, their tags, what a classifier says; acts and undo."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from backend.errors import StoreError
from backend.intake import suggestions
from backend.store import TagAct, TagEdit, TagView
from backend.store.tag_views import LEAST, MOST
from backend.store.tags import MOST_IMAGES
from ui.context import Context
from ui.routes.curate import Act, Number

ROWS_LIMIT = 300
CHANGED_LIMIT = 200
Score = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
ClassIds = Annotated[list[Annotated[int, Field(ge=1, le=254)]], Field(max_length=254)]


class Edit(BaseModel):
    """Classes that these images are given, and those that are taken from them."""

    images: Annotated[list[Number], Field(max_length=MOST_IMAGES)]
    add: ClassIds = []
    remove: ClassIds = []


class Change(Act):
    """Edits that are one act: done together, and taken back together."""

    edits: Annotated[list[Edit], Field(max_length=1000)]


class NewClass(BaseModel):
    """A class that images can be tagged with from now on."""

    name: Annotated[str, Field(min_length=1, max_length=64)]


class View(BaseModel):
    """Which images are listed, as the address says it."""

    show: Annotated[str, Field(max_length=16)] = "all"
    tag: Number | None = None
    query: Annotated[str, Field(max_length=200)] = ""
    least: Score = LEAST
    most: Score = MOST


def router(context: Context) -> APIRouter:
    """Routes under /tagmask/api/tags."""
    routes = APIRouter(prefix="/tagmask/api/tags")
    store = context.store

    @routes.get("/setup")
    def setup(
        least: Annotated[Score, Query()] = LEAST, most: Annotated[Score, Query()] = MOST
    ) -> dict[str, Any]:
        """Classes, how many images each list has, and who has looked at them."""
        numbers = store.images.numbers()
        asked = store.suggestions.questions(least, most)
        since = store.tags.since()
        changed = store.tags.changed(since) if since else []
        at_work = store.jobs.all(states=("queued", "running", "stopping"))
        looking = [job.id for job in at_work if job.recipe == suggestions.RECIPE]
        return {
            "classes": [
                asdict(each)
                | {
                    "images": numbers.by_class.get(each.id, 0),
                    "suggested": asked.suggested.get(each.id, 0),
                    "doubted": asked.doubted.get(each.id, 0),
                }
                for each in store.classes.all()
            ],
            "counts": {
                "all": numbers.images,
                "untagged": numbers.images - numbers.tagged,
                "suggested": asked.suggested_images,
                "doubted": asked.doubted_images,
                "changed": len(changed),
            },
            "least": least,
            "most": most,
            "suggestions": asdict(store.suggestions.numbers()),
            "looking": looking[0] if looking else None,
            "since": asdict(since) | {"first": sum(one.first for one in changed)}
            if since
            else None,
            "classifiers": [
                {"id": one.id, "title": one.title}
                # What was trained here, the newest first, comes before what is shipped.
                for one in sorted(
                    context.inspectors.choices()[0], key=lambda one: not one.id.startswith("run:")
                )
                if one.card
            ],
            "read_only": context.read_only,
            "may_train": context.may_train,
        }

    @routes.get("/ids")
    def ids(view: Annotated[View, Query()]) -> dict[str, Any]:
        """The ids of all images of a list, in its order: a few bytes each, however many."""
        return {"ids": store.tags.listed(TagView(**view.model_dump()))}

    @routes.get("/rows")
    def rows(ids: Annotated[str, Query(pattern=r"^\d{1,15}(,\d{1,15})*$")]) -> dict[str, Any]:
        """Images by their ids, with tags, scores and which of these a person has answered."""
        asked = [int(id) for id in ids.split(",")]
        if len(asked) > ROWS_LIMIT:
            raise StoreError(f"{len(asked)} rows were asked for; {ROWS_LIMIT} is the most.")
        return {"rows": _rows(asked)}

    def _rows(asked: list[int]) -> list[dict[str, Any]]:
        said = store.suggestions.of(asked)
        return [
            {
                "id": image.id,
                "name": image.name,
                "digest": image.digest,
                "width": image.width,
                "height": image.height,
                "tags": image.tags,
                "scores": [[one.class_id, one.score, one.judged] for one in said.get(image.id, [])],
            }
            for image in store.images.many(asked)
        ]

    @routes.post("/change")
    async def change(act: Change) -> dict[str, Any]:
        edits = [TagEdit(tuple(e.images), tuple(e.add), tuple(e.remove)) for e in act.edits]
        done = await run_in_threadpool(
            store.tags.change,
            edits,
            reviewer=act.reviewer,
            session=act.session,
            action_id=act.action_id,
            client_time=act.client_time,
        )
        return _done(done)

    @routes.post("/undo")
    async def undo(act: Act) -> dict[str, Any]:
        done = await run_in_threadpool(
            store.tags.undo, act.reviewer, act.session, act.action_id, act.client_time
        )
        return {"act": None} if done is None else {"act": _done(done)}

    @routes.post("/classes")
    def add_class(body: NewClass) -> dict[str, Any]:
        return asdict(store.classes.add(body.name))

    @routes.get("/log/{image}")
    def log(image: Number) -> dict[str, Any]:
        """Every change of an image's tags, the newest first."""
        # The name of an act is its author's: who knows it could claim to send that act again.
        rows = [asdict(one) for one in reversed(store.images.tag_changes(image))]
        return {"changes": [row | {"action_id": None} for row in rows]}

    @routes.get("/changed")
    def changed(snapshot: Annotated[str, Query(pattern="^[0-9a-f]{64}$")]) -> dict[str, Any]:
        """Whose tags are others than in a snapshot: how many, and the first of them."""
        since = store.tags.since(snapshot)
        found = store.tags.changed(since) if since else []
        return {"total": len(found), "changed": [asdict(one) for one in found[:CHANGED_LIMIT]]}

    return routes


def _done(act: TagAct) -> dict[str, Any]:
    return {
        "action_id": act.action_id,
        "images": act.images,
        "changed": act.changed,
        "undoes": act.undoes,
    }
