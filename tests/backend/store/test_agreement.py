"""How far reviewers agree, from the log of their decisions."""

from collections.abc import Callable
from itertools import count

import pytest

from backend.store import Store

Mask = Callable[..., bytes]
Photo = Callable[[int], bytes]
Say = Callable[..., None]


@pytest.fixture
def say(store: Store) -> Say:
    acts = count()

    def act(candidate: int, **verdicts: str) -> None:
        digest = store.candidates.get(candidate).digest
        for who, verdict in verdicts.items():
            store.decisions.record(
                candidate, digest, verdict, reviewer=who, session="s", action_id=f"d{next(acts)}"
            )

    return act


@pytest.fixture
def offer(store: Store, photo: Photo, mask: Mask) -> Callable[..., int]:
    """A candidate of a new image with these tags."""
    numbers = count()

    def act(*tags: int) -> int:
        number = next(numbers)
        image = store.images.add(f"i{number}", photo(number), source="test", tags=tags).image
        return store.candidates.add(image.id, None, "dcsp", mask(3, 1))

    return act


def test_kappa_of_a_pair_in_all_and_by_class(
    store: Store, offer: Callable[..., int], say: Say
) -> None:
    both = {"ada": "accept", "bob": "accept"}
    for tags, verdicts in (
        ((1,), both), ((1,), both), ((1, 2), {"ada": "reject", "bob": "reject"}),
        ((2,), {"ada": "accept", "bob": "reject"}), ((1,), {"ada": "accept"}),
    ):  # fmt: skip
        say(offer(*tags), **verdicts)
    told = {each.class_id: each for each in store.agreement.verdicts()}
    whole = told[None]
    assert (whole.first, whole.second, whole.masks, whole.same) == ("ada", "bob", 4, 3)
    # 3 of 4 observed; ada keeps 3/4 and bob 2/4: 3/8 + 1/8 by chance.
    assert whole.kappa == pytest.approx((0.75 - 0.5) / 0.5)
    assert (told[1].masks, told[1].kappa) == (3, pytest.approx(1))
    assert (told[2].masks, told[2].only_first, told[2].kappa) == (2, 1, pytest.approx(0))


def test_the_last_word_counts_and_what_was_taken_back_or_skipped_does_not(
    store: Store, offer: Callable[..., int], say: Say
) -> None:
    first, second, third = offer(1), offer(1), offer(1)
    say(first, ada="reject", bob="accept")
    say(first, ada="accept")
    say(second, ada="accept", bob="skip")
    say(third, ada="accept", bob="reject")
    store.decisions.undo("bob", "s", "u")
    [whole, cat] = store.agreement.verdicts()
    assert (whole.masks, whole.both_keep, whole.kappa) == (1, 1, None)
    assert cat.class_id == 1


def test_three_reviewers_are_three_pairs(store: Store, offer: Callable[..., int], say: Say) -> None:
    say(offer(), ada="accept", bob="accept", cyd="reject")
    assert [(each.first, each.second, each.same) for each in store.agreement.verdicts()] == [
        ("ada", "bob", 1),
        ("ada", "cyd", 0),
        ("bob", "cyd", 0),
    ]


def test_masks_that_two_kept_are_compared_class_by_class(
    store: Store, offer: Callable[..., int], say: Say, mask: Mask
) -> None:
    shared, apart = offer(1), offer(1)
    say(shared, ada="accept", bob="accept")
    image = store.candidates.get(apart).image_id
    # Three rows of class 1 against four: an IoU of 3/4.
    fixed = store.candidates.add(image, None, "fixed", mask(4, 1), parent_id=apart)
    say(apart, ada="accept")
    say(fixed, bob="fix")
    told = {each.class_id: each for each in store.agreement.masks()}
    assert (told[None].images, told[None].identical) == (2, 1)
    assert told[None].iou == pytest.approx((1 + 3 / 4) / 2)
    assert told[1].iou == pytest.approx((1 + 3 / 4) / 2)
    # The same answer from what was kept in memory.
    assert {each.class_id: each for each in store.agreement.masks()} == told


def test_who_fixed_a_mask_did_not_keep_it_as_it_was(
    store: Store, offer: Callable[..., int], say: Say, mask: Mask
) -> None:
    candidate = offer(1)
    image = store.candidates.get(candidate).image_id
    fixed = store.candidates.add(image, None, "fixed", mask(4, 1), parent_id=candidate)
    say(candidate, ada="accept")
    say(fixed, bob="fix")
    [whole, _] = store.agreement.verdicts()
    assert (whole.masks, whole.only_first) == (1, 1)
    [apart] = store.agreement.apart()
    assert (apart.candidate_id, apart.keep, apart.reject) == (candidate, ("ada",), ("bob",))


def test_alone_or_without_decisions_there_is_nothing_to_compare(
    store: Store, offer: Callable[..., int], say: Say
) -> None:
    say(offer(1), ada="accept")
    assert store.agreement.verdicts() == []
    assert store.agreement.masks() == []
    assert store.agreement.apart() == []
