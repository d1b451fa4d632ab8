"""What the Inspect tab asks for: images, choices, the stream of stages, tags, candidates."""

import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from backend.errors import DataError, TagmaskError
from backend.images import read_image, require_usable
from backend.inspection import (
    FUSIONS,
    LIMITS,
    METHODS,
    REFINED,
    Inspector,
    Settings,
    Truth,
    stages_of,
    trained_with,
)
from backend.inspectors.choices import IMAGENET, Choice
from backend.labels import decode_labels, encode_labels, resize_labels
from backend.maps.crf import PRESETS
from backend.store import Image
from backend.weights.classifiers import number_tags
from ui.context import Context
from ui.frames import frame, stage_frame
from ui.tagging import Tagging

LARGEST_PAGE = 200

# What every reader of JSON keeps exact; far beyond any id, and within SQLite's integers.
Number = Annotated[int, Query(ge=-(2**53), le=2**53)]

log = logging.getLogger("tagmask")


class Inspection(BaseModel):
    """What to inspect. `image` is a digest or a name of the workspace; `tags` are names, None the
    image's own; `after` names the stages or settings that changed since the last answer, `only`
    the stages to send."""

    image: str
    tags: list[str] | None = None
    weights: str | None = None
    settings: dict[str, Any] = {}
    after: list[str] | None = None
    only: list[str] | None = None


class Offer(Inspection):
    """Which of the masks on the page becomes a candidate: `crf`, `walk`, `grabcut` or
    `fusion.RULE`."""

    stage: str


class TagsChange(BaseModel):
    """An image's tags from now on, by name."""

    image: str
    tags: list[str]
    reviewer: str = "reviewer"


