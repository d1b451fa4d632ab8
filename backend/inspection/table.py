"""The whole table of stages with a method, and which of them a change makes stale."""

from collections.abc import Collection
from dataclasses import fields

from backend.errors import DataError
from backend.inspection.methods import Method
from backend.inspection.settings import ERASING, MOST_LOOKS, Settings
from backend.inspection.stages import Stage

OF_FUSION = ("crf", "grabcut", "sal.score", "truth.error")
"""What begins from the labels of the fusion that is chosen, or takes them where nothing refines."""

REFINED = ("crf", "walk", "grabcut")
"""The refined masks, of which the settings choose one."""

WALK = ("refine", "affinity", "walk_alpha", "walk_beta", "walk_steps")

TRUTH_STAGES = ("truth", "truth.attention", "truth.error")


def stages_of(method: type[Method]) -> dict[str, Stage]:
    """Every stage with this attention source, in the order in which it is shown."""
    final = method.final
    zones = {"zones": Stage((final,), ("high", "low"), "zones")}
    return {
        "image": Stage(kind="image"),
        **method.stages,
        **({} if method.has_zones else zones),
        **looks(),
        "saliency": Stage(("image",), ("saliency", *ERASING)),
        "fusion.seenet": Stage((final, "saliency"), ("weight",), "labels"),
        "fusion.dcsp": Stage((final, "saliency"), ("gamma",), "labels"),
        "fusion.oaa": Stage((final, "saliency"), (), "labels"),
        "crf": Stage(
            (), ("refine", "fusion", "confidence", "crf"), "labels", when=("refine", "crf")
        ),
        "walk": Stage(("image", final), WALK, "labels", when=("refine", "walk")),
        "grabcut": Stage(
            (final,), ("refine", "fusion", "high", "low"), "labels", when=("refine", "grabcut")
        ),
        "sal.score": Stage((*REFINED, "saliency"), ("crf", "refine", "fusion"), "score"),
        "truth": Stage(("image",), (), "labels"),
        "truth.attention": Stage(("truth", final), ("truth_threshold",), "errors"),
        "truth.error": Stage(("truth", *REFINED), ("crf", "refine", "fusion"), "errors"),
    }


def looks() -> dict[str, Stage]:
    """The looks for saliency with what was found erased between them: of the first its map, of each
    further one the erased image, its map, and the maximum of all so far.
    """
    reads = ("saliency", *ERASING)
    stages = {step_stage(1): Stage(("image",), reads, when=("erasing_steps", 2))}
    for number in range(2, MOST_LOOKS + 1):
        there: tuple[str, str | int] = ("erasing_steps", number)
        stages[step_stage(number, "erased")] = Stage(("image",), reads, "image", when=there)
        stages[step_stage(number, "raw")] = Stage(("image",), reads, when=there)
        stages[step_stage(number)] = Stage(("image",), reads, when=there)
    return stages


def step_stage(number: int, part: str = "") -> str:
    """The name of one look for saliency, counted from 1, or of a part of it."""
    return f"saliency.step{number}" + (f".{part}" if part else "")


def is_there(stage: Stage, settings: Settings) -> bool:
    """Whether a stage is one of those that these settings choose."""
    if stage.when is None:
        return True
    name, wanted = stage.when
    value = getattr(settings, name)
    return value >= wanted if isinstance(wanted, int) else value == wanted


def standing_after(
    names: str | Collection[str] | None, settings: Settings, method: type[Method]
) -> tuple[str, ...]:
    """The stages to make again after stages or settings called `names` changed, in order: of those
    that the settings choose.

    A stage's own name stands for what comes after it, without itself; `saliency` and `crf`, which
    are settings too, with itself. None, or a changed method: all stages.
    """
    stages = stages_of(method)
    changed = {names} if isinstance(names, str) else set(names or ())
    unknown = sorted(changed - set(stages) - {each.name for each in fields(Settings)})
    if unknown:
        raise DataError(f"There is no stage or setting {unknown[0]!r}; stages: {list(stages)}.")
    there = {name: stage for name, stage in stages.items() if is_there(stage, settings)}
    if names is None or "method" in changed:
        return tuple(there)
    stale: list[str] = []
    for name, stage in there.items():
        needs = stage.needs
        if name in OF_FUSION:
            needs = (f"fusion.{settings.fusion}", "image", *needs)
        if changed.intersection(stage.reads) or any(n in changed or n in stale for n in needs):
            stale.append(name)
    return tuple(stale)
