"""What a pipeline would do: its lists, its stages, and the verdict on each."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.maps import crf
from training.errors import TrainingError
from training.machine import Machine
from training.options import options_of
from training.run import Run
from training.stages.board import digests_of, read_pipeline
from training.stages.chains import Wishes, chain_of
from training.stages.decided import require_decided
from training.stages.files import CACHE, FileDigests
from training.stages.ingredients import Pantry
from training.stages.own_options import parsed
from training.stages.record import STAGE
from training.stages.stage import PREDICT, Stage
from training.stages.verdicts import DONE, Verdict, verdict_on, verdicts

if TYPE_CHECKING:
    from backend.exchange.sources import Source
    from training.pipeline_options import Pipeline

STAGES = "stages"
OWN = "own"
FULL = "full"
TEST_LISTS = ("test", "val")
EVERY_IMAGE = "all"


class Plan:
    """A pipeline's stages and where they lie. Raises TrainingError for a mistake in its options and
    DataError for unusable data, before anything is made.
    """

    def __init__(self, settings: "Pipeline", run: Run) -> None:
        assert run.data is not None
        self.settings = settings
        self.run = run
        self.at = Path(settings.stages).absolute() if settings.stages else run.folder / STAGES
        self.files = FileDigests(self.at / CACHE)
        self.pantry = Pantry(run.data, run.preset, run.seed, self.files)
        self.source = self.pantry.source(run.split)
        self.test = settings.test or self._test_list()
        self.stages = stages_of(settings, run, self.test, self._strong())
        require_decided(self.stages, run.preset, run.data)

    @property
    def tested(self) -> "Source":
        """The images of the test list."""
        return self.pantry.source(self.test)

    def verdicts(self, tell: Callable[[int, int], None] | None = None) -> list[Verdict]:
        """The verdict on every stage; tell(done, total) hears of the images that are digested."""
        self.pantry.tell = tell
        earlier = digests_of(read_pipeline(self.run.folder))
        found = verdicts(
            self.stages, self.pantry, self.at, earlier, any_code=self.settings.any_code
        )
        if self.at.is_dir():
            self.files.save()
        return found

    def again(self, verdict: Verdict) -> Verdict:
        """The verdict once more: another pipeline may have made the stage meanwhile."""
        return verdict_on(
            verdict.stage, verdict.made_of, self.at, None, any_code=self.settings.any_code
        )

    def words(self, stage: Stage, folders: dict[str, Path]) -> list[str]:
        assert self.run.data is not None
        return stage.words(self.run.preset, self.run.seed, self.run.data, folders)

    def left_over(self, found: Sequence[Verdict]) -> list[Path]:
        """The folders of stages that this pipeline no longer counts."""
        counted = {verdict.folder for verdict in found}
        known = sorted(path.parent for path in self.at.glob(f"*/{STAGE}"))
        return [folder for folder in known if folder not in counted]

    def _test_list(self) -> str:
        known = [name for name in TEST_LISTS if name in self.source.splits]
        return next((name for name in known if name != self.source.split), EVERY_IMAGE)

    def _strong(self) -> str:
        """The list whose true masks teach: of full supervision all that is learnt from, but for a
        snapshot, whose masks are its own.
        """
        settings = self.settings
        if settings.strong or settings.method != FULL or self.source.kind == "snapshot":
            return settings.strong
        return self.source.split or EVERY_IMAGE


def stages_of(settings: "Pipeline", run: Run, test: str, strong: str) -> list[Stage]:
    """The stages of a pipeline, their options checked; TrainingError for a mistake in any.

    test: the list that is predicted; strong: the list whose true masks teach, "" for none.
    """
    wishes = Wishes(
        run.preset,
        run.split,
        test,
        settings.saliency,
        strong,
        settings.weights,
        _everywhere(settings),
    )
    plain = chain_of(settings.method, wishes, {})
    stages = chain_of(settings.method, wishes, parsed(plain, settings.set_))
    for stage in stages:
        _require_possible(stage, stage.settled(run.preset))
    return stages


def _require_possible(stage: Stage, settings: Any) -> None:
    """TrainingError for what a stage would be refused for at its turn, behind hours of training."""
    refines = getattr(settings, "crf", "none") != "none" or getattr(settings, "seeds", "") == "crf"
    if refines and (missing := crf.missing()):
        how = "seeds=thresholds" if getattr(settings, "seeds", "") == "crf" else "crf=none"
        raise TrainingError(
            f"{stage.title} would refine by the dense CRF. {missing} Or go without: "
            f"--set {stage.name}.{how}."
        )
    if getattr(settings, "joint", True) is False:
        raise TrainingError(
            f"{stage.name}.joint is no, but a network that learnt the tags alone cannot predict. "
            "Leave it out here; `python -m training dcsp --no-joint` predicts the list val itself."
        )


def _everywhere(settings: "Pipeline") -> dict[str, Any]:
    """What goes to every stage that has such an option."""
    given = {
        each.name: getattr(settings, each.name)
        for each in options_of(Machine)
        if getattr(settings, each.name) != each.default["paper"]
    }
    return given if settings.backbone == OWN else {**given, "backbone": settings.backbone}


def told(plan: Plan, found: Sequence[Verdict], left_over: Sequence[Path]) -> str:
    """What a pipeline would do, for a person to read."""
    width = max(len(verdict.stage.name) for verdict in found)
    lines = []
    folders: dict[str, Path] = {}
    for verdict in found:
        does = "keep" if verdict.state == DONE else "make"
        lines.append(f"{does}  {verdict.stage.name:{width}}  {verdict.state}: {verdict.why}")
        folders[verdict.stage.name] = verdict.folder
        if verdict.state != DONE:
            out = verdict.stage.output(verdict.folder)
            words = [*plan.words(verdict.stage, folders), "--out", str(out)]
            lines.append(f"      {'':{width}}  python -m training {shlex.join(words)}")
    lines += [f"remove  {folder}" for folder in left_over]
    return "\n".join(lines)


def images_of(plan: Plan, stage: Stage) -> "Source":
    """The images that a stage works on."""
    return plan.tested if stage.command == PREDICT else plan.source