def router(context: Context) -> APIRouter:
    """The routes under /tagmask/api/inspect."""
    routes = APIRouter(prefix="/tagmask/api")
    store, inspectors = context.store, context.inspectors
    tagging = Tagging(store, inspectors, read_only=context.read_only)

    @routes.get("/inspect/options")
    def options() -> dict[str, Any]:
        choices, problems = inspectors.choices()
        return {
            "classes": tagging.as_json(),
            "weights": [choice.as_json() for choice in choices],
            "weight_problems": problems,
            "settings": asdict(Settings()),
            "fusions": FUSIONS,
            "presets": {name: asdict(preset) for name, preset in PRESETS.items()},
            "limits": LIMITS,
            "saliency": list(inspectors.saliency),
            "affinities": [
                {"id": each.id, "title": each.title} for each in inspectors.affinities()
            ],
            "methods": [_method_json(name) for name in METHODS],
            "stages": _method_json("cam")["stages"],
            "crf": {
                "available": bool(context.crf and context.crf.available),
                "reason": context.crf.reason if context.crf else "There is no CRF here.",
            },
            "read_only": context.read_only,
        }

    @routes.get("/inspect/classes")
    def classes(weights: str) -> dict[str, Any]:
        """All tags that weights know; for ImageNet's classifiers too many for the options."""
        return {"classes": inspectors.inspector(inspectors.choice(weights)).card.classes}

    @routes.get("/inspect/images")
    def images(
        offset: Number = 0, limit: Number = 60, query: str = "", tag: Number | None = None
    ) -> dict[str, Any]:
        limit = max(1, min(limit, LARGEST_PAGE))
        page = store.images.page(max(0, offset), limit, query=query, tag=tag)
        return {
            "rows": _images_json(page.rows, tagging),
            "total": page.total,
            "offset": page.offset,
        }

    @routes.get("/inspect/image")
    def image(name: str) -> dict[str, Any]:
        return _image_json(_find(context, name), tagging)

    @routes.post("/inspect")
    def inspect(request: Request, body: Inspection) -> StreamingResponse:
        row, choice, inspector, settings, tags = _prepare(context, tagging, body)
        method = inspector.method(settings).name
        truth = _truth(context, row)
        stages = inspector.stages(settings, body.after, body.only, truth=truth is not None)

        def frames() -> Iterator[bytes]:
            started = time.perf_counter()
            try:
                yield frame(
                    {
                        "stage": "start",
                        "tags": tagging.as_json(_looked_for(tags, choice, inspector)),
                        "weights": choice.id,
                        "method": method,
                        "vocabulary": choice.vocabulary,
                        "stages": stages,
                        "image": _image_json(row, tagging),
                    }
                )
                for made in inspector.inspect(
                    lambda: _pixels(context, row),
                    tags,
                    settings,
                    body.after,
                    inspectors.caches(row.digest, choice, method),
                    name=row.name,
                    only=body.only,
                    truth=truth,
                ):
                    yield stage_frame(made)
            except TagmaskError as error:
                yield frame({"stage": "error", "caption": str(error)})
            except Exception as error:
                # The answer has begun, so no status can tell of it: the stream itself must.
                log.exception("Inspecting %s failed.", row.name)
                yield frame({"stage": "error", "caption": _mistake(row, error)})
            finally:
                inspectors.tidy()
            yield frame({"stage": "done", "seconds": round(time.perf_counter() - started, 4)})

        return StreamingResponse(
            _while_wanted(request, frames()),
            media_type="application/octet-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    @routes.post("/inspect/candidate")
    def offer(body: Offer) -> dict[str, Any]:
        row, choice, inspector, settings, tags = _prepare(context, tagging, body)
        if choice.vocabulary == IMAGENET:
            raise DataError(
                "The numbers in this mask are this image's own, since ImageNet's classes are not "
                "the workspace's, so it cannot be offered. Take weights trained on the workspace's "
                "classes."
            )
        source = inspector.method(settings).name
        rule = body.stage.removeprefix("fusion.")
        if body.stage in REFINED:
            # The mask on the page, whatever else the settings have come to choose.
            settings = replace(settings, refine=body.stage)
            of_fusion = "" if body.stage == "walk" else f".{settings.fusion}"
            method = f"{source}{of_fusion}.{body.stage}"
        elif rule in FUSIONS:
            settings = replace(settings, fusion=rule, refine="none", crf=None)
            method = f"{source}.{rule}"
        else:
            raise DataError(
                f"{body.stage!r} is not a mask; the refined mask and the fusions can be offered."
            )
        made = {
            one.stage: one
            for one in inspector.inspect(
                lambda: _pixels(context, row),
                tags,
                settings,
                caches=inspectors.caches(row.digest, choice, source),
                name=row.name,
                only=(body.stage, "sal.score"),
            )
        }
        labels = made[body.stage].array
        if labels is None:
            raise DataError(made[body.stage].caption)
        if not np.isin(labels, [class_id for class_id, _ in tags]).any():
            raise DataError(
                "This mask has no pixel of any tag, so there is nothing to review. Lower gamma or "
                "the weight, or look at another fusion."
            )
        method = f"{method} · {_made_with(inspector, settings)}"
        png = encode_labels(resize_labels(labels, (row.height, row.width)))
        run = int(choice.id.removeprefix("run:")) if choice.id.startswith("run:") else None
        before = {candidate.id for candidate in store.candidates.of_image(row.id)}
        candidate = store.candidates.add(row.id, run, method, png, made["sal.score"].numbers)
        return {
            "candidate": candidate,
            "new": candidate not in before,
            "method": method,
            "scores": made["sal.score"].numbers,
        }

    @routes.post("/inspect/tags")
    def set_tags(body: TagsChange) -> dict[str, Any]:
        row = _find(context, body.image)
        ids = [class_id for class_id, _ in tagging.resolve(body.tags, add=True)]
        return _image_json(store.images.set_tags(row.id, ids, body.reviewer[:64]), tagging)

    return routes


def _prepare(
    context: Context, tagging: Tagging, body: Inspection
) -> tuple[Image, Choice, Inspector, Settings, list[tuple[int, str]]]:
    row = _find(context, body.image)
    Settings.from_json(body.settings)  # before a network is loaded for settings that cannot be
    choice = context.inspectors.choice(body.weights)
    if choice.vocabulary == IMAGENET:
        own = [name for _, name in tagging.of_image(row)]
        tags = number_tags(own if body.tags is None else body.tags)
    else:
        tags = tagging.of_image(row) if body.tags is None else tagging.resolve(body.tags)
    inspector = context.inspectors.inspector(choice)
    settings = Settings.from_json({**trained_with(inspector.card), **body.settings})
    return row, choice, inspector, settings, tags


def _looked_for(
    tags: list[tuple[int, str]], choice: Choice, inspector: Inspector
) -> list[tuple[int, str]]:
    """The tags to tell of: of a workspace's image all, though some get no map; in ImageNet's
    vocabulary those that are names of it."""
    if choice.vocabulary != IMAGENET:
        return tags
    return [tag for tag in tags if inspector.knows(tag[1])]


def _find(context: Context, wanted: str) -> Image:
    """The image of this digest or name; never a path."""
    images = context.store.images
    found = images.by_digest(wanted) or images.by_name(wanted)
    if found is None:
        raise DataError(f"There is no image {wanted[:80]!r} in this workspace.")
    return found


def _pixels(context: Context, row: Image) -> np.ndarray:
    return require_usable(read_image(context.store.files.path(row.digest), name=row.name), row.name)


def _truth(context: Context, row: Image) -> Truth | None:
    """The image's true mask, where the workspace has one."""
    digest = row.truth_digest
    if digest is None:
        return None
    files = context.store.files
    names = {each.id: each.name for each in context.store.classes.all()}
    return Truth(digest, lambda: decode_labels(files.read(digest)), names)


def _made_with(inspector: Inspector, settings: Settings) -> str:
    """The weights and the saliency of a mask, for those who review it."""
    digest = inspector.source(settings.saliency).digest
    saliency = f"{settings.saliency} ({digest[:8]})" if digest else settings.saliency
    if settings.erasing_steps > 1:
        saliency += f", {settings.erasing_steps} looks"
    return f"{inspector.card.name} ({inspector.card.digest[:8]}) · {saliency}"


def _mistake(row: Image, error: Exception) -> str:
    return (
        f"{row.name} could not be inspected to the end because of a mistake in Tagmask "
        f"({type(error).__name__}). The server's log has the details; other images and settings "
        "can still be used."
    )


async def _while_wanted(request: Request, frames: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The frames, worked out in a thread, for as long as the browser still listens."""
    async for one in iterate_in_threadpool(frames):
        if await request.is_disconnected():
            return
        yield one


def _image_json(row: Image, tagging: Tagging) -> dict[str, Any]:
    return _images_json([row], tagging)[0]


def _images_json(rows: Sequence[Image], tagging: Tagging) -> list[dict[str, Any]]:
    return [
        {
            "id": row.id,
            "name": row.name,
            "digest": row.digest,
            "width": row.width,
            "height": row.height,
            "tags": [tag for _, tag in tags],
            "truth": row.truth_digest,
        }
        for row, tags in zip(rows, tagging.of_images(rows), strict=True)
    ]


def _method_json(name: str) -> dict[str, Any]:
    method = METHODS[name]
    return {
        "name": name,
        "title": method.title,
        "about": method.about,
        "settings": method.settings(),
        "final": method.final,
        "stages": [{"name": stage, **asdict(each)} for stage, each in stages_of(method).items()],
    }
