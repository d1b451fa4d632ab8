"""Which images of a workspace are there twice: by their bytes, and by how they look."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from backend.errors import ImageError, StoreError
from backend.exchange.duplicates import FLAT, NEAR, groups, near_pairs, perceptual_hash
from backend.glance import glance

if TYPE_CHECKING:
    from backend.store import Store
    from backend.store.doubles import Copy, Hashed

_AT_ONCE = 64


@dataclass(frozen=True)
class NearGroup:
    """Images that look alike, in the order they came; `apart` is how many bits of 64 differ
    between the two of them that are nearest."""

    images: "tuple[Hashed, ...]"
    apart: int


@dataclass(frozen=True)
class Duplicates:
    """`same`: an image and the other names its bytes came under. `near`: the nearest first.
    `unhashed`: of how many images it is not known yet how they look."""

    same: "list[tuple[int, str, str, list[Copy]]]"
    near: list[NearGroup]
    unhashed: int


def hash_missing(
    store: "Store",
    progress: Callable[[int, int], None] | None = None,
    *,
    most: int | None = None,
) -> int:
    """Looks at images (`most` of them) that came before there were hashes; how many it were."""
    missing = store.doubles.unhashed()[:most]

    def look(row: tuple[int, str, str]) -> tuple[int, str]:
        id, name, digest = row
        try:
            return id, perceptual_hash(glance(store.files.read(digest), name).grey)
        except (ImageError, StoreError):
            # `status --check` is what tells of damaged files; here they are like no other image.
            return id, FLAT

    done, rest = 0, iter(missing)
    with ThreadPoolExecutor(2) as threads:
        while some := list(islice(rest, _AT_ONCE)):
            store.doubles.keep_hashes(dict(threads.map(look, some)))
            done += len(some)
            if progress:
                progress(done, len(missing))
    return done


def find_duplicates(store: "Store", most: int = NEAR) -> Duplicates:
    """Every group of images that are there twice; `most` bits of 64 may differ."""
    copies: dict[int, list[Copy]] = {}
    for copy in store.doubles.copies():
        copies.setdefault(copy.image_id, []).append(copy)
    hashed = store.doubles.hashed()
    kept = {each.id: each for each in hashed}
    same = []
    for id, each in copies.items():
        image = kept.get(id) or store.images.get(id)
        same.append((id, image.name, image.digest, each))
    pairs = near_pairs([each.phash for each in hashed], most)
    nearest: dict[int, int] = {}
    for i, j, apart in pairs:
        for place in (i, j):
            nearest[place] = min(apart, nearest.get(place, 64))
    near = [
        NearGroup(tuple(hashed[place] for place in group), min(nearest[p] for p in group))
        for group in groups(pairs)
    ]
    near.sort(key=lambda group: group.apart)
    return Duplicates(same, near, len(store.doubles.unhashed()))
