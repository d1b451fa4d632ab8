"""Carrying a plan out: stages that are not done are made, and what people take is put into OUT."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from backend.errors import TagmaskError
from backend.exchange.names import some
from training import evaluations
from training.errors import TrainingError
from training.run import Run
from training.scores import SCORES
from training.stages.board import Board, read_pipeline
from training.stages.lock import held
from training.stages.making import make
from training.stages.measuring import measured
from training.stages.plan import Plan, images_of
from training.stages.publishing import (
    publish,
    publish_scores,
    publish_weights,
    require_ours,
    take_back,
)
from training.stages.record import WEIGHTS
from training.stages.stage import PREDICTIONS, Stage
from training.stages.verdicts import Verdict

LABELS = "labels"
# As training.references names it, which imports networks.
REFERENCES = "references"


def carry_out(plan: Plan) -> dict[str, Any]:
    """Makes what has to be made; what the event `finished` carries.

    Raises TrainingError with the sentence of a stage that failed, DataError for a full disk, and
    Cancelled once the stage at work has saved.
    """
    run = plan.run
    ours = bool(read_pipeline(run.folder))
    for name in (LABELS, PREDICTIONS, REFERENCES):
        require_ours(run.folder / name, ours)
    found = plan.verdicts(lambda done, total: run.progress(done, total, stage="reading"))
    run.begun = True
    board = Board(run, _about(plan), found)
    plan.at.mkdir(parents=True, exist_ok=True)
    if not any("labels" in stage.gives for stage in plan.stages):
        _take_back_labels(run)
    if not any("scores" in stage.gives for stage in plan.stages):
        _take_back_references(run)
    folders: dict[str, Path] = {}
    outcome: dict[str, Any] = {"metrics": {}, "weights": None, "maps": 0, "labels": 0}
    for verdict in found:
        run.check()
        stage = verdict.stage
        try:
            folders[stage.name] = _made(plan, board, verdict, folders)
            _put_out(plan, board, stage, folders, outcome)
        except (TagmaskError, TrainingError) as problem:
            board.fail(stage.name, str(problem))
            raise
    plan.files.save()
    if all(verdict.is_done for verdict in found):
        run.message("Every stage was done, and nothing has changed: none was made again.")
    return outcome


def _take_back_labels(run: Run) -> None:
    """Removes proxy labels that another method has put out: this one makes none."""
    if (run.folder / LABELS).is_dir():
        run.message("The proxy labels of the pipeline that was here before are taken away.")
        take_back(run.folder / LABELS, run.message)
    (run.folder / SCORES).unlink(missing_ok=True)
    evaluations.forget(run.folder, LABELS)


def _take_back_references(run: Run) -> None:
    """Removes the reference masks that another method has put out: nobody is scored against them
    here.
    """
    if (run.folder / REFERENCES).is_dir():
        take_back(run.folder / REFERENCES, run.message)


def clean_up(plan: Plan) -> None:
    """Removes the stages that the pipeline no longer counts."""
    for folder in plan.left_over(plan.verdicts()):
        plan.run.message(f"The stage {folder.name} no longer counts and is removed.")
        shutil.rmtree(folder)
        lock_of(plan.at, folder).unlink(missing_ok=True)


def lock_of(at: Path, folder: Path) -> Path:
    """The lock of a stage, beside its folder: that may be removed and made anew."""
    return at / f".{folder.name}.lock"


def _made(plan: Plan, board: Board, verdict: Verdict, folders: dict[str, Path]) -> Path:
    """The folder of a stage, once it is done."""
    stage, run = verdict.stage, plan.run
    if verdict.is_done:
        return verdict.folder

    def wait() -> None:
        run.check()
        board.wait(stage.name)

    with held(lock_of(plan.at, verdict.folder), wait) as lock:
        verdict = plan.again(verdict)
        if verdict.is_done and verdict.record is not None:
            board.end(stage.name, verdict.record)
            return verdict.folder
        board.begin(stage.name)
        run.say(f"{stage.title}: {verdict.why}.")
        images = len(images_of(plan, stage).items)
        tell = partial(board.progress, stage.name)
        made = make(run, verdict, folders, lock, tell, images)
    for sentence in made.messages:
        run.message(f"{stage.title}: {sentence}")
    board.end(stage.name, made.record)
    return verdict.folder


def _put_out(
    plan: Plan, board: Board, stage: Stage, folders: dict[str, Path], outcome: dict[str, Any]
) -> None:
    """What people take from a stage, into OUT, and how good it is where that is known."""
    run, folder = plan.run, folders[stage.name]
    if "labels" in stage.gives:
        made = folder / LABELS
        out = run.folder / LABELS
        without = publish(made, out, plan.source, run.check, run.message, fill=True)
        publish_scores(folder, run.folder)
        if without:
            run.message(f"{len(without)} images got no labels, 255 throughout: {some(without)}.")
        outcome["labels"] = len(plan.source.items) - len(without)
        found = measured(made, folder, plan.source, plan.files, run.check, run.message)
        if found is None:
            evaluations.forget(run.folder, LABELS)
        else:
            _figure(plan, board, stage, outcome, "labels_miou", found)
            evaluations.keep(run.folder, LABELS, found, of=plan.source.split or "all")
    if "scores" in stage.gives:
        publish_scores(folder, run.folder)
        out = run.folder / REFERENCES
        publish(folder / REFERENCES, out, plan.source, run.check, run.message, fill=False)
    if "predictions" in stage.gives:
        made = folder / PREDICTIONS
        out = run.folder / PREDICTIONS
        publish(made, out, plan.tested, run.check, run.message, fill=False)
        publish_weights(folders[stage.on["run"]] / WEIGHTS, run.folder / WEIGHTS)
        outcome["weights"] = WEIGHTS
        outcome["metrics"]["images"] = len(plan.tested.items)
        found = measured(made, folder, plan.tested, plan.files, run.check, run.message)
        if found is None:
            evaluations.forget(run.folder, PREDICTIONS)
            run.message(
                f"The list {plan.test} has no true masks, so its predictions are not measured."
            )
        else:
            _figure(plan, board, stage, outcome, "miou", found)
            evaluations.keep(run.folder, PREDICTIONS, found, of=plan.test)


def _figure(
    plan: Plan,
    board: Board,
    stage: Stage,
    outcome: dict[str, Any],
    name: str,
    found: dict[str, Any],
) -> None:
    board.figure(stage.name, {name: found["miou"], "images": found["images"]})
    outcome["metrics"][name] = found["miou"]
    outcome["metrics"]["images"] = found["images"]
    plan.run.message(f"{stage.title}: mIoU {found['miou']:.1f} over {found['images']} images.")


def _about(plan: Plan) -> dict[str, Any]:
    """What pipeline.json says of the pipeline beside its stages."""
    run, settings = plan.run, plan.settings
    return {
        "method": settings.method,
        "preset": run.preset,
        "seed": run.seed,
        "data": str(run.data),
        "split": plan.source.split or "all",
        "test": plan.test,
        "saliency": settings.saliency,
        "command": run.command,
    }
