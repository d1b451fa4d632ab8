"""Snapshots that also hold what people rejected and what nobody has decided on yet."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.errors import DataError, StoreError
from backend.exchange.sources import open_source
from backend.store import Store

Photo = Callable[[int], bytes]
Mask = Callable[..., bytes]


@pytest.fixture
def decide(store: Store) -> Callable[[int, str], None]:
    """Gives a verdict on a candidate."""

    def act(candidate: int, verdict: str) -> None:
        store.decisions.record(
            candidate,
            store.candidates.get(candidate).digest,
            verdict,
            reviewer="ada",
            session="s",
            action_id=f"act {store.decisions.count()}",
        )

    return act


@pytest.fixture
def offered(store: Store, photo: Photo, mask: Mask, decide: Callable) -> list[int]:
    """Candidates of five images: accepted, fixed (by a drawn mask), rejected, skipped, new."""
    found = []
    for number in range(5):
        image = store.images.add(f"image {number}", photo(number), source="t", tags=[1, 3]).image
        scores = {"SC": number / 10, "SF": number / 5}
        found.append(store.candidates.add(image.id, None, "dsrg", mask(number + 1), scores))
    decide(found[0], "accept")
    decide(store.candidates.add(2, None, "edited", mask(6), parent_id=found[1]), "fix")
    decide(found[2], "reject")
    decide(found[3], "skip")
    store.images.add("no candidate", photo(9), source="t", tags=[1])
    return found


def items_of(path: Path) -> dict[str, dict]:
    return {item["image"]: item for item in json.loads(path.read_text())["items"]}


def test_a_freeze_with_undecided_holds_every_candidate_with_its_scores(
    store: Store, offered: list[int]
) -> None:
    frozen = store.snapshots.freeze("all", "ada", with_undecided=True)
    items = items_of(frozen.path)
    assert frozen.count == 5
    assert [items[f"image_{n}"]["verdict"] for n in range(5)] == [
        "accept", "fix", "reject", "undecided", "undecided",
    ]  # fmt: skip
    for number, candidate in enumerate(offered):
        told = items[f"image_{number}"]
        assert told["candidate"]["mask_sha256"] == store.candidates.get(candidate).digest
        assert told["candidate"]["scores"] == {"SC": number / 10, "SF": number / 5}
        assert (told["mask"] is None) == (number > 1)
    # What a person drew is the mask; what was offered stays beside it.
    assert items["image_1"]["mask_sha256"] != items["image_1"]["candidate"]["mask_sha256"]
    store.snapshots.verify(frozen.digest)


def test_it_is_read_back_whole_where_all_is_asked_for_and_else_as_before(
    store: Store, offered: list[int]
) -> None:
    path = store.snapshots.freeze("all", "ada", with_undecided=True).path
    whole = open_source(path, "all")
    assert [item.verdict for item in whole.items] == [
        "accept", "fix", "reject", "undecided", "undecided",
    ]  # fmt: skip
    assert whole.items[4].mask is None
    assert whole.items[4].scores == {"SC": 0.4, "SF": 0.8}
    assert whole.items[4].candidate is not None
    decided = open_source(path)
    assert [item.verdict for item in decided.items] == ["accept", "fix"]
    assert decided.notes == (
        "3 images that were rejected or not decided on are left out (--split all).",
    )


def test_a_snapshot_without_them_is_byte_for_byte_what_it_was(
    store: Store, offered: list[int]
) -> None:
    path = store.snapshots.freeze("decided", "ada").path
    assert set(items_of(path)["image_0"]) == {
        "image", "file", "sha256", "tags", "mask", "mask_sha256", "verdict", "truth",
    }  # fmt: skip
    assert len(open_source(path, "all").items) == len(open_source(path).items) == 2


def test_scores_and_rejections_change_the_digest(
    store: Store, offered: list[int], decide: Callable, mask: Mask
) -> None:
    digests = {store.snapshots.freeze("a", "ada").digest}
    digests.add(store.snapshots.freeze("b", "ada", with_undecided=True).digest)
    decide(offered[4], "reject")
    digests.add(store.snapshots.freeze("c", "ada", with_undecided=True).digest)
    store.candidates.add(5, None, "sal", mask(5), {"SF": 0.9})
    digests.add(store.snapshots.freeze("d", "ada", with_undecided=True).digest)
    assert len(digests) == 4
    again = store.snapshots.freeze("e", "ada", with_undecided=True)
    assert again.name == "d"


def test_a_new_candidate_of_a_rejected_image_waits_for_a_decision_again(
    store: Store, offered: list[int], mask: Mask
) -> None:
    new = store.candidates.add(3, None, "sal", mask(5), {"SF": 0.9})
    path = store.snapshots.freeze("new", "ada", with_undecided=True).path
    told = items_of(path)["image_2"]
    assert told["verdict"] == "undecided"
    assert told["candidate"]["mask_sha256"] == store.candidates.get(new).digest


def test_a_mask_that_is_rejected_after_its_fix_was_undone_is_rejected(
    store: Store, photo: Photo, mask: Mask, decide: Callable
) -> None:
    """What was drawn stays in the store, undecided, and speaks neither for the image nor for it."""
    image = store.images.add("one", photo(1), source="t", tags=[1]).image
    proposed = store.candidates.add(image.id, None, "dsrg", mask(2), {"SF": 0.9})
    drawn = store.candidates.add(image.id, None, "edited", mask(3), parent_id=proposed)
    decide(drawn, "fix")
    assert store.decisions.undo("ada", "s", "undo") is not None
    undone = items_of(store.snapshots.freeze("undone", "ada", with_undecided=True).path)["one"]
    assert undone["verdict"] == "undecided"
    decide(proposed, "reject")
    told = items_of(store.snapshots.freeze("rejected", "ada", with_undecided=True).path)["one"]
    assert told["candidate"]["mask_sha256"] == store.candidates.get(proposed).digest
    assert (told["verdict"], told["mask"]) == ("reject", None)


def test_a_drawn_mask_that_is_rejected_leaves_what_it_was_drawn_from_undecided(
    store: Store, offered: list[int], mask: Mask, decide: Callable
) -> None:
    decide(store.candidates.add(5, None, "edited", mask(6), parent_id=offered[4]), "reject")
    told = items_of(store.snapshots.freeze("all", "ada", with_undecided=True).path)["image_4"]
    assert told["candidate"]["mask_sha256"] == store.candidates.get(offered[4]).digest
    assert told["verdict"] == "undecided"


def test_an_image_with_another_decision_than_asked_for_is_not_an_undecided_one(
    store: Store, offered: list[int], decide: Callable
) -> None:
    """Under the verdict accept a fixed image is left out: the mask offered for it is superseded."""
    accepted = store.snapshots.freeze("accepted", "ada", ("accept",), with_undecided=True)
    assert {name: told["verdict"] for name, told in items_of(accepted.path).items()} == {
        "image_0": "accept", "image_2": "reject", "image_3": "undecided", "image_4": "undecided",
    }  # fmt: skip
    fixed = store.snapshots.freeze("fixed", "ada", ("fix",), with_undecided=True)
    assert "image_0" not in items_of(fixed.path)
    assert items_of(fixed.path)["image_1"]["verdict"] == "fix"
    tagged = items_of(
        store.snapshots.freeze(
            "tagged", "ada", ("accept",), include="tagged", with_undecided=True
        ).path
    )
    assert (tagged["image_1"]["verdict"], tagged["image_1"]["mask"]) == (None, None)
    assert "candidate" not in tagged["image_1"]


def test_where_only_other_decisions_are_there_is_nothing_to_freeze(
    store: Store, photo: Photo, mask: Mask, decide: Callable
) -> None:
    image = store.images.add("one", photo(1), source="t", tags=[1]).image
    decide(store.candidates.add(image.id, None, "dsrg", mask(2)), "accept")
    with pytest.raises(StoreError, match="No image has a candidate that was decided fix, or"):
        store.snapshots.freeze("none", "ada", ("fix",), with_undecided=True)


def test_tagged_images_come_with_their_candidates_too(store: Store, offered: list[int]) -> None:
    path = store.snapshots.freeze("t", "ada", include="tagged", with_undecided=True).path
    items = items_of(path)
    assert len(items) == 6
    assert items["no_candidate"]["verdict"] is None
    assert "candidate" not in items["no_candidate"]
    assert items["image_2"]["verdict"] == "reject"


def test_a_candidates_lost_file_is_noticed(store: Store, offered: list[int]) -> None:
    frozen = store.snapshots.freeze("all", "ada", with_undecided=True)
    store.files.path(store.candidates.get(offered[4]).digest).unlink()
    with pytest.raises(StoreError, match="missing or damaged"):
        store.snapshots.verify(frozen.digest)
    with pytest.raises(DataError, match=r"The candidate of image_4 that .* names is missing"):
        open_source(frozen.path, "all")


def test_where_nothing_is_accepted_what_to_ask_for_is_said(
    store: Store, photo: Photo, mask: Mask
) -> None:
    with pytest.raises(StoreError, match="No image has a candidate"):
        store.snapshots.freeze("none", "ada", with_undecided=True)
    image = store.images.add("one", photo(1), source="t", tags=[1]).image
    store.candidates.add(image.id, None, "dsrg", mask(2), {"SF": 0.5})
    path = store.snapshots.freeze("one", "ada", with_undecided=True).path
    with pytest.raises(DataError, match=r"None of the 1 images .* --split all takes"):
        open_source(path)
    assert [item.verdict for item in open_source(path, "all").items] == ["undecided"]
