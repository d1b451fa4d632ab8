"""Everything the page asks for under /tagmask/, one file a tab."""

from fastapi import APIRouter

from ui.context import Context


def routers(context: Context) -> list[APIRouter]:
    """The routers of all tabs; those of a tab that has none of its own are left out."""
    from ui.routes import (
        compare,
        curate,
        data,
        evaluation,
        figures,
        files,
        fix,
        inspect,
        people,
        tags,
        train,
        transfers,
        upload,
    )

    parts = (files, inspect, upload, curate, fix, train, evaluation, data, people, tags)
    return [part.router(context) for part in (*parts, compare, figures, transfers)]
