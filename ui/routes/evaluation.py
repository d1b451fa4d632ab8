"""What finished runs measured of their predictions, labels and maps, for the Train tab."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import FileResponse, JSONResponse, Response

from backend.errors import JobError
from backend.measured import PARTS, parts_of, read_parts, table_file
from ui.calibration import read_calibration
from ui.context import Context

MOST_JOBS = 100
WholeNumber = Annotated[int, Field(ge=1, le=2**53)]


def router(context: Context) -> APIRouter:
    """Routes under /tagmask/api/evaluation."""
    routes = APIRouter(prefix="/tagmask/api/evaluation")
    store, root = context.store, context.workspace.root

    @routes.get("/{job}")
    def evaluation(job: WholeNumber) -> dict[str, Any]:
        """What a job's run measured by part, and the jobs that it can be compared with."""
        folder = store.jobs.get(job).run_folder
        others = []
        for one in store.jobs.all(MOST_JOBS):
            known = parts_of(root / one.run_folder) if one.run_folder and one.id != job else []
            if known:
                others.append({"job": one.id, "title": f"{one.id} {one.recipe}", "parts": known})
        return {"parts": read_parts(root / folder) if folder else {}, "others": others}

    @routes.get("/{job}/calibration")
    def calibration(job: WholeNumber) -> dict[str, Any]:
        """How well the scores of a job's masks go with the true ones: {"calibration"}, or {"said"},
        why there is none."""
        folder = store.jobs.get(job).run_folder
        try:
            if folder is None:
                raise JobError(f"Job {job} has not begun a run yet.")
            return {"calibration": read_calibration(root / folder)}
        except JobError as error:
            return {"said": str(error)}

    @routes.get("/{job}/{name}.csv")
    def table(job: WholeNumber, name: str) -> Response:
        """A part as a table: predictions.csv, labels.csv or maps.csv."""
        folder = store.jobs.get(job).run_folder
        path = table_file(root / folder, name) if folder else None
        if path is None:
            reason = f"Job {job} has no table of this name; there can be {', '.join(PARTS)}."
            return JSONResponse({"error": reason}, status_code=404)
        return FileResponse(path, media_type="text/csv", filename=f"{job}-{name}.csv")

    return routes
