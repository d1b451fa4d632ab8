"""What the page may ask of a pipeline, and what the server adds: where its stages lie."""

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backend.errors import JobError

if TYPE_CHECKING:
    from ui.context import Context

RECIPE = "pipeline"
SET = "set_"
STAGES = "stages"
# What --set must not name: options that take a file, a folder or a list, as a page names no path.
# Those of every recipe stand here, whether a pipeline has a stage of it or not; `from` is also how
# `from_` is typed.
PLACES = (
    "weights", "begin_with", "saliency", "strong", "from", "run", "scorer", "scores", "affinity",
    "masks", "validation", "stages", "test",
)  # fmt: skip


def completed(
    context: "Context", about: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """A pipeline's options with its method, by which its job is known, and the workspace's folder
    of stages, which its pipelines share. `about` is what `describe` says of the recipe.

    Raises JobError for --set words that name a file.
    """
    try:
        words = shlex.split(str(options.get(SET) or ""))
    except ValueError as error:
        raise JobError(f"The options of stages cannot be read ({error}).") from None
    for word in words:
        wanted = word.partition("=")[0].rpartition(".")[2].replace("-", "_").rstrip("_")
        if wanted in PLACES:
            raise JobError(
                f"{word[:80]!r} cannot be set for one stage from the page. What the form has of it "
                "goes for the whole pipeline; the command line can set it for one stage."
            )
    (method,) = (each for each in about["options"] if each["name"] == "method")
    chosen = options.get("method") or next(iter(method["default"].values()))
    return {**options, "method": chosen, STAGES: str(context.workspace.runs / STAGES)}
