"""What a person can move, and what each default stands for."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from backend.errors import DataError
from backend.maps.crf import PRESETS, CrfParameters

FUSIONS = ("seenet", "dcsp", "oaa")

MOST_ITERATIONS = 100
"""The papers run 10; beyond a few dozen the field no longer moves and only time passes."""

LARGEST_CRF_NUMBER = 10_000.0
"""For weights and deviations: wider than any image that is worked on."""


@dataclass(frozen=True)
class Settings:
    """Everything a person can move. `fusion` names the labels that go on to the CRF; `crf` None
    leaves refinement out; `confidence` is how far the CRF trusts those labels. The defaults are the
    papers' (SeeNet 3.2 and 3.3; DCSP 5); for proxy labels no paper names a confidence. IRN has 0.7
    in its own label step; on photographs 0.9 kept 1 to 5 points of mIoU more, for each fusion."""

    high: float = 0.7
    low: float = 0.05
    weight: float = 1.0
    gamma: float = 0.4
    saliency: str = "classical"
    fusion: str = "dcsp"
    confidence: float = 0.9
    crf: CrfParameters | None = PRESETS["dcsp"]

    def __post_init__(self) -> None:
        for name, lowest, highest in (
            ("high", 0.0, 1.0),
            ("low", 0.0, 1.0),
            ("weight", 0.0, 100.0),
            ("gamma", 0.0, 1.0),
            ("confidence", 0.5, 1.0),
        ):
            value = getattr(self, name)
            if not _is_number(value) or not lowest <= value <= highest:
                raise DataError(
                    f"{name} was {_shown(value)}; accepted is {lowest:g} to {highest:g}."
                )
        if self.low > self.high:
            raise DataError(
                f"The low zone threshold {self.low:g} is above the high one {self.high:g}; "
                "lower the first or raise the second."
            )
        if self.fusion not in FUSIONS:
            raise DataError(
                f"The fusion was {_shown(self.fusion)}; accepted are {', '.join(FUSIONS)}."
            )
        if not isinstance(self.saliency, str):
            raise DataError(
                f"saliency was {_shown(self.saliency)}; accepted is the name of a saliency source."
            )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Settings":
        """Settings out of a request; names that are left out keep their default.

        `crf` is null, the name of a preset, or a preset's numbers. DataError for anything else.
        """
        known = {each.name for each in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise DataError(
                f"There is no setting {_shown(unknown[0])}; there are {', '.join(sorted(known))}."
            )
        given = dict(values)
        if "crf" in given:
            given["crf"] = _crf_parameters(given["crf"])
        return cls(**given)


def _crf_parameters(given: Any) -> CrfParameters | None:
    if given is None:
        return None
    if isinstance(given, str):
        if given not in PRESETS:
            raise DataError(
                f"There is no CRF preset {_shown(given)}; there are {', '.join(PRESETS)}."
            )
        return PRESETS[given]
    names = [each.name for each in fields(CrfParameters)]
    if not isinstance(given, Mapping) or not set(given) <= set(names):
        raise DataError(
            f"These CRF parameters cannot be used: {_shown(given)}. Accepted are null, the name "
            f"of a preset, or numbers by name: {', '.join(names)}."
        )
    for name, value in given.items():
        highest = MOST_ITERATIONS if name == "iterations" else LARGEST_CRF_NUMBER
        if not _is_number(value) or not 0 <= value <= highest:
            raise DataError(f"The CRF's {name} was {_shown(value)}; accepted is 0 to {highest:g}.")
    try:
        return CrfParameters(**given)
    except ValueError as error:
        raise DataError(str(error)) from error


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
