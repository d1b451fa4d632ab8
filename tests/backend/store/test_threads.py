"""Many threads, and more than one process, on one store."""

import gc
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial

import pytest
from sqlite_utils import Database

from backend.errors import StoreError
from backend.store import Decision, Image, Store, open_store
from backend.store.connection import Connections

Mask = Callable[..., bytes]


def test_many_reviewers_at_once_lose_and_double_nothing(
    store: Store, image: Image, mask: Mask
) -> None:
    candidates = [store.candidates.add(image.id, None, f"m{n}", mask()) for n in range(4)]
    digest = store.candidates.get(candidates[0]).digest

    def review(reviewer: int) -> None:
        for number in range(15):
            action = f"{reviewer} {number}"
            for _ in range(2):  # every act is sent twice
                store.decisions.record(
                    candidates[number % 4],
                    digest,
                    ("accept", "reject")[reviewer % 2],
                    reviewer=f"r{reviewer}",
                    session="s",
                    action_id=action,
                )

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(review, range(8)))
    history = store.decisions.history(image.id)
    assert len(history) == 8 * 15
    assert {row.action_id for row in history} == {f"{r} {n}" for r in range(8) for n in range(15)}
    assert store.check() == []
    # Each row supersedes the one before it on its candidate: no update was lost.
    for candidate in candidates:
        chain = [row for row in history if row.candidate_id == candidate]
        assert [row.supersedes for row in chain] == [None, *(row.id for row in chain[:-1])]


def test_the_same_act_from_many_threads_is_recorded_once(store: Store, candidate: int) -> None:
    digest = store.candidates.get(candidate).digest

    def send(_: int) -> int:
        return store.decisions.record(
            candidate, digest, "accept", reviewer="ada", session="s", action_id="same"
        ).id

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(send, range(40)))) == 1
    assert store.decisions.count() == 1


def test_the_same_image_from_many_threads_is_one(
    store: Store, photo: Callable[[int], bytes]
) -> None:
    with ThreadPoolExecutor(8) as threads:
        added = list(
            threads.map(
                lambda n: store.images.add(f"photo {n}", photo(n % 5), source="t"), range(40)
            )
        )
    assert store.images.count() == 5
    assert sum(each.new for each in added) == 5
    assert len({each.image.name for each in added}) == 5


def test_readers_go_on_while_somebody_writes(store: Store, candidate: int) -> None:
    with store.connections.write() as database:
        database.execute("UPDATE candidates SET method = 'other'")
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(store.candidates.get, candidate).result(5).method == "dcsp"
    assert store.candidates.get(candidate).method == "other"


def test_a_failed_write_leaves_nothing_behind(store: Store) -> None:
    def fail() -> None:
        with store.connections.write() as database:
            database.execute("INSERT INTO classes VALUES (9, 'cow', '#000000')")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert len(store.classes.all()) == 3


def test_an_inner_write_that_fails_leaves_the_outer_alone(store: Store) -> None:
    with store.connections.write():
        store.classes.add("cow")
        with pytest.raises(StoreError):
            store.images.set_tags(99, [1], "ada")
    assert "cow" in store.classes.by_name()


def test_a_database_held_by_another_program_is_explained(store: Store, candidate: int) -> None:
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store.connections.busy = 0.05
    digest = store.candidates.get(candidate).digest
    try:
        with ThreadPoolExecutor(1) as threads:
            act = threads.submit(
                store.decisions.record,
                candidate,
                digest,
                "accept",
                reviewer="ada",
                session="s",
                action_id="1",
            )
            with pytest.raises(StoreError, match="in use by another program"):
                act.result()
            # Reading goes on.
            assert threads.submit(store.candidates.queue).result().total == 1
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert store.decisions.count() == 0


def test_threads_that_end_leave_no_connection(store: Store) -> None:
    def read() -> None:
        store.classes.all()

    for _ in range(20):
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    gc.collect()
    assert len(store.connections._open) <= 2


def test_two_programs_can_share_the_database(store: Store) -> None:
    with open_store(store.path, store.files.root) as other:
        other.classes.add("cow")
        store.classes.add("sheep")
        assert other.classes.all() == store.classes.all()


def test_a_write_waits_for_the_other_program(store: Store) -> None:
    other = Connections(store.path)
    started = threading.Event()

    def hold() -> None:
        with other.write() as database:
            database.execute("INSERT INTO classes VALUES (9, 'cow', '#000000')")
            started.set()
            release.wait(3)

    release = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    started.wait(5)
    with ThreadPoolExecutor(1) as threads:
        adding = threads.submit(store.classes.add, "cow")
        assert not adding.done()
        release.set()
        assert adding.result(10).id == 9
    thread.join()
    other.close()


def queued(
    store: Store, threads: ThreadPoolExecutor, acts: list[Callable[[], object]]
) -> "list[Future[object]]":
    """Acts of several threads, all waiting while somebody else writes; then let go."""
    with store.connections.write():
        waiting = [threads.submit(act) for act in acts]
        while len(store.connections._waiting) < len(acts):
            time.sleep(0.001)
    return waiting


def test_acts_that_wait_share_a_sync_and_fail_alone(
    store: Store, candidate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = store.candidates.get(candidate).digest
    transactions = []
    write = Connections.write

    def counted(self: Connections) -> AbstractContextManager[Database]:
        transactions.append(1)
        return write(self)

    def decide(number: int) -> Decision:
        seen = "f" * 64 if number == 2 else digest
        return store.decisions.record(
            candidate, seen, "accept", reviewer="ada", session="s", action_id=f"{number}"
        )

    monkeypatch.setattr(Connections, "write", counted)
    with ThreadPoolExecutor(6) as threads:
        done = queued(store, threads, [partial(decide, number) for number in range(6)])
    assert len(transactions) == 2  # the one they waited for, and theirs
    with pytest.raises(StoreError, match="The mask you saw"):
        done[2].result()
    kept = {each.result().action_id for number, each in enumerate(done) if number != 2}
    assert kept == {"0", "1", "3", "4", "5"}
    assert {row.action_id for row in store.decisions.latest()} == kept


def test_a_transaction_that_fails_refuses_every_act_in_it(store: Store, candidate: int) -> None:
    digest = store.candidates.get(candidate).digest
    other = sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)
    store.connections.busy = 0.3

    def decide(number: int) -> Decision:
        return store.decisions.record(
            candidate, digest, "accept", reviewer="ada", session="s", action_id=f"{number}"
        )

    with ThreadPoolExecutor(4) as threads:
        with store.connections._writing:
            done = [threads.submit(decide, number) for number in range(4)]
            while len(store.connections._waiting) < 4:
                time.sleep(0.001)
            other.execute("BEGIN IMMEDIATE")
        for each in done:
            with pytest.raises(StoreError, match="in use by another program"):
                each.result()
        other.execute("ROLLBACK")
        assert store.decisions.count() == 0
        # Sent again, as a page does, they are recorded.
        assert len({threads.submit(decide, number).result().id for number in range(4)}) == 4
    other.close()
