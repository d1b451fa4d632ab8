"""The command line: a subcommand for every recipe, and those that measure and predict."""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from backend.errors import TagmaskError
from training.concluding import REFUSED, concluded, is_too_long, too_long
from training.describe import describe
from training.earlier_run import maps_digest, require_finished
from training.errors import TrainingError
from training.events import EventWriter, Heartbeat, last_kind
from training.footprint import Footprint
from training.machine import Machine
from training.options import PRESETS, options_of, settle, written_settings
from training.recipes import Recipe, find_recipe, recipe_names
from training.run import (
    Run,
    command_line,
    earlier_config,
    make_folder,
    write_config,
)
from training.run_lock import alone
from training.stages.stage import WITHOUT_EFFECT

DRY_RUN = "--dry-run"
# What a run's configuration says beside its settings.
ABOUT = ("preset", "seed", "data", "split")


class Parser(argparse.ArgumentParser):
    """Says what is wrong as the rest of Tagmask does, and ends with 2."""

    def error(self, message: str) -> NoReturn:
        print(f"tagmask: {message}. See {self.prog} --help.", file=sys.stderr)
        raise SystemExit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0, 2 for a mistake, 143 or 130 when stopped."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["describe"]:
            return _describe(given[1:])
        if given[:1] == ["evaluate"]:
            from training.evaluate_command import evaluate_command

            return evaluate_command(given[1:])
        if given[:1] == ["check"]:
            return _check(given[1:])
        if given[:1] == ["pipeline"]:
            from training.pipeline import pipeline_command

            return pipeline_command(given[1:])
        if given[:1] == ["predict"]:
            from training.predict_command import predict_command

            return predict_command(given[1:])
        if given[:1] and given[0] in recipe_names():
            return _recipe(find_recipe(given[0]), given[1:])
    except (TagmaskError, TrainingError) as problem:
        print(f"tagmask: {problem}", file=sys.stderr)
        return 2
    except OSError as problem:
        if not is_too_long(problem):
            raise
        print(f"tagmask: {too_long(problem)}", file=sys.stderr)
        return 2
    _top().parse_args(given)
    return 2


def _top() -> Parser:
    parser = Parser(prog="python -m training", description="Trains, and measures what was trained.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)
    for name in recipe_names():
        commands.add_parser(name, help=find_recipe(name).summary)
    commands.add_parser("describe", help="every recipe and its options as JSON")
    commands.add_parser("check", help="what a recipe's command would be refused for; makes nothing")
    commands.add_parser("evaluate", help="mIoU of label maps or attention maps against true masks")
    commands.add_parser("pipeline", help="every stage of one paper, from tags to a segmenter")
    commands.add_parser("predict", help="what a trained network labels in every image of a folder")
    return parser


def _describe(arguments: Sequence[str]) -> int:
    Parser(
        prog="python -m training describe", description="Every recipe and its options as JSON."
    ).parse_args(arguments)
    print(json.dumps(describe(), indent=1, ensure_ascii=False))
    return 0


def recipe_parser(recipe: Recipe) -> Parser:
    """The flags of a recipe, from the fields of its settings; none has a default here."""
    parser = Parser(
        prog=f"python -m training {recipe.name}",
        description=recipe.summary,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="the folder to write into")
    if recipe.takes:
        parser.add_argument(
            "--data", type=Path, help="VOC devkit, folder with tags.csv, or snapshot manifest.json"
        )
        parser.add_argument("--split", help="list of images (train_aug, else train, else all)")
    if recipe.presets:
        parser.add_argument("--preset", choices=recipe.presets, help="(paper)")
    parser.add_argument("--seed", type=int, help="same seed, same numbers (0)")
    if recipe.preview is not None:
        parser.add_argument(DRY_RUN, action="store_true", help="say what would be learnt from")
    if recipe.makes != ("data",):
        parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    for each in options_of(recipe.settings):
        told = [f"{preset} {_shown(each.written(preset))}" for preset in recipe.presets]
        if not recipe.presets or len({each.written(preset) for preset in recipe.presets}) == 1:
            told = [_shown(each.written("paper"))]
        text = f"{each.help} ({', '.join(told)})" + (f" [{each.section}]" if each.section else "")
        keywords: dict[str, Any] = {"help": text.replace("%", "%%"), "dest": each.name}
        if each.kind == "flag":
            parser.add_argument(each.flag, action=argparse.BooleanOptionalAction, **keywords)
        elif each.kind == "words":
            parser.add_argument(each.flag, nargs="+", action="extend", metavar="WORD", **keywords)
        else:
            metavar = "|".join(each.choices) if each.choices else each.name.upper()
            parser.add_argument(each.flag, metavar=metavar, **keywords)
    return parser


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value) or "unset"


def _check(arguments: Sequence[str]) -> int:
    """Says what a run would be refused for before it looks at its data; makes nothing."""
    parser = Parser(prog="python -m training check", description=_check.__doc__)
    parser.add_argument("recipe", choices=[*recipe_names(), "pipeline"])
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what the recipe is given")
    given = parser.parse_args(arguments)
    if given.recipe == "pipeline":
        from training.pipeline import check_pipeline

        check_pipeline(given.arguments)
        return 0
    recipe = find_recipe(given.recipe)
    asked = _asked(recipe, given.arguments)
    if asked is not None:
        _stand_on_earlier(asked.run, recipe, asked.settings)
    return 0


class Asked(NamedTuple):
    """A run as the command line asks for it, and what its configuration says."""

    run: Run
    settings: Any
    about: dict[str, Any]
    is_new: bool


