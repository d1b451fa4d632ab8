"""Acts on very many images: one act for people, many short transactions for the database."""

import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.errors import StoreError
from backend.store import Store, TagAct, TagEdit, open_store, parts

MANY = 2 * parts.PART + 100
CAT, DOG = 1, 2
PROJECT = Path(__file__).resolve().parents[3]

KILLED = """
import sys, time
from pathlib import Path
from backend.store import TagEdit, TagView, open_store, parts

def after_a_part(_):
    print("a part is done", flush=True)
    time.sleep(60)

parts.time.sleep = after_a_part
store = open_store(Path(sys.argv[1]), Path(sys.argv[2]))
everything = tuple(store.tags.listed(TagView()))
{act}
"""
GIVE = 'store.tags.change([TagEdit(everything, (1,))], reviewer="ada", session="s", action_id="a")'
UNDO = 'store.tags.undo("ada", "s", "u")'
SHARE = 'store.assignments.share_out(["ada", "bob"], 0.5, made_by="lead", action_id="a")'


@pytest.fixture
def many(store: Store) -> tuple[int, ...]:
    """More images than one transaction takes, each with a candidate; every second is a dog."""
    ids = tuple(range(1, MANY + 1))
    with store.connections.write() as database:
        database.conn.executemany(
            "INSERT INTO images (id, name, digest, width, height, source, added)"
            " VALUES (?, ?, ?, 9, 6, 'test', 1)",
            ((id, f"im{id}", f"{id:064x}") for id in ids),
        )
        database.conn.executemany(
            "INSERT INTO candidates (image_id, method, digest, shuffle, added)"
            " VALUES (?, 'dcsp', ?, 0, 1)",
            ((id, f"{id:064x}") for id in ids),
        )
        database.conn.executemany(
            "INSERT INTO image_tags VALUES (?, ?)", ((id, DOG) for id in ids[::2])
        )
    return ids


def give(store: Store, images: tuple[int, ...], tag: int, action: str, by: str = "ada") -> TagAct:
    edit = TagEdit(images, (tag,))
    return store.tags.change([edit], reviewer=by, session="s", action_id=action)


def tagged(path: Path, tag: int) -> int:
    with sqlite3.connect(path) as database:
        found = database.execute("SELECT count(*) FROM image_tags WHERE class_id = ?", [tag])
        return int(found.fetchone()[0])


def assigned(path: Path) -> list[tuple[int, str]]:
    with sqlite3.connect(path) as database:
        return database.execute(
            "SELECT image_id, reviewer FROM assignments ORDER BY image_id, reviewer"
        ).fetchall()


def killed_half_way(store: Store, act: str) -> None:
    """Another program does the act and is killed after its first part."""
    command = [sys.executable, "-c", KILLED.format(act=act), store.path, store.path.parent]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "a part is done\n"
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    process.stdout.close()


