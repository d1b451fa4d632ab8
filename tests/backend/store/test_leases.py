"""Leases on images that are being edited."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.errors import Conflict, StoreError
from backend.store import Image, Store, leases


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still; its one number is the time."""
    at = [1000.0]
    monkeypatch.setattr(leases, "now", lambda: at[0])
    return at


def test_a_lease_keeps_others_out_and_names_who_has_it(
    store: Store, image: Image, clock: list[float]
) -> None:
    store.leases.hold(image.id, reviewer="ada", session="a")
    with pytest.raises(Conflict, match="ada is editing this image") as refused:
        store.leases.hold(image.id, reviewer="bob", session="b")
    assert refused.value.there["lease"]["reviewer"] == "ada"
    held = store.leases.on(image.id)
    assert held is not None
    assert (held.reviewer, held.session) == ("ada", "a")


def test_the_same_person_in_another_window_is_asked_as_well(store: Store, image: Image) -> None:
    store.leases.hold(image.id, reviewer="ada", session="first")
    with pytest.raises(Conflict, match="You are editing this image in another window"):
        store.leases.hold(image.id, reviewer="ada", session="second")


def test_a_lease_is_renewed_and_runs_out_without(
    store: Store, image: Image, clock: list[float]
) -> None:
    first = store.leases.hold(image.id, reviewer="ada", session="a")
    clock[0] += leases.LEASE_SECONDS - 1
    renewed = store.leases.hold(image.id, reviewer="ada", session="a")
    assert renewed.taken_at == first.taken_at
    assert renewed.until == clock[0] + leases.LEASE_SECONDS
    clock[0] += leases.LEASE_SECONDS - 1
    with pytest.raises(Conflict):
        store.leases.hold(image.id, reviewer="bob", session="b")
    clock[0] += 2
    assert store.leases.on(image.id) is None
    assert store.leases.all() == []
    assert store.leases.hold(image.id, reviewer="bob", session="b").taken_at == clock[0]


def test_a_lease_is_taken_over_only_by_saying_so_and_the_loser_is_told(
    store: Store, image: Image
) -> None:
    store.leases.hold(image.id, reviewer="ada", session="a")
    store.leases.hold(image.id, reviewer="bob", session="b", steal=True)
    with pytest.raises(Conflict, match="bob is editing"):
        store.leases.hold(image.id, reviewer="ada", session="a")
    assert not store.leases.release(image.id, reviewer="ada", session="a")
    held = store.leases.on(image.id)
    assert held is not None
    assert held.reviewer == "bob"


def test_a_lease_given_back_is_free_at_once(store: Store, image: Image) -> None:
    store.leases.hold(image.id, reviewer="ada", session="a")
    assert store.leases.release(image.id, reviewer="ada", session="a")
    assert store.leases.on(image.id) is None
    store.leases.hold(image.id, reviewer="bob", session="b")


def test_a_clock_that_was_set_back_locks_nobody_out(
    store: Store, image: Image, clock: list[float]
) -> None:
    store.leases.hold(image.id, reviewer="ada", session="a")
    clock[0] -= 3600
    assert store.leases.hold(image.id, reviewer="bob", session="b").reviewer == "bob"


def test_of_twenty_who_want_it_at_once_one_gets_it(store: Store, image: Image) -> None:
    together = threading.Barrier(20)

    def want(number: int) -> bool:
        together.wait()
        try:
            store.leases.hold(image.id, reviewer=f"reviewer {number}", session=str(number))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(want, range(20))) == 1


def test_there_is_no_lease_on_nothing_or_by_nobody(store: Store, image: Image) -> None:
    with pytest.raises(StoreError, match="no image 99"):
        store.leases.hold(99, reviewer="ada", session="a")
    with pytest.raises(StoreError, match="reviewer's name"):
        store.leases.hold(image.id, reviewer=" ", session="a")
