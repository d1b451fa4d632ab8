"""Figures for papers and reports of runs, as files; all that makes them stands in the address."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi import Path as Part
from starlette.responses import Response

from backend.errors import DataError
from backend.showing.figure_request import FigureRequest, columns_of, rows_of
from ui.context import Context

# An SVG that is opened by itself is a page of ours; nothing in this one may ever run.
PICTURE_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; sandbox"
)

Words = Annotated[list[str], Query()]


def router(context: Context) -> APIRouter:
    """GET /tagmask/api/figure.png, .pdf, .svg and /tagmask/api/report/RUN.html."""
    routes = APIRouter(prefix="/tagmask/api")
    store = context.store

    @routes.get("/figure.{form}")
    def figure(
        form: str,
        image: Words,
        column: Words,
        weights: str | None = None,
        settings: str = "{}",
        width: float = 174,
        dpi: int = 300,
        size: float = 7,
        opacity: float = 0.6,
        colours: str = "viridis",
        names: str = "none",
        flat: bool = False,
        outline: bool = True,
        titles: bool = True,
        numbers: bool = False,
        legend: bool = True,
        turned: bool = False,
        save: bool = False,
    ) -> Response:
        """The figure; with `save` as a download. What is not as it was asked for is said in the
        header X-Remarks, JSON."""
        # matplotlib takes a second to import, which only those wait for who want a figure.
        from backend.showing.figure import make_figure

        request = FigureRequest(
            rows_of(image),
            columns_of(column),
            weights=weights or None,
            settings=_object(settings),
            width=width,
            dpi=dpi,
            size=size,
            opacity=opacity,
            colours=colours,
            names=names,
            flat=flat,
            outline=outline,
            titles=titles,
            numbers=numbers,
            legend=legend,
            turned=turned,
        )
        made = make_figure(store, context.inspectors, request, form)
        headers = {"Cache-Control": "no-store", "X-Remarks": json.dumps(made.remarks)}
        if form == "svg":
            headers["Content-Security-Policy"] = PICTURE_POLICY
        if save:
            headers["Content-Disposition"] = f'attachment; filename="figure.{form}"'
        return Response(made.data, media_type=made.media, headers=headers)

    @routes.get("/report/{run}.html")
    def report(run: Annotated[int, Part(ge=0, le=2**53)]) -> Response:
        """A run's report as one file to keep; by number only, so that no path is ever named."""
        from backend.showing.report import make_report

        page = make_report(context.workspace, run)
        disposition = f'attachment; filename="report-run-{run}.html"'
        return Response(page, media_type="text/html", headers={"Content-Disposition": disposition})

    return routes


def _object(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"The figure's settings are no JSON ({error}).") from error
    if not isinstance(given, dict):
        raise DataError("The figure's settings are a JSON object of names and values.")
    return given
