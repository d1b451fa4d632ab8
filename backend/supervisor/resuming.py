"""Going on with a job that was lost, failed or was cancelled."""

from typing import TYPE_CHECKING

from backend.errors import JobError

if TYPE_CHECKING:
    from backend.store import Job, Store


def resubmit(store: "Store", job_id: int) -> "Job":
    """Queues the job again; it goes on in its run folder, from its last checkpoint if it has one.

    The same job, not a copy: its events, its curve and its history stay one. Raises JobError for
    a job that is under way or done.
    """
    job = store.jobs.get(job_id)
    if job.state not in ("lost", "failed", "cancelled"):
        what = "is done" if job.state == "done" else f"is {job.state}"
        raise JobError(
            f"Job {job_id} {what}; only a lost, failed or cancelled job can be resumed. Queue a "
            "new one instead."
        )
    return store.jobs.resume(job_id)
