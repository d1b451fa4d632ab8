"""What is chosen for a whole pipeline, as `describe` and the command line tell it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.machine import Machine
from training.options import PRESETS, option
from training.recipes import BACKBONES, Recipe
from training.stages.chains import METHODS

if TYPE_CHECKING:
    from training.run import Run

OWN = "own"


@dataclass(frozen=True)
class Pipeline(Machine):
    """A stage's own numbers are its recipe's, or --set's."""

    method: str = option(
        "oaa",
        "whose stages; full: a segmenter on true masks, to compare with",
        choices=tuple(METHODS),
    )
    saliency: str = option(
        "classical",
        "classical; network:NAME of shipped weights, of a file or a run of the recipe saliency; or "
        "folder:DIR of grey maps named as the images",
    )
    backbone: str = option(
        OWN, "of every network; own: what each recipe's preset has", choices=(OWN, *BACKBONES)
    )
    weights: str = option(
        "",
        "what the trunks begin with: a file, a shipped name, or none for random ones; without it "
        "what fits each",
    )
    test: str = option("", "the list that is predicted; without it test, else val, else all images")
    strong: str = option(
        "", "a list whose images teach the segmenter by their true masks", section="SAL IV"
    )
    set_: tuple[str, ...] = option(
        (), "STAGE.OPTION=VALUE for one stage, several with spaces between: segmenter.epochs=10"
    )
    stages: str = option("", "the folder of stages, which pipelines may share; without it in OUT")
    any_code: bool = option(False, "keep finished stages that another version of the code made")


def run(settings: Pipeline, run: "Run") -> dict[str, Any]:
    """Makes all stages that are not made yet; what the event `finished` carries."""
    from training.stages.carrying_out import carry_out
    from training.stages.plan import Plan

    return carry_out(Plan(settings, run))


PIPELINE = Recipe(
    name="pipeline",
    title="Pipeline: from tags to a segmenter",
    summary="Runs every stage of a paper: attention, proxy labels, segmenter, predictions. What is "
    "made already is not made again.",
    settings=Pipeline,
    run=run,
    takes=("tags",),
    makes=("weights", "labels"),
    presets=PRESETS,
    backbones=BACKBONES,
)
