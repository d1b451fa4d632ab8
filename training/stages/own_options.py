"""What a person sets for one stage alone: --set STAGE.OPTION=VALUE."""

import shlex
from typing import Any

from training.errors import TrainingError
from training.options import Option
from training.stages.stage import Stage

# A stage stands on stages alone: what lies in a folder that is named here would not be in its
# digest.
A_RUN = ("from_", "run")


def parsed(stages: list[Stage], words: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Options by stage out of --set STAGE.OPTION=VALUE; TrainingError naming what there is."""
    known = {stage.name: stage for stage in stages}
    found: dict[str, dict[str, Any]] = {}
    for word in [part for each in words for part in shlex.split(each)]:
        where, equals, text = word.partition("=")
        name, dot, wanted = where.partition(".")
        if not (equals and dot):
            raise TrainingError(
                f"--set takes STAGE.OPTION=VALUE, such as {stages[-2].name}.epochs=10, and not "
                f"'{word}'."
            )
        if name not in known:
            raise TrainingError(f"There is no stage '{name}'; there are {', '.join(known)}.")
        options = known[name].options
        option = wanted.replace("-", "_")
        option = f"{option}_" if f"{option}_" in options else option
        free = [each for each in options if each not in known[name].on and each not in A_RUN]
        if option not in free:
            raise TrainingError(
                f"The stage {name} has no option '{wanted}'; it has {', '.join(free)}."
            )
        found.setdefault(name, {})[option] = _value(options[option], text)
    return found


def _value(option: Option, text: str) -> Any:
    if option.kind == "flag":
        if text not in ("yes", "no"):
            raise TrainingError(f"{option.flag} is '{text}'; it can be yes or no.")
        return text == "yes"
    return option.parse(text)
