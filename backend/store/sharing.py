"""Sharing images out among reviewers: each to one of them, a share of them to two."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import cycle

from backend.errors import StoreError

LONGEST_NAME = 64


def share(
    digests: Iterable[str], reviewers: Sequence[str], overlap: float, seed: int
) -> dict[str, tuple[str, ...]]:
    """Who judges which image (by digest): `overlap`, 0..1, of them go to two, the rest to one.

    Every pair of reviewers gets equally many in common, every reviewer equally many in all, give or
    take one (two at most where every image goes to two). It hangs on seed, digests and names alone:
    the same everywhere, whatever came first.
    """
    order = sorted(
        digests, key=lambda digest: hashlib.sha256(f"{seed}\n{digest}".encode()).digest()
    )
    common = math.floor(overlap * len(order) + 0.5)
    load: Counter[str] = Counter()
    shared: dict[str, tuple[str, ...]] = {}
    for digest, pair in zip(order[:common], cycle(_pairs(reviewers)), strict=False):
        load.update(pair)
        shared[digest] = pair
    for digest in order[common:]:
        one = min(reviewers, key=lambda name: load[name])
        load[one] += 1
        shared[digest] = (one,)
    return shared


def _pairs(reviewers: Sequence[str]) -> list[tuple[str, str]]:
    """Every pair once, as a tournament is drawn up: each is in one of every few pairs in a row."""
    places: list[int | None] = list(range(len(reviewers)))
    # One pauses in each round where they are an odd number.
    places += [None] * (len(places) % 2)
    half = len(places) // 2
    found = []
    for _ in places[1:]:
        for one, other in zip(places[:half], places[: half - 1 : -1], strict=True):
            if one is not None and other is not None:
                found.append((reviewers[min(one, other)], reviewers[max(one, other)]))
        places = [places[0], places[-1], *places[1:-1]]
    return found


def checked_names(reviewers: Sequence[str], overlap: float) -> list[str]:
    """The names without blanks around them; StoreError where they cannot share images out."""
    names = [name.strip() for name in reviewers]
    if not names or not all(names):
        raise StoreError("Say who is to review: at least one name, none of them empty.")
    if any(len(name) > LONGEST_NAME for name in names):
        raise StoreError(f"A reviewer's name has at most {LONGEST_NAME} letters.")
    twice = [name for name, times in Counter(map(str.casefold, names)).items() if times > 1]
    if twice:
        raise StoreError(
            f"{twice[0]} is named more than once. Name each reviewer once, spelled as in their "
            "own browser."
        )
    if not 0 <= overlap <= 1:
        raise StoreError(f"The overlap is a share from 0 to 1, such as 0.2; {overlap} is none.")
    if overlap > 0 and len(names) < 2:
        raise StoreError(
            "Images can go to two reviewers only where two are named. Name another, or set the "
            "overlap to 0."
        )
    return names
