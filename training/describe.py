"""What the trainer can do, as JSON for the page: every recipe, its presets and its options."""

from typing import Any

from training.options import Option, options_of
from training.pipeline_options import PIPELINE
from training.recipes import Recipe, find_recipe, recipe_names

FORMAT = 1
# The page shows these kinds; lists of numbers are written with commas.
SHOWN_KINDS = {"floats": "str", "ints": "str", "words": "str"}


def describe() -> dict[str, Any]:
    """{"format": 1, "recipes": {name: ...}}; imports no torch, so it answers at once."""
    recipes = [*(find_recipe(name) for name in recipe_names()), PIPELINE]
    return {"format": FORMAT, "recipes": {recipe.name: _recipe(recipe) for recipe in recipes}}


def _recipe(recipe: Recipe) -> dict[str, Any]:
    presets = recipe.presets or ("paper",)
    return {
        "title": recipe.title,
        "summary": recipe.summary,
        "presets": list(recipe.presets),
        "makes": list(recipe.makes),
        "takes": list(recipe.takes),
        "stands_on": recipe.stands_on,
        "previews": recipe.preview is not None,
        "backbones": list(recipe.backbones),
        "options": [
            {
                "name": "seed",
                "flag": "--seed",
                "type": "int",
                "choices": [],
                "default": dict.fromkeys(presets, 0),
                "help": "same seed, same numbers",
                "section": "",
                "minimum": 0,
                "maximum": None,
            },
            *(_option(each, presets) for each in options_of(recipe.settings)),
        ],
    }


def _option(option: Option, presets: tuple[str, ...]) -> dict[str, Any]:
    return {
        "name": option.name,
        "flag": option.flag,
        "type": SHOWN_KINDS.get(option.kind, option.kind),
        "choices": list(option.choices),
        "default": {preset: option.written(preset) for preset in presets},
        "help": option.help,
        "section": option.section,
        "minimum": option.minimum,
        "maximum": option.maximum,
    }
