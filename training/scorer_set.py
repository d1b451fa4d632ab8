"""Which samples a mask scorer learns from: a compact list, of which each is made when it is asked.

Zhou et al., SAL (TMM 2020), section III-B: masks of a high and of a low AC, copies of high ones
made worse, and foregrounds pasted onto other images' backgrounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from backend.exchange.names import counted
from training.candidate_masks import Candidate
from training.errors import TrainingError

HIGH, LOW, CHANGED, COMPOSITES = "high", "low", "changed", "composites"
# Two kinds that the paper does not have: masks that spill over, and masks of other images.
GROWN, SWAPPED = "grown", "swapped"
KINDS = (HIGH, LOW, CHANGED, COMPOSITES, GROWN, SWAPPED)
AS_THEY_ARE = (HIGH, LOW)


class Wanted(Protocol):
    """What the settings of the recipe scorer say of the set."""

    @property
    def high(self) -> int: ...
    @property
    def low(self) -> int: ...
    @property
    def changed(self) -> int: ...
    @property
    def composites(self) -> int: ...
    @property
    def grown(self) -> int: ...
    @property
    def swapped(self) -> int: ...
    @property
    def high_from(self) -> float: ...
    @property
    def low_to(self) -> float: ...
    @property
    def paste_from(self) -> float: ...


@dataclass(frozen=True)
class Sample:
    """A kind, the mask that it is made of, for two kinds a second one (`other`), by their places
    among the candidates, and a number that its random draws come from.

    composites: `other`'s foreground on the background of `one`; swapped: `other`'s mask on `one`.
    """

    kind: str
    one: int
    other: int = -1
    number: int = 0


def samples_of(
    candidates: Sequence[Candidate], wanted: Wanted, seed: int, part: float = 1.0
) -> tuple[list[Sample], list[str]]:
    """The samples of these masks, and a sentence for each kind that lacks masks to be made of.

    part: of the numbers wanted. Masks of a high or low AC are taken as far as there are any; of
    what is made, as many as are wanted, over and over from the same masks, each time in another
    way. The same candidates and seed give the same samples. Raises TrainingError where not one can
    be made.
    """
    random = np.random.default_rng((seed, 0x5CA1))
    count = {kind: _part(getattr(wanted, kind), part) for kind in KINDS}
    high = _those(candidates, lambda ac: ac >= wanted.high_from)
    low = _those(candidates, lambda ac: ac <= wanted.low_to)
    best = _those(candidates, lambda ac: ac >= wanted.paste_from)
    backs = _those(candidates, lambda ac: ac > wanted.low_to)
    anything = _those(candidates, lambda ac: True)

    made: list[Sample] = []
    for kind, some in ((HIGH, high), (LOW, low)):
        drawn = random.permutation(some)[: count[kind]]
        made += [Sample(kind, int(one)) for one in np.sort(drawn)]
    for kind in (CHANGED, GROWN):
        made += [
            Sample(kind, one, number=n) for n, one in enumerate(_turns(high, count[kind], random))
        ]
    for kind, ones, others in ((COMPOSITES, backs, best), (SWAPPED, anything, anything)):
        turns = zip(
            _turns(ones, count[kind], random), _turns(others, count[kind], random), strict=False
        )
        for number, (one, other) in enumerate(turns):
            partner = _of_another_image(candidates, one, other, others)
            if partner is not None:
                made.append(Sample(kind, one, partner, number))
    if not made:
        raise TrainingError(
            f"None of the {len(candidates)} masks can teach a scorer: none has an AC of at least "
            f"{wanted.high_from:g} (--high-from) or of at most {wanted.low_to:g} (--low-to). Name "
            "other labels with --from, or other --saliency."
        )
    return made, _lacking(made, count, wanted, len(high), len(low), len(best))


def _those(candidates: Sequence[Candidate], holds) -> list[int]:  # type: ignore[no-untyped-def]
    return [place for place, each in enumerate(candidates) if holds(each.ac)]


def _part(count: int, part: float) -> int:
    return count if part >= 1 else round(count * part)


def _turns(places: Sequence[int], count: int, random: np.random.Generator) -> list[int]:
    """So many places, each as often as any other, in a random order."""
    if not places:
        return []
    rounds = -(-count // len(places))
    drawn = [place for _ in range(rounds) for place in random.permutation(places).tolist()]
    return drawn[:count]


def _of_another_image(
    candidates: Sequence[Candidate], one: int, other: int, others: Sequence[int]
) -> int | None:
    """`other`, or the next one after it that is of another image than `one`."""
    start = others.index(other)
    for step in range(len(others)):
        found = others[(start + step) % len(others)]
        if candidates[found].name != candidates[one].name:
            return found
    return None


def _lacking(
    made: Sequence[Sample], count: Mapping[str, int], wanted: Wanted, high: int, low: int, best: int
) -> list[str]:
    there = {kind: sum(sample.kind == kind for sample in made) for kind in KINDS}
    sources = {
        HIGH: f"masks with an AC of at least {wanted.high_from:g}: {high}",
        LOW: f"masks with an AC of at most {wanted.low_to:g}: {low}",
        CHANGED: f"masks with an AC of at least {wanted.high_from:g}, to change: {high}",
        GROWN: f"masks with an AC of at least {wanted.high_from:g}, to grow: {high}",
        COMPOSITES: f"masks with an AC of at least {wanted.paste_from:g}, to paste onto another "
        f"image: {best}",
        SWAPPED: "there is no second image to take a mask of",
    }
    return [
        f"The training set has {counted(there[kind], 'sample')} of the kind {kind}, not "
        f"{count[kind]}; {sources[kind]}."
        for kind in KINDS
        if there[kind] < count[kind]
    ]
