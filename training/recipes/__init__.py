"""One paper, one file. A module here that has a RECIPE is a subcommand of `python -m training`.

A recipe's file imports torch where it runs, not where it is read: `describe` and `--help` import
every recipe and answer at once.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from training.errors import TrainingError

if TYPE_CHECKING:
    from training.run import Run

# backend.networks' names, written out because asking for them imports torch.
BACKBONES = (
    "vgg16",
    "squeezenet1_1",
    "mobilenet_v2",
    "resnet50",
    "resnet101",
    "resnet38",
    "slim",
)


class Preview(NamedTuple):
    """What a run would learn from: text for a person, told (plain values) for a page."""

    text: str
    told: dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """What `describe` tells of a recipe, its settings dataclass and the function that runs it.

    `takes`: any of images, tags, masks, weights; nothing means that it needs no --data.
    `makes`: any of weights, maps, labels; a recipe that makes only data writes no run folder.
    `stands_on`: the recipe whose finished run --from must name, from whose maps this one learns.
    `run(settings, run)` returns what the event `finished` carries, metrics under "metrics".
    `preview(settings, run)`, where there is one, is what --dry-run prints; it makes nothing.
    """

    name: str
    title: str
    summary: str
    settings: type
    run: Callable[[Any, "Run"], dict[str, Any]]
    takes: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()
    backbones: tuple[str, ...] = ()
    stands_on: str = ""
    preview: Callable[[Any, "Run"], Preview] | None = None

    @property
    def makes_data(self) -> bool:
        """Whether it makes a data set and no run."""
        return self.makes == ("data",)


def recipe_names() -> list[str]:
    """The names of the recipes' files, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find_recipe(name: str) -> Recipe:
    """The recipe of a file; TrainingError with the names there are."""
    if name not in recipe_names():
        raise TrainingError(f"There is no recipe '{name}'; there are {', '.join(recipe_names())}.")
    recipe: Recipe = importlib.import_module(f"{__name__}.{name}").RECIPE
    return recipe
