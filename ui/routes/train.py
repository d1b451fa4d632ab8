"""What the Train tab asks for: what can be trained, jobs and their news, submit, cancel, resume."""

import threading
import time
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import FileResponse, JSONResponse, Response

from backend.errors import JobError
from backend.launchers import trainer_command
from backend.policies import POLICIES
from backend.recipes import RecipeBook, option_words
from backend.store import EVERY, Job
from backend.supervisor import ensure_supervisor, held, resubmit
from backend.supervisor.orders import as_typed, trainer_arguments
from ui import after_training, train_names, train_pipeline
from ui.context import Context
from ui.job_view import News, Rows, detail, film_file
from ui.routes.files import MEDIA

RUNNABLE = (
    "pipeline", "classify", "seenet", "oaa", "oaaplus", "ecsnet", "dcsp", "saliency", "segment",
    "dsrg", "sal", "labels", "fuse", "affinity", "scorer", "score",
    "suggest", "losses",
)  # fmt: skip
TAGGED = "tagged"
ALL = "every"
# What is looked at where no snapshot was frozen before.
WHOLE = {TAGGED: ("All tagged", TAGGED), ALL: ("All images", EVERY)}
MOST_JOBS = 100
# What weights do in the recipes that cannot do without.
NEEDS_WEIGHTS = {
    "labels": "make candidates",
    "suggest": "look for tags",
    "losses": "look at the labels",
}
_WAKE_EVERY = 5.0
# A frame's address carries its time: one that is made again after a resume has another.
FOR_AN_HOUR = {"Cache-Control": "private, max-age=3600"}

# What SQLite and every reader of JSON keep exact.
WholeNumber = Annotated[int, Field(ge=-(2**53), le=2**53)]

Name = Annotated[str, Field(min_length=1, max_length=64)]


class Order(BaseModel):
    """A run that a person asks for. `data` is a snapshot's digest, "tagged" for every tagged image
    as it is now or "every" for every image; `options` are what differs from the preset's; `key`
    makes a repeated request the same job."""

    recipe: str
    data: str
    options: dict[str, str | int | float | bool | None] = {}
    reviewer: Name = "reviewer"
    key: Annotated[str, Field(max_length=64)] | None = None


class Freeze(BaseModel):
    """The accepted set of this moment, under a name; on request with all other candidates too."""

    name: Name
    reviewer: Name = "reviewer"
    with_undecided: bool = False


class OneJob(BaseModel):
    """A job to cancel or to resume."""

    job: WholeNumber


class AfterRun(OneJob):
    """A finished job, and who goes on from it."""

    reviewer: Name = "reviewer"


