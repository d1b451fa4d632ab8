"""What a person can move, and what each default stands for."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from backend.errors import DataError
from backend.maps.crf import PRESETS, CrfParameters

FUSIONS = ("seenet", "dcsp", "oaa")
OAA_FUSIONS = ("", "max", "mean")
REFINEMENTS = ("crf", "walk", "grabcut", "none")

MOST_ITERATIONS = 100
"""The papers run 10; beyond a few dozen the field no longer moves and only time passes."""

LARGEST_CRF_NUMBER = 10_000.0
"""For weights and deviations: wider than any image that is worked on."""

MOST_PASSES = 1_000_000

ERASING = ("erasing_steps", "erase_above")
"""The settings that say how saliency is looked for again."""

MOST_LOOKS = 5
"""Of hierarchical erasing; the paper takes three, and after five little is left to find."""

LIMITS: dict[str, tuple[float, float]] = {
    "high": (0.0, 1.0),
    "low": (0.0, 1.0),
    "weight": (0.0, 100.0),
    "gamma": (0.0, 1.0),
    "confidence": (0.5, 1.0),
    "oaa_pass": (0, MOST_PASSES),
    "erase": (0.0, 1.0),
    "sigma": (0.0, 1.0),
    "scale": (0.1, 1.0),
    "reliable": (0.0, 1.0),
    "truth_threshold": (0.0, 1.0),
    "erasing_steps": (1, MOST_LOOKS),
    "walk_alpha": (0.0, 1000.0),
    "walk_beta": (0.0, 1000.0),
    "walk_steps": (0, 4096),
}
"""What each number may be. Above scale 1 the refine module's memory grows with its fourth power."""

WHOLE_NUMBERS = {
    "oaa_pass": "a pass",
    "erasing_steps": "the number of looks",
    "walk_steps": "the number of steps",
}


@dataclass(frozen=True)
class Settings:
    """Everything a person can move.

    `method` names the attention source, "" the weights' own. `fusion` names the labels that go on
    to the refinement that `refine` names; `crf` None leaves the CRF out, `confidence` is how far it
    trusts those labels. The random walk moves the attention itself, by the affinity weights called
    `affinity` ("": the first there are), with the numbers `walk_...`; GrabCut takes the zones'
    thresholds for what is sure. Saliency is looked for `erasing_steps` times, what is above
    `erase_above` each time erased before the next look. `oaa_pass` 0 is the last pass, `oaa_fusion`
    "" the run's own; `erase`, `sigma` (in parts of the shorter side), `scale` and `reliable` are
    ECS-Net's; `truth_threshold` is where attention counts as an object when it is compared with the
    truth.

    The defaults are the papers' (SeeNet 3.2 and 3.3; DCSP 4.2 and 5; ECS-Net 3.1 and 4;
    AffinityNet); for proxy labels no paper names a confidence. IRN has 0.7 in its own label step;
    on photographs 0.9 kept 1 to 5 points of mIoU more, for each fusion.
    """

    method: str = ""
    high: float = 0.7
    low: float = 0.05
    weight: float = 1.0
    gamma: float = 0.4
    saliency: str = "classical"
    fusion: str = "dcsp"
    confidence: float = 0.9
    crf: CrfParameters | None = PRESETS["dcsp"]
    oaa_pass: int = 0
    oaa_fusion: str = ""
    erase: float = 0.6
    sigma: float = 10 / 448
    scale: float = 0.5
    reliable: float = 0.8
    truth_threshold: float = 0.3
    erasing_steps: int = 1
    erase_above: tuple[float, ...] = (0.7, 0.8)
    refine: str = "crf"
    affinity: str = ""
    walk_alpha: float = 16.0
    walk_beta: float = 8.0
    walk_steps: int = 256

    def __post_init__(self) -> None:
        for name, (lowest, highest) in LIMITS.items():
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
        for name, what in WHOLE_NUMBERS.items():
            if not isinstance(getattr(self, name), int):
                raise DataError(f"{name} was {getattr(self, name):g}; {what} is a whole number.")
        self._check_erasing()
        if self.refine not in REFINEMENTS:
            raise DataError(
                f"refine was {_shown(self.refine)}; accepted are {', '.join(REFINEMENTS)}."
            )
        if self.oaa_fusion not in OAA_FUSIONS:
            raise DataError(
                f"oaa_fusion was {_shown(self.oaa_fusion)}; accepted are max, mean, and nothing "
                "for the run's own."
            )
        for name, what in (
            ("saliency", "a saliency source"),
            ("method", "an attention method"),
            ("affinity", "affinity weights"),
        ):
            if not isinstance(getattr(self, name), str):
                raise DataError(
                    f"{name} was {_shown(getattr(self, name))}; accepted is the name of {what}."
                )

    @property
    def refines(self) -> bool:
        """Whether masks are refined at all."""
        return self.refine in ("walk", "grabcut") or (self.refine == "crf" and self.crf is not None)

    @property
    def thresholds(self) -> tuple[float, ...]:
        """What is erased before the second look for saliency and each further one."""
        return self.erase_above[: self.erasing_steps - 1]

    def _check_erasing(self) -> None:
        wanted, given = self.erasing_steps - 1, self.erase_above
        if not isinstance(given, tuple) or len(given) >= MOST_LOOKS:
            raise DataError(
                f"erase_above was {_shown(given)}; accepted is a list of up to {MOST_LOOKS - 1} "
                "thresholds."
            )
        if not all(_is_number(each) and 0 <= each <= 1 for each in given):
            raise DataError(f"erase_above was {_shown(list(given))}; thresholds go from 0 to 1.")
        if len(given) < wanted:
            raise DataError(
                f"{self.erasing_steps} looks for saliency want {wanted} thresholds in erase_above, "
                f"but there are {len(given)}."
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
        if isinstance(given.get("erase_above"), list):
            given["erase_above"] = tuple(given["erase_above"])
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
