"""`python -m training pipeline`: every stage of one paper, from tags to a segmenter and its labels.

Each stage is a command of the trainer in a folder named by the digest of all that goes into it
(training.stages). What is there already is not made again: the same command goes on where it was
stopped, and another threshold makes again only what follows it.
"""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from training.cli import recipe_parser
from training.concluding import REFUSED, concluded
from training.errors import TrainingError
from training.events import EventWriter, Heartbeat
from training.footprint import Footprint
from training.options import PRESETS, options_of, settle, written_settings
from training.pipeline_options import PIPELINE, Pipeline
from training.run import Run, command_line, make_folder, require_folder, write_config
from training.stages.carrying_out import carry_out, clean_up
from training.stages.decided import require_decided
from training.stages.lock import held
from training.stages.plan import EVERY_IMAGE, FULL, Plan, stages_of, told

LOCK = "pipeline.lock"
# Options that may name a place.
PLACES = ("weights", "saliency")


class Asked(NamedTuple):
    """A pipeline as the command line asks for it."""

    settings: Pipeline
    run: Run
    dry_run: bool
    clean: bool


def pipeline_command(arguments: Sequence[str]) -> int:
    """Runs `pipeline`; the exit status."""
    settings, run, dry_run, clean = _asked(arguments)
    plan = Plan(settings, run)
    if dry_run:
        verdicts = plan.verdicts()
        print(told(plan, verdicts, plan.left_over(verdicts) if clean else []))
        return 0
    folder = run.folder
    footprint, status = Footprint(folder), REFUSED
    make_folder(folder)
    with held(folder / LOCK):
        try:
            status = _carried_out(plan, settings, clean)
        finally:
            if status == REFUSED and not run.begun:
                (folder / LOCK).unlink(missing_ok=True)
                footprint.take_back()
    return status


def check_pipeline(arguments: Sequence[str]) -> None:
    """Raises TrainingError for what `pipeline` would be refused before it looks at its data."""
    settings, run, _, _ = _asked(arguments)
    # Which list is predicted and which one teaches, the data says; the options are the same.
    strong = EVERY_IMAGE if settings.method == FULL else ""
    stages = stages_of(settings, run, settings.test or EVERY_IMAGE, settings.strong or strong)
    # A snapshot that is still to be frozen has no name yet.
    if run.data is not None and run.data.exists():
        require_decided(stages, run.preset, run.data)


def _asked(arguments: Sequence[str]) -> Asked:
    """What is asked for, as far as it can be checked without the data."""
    parser = recipe_parser(PIPELINE)
    parser.add_argument("--dry-run", action="store_true", help="say what would run, and why")
    parser.add_argument(
        "--clean", action="store_true", help="at the end, remove stages that no longer count"
    )
    given = vars(parser.parse_args(arguments))
    dry_run, clean = given.pop("dry_run", False), given.pop("clean", False)
    # A pipeline always goes on with what is there.
    given.pop("resume", None)
    folder: Path = given.pop("out").absolute()
    about = {name: given.pop(name, None) for name in ("data", "split", "preset", "seed")}
    if about["data"] is None:
        raise TrainingError(
            "--data is missing. Name a VOC devkit, a folder with tags.csv or a snapshot's "
            "manifest.json."
        )
    options = {each.name: each for each in options_of(Pipeline)}
    for name, value in given.items():
        given[name] = tuple(value) if isinstance(value, list) else value
        if isinstance(value, str):
            value = _whole(value) if name in PLACES else value
            given[name] = options[name].parse(value)
    preset = about["preset"] or PRESETS[0]
    settings = settle(Pipeline, preset, given)
    if clean and settings.stages:
        raise TrainingError("--clean is for a pipeline's own stages; those of --stages are shared.")
    run = Run(
        PIPELINE.name,
        folder,
        data=about["data"].absolute(),
        split=about["split"],
        preset=preset,
        seed=about["seed"] or 0,
        resume=True,
        command=command_line([PIPELINE.name, *arguments]),
    )
    require_folder(folder)
    return Asked(settings, run, dry_run, clean)


def _whole(named: str) -> str:
    """A file, `folder:DIR` or `network:RUN` with its whole path: a stage is started from the
    project's folder. Other names stay as they are.
    """
    kind, colon, where = named.rpartition(":")
    return f"{kind}{colon}{Path(where).absolute()}" if where and Path(where).exists() else named


def _carried_out(plan: Plan, settings: Pipeline, clean: bool) -> int:
    """Carries a plan out, with its configuration and its events; the exit status."""
    run = plan.run
    with run.stop, closing(EventWriter(run.folder)) as run.events, Heartbeat(run.folder):
        config = {
            "recipe": PIPELINE.name,
            "method": settings.method,
            "data": str(run.data),
            "split": run.split,
            "preset": run.preset,
            "seed": run.seed,
            "command": run.command,
            "settings": written_settings(settings),
        }
        write_config(run.folder, config)

        def work() -> dict[str, object]:
            outcome = carry_out(plan)
            if clean:
                clean_up(plan)
            return outcome

        return concluded(run, work, "the same command goes on from here")
