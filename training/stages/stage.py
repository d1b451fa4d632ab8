"""What a stage of a pipeline is: a recipe or `predict`, its options, and what it stands on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from training.machine import Machine
from training.options import Option, options_of, settle

# Options that decide where and how fast a stage runs, or how it is watched, and not what it makes.
OF_MACHINE = frozenset(each.name for each in fields(Machine))
WITHOUT_EFFECT = OF_MACHINE | {"threads", "processes", "watch_every", "watch_images"}
# Options that name files, which count by what is in them.
BY_CONTENT = ("weights", "begin_with", "strong", "saliency")
PREDICT = "predict"
PREDICTIONS = "predictions"


@dataclass(frozen=True)
class Stage:
    """One command of the trainer, before it is known whether it has to run.

    name: unique in its pipeline; command: a recipe's name or predict; settings: the dataclass of
    its options; given: those of them that differ from the preset's; on: options that take the
    folder of an earlier stage, by that stage's name; split: its list of images; gives: what of
    weights, maps, labels, scores and predictions later stages and people take from it.
    """

    name: str
    title: str
    command: str
    settings: type
    given: Mapping[str, Any] = field(default_factory=dict)
    on: Mapping[str, str] = field(default_factory=dict)
    split: str | None = None
    presets: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()

    @property
    def begins_with(self) -> bool:
        """Whether its network begins with a trained one, be it an earlier stage's or a file."""
        return "begin_with" in self.on or bool(self.given.get("begin_with"))

    @property
    def options(self) -> dict[str, Option]:
        return {each.name: each for each in options_of(self.settings)}

    def settled(self, preset: str) -> Any:
        """Its settings with every preset's number in place; TrainingError for a wrong one."""
        return settle(self.settings, preset, dict(self.given))

    def effective(self, preset: str) -> dict[str, Any]:
        """The options that decide what it makes, by name, without folders of other stages."""
        settings = self.settled(preset)
        return {
            name: _plain(getattr(settings, name))
            for name in self.options
            if name not in WITHOUT_EFFECT and name not in self.on
        }

    def words(self, preset: str, seed: int, data: Path, folders: Mapping[str, Path]) -> list[str]:
        """What follows `python -m training`, but for --out and --resume.

        folders: those of the stages that it stands on, by name.
        """
        words = [self.command, "--data", str(data)]
        if self.split is not None:
            words += ["--split", self.split]
        if self.presets:
            words += ["--preset", preset]
        if self.command != PREDICT:
            words += ["--seed", str(seed)]
        for name, stage in self.on.items():
            words += [self.options[name].flag, str(folders[stage])]
        for name, value in self.given.items():
            option = self.options[name]
            if value != option.default.get(preset, option.default["paper"]):
                words += _word(option, value, self.command)
        return words

    def places(self, preset: str, data: Path, folders: Mapping[str, Path]) -> list[str]:
        """What a run that is resumed must find as it was beside its numbers, such as where it reads
        from.
        """
        named = [str(self.given.get(name, "")) for name in BY_CONTENT]
        on = [str(folders[stage]) for stage in self.on.values()]
        return [str(data), self.split or "", preset, *named, *on]

    def output(self, folder: Path) -> Path:
        """What --out is: a prediction's folder holds nothing but its files."""
        return folder / PREDICTIONS if self.command == PREDICT else folder


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _word(option: Option, value: Any, command: str) -> list[str]:
    if isinstance(value, bool):
        if command == PREDICT:
            return [option.flag] if value else []
        return [option.flag if value else f"--no-{option.flag.removeprefix('--')}"]
    if isinstance(value, tuple):
        text = ",".join(f"{part:g}" for part in value)
        return [option.flag, text or "none"]
    return [option.flag, str(value)]