def router(context: Context) -> APIRouter:
    """Routes under /tagmask/api/train."""
    routes = APIRouter(prefix="/tagmask/api/train")
    store, root = context.store, context.workspace.root
    book = RecipeBook(cache=None if context.read_only else context.workspace.logs / "recipes.json")
    supervision, listed = _Supervision(context), Rows(store)
    # Asking the trainer takes a moment; by the time the tab is opened it has answered.
    threading.Thread(target=lambda: _described(book), name="describe", daemon=True).start()

    @routes.get("/setup")
    def setup() -> dict[str, Any]:
        recipes, trouble = _described(book)
        counts, numbers = store.candidates.counts(), store.images.numbers()
        choices, _ = context.inspectors.choices()
        return {
            "recipes": train_names.shown(recipes),
            "trouble": trouble,
            "preset": _fitting_preset(context),
            "images": numbers.images,
            "tagged": numbers.tagged,
            "accepted": counts.verdicts["accept"],
            "fixed": counts.verdicts["fix"],
            "candidates": counts.total,
            "policies": POLICIES,
            "snapshots": [
                {"digest": one.digest, "name": one.name, "count": one.count, "at": one.frozen_at}
                for one in store.snapshots.all()
            ],
            "weights": [
                {
                    "id": one.id,
                    "title": one.title,
                    "backbone": one.card.backbone,
                    "kind": one.card.kind,
                }
                for one in choices
                if one.card
            ],
            "labelled": _labelled(context, recipes),
            "files": list(train_names.weight_files()),
            "saliency": list(context.inspectors.saliency),
            "affinities": [
                {"id": one.id, "title": one.title} for one in context.inspectors.affinities()
            ],
            "scorers": [{"id": one.id, "title": one.title} for one in context.inspectors.scorers()],
            "segmenters": train_names.segmenters(context),
            "scored": after_training.scored(context),
            "read_only": not context.may_train,
        }

    @routes.get("/command")
    def command(order: str) -> dict[str, Any]:
        """The command line that an order (JSON of Order) would run."""
        wanted = _order(order)
        line = _line(context, wanted, _words(context, book, wanted))
        book.check(line)
        return {"command": as_typed([*trainer_command(), *line])}

    @routes.get("/preview")
    def preview(order: str) -> dict[str, Any]:
        """What a run of this order (JSON of Order) would learn from, of a snapshot."""
        wanted = _order(order)
        words = _words(context, book, wanted)
        about = _described(book)[0][wanted.recipe]
        if not about["previews"]:
            raise JobError(
                f"“{about['title']}” goes by no policy, so there is nothing to count before it: it "
                "learns from all that it is given."
            )
        if wanted.data in WHOLE:
            raise JobError("Choose a snapshot to see how many images each rule takes.")
        return book.preview(_line(context, wanted, words))

    def queued(order: Order, words: list[str]) -> dict[str, Any]:
        # Better now than when its turn comes, behind the jobs of a day.
        book.check(_line(context, order, words))
        if order.data in WHOLE:
            called, include = WHOLE[order.data]
            name = store.snapshots.free_name(called)
            snapshot = store.snapshots.freeze(name, order.reviewer, include=include)
            if order.recipe == train_pipeline.RECIPE:
                # What it holds can make a difference.
                book.check(
                    _line(context, order.model_copy(update={"data": snapshot.digest}), words)
                )
        else:
            snapshot = store.snapshots.get(order.data)
        job = store.jobs.submit(
            order.recipe, words, snapshot=snapshot.digest, by=order.reviewer, key=order.key
        )
        ensure_supervisor(root)
        return _answer(job)

    @routes.post("/submit")
    def submit(order: Order) -> dict[str, Any]:
        return queued(order, _words(context, book, order))

    @routes.post("/freeze")
    def freeze(body: Freeze) -> dict[str, Any]:
        known = {one.digest for one in store.snapshots.all()}
        frozen = store.snapshots.freeze(
            body.name, body.reviewer, with_undecided=body.with_undecided
        )
        return {
            "digest": frozen.digest,
            "name": frozen.name,
            "count": frozen.count,
            "new": frozen.digest not in known,
        }

    @routes.post("/offer")
    def offer(body: OneJob) -> dict[str, Any]:
        """Puts the masks that a finished run made beside the candidates there are."""
        return {"said": after_training.offer(context, body.job)}

    @routes.post("/score")
    def score(body: AfterRun) -> dict[str, Any]:
        """Queues the scoring of what a finished run labelled, as the last scoring was done."""
        order = Order(recipe="score", data=TAGGED, reviewer=body.reviewer)
        return queued(order, after_training.scoring(context, body.job))

    @routes.post("/cancel")
    def cancel(body: OneJob) -> dict[str, Any]:
        job = store.jobs.request_cancel(body.job)
        ensure_supervisor(root)
        return _answer(job)

    @routes.post("/resume")
    def resume(body: OneJob) -> dict[str, Any]:
        job = resubmit(store, body.job)
        ensure_supervisor(root)
        return _answer(job)

    @routes.get("/jobs")
    def jobs(
        job: WholeNumber = 0, after: WholeNumber = -1, log: WholeNumber = -1, rev: str = ""
    ) -> dict[str, Any]:
        """The jobs, if they changed since `rev`, and what is new of the one in view."""
        known = store.jobs.all(MOST_JOBS)
        now_rev, rows = listed.of(known)
        chosen = next((each for each in known if each.id == job), None)
        return {
            "now": time.time(),
            "rev": now_rev,
            "jobs": rows if now_rev != rev else None,
            "supervisor": supervision.alive(known),
            "job": detail(store, chosen, root, News(after, log)) if chosen else None,
        }

    @routes.get("/film/{job}/{name}")
    def film(job: WholeNumber, name: str) -> Response:
        """A file of a job's film: photographs.jpg, or a frame such as 00000100.png."""
        folder = store.jobs.get(job).run_folder
        path = film_file(root / folder, name) if folder else None
        if path is None:
            reason = f"Job {job} has no film file of this name; reload the page."
            return JSONResponse({"error": reason}, status_code=404)
        return FileResponse(path, media_type=MEDIA[path.suffix], headers=FOR_AN_HOUR)

    return routes