def _asked(recipe: Recipe, arguments: Sequence[str]) -> Asked | None:
    """What is asked for, checked; None where the run in --out is finished already."""
    given = vars(recipe_parser(recipe).parse_args(arguments))
    options = {each.name: each for each in options_of(recipe.settings)}
    folder: Path = given.pop("out").absolute()
    resume = given.pop("resume", False)
    given.pop("dry_run", None)
    if "data" in given:
        given["data"] = str(given["data"].absolute())
    if isinstance(given.get("from_"), list):
        given["from_"] = tuple(str(Path(each).absolute()) for each in given["from_"])
    elif given.get("from_"):
        given["from_"] = str(Path(given["from_"]).absolute())
    if given.get("scores"):
        given["scores"] = str(Path(given["scores"]).absolute())
    # It may be the name of shipped weights, too.
    if given.get("begin_with") and Path(given["begin_with"]).exists():
        given["begin_with"] = str(Path(given["begin_with"]).absolute())
    for name, value in given.items():
        if name in options and isinstance(value, str):
            given[name] = options[name].parse(value)

    earlier = None if recipe.makes_data else earlier_config(folder, resume=resume)
    if earlier is not None:
        given = _as_before(earlier, recipe, given)
        if last_kind(folder) == "finished":
            print(f"{folder} is finished; there is nothing to resume.", file=sys.stderr)
            return None
    about = {name: given.pop(name, None) for name in ABOUT}
    preset = about["preset"] or (recipe.presets or PRESETS)[0]
    if recipe.takes and about["data"] is None:
        raise TrainingError(
            "--data is missing. Name a VOC devkit, a folder with tags.csv or a snapshot's "
            "manifest.json."
        )
    settings = settle(recipe.settings, preset, given)
    run = Run(
        recipe=recipe.name,
        folder=folder,
        data=Path(about["data"]) if about["data"] else None,
        split=about["split"],
        preset=preset,
        seed=about["seed"] or 0,
        resume=resume,
        command=command_line([recipe.name, *arguments]),
    )
    told = {**about, "preset": preset, "seed": run.seed, "command": run.command}
    return Asked(run, settings, told, earlier is None)


def _recipe(recipe: Recipe, arguments: Sequence[str]) -> int:
    asked = _asked(recipe, arguments)
    if asked is None:
        return 0
    if recipe.preview is not None and DRY_RUN in arguments:
        shown = recipe.preview(asked.settings, asked.run)
        print(f"{shown.text}\n{json.dumps(shown.told, ensure_ascii=False)}")
        return 0
    folder = asked.run.folder
    footprint = Footprint(folder)
    make_folder(folder)
    if recipe.makes_data:
        return _carried_out(asked, recipe, footprint)
    with alone(folder, asked.run.say):
        # Another process may have gone on with this run, or begun one, until now.
        asked = _asked(recipe, arguments)
        return 0 if asked is None else _carried_out(asked, recipe, footprint)


def _carried_out(asked: Asked, recipe: Recipe, footprint: Footprint) -> int:
    """Runs a recipe in its folder, which is there; the exit status."""
    run, settings, folder = asked.run, asked.settings, asked.run.folder
    status = REFUSED
    try:
        with ExitStack() as opened:
            opened.enter_context(run.stop)
            if not recipe.makes_data:
                if asked.is_new:
                    config = {"recipe": recipe.name, **asked.about}
                    write_config(folder, {**config, "settings": written_settings(settings)})
                run.events = opened.enter_context(closing(EventWriter(folder)))
                opened.enter_context(Heartbeat(folder))
            status = concluded(run, lambda: _from_the_start(run, recipe, settings))
    finally:
        if status == REFUSED and not run.begun:
            footprint.take_back()
    return status


def _as_before(earlier: dict[str, Any], recipe: Recipe, given: dict[str, Any]) -> dict[str, Any]:
    """What a resumed run was started with; only what the machine decides may be given anew."""
    if earlier["recipe"] != recipe.name:
        raise TrainingError(
            f"This run is of the recipe {earlier['recipe']}; resume it with `python -m training "
            f"{earlier['recipe']} --resume`."
        )
    free = {each.name for each in fields(Machine)} | WITHOUT_EFFECT
    before = {name: earlier.get(name) for name in ABOUT}
    for each in options_of(recipe.settings):
        if each.name in earlier["settings"]:
            value = earlier["settings"][each.name]
            before[each.name] = tuple(value) if isinstance(value, list) else value
    for name, value in given.items():
        if name not in free and before.get(name) != value:
            earlier_value = "its default" if before.get(name) in (None, "") else before[name]
            raise TrainingError(
                f"--{name.rstrip('_').replace('_', '-')} is {value}, but this run was started with "
                f"{earlier_value}. Leave it out to resume, or start a new run "
                "in another --out."
            )
    return before | given


def _from_the_start(run: Run, recipe: Recipe, settings: Any) -> dict[str, Any]:
    """A recipe's work, once what it stands on is checked."""
    _stand_on_earlier(run, recipe, settings)
    outcome = recipe.run(settings, run)
    from training.evaluations import evaluate_run

    evaluate_run(run)
    return outcome


def _stand_on_earlier(run: Run, recipe: Recipe, settings: Any) -> None:
    """Checks the run in --from and puts its maps among what must stay the same."""
    if recipe.stands_on and settings.from_:
        earlier = Path(settings.from_)
        require_finished(earlier, recipe.stands_on, recipe.name)
        run.about["maps in --from"] = maps_digest(earlier)[:12]
