"""A recipe's numbers in one place: a frozen dataclass whose fields know their paper section.

    @dataclass(frozen=True)
    class Settings:
        batch: int = option(5, "images a step", section="OAA 4.1", light=16, minimum=1)

The default is the paper's; a preset's own value stands beside it. The command line, `describe` and
the configuration in a run's folder are all made from these fields.
"""

import inspect
import math
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, get_type_hints

from training.errors import TrainingError

PRESETS = ("paper", "light", "scenes")

KINDS: dict[Any, str] = {
    int: "int",
    float: "float",
    str: "str",
    bool: "flag",
    tuple[float, ...]: "floats",
    tuple[int, ...]: "ints",
    tuple[str, ...]: "words",
}


@dataclass(frozen=True)
class Option:
    """One flag: what the command line, describe and the checks know of a field."""

    name: str
    kind: str
    default: dict[str, Any]
    help: str
    section: str
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None

    @property
    def flag(self) -> str:
        # `from` is a word of Python's, so the field that stands for it is called from_.
        return "--" + self.name.rstrip("_").replace("_", "-")

    def parse(self, text: str) -> Any:
        """The value that a person wrote; TrainingError naming the flag and what it takes."""
        try:
            if self.kind == "int":
                return int(text)
            if self.kind == "float":
                return float(text)
            if self.kind == "floats":
                return tuple(float(part) for part in text.split(","))
            if self.kind == "ints":
                # A word for no number at all: a page takes an empty field for the preset's own.
                return tuple(int(part) for part in text.replace("none", "").split(",") if part)
        except ValueError:
            wanted = {
                "int": "a whole number",
                "float": "a number",
                "floats": "numbers with commas between them, such as 0.75,1",
                "ints": "whole numbers with commas between them, such as 5,7,12, or none",
            }
            raise TrainingError(f"{self.flag} is '{text}'; it takes {wanted[self.kind]}.") from None
        return text

    def check(self, value: Any) -> None:
        """Raises TrainingError for a value outside the option's choices or range."""
        if self.choices and value not in self.choices:
            raise TrainingError(f"{self.flag} is '{value}'; it can be {', '.join(self.choices)}.")
        for number in value if isinstance(value, tuple) else (value,):
            if not isinstance(number, int | float):
                continue
            low = -math.inf if self.minimum is None else self.minimum
            high = math.inf if self.maximum is None else self.maximum
            if not math.isfinite(number):
                raise TrainingError(f"{self.flag} is {number}; it must be a finite number.")
            if not low <= number <= high:
                raise TrainingError(
                    f"{self.flag} is {number}; it must be {_range(self.minimum, self.maximum)}."
                )

    def written(self, preset: str) -> Any:
        """The preset's default as a person would write it after the flag."""
        value = self.default[preset]
        if self.kind == "words":
            return " ".join(value)
        return ",".join(f"{part:g}" for part in value) if isinstance(value, tuple) else value


def option(
    paper: Any,
    help: str,
    *,
    section: str = "",
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    **presets: Any,
) -> Any:
    """A field with the paper's value as its default and, by keyword, other presets' values."""
    unknown = set(presets) - set(PRESETS)
    if unknown:
        raise TypeError(f"There is no preset {unknown}; there are {PRESETS}.")
    default = {preset: presets.get(preset, paper) for preset in PRESETS}
    return field(
        default=paper,
        metadata={
            "default": types.MappingProxyType(default),
            "help": help,
            "section": section,
            "choices": choices,
            "minimum": minimum,
            "maximum": maximum,
        },
    )


def restated(base: type, name: str, paper: Any, section: str = "", **presets: Any) -> Any:
    """A field of a base class again, with the value and the section of another paper.

    What it means and what it accepts stay the base's; presets that are not given keep the base's.
    """
    about = base.__dataclass_fields__[name].metadata  # type: ignore[attr-defined]
    kept = {preset: about["default"][preset] for preset in PRESETS if preset != "paper"}
    return option(
        paper,
        about["help"],
        section=section,
        choices=about["choices"],
        minimum=about["minimum"],
        maximum=about["maximum"],
        **{**kept, **presets},
    )


def options_of(settings: type) -> Iterator[Option]:
    """The options of a settings dataclass: its own fields in their order, then its bases'."""
    hints = get_type_hints(settings)
    ranks: dict[str, int] = {}
    for rank, base in enumerate(settings.__mro__):
        ranks |= dict.fromkeys(inspect.get_annotations(base), rank)
    for each in sorted(fields(settings), key=lambda each: ranks[each.name]):
        if not each.metadata:
            continue
        yield Option(
            name=each.name,
            kind="choice" if each.metadata["choices"] else KINDS[hints[each.name]],
            default=dict(each.metadata["default"]),
            help=each.metadata["help"],
            section=each.metadata["section"],
            choices=each.metadata["choices"],
            minimum=each.metadata["minimum"],
            maximum=each.metadata["maximum"],
        )


def settle(settings: type, preset: str, given: Mapping[str, Any]) -> Any:
    """The settings of a preset with what was given in their place, all checked.

    Raises TrainingError for an unknown preset or option and for a value out of range.
    """
    if preset not in PRESETS:
        raise TrainingError(f"--preset is '{preset}'; it can be {', '.join(PRESETS)}.")
    known = {each.name: each for each in options_of(settings)}
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise TrainingError(
            f"There is no option '{unknown[0]}'; there are {', '.join(sorted(known))}."
        )
    values = {name: given.get(name, each.default[preset]) for name, each in known.items()}
    for name, value in values.items():
        known[name].check(value)
    return settings(**values)


def written_settings(settings: Any) -> dict[str, Any]:
    """The options of settings as plain values, for a run's configuration."""
    return {each.name: getattr(settings, each.name) for each in options_of(type(settings))}


def _range(minimum: float | None, maximum: float | None) -> str:
    if minimum is not None and maximum is not None:
        return f"from {minimum:g} to {maximum:g}"
    if minimum is not None:
        return f"at least {minimum:g}"
    if maximum is not None:
        return f"at most {maximum:g}"
    return "a finite number"
