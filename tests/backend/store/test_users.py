"""Users and their logins, on a real database."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.errors import DataError, StoreError
from backend.store import ROLES, Store, create_store, open_store
from backend.store import logins as logins_module
from backend.store.logins import IDLE, LASTS

PASSWORD = "correct horse battery"
OTHER = "staple of another kind"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with create_store(tmp_path / "tagmask.db", tmp_path / "files") as made:
        yield made


def test_a_user_is_found_in_any_case_and_checked(store: Store) -> None:
    assert not store.users.any()
    added = store.users.add("  Ana  Díaz ", "reviewer", PASSWORD)
    assert added.name == "Ana Díaz"
    assert store.users.any()
    assert store.users.get("ana Díaz") == added
    assert store.users.check("ana Díaz", PASSWORD) == added
    assert store.users.check("Ana Díaz", OTHER) is None
    assert store.users.check("nobody", PASSWORD) is None


def test_names_that_look_alike_are_one(store: Store) -> None:
    store.users.add("Ana", "viewer", PASSWORD)
    for taken in ("ana", "ANA", "ａｎａ"):
        with pytest.raises(StoreError, match="already"):
            store.users.add(taken, "trainer", PASSWORD)


@pytest.mark.parametrize("name", ["", "   ", "a\nb\x00", "x" * 65, "\u202egnp", "tab\x07"])
def test_a_name_that_cannot_be_printed_is_refused(store: Store, name: str) -> None:
    with pytest.raises(DataError):
        store.users.add(name, "viewer", PASSWORD)
    assert not store.users.any()


def test_roles_are_three_and_nothing_else(store: Store) -> None:
    assert ROLES == ("viewer", "reviewer", "trainer")
    with pytest.raises(DataError, match="viewer, reviewer, trainer"):
        store.users.add("ana", "admin", PASSWORD)
    store.users.add("ana", "viewer", PASSWORD)
    assert store.users.set_role("ana", "trainer").role == "trainer"
    with pytest.raises(DataError):
        store.users.set_role("ana", "root")


def test_the_database_holds_neither_password_nor_token(store: Store) -> None:
    user = store.users.add("ana", "viewer", PASSWORD)
    token = store.logins.begin(user)
    store.close()
    kept = b"".join(path.read_bytes() for path in store.path.parent.glob("tagmask.db*"))
    assert PASSWORD.encode() not in kept
    assert token.encode() not in kept
    assert b"scrypt$" in kept


def test_secrets_are_kept_from_other_accounts_of_the_machine_backups_included(
    store: Store, tmp_path: Path
) -> None:
    store.path.chmod(0o664)
    store.users.add("ana", "viewer", PASSWORD)
    for path in (store.path, *tmp_path.glob("tagmask.db-*"), store.backup(tmp_path / "b" / "c.db")):
        assert path.stat().st_mode & 0o007 == 0, path


def test_a_login_is_somebody_until_it_ends(store: Store) -> None:
    user = store.users.add("ana", "viewer", PASSWORD)
    token = store.logins.begin(user)
    assert store.logins.user(token) == user
    assert store.logins.user(token[:-1]) is None
    assert store.logins.user("") is None
    store.logins.end(token)
    assert store.logins.user(token) is None


def test_a_login_lasts_a_month_and_a_week_of_silence(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_000_000.0]
    monkeypatch.setattr(logins_module, "now", lambda: clock[0])
    token = store.logins.begin(store.users.add("ana", "viewer", PASSWORD))
    began = clock[0]
    while clock[0] < began + LASTS - IDLE:
        clock[0] += IDLE - 1
        assert store.logins.user(token) is not None
        store.logins.seen(token)
    clock[0] = began + LASTS + 1
    assert store.logins.user(token) is None
    idle = store.logins.begin(store.users.get("ana"))
    clock[0] += IDLE + 1
    assert store.logins.user(idle) is None
    # What ended is not kept for ever.
    store.logins.begin(store.users.get("ana"))
    with sqlite3.connect(store.path) as database:
        assert database.execute("SELECT count(*) FROM logins").fetchone() == (1,)


def test_another_password_or_being_shut_out_ends_every_login(store: Store) -> None:
    user = store.users.add("ana", "reviewer", PASSWORD)
    others = store.logins.begin(store.users.add("ben", "viewer", PASSWORD))
    first, second = store.logins.begin(user), store.logins.begin(user)
    store.users.set_password("ana", OTHER)
    assert store.logins.user(first) is None
    assert store.logins.user(second) is None
    assert store.users.check("ana", PASSWORD) is None
    third = store.logins.begin(store.users.check("ana", OTHER) or user)
    store.users.disable("ana")
    assert store.logins.user(third) is None
    assert store.users.check("ana", OTHER) is None
    assert store.users.any()
    store.users.enable("ana")
    assert store.users.check("ana", OTHER) is not None
    assert store.logins.user(third) is None
    assert store.logins.user(others) is not None


def test_a_user_for_a_proxy_has_no_password_that_fits(store: Store) -> None:
    store.users.add("ana", "reviewer", None)
    for guess in ("", "none", PASSWORD):
        assert store.users.check("ana", guess) is None


def test_a_store_that_is_only_read_knows_users_and_makes_no_login(store: Store) -> None:
    user = store.users.add("ana", "reviewer", PASSWORD)
    with open_store(store.path, store.files.root, read_only=True) as looked_at:
        assert looked_at.users.check("ana", PASSWORD) == user
        with pytest.raises(StoreError, match="reading only"):
            looked_at.logins.begin(user)
