"""A mask that somebody drew is never passed over unseen, whoever races whom."""

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from backend.errors import NewerMask
from backend.labels import encode_labels
from backend.store import Image, Store
from backend.store.fixes import Fix
from tests.backend.store.conftest import HEIGHT, WIDTH

Mask = Callable[..., bytes]


def drawn(rows: int) -> bytes:
    labels = np.full((HEIGHT, WIDTH), 3, np.uint8)
    labels[:rows] = 1
    return encode_labels(labels)


def fix(
    store: Store, over: int, labels: bytes, by: str, *, fixed: int | None = None, action: str = ""
) -> Fix:
    digest = store.candidates.get(over).digest
    return store.fixes.record(
        over,
        digest,
        labels,
        fixed=fixed,
        reviewer=by,
        session=by,
        action_id=action or f"{by} draws",
    )


def accept(store: Store, candidate: int, by: str, *, fixed: int | None, action: str) -> None:
    digest = store.candidates.get(candidate).digest
    store.decisions.record(
        candidate, digest, "accept", fixed=fixed, reviewer=by, session=by, action_id=action
    )


def trained_on(store: Store, name: str) -> str:
    """The one mask of the one image that a run would learn from."""
    [item] = json.loads(store.snapshots.freeze(name, "ada").path.read_bytes())["items"]
    return str(item["mask_sha256"])


def test_a_drawn_mask_that_somebody_accepted_is_still_the_newest(
    store: Store, candidate: int
) -> None:
    theirs = fix(store, candidate, drawn(3), "ben").candidate_id
    accept(store, theirs, "cyd", fixed=theirs, action="cyd accepts")
    assert store.candidates.row(candidate).fixed_id == theirs
    with pytest.raises(NewerMask, match="ben drew a newer mask") as refused:
        accept(store, candidate, "ada", fixed=None, action="ada accepts")
    assert refused.value.candidate == theirs
    with pytest.raises(NewerMask, match="ben drew a newer mask"):
        fix(store, candidate, drawn(2), "ada")
    assert trained_on(store, "s") == store.candidates.get(theirs).digest
    # Who has seen it may have another opinion.
    accept(store, candidate, "ada", fixed=theirs, action="ada insists")


def test_undoing_something_else_does_not_bring_an_older_mask_before_a_drawn_one(
    store: Store, image: Image, candidate: int, mask: Mask
) -> None:
    other = store.candidates.add(image.id, None, "oaa", mask(4))
    accept(store, other, "ada", fixed=None, action="1")
    digest = store.candidates.get(other).digest
    store.decisions.record(other, digest, "skip", reviewer="ada", session="s", action_id="2")
    theirs = fix(store, candidate, drawn(3), "ben").candidate_id
    # The skip goes, and what ada accepted before ben drew counts again: from when she said it.
    store.decisions.undo("ada", "s", "3")
    assert store.candidates.get(other).verdict == "accept"
    assert trained_on(store, "s") == store.candidates.get(theirs).digest
    accept(store, other, "ada", fixed=theirs, action="4")
    assert trained_on(store, "t") == store.candidates.get(other).digest


def test_a_revert_from_an_older_history_does_not_pass_over_a_newer_drawn_mask(
    store: Store, image: Image, candidate: int, mask: Mask
) -> None:
    other = store.candidates.add(image.id, None, "oaa", mask(4))
    accept(store, other, "ada", fixed=None, action="1")
    digest = store.candidates.get(other).digest
    store.decisions.record(other, digest, "reject", reviewer="ada", session="s", action_id="2")
    said = [each.key for each in store.audit.history(image.id) if each.kind == "decision"]
    first, second = said
    theirs = fix(store, candidate, drawn(3), "ben").candidate_id

    def bring_back(action: str, fixed: int | None) -> None:
        store.audit.revert(
            image.id, first, "after",
            seen=second, reviewer="ada", session="s", action_id=action, fixed=fixed,
        )  # fmt: skip

    with pytest.raises(NewerMask, match="ben drew a newer mask"):
        bring_back("3", None)
    assert store.candidates.get(other).verdict == "reject"
    bring_back("4", theirs)
    assert store.candidates.get(other).verdict == "accept"


def at_once(acts: Sequence[Callable[[], object]]) -> list[object]:
    """What each of the acts answered, or the newer mask that it was told of."""
    ready = threading.Barrier(len(acts))

    def do(act: Callable[[], object]) -> object:
        ready.wait()
        try:
            return act()
        except NewerMask as newer:
            return newer

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(do, acts))


def test_whoever_decides_while_somebody_draws_is_before_the_fix_or_is_told_of_it(
    store: Store, image: Image, candidate: int, mask: Mask
) -> None:
    """Six reviewers accept another mask of the image while one draws: again and again."""
    other = store.candidates.add(image.id, None, "oaa", mask(4))
    newest: int | None = None
    for turn in range(5):
        said = [
            partial(accept, store, other, f"r{person}", fixed=newest, action=f"{turn} {person}")
            for person in range(6)
        ]
        over = candidate if newest is None else newest
        draw = partial(fix, store, over, drawn(turn), "ada", fixed=newest, action=f"turn {turn}")
        mine, *answers = at_once([draw, *said])
        assert isinstance(mine, Fix)
        newest = mine.candidate_id
        log = store.decisions.history(image.id)
        drawn_at = next(each.id for each in log if each.action_id == f"turn {turn}")
        accepted = [each for each in log if each.action_id.startswith(f"{turn} ")]
        told = [each for each in answers if isinstance(each, NewerMask)]
        assert len(accepted) + len(told) == 6
        assert all(each.id < drawn_at for each in accepted)
        assert all(each.candidate == newest for each in told)
        assert trained_on(store, f"after {turn}") == store.candidates.get(newest).digest
