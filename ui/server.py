"""The web application: our routes under /tagmask/ and Gradio's page at the root."""

import os
from typing import TYPE_CHECKING

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import fastapi
import gradio as gr
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from backend.errors import Conflict, StoreError, StoreUnavailable, TagmaskError
from backend.inspectors import Inspectors
from backend.inspectors.saliency_sources import SaliencySources
from backend.refinement import CrfPool
from ui.access import Access
from ui.context import STATIC, Context
from ui.front import Front
from ui.login import Door
from ui.page import build_page
from ui.routes import login, routers
from ui.security import Guard
from ui.theme import build_theme

if TYPE_CHECKING:
    from backend.workspace import Workspace


class Modules(StaticFiles):
    """Our scripts and styles, asked for anew each time so that an update shows at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        kept = {"fonts": "public, max-age=31536000, immutable", "favicon.svg": "max-age=86400"}
        # A browser looks at its icon again whenever the address changes, as with each slider.
        response.headers["Cache-Control"] = kept.get(path.partition("/")[0], "no-cache")
        return response


def build_app(
    workspace: "Workspace",
    *,
    read_only: bool = False,
    device: str = "auto",
    access: Access | None = None,
) -> fastapi.FastAPI:
    """The whole web application of one open workspace; `access`, how it may be reached."""
    context = open_context(workspace, read_only=read_only, device=device)
    app = fastapi.FastAPI(title="Tagmask", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.context = context
    app.add_middleware(Front)
    access = access or Access()
    door = Door(workspace.store, access, str(workspace.settings.get("id", workspace.name)))
    app.add_middleware(Guard, read_only=read_only, access=access, door=door)
    app.add_exception_handler(TagmaskError, _sentence)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(OSError, _disk)
    app.mount("/tagmask/static", Modules(directory=STATIC), name="tagmask-static")
    for router in routers(context):
        app.include_router(router)
    app.include_router(login.router(door))
    page = build_page(context)
    return gr.mount_gradio_app(
        app,
        page,
        path="/",
        theme=build_theme(),
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        show_error=False,
    )


def open_context(
    workspace: "Workspace", *, read_only: bool = False, device: str = "auto"
) -> Context:
    """The long-lived parts of the web process for one workspace."""
    crf = CrfPool(processes=1)
    sources = SaliencySources(workspace.store, workspace.settings.get("saliency", {}), device)
    return Context(
        workspace=workspace,
        inspectors=Inspectors(workspace.store, crf, sources, device=device),
        crf=crf,
        shut=read_only,
        device=device,
    )


def _sentence(request: Request, error: Exception) -> Response:
    # What a disk or a lock refuses now it may take later; the page keeps a decision till then.
    later = isinstance(error, StoreUnavailable)
    status = 503 if later else 409 if isinstance(error, StoreError) else 400
    there = error.there if isinstance(error, Conflict) else {}
    return JSONResponse({"error": str(error)} | there, status_code=status)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
    return JSONResponse({"error": f"{where}: {first['msg']}."}, status_code=422)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, status_code=error.status_code)


def _disk(request: Request, error: Exception) -> Response:
    reason = getattr(error, "strerror", None) or error
    sentence = (
        f"The server's disk refused ({reason}), so nothing was changed. Make room, or give this "
        "user permission to write in the workspace, and try again."
    )
    return JSONResponse({"error": sentence}, status_code=507)
