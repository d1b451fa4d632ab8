"""Everything the page asks for under /tagmask/, one file a tab."""

from fastapi import APIRouter

from ui.context import Context


def routers(context: Context) -> list[APIRouter]:
    """The routers of all tabs; those of a tab that has none of its own are left out."""
    from ui.routes import curate, data, evaluation, files, inspect, train, upload

    parts = (files, inspect, upload, curate, train, evaluation, data)
    return [part.router(context) for part in parts]
