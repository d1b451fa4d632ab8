"""The whole table of stages with a method, and which of them a change makes stale."""

from collections.abc import Collection
from dataclasses import fields

from backend.errors import DataError
from backend.inspection.methods import Method
from backend.inspection.settings import Settings
from backend.inspection.stages import Stage

TRUTH_STAGES = ("truth", "truth.attention", "truth.error")


def stages_of(method: type[Method]) -> dict[str, Stage]:
    """Every stage with this attention source, in the order in which it is shown."""
    final = method.final
    zones = {"zones": Stage((final,), ("high", "low"), "zones")}
    return {
        "image": Stage(kind="image"),
        **method.stages,
        **({} if method.has_zones else zones),
        "saliency": Stage(("image",), ("saliency",)),
        "fusion.seenet": Stage((final, "saliency"), ("weight",), "labels"),
        "fusion.dcsp": Stage((final, "saliency"), ("gamma",), "labels"),
        "fusion.oaa": Stage((final, "saliency"), (), "labels"),
        "crf": Stage((), ("fusion", "confidence", "crf"), "labels"),
        "sal.score": Stage(("crf", "saliency"), ("crf",), "score"),
        "truth": Stage(("image",), (), "labels"),
        "truth.attention": Stage(("truth", final), ("truth_threshold",), "errors"),
        "truth.error": Stage(("truth", "crf"), ("crf",), "errors"),
    }


def standing_after(
    names: str | Collection[str] | None, settings: Settings, method: type[Method]
) -> tuple[str, ...]:
    """The stages to make again after stages or settings called `names` changed, in order.

    A stage's own name stands for what comes after it, without itself; `saliency` and `crf`, which
    are settings too, with itself. None, or a changed method: all stages.
    """
    stages = stages_of(method)
    changed = {names} if isinstance(names, str) else set(names or ())
    unknown = sorted(changed - set(stages) - {each.name for each in fields(Settings)})
    if unknown:
        raise DataError(f"There is no stage or setting {unknown[0]!r}; stages: {list(stages)}.")
    if names is None or "method" in changed:
        return tuple(stages)
    stale: list[str] = []
    for name, stage in stages.items():
        needs = (
            (f"fusion.{settings.fusion}", "image", *stage.needs) if name == "crf" else stage.needs
        )
        if changed.intersection(stage.reads) or any(n in changed or n in stale for n in needs):
            stale.append(name)
    return tuple(stale)