def _order(text: str) -> Order:
    try:
        return Order.model_validate_json(text)
    except ValidationError as error:
        raise JobError(f"The order cannot be read: {error.errors()[0]['msg']}.") from None


class _Supervision:
    """Whether a supervisor lives; starts one, now and then, where jobs wait and none does."""

    def __init__(self, context: Context) -> None:
        self._root = context.workspace.root
        self._may_start = not context.read_only
        self._tried = float("-inf")

    def alive(self, jobs: list[Job]) -> bool:
        if held(self._root):
            return True
        waiting = any(job.state in ("queued", "running", "stopping") for job in jobs)
        if waiting and self._may_start and time.monotonic() - self._tried > _WAKE_EVERY:
            self._tried = time.monotonic()
            try:
                ensure_supervisor(self._root)
            except JobError:
                return False
        return False


def _line(context: Context, order: Order, words: list[str]) -> list[str]:
    """The trainer's arguments for an order, before its run and snapshot have their names."""
    data = "ALL-TAGGED-IMAGES"
    if order.data not in WHOLE:
        data = context.store.snapshots.get(order.data).digest
    manifest = context.workspace.snapshots / data / "manifest.json"
    folder = context.workspace.runs / f"NUMBER-{order.recipe}"
    return trainer_arguments(order.recipe, words, folder, manifest=manifest)


def _described(book: RecipeBook) -> tuple[dict[str, Any], str | None]:
    """The recipes that can be run from here, or why there are none."""
    try:
        recipes = book.all()
    except JobError as error:
        return {}, str(error)
    return {name: recipes[name] for name in RUNNABLE if name in recipes}, None


def _words(context: Context, book: RecipeBook, order: Order) -> list[str]:
    """The order's options as words, names of weights made into what the trainer takes."""
    recipes, trouble = _described(book)
    if trouble:
        raise JobError(trouble)
    if order.recipe not in recipes:
        raise JobError(f"{order.recipe!r} cannot be run here; {', '.join(recipes)} can.")
    options = dict(order.options)
    train_names.require_asked(options)
    for name, named in (
        ("weights", train_names.weights),
        ("begin_with", train_names.weights),
        ("saliency", train_names.saliency),
        ("affinity", train_names.affinity),
        ("scorer", train_names.scorer),
        ("scores", train_names.scores),
    ):
        if options.get(name) not in (None, ""):
            options[name] = named(context, str(options[name]))
    wanted = NEEDS_WEIGHTS.get(order.recipe)
    if wanted and options.get("weights") in (None, "", train_names.RANDOM):
        raise JobError(f"Choose the weights that are to {wanted}.")
    if order.recipe == train_pipeline.RECIPE:
        options = train_pipeline.completed(context, recipes[order.recipe], options)
    if order.recipe in train_names.FROM_LABELS:
        folders = train_names.labelled_runs(context, options.pop("from_", None))
        words = [word for folder in folders for word in ("--from", folder)]
        return words + option_words(order.recipe, recipes[order.recipe], options)
    stands = any(option["name"] == "from_" for option in recipes[order.recipe]["options"])
    # What learns from masks has those of its snapshot where no run is named, and what does not take
    # runs (DCSP) begins at the beginning.
    takes = recipes[order.recipe].get("takes", ())
    own = "masks" in takes or "runs" not in takes
    if stands and (options.get("from_") or not own):
        options["from_"] = train_names.earlier_run(
            context, options.get("from_"), order.recipe, recipes
        )
    return option_words(order.recipe, recipes[order.recipe], options)


def _labelled(context: Context, recipes: dict[str, Any]) -> list[dict[str, str]]:
    """The finished runs that made label maps, the newest first."""
    making = {name for name, about in recipes.items() if "labels" in about.get("makes", ())}
    return [
        {"id": f"run:{run.id}", "title": f"{run.name} (run {run.id})"}
        for run in context.store.runs.all()
        if run.finished is not None
        and run.recipe in making
        and (context.workspace.root / run.folder / "labels").is_dir()
    ]


def _fitting_preset(context: Context) -> str:
    """`scenes` where the images are as small as Scenes', else `light`: minutes without a GPU."""
    images = context.store.images.page(0, 20).rows
    small = bool(images) and all(max(one.width, one.height) <= 256 for one in images)
    return "scenes" if small else "light"


def _answer(job: Job) -> dict[str, Any]:
    return {"job": job.id, "state": job.state}