def test_a_large_act_is_one_act_and_one_undo(store: Store, many: tuple[int, ...]) -> None:
    act = give(store, many, DOG, "a")
    assert (act.images, act.changed) == (many[1::2], MANY // 2)
    assert give(store, many, DOG, "a") == act
    assert tagged(store.path, DOG) == MANY
    both = give(store, many, CAT, "b")
    assert both.images == many
    undone = store.tags.undo("ada", "s", "u")
    assert undone is not None
    assert (undone.images, undone.changed, undone.undoes) == (many, MANY, "b")
    assert store.tags.undo("ada", "s", "u") == undone
    assert (tagged(store.path, CAT), tagged(store.path, DOG)) == (0, MANY)
    store.tags.undo("ada", "s", "u2")
    assert tagged(store.path, DOG) == MANY // 2
    assert store.tags.undo("ada", "s", "u3") is None


def test_others_decide_between_two_parts(
    store: Store, many: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two parts the lock is free, and a part is no larger than it says."""
    seen: list[tuple[int, str]] = []

    def decide(_: float) -> None:
        number = len(seen) + 1
        made = store.decisions.record(
            number, f"{number:064x}", "accept", reviewer="bob", session="s", action_id=f"d{number}"
        )
        with sqlite3.connect(store.path, timeout=0) as other:
            other.execute("BEGIN IMMEDIATE")
            other.rollback()
        seen.append((tagged(store.path, CAT), made.verdict))

    monkeypatch.setattr("backend.store.parts.time.sleep", decide)
    give(store, many, CAT, "a")
    assert [verdict for _, verdict in seen] == ["accept"] * 3
    assert [count for count, _ in seen] == [parts.PART, 2 * parts.PART, MANY]


@pytest.mark.parametrize("again", ["opened", "sent again"])
def test_an_act_that_was_killed_half_way_is_done_to_its_end(
    store: Store, many: tuple[int, ...], again: str
) -> None:
    killed_half_way(store, GIVE)
    assert tagged(store.path, CAT) == parts.PART
    if again == "opened":
        open_store(store.path, store.path.parent).close()
    else:
        assert give(store, many, CAT, "a").images == many
    assert tagged(store.path, CAT) == MANY
    assert give(store, many, CAT, "a").images == many
    undone = store.tags.undo("ada", "s", "u")
    assert undone is not None
    assert undone.images == many
    assert tagged(store.path, CAT) == 0


def test_an_undo_that_was_killed_half_way_takes_back_the_rest_and_no_more(
    store: Store, many: tuple[int, ...]
) -> None:
    give(store, many, DOG, "before")
    give(store, many, CAT, "a")
    killed_half_way(store, UNDO)
    assert tagged(store.path, CAT) == MANY - parts.PART
    # Whoever undoes once more first has the rest of that one, then the act before it.
    further = store.tags.undo("ada", "s", "u2")
    assert further is not None
    assert further.undoes == "before"
    assert (tagged(store.path, CAT), tagged(store.path, DOG)) == (0, MANY // 2)


def test_what_is_refused_begins_nothing(store: Store, many: tuple[int, ...]) -> None:
    with pytest.raises(StoreError, match="1 of these images are not in this workspace"):
        give(store, (*many, 99_999), CAT, "a")
    with pytest.raises(StoreError, match="no class 40"):
        give(store, many, 40, "a")
    killed_half_way(store, GIVE)
    with pytest.raises(StoreError, match="recorded before for something else"):
        give(store, many, CAT, "a", by="eve")
    with pytest.raises(StoreError, match="recorded before for something else"):
        store.tags.undo("eve", "s", "a")
    store.tags.finish()
    assert tagged(store.path, CAT) == MANY


def test_many_images_are_shared_out_as_the_plan_says_though_killed(
    store: Store, many: tuple[int, ...]
) -> None:
    plan = store.assignments.share_out(
        ["ada", "bob"], 0.5, made_by="lead", action_id="", dry_run=True
    )
    killed_half_way(store, SHARE)
    assert len(assigned(store.path)) == parts.PART
    again = store.assignments.share_out(["ada", "bob"], 0.5, made_by="lead", action_id="a")
    assert again == plan
    held = assigned(store.path)
    assert Counter(name for _, name in held) == {each.reviewer: each.images for each in plan}
    assert {image for image, _ in held} == set(many)
    assert store.assignments.withdraw(None, made_by="lead", action_id="w") == MANY
    assert assigned(store.path) == []


def test_two_who_share_out_at_once_give_no_image_twice(store: Store, many: tuple[int, ...]) -> None:
    said: list[object] = []
    ready = threading.Barrier(2)

    def share(name: str) -> None:
        ready.wait()
        try:
            said.append(
                store.assignments.share_out([name], 0, made_by="lead", action_id=f"for {name}")
            )
        except StoreError as error:
            said.append(str(error))

    threads = [threading.Thread(target=share, args=(name,)) for name in ("ada", "bob")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(assigned(store.path)) == MANY
    assert len({name for _, name in assigned(store.path)}) == 1
    assert sum("No image is left to assign" in str(each) for each in said) == 1


def test_people_who_tag_the_same_images_at_once_leave_a_log_without_a_gap(
    store: Store, many: tuple[int, ...], photo: Callable[[int], bytes]
) -> None:
    """Each row of an image begins with what the one before it left, whoever came between."""

    def work(person: int) -> None:
        give(store, many, CAT, f"give {person}", by=f"p{person}")
        store.tags.undo(f"p{person}", "s", f"undo {person}")

    threads = [threading.Thread(target=work, args=(person,)) for person in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    with sqlite3.connect(store.path) as database:
        assert database.execute("SELECT count(*) FROM begun_acts").fetchone() == (0,)
        gaps = database.execute(
            "SELECT count(*) FROM (SELECT before, lag(after) OVER (PARTITION BY image_id"
            " ORDER BY id) AS earlier FROM tag_changes) WHERE earlier != before"
        )
        assert gaps.fetchone() == (0,)
        wrong = database.execute(
            "SELECT count(*) FROM (SELECT image_id, after, max(id) FROM tag_changes"
            " GROUP BY image_id) AS c WHERE after != (SELECT '[' || ifnull(group_concat(class_id),"
            " '') || ']' FROM image_tags WHERE image_id = c.image_id)"
        )
        assert wrong.fetchone() == (0,)
