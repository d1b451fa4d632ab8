"""The people who may log in, what each may do, and what is kept of their passwords."""

import hashlib
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend import passwords
from backend.errors import DataError, StoreError
from backend.store.rows import Noun, now

ROLES = ("viewer", "reviewer", "trainer")
"""From the least to the most: a viewer looks, a reviewer decides, tags, adds classes and mends, a
trainer also brings data in, shares work out, freezes snapshots and runs jobs."""

LONGEST_NAME = 64
_COLUMNS = "name, role, created, disabled"


@dataclass(frozen=True)
class User:
    """A person; `disabled` is when they were shut out, None while they may log in."""

    name: str
    role: str
    created: float
    disabled: float | None


class Users(Noun):
    """Users are never deleted: decisions carry their names. Who shall not come in is disabled."""

    def all(self) -> list[User]:
        """Every user, by name."""
        with self._connections.read() as database:
            rows = database.execute(f"SELECT {_COLUMNS} FROM users ORDER BY name")
            return [User(*row) for row in rows]

    def any(self) -> bool:
        """Whether there is a user, disabled or not: from then on everybody must log in."""
        with self._connections.read() as database:
            return bool(database.execute("SELECT EXISTS (SELECT 1 FROM users)").fetchone()[0])

    def get(self, name: str) -> User:
        """One user; StoreError where there is none."""
        found = self.find(name)
        if found is None:
            raise StoreError(
                f"There is no user {name[:80]!r}; `python -m backend users list` names those there "
                "are."
            )
        return found

    def find(self, name: str) -> User | None:
        """One user, disabled or not, or None."""
        with self._connections.read() as database:
            row = database.execute(
                f"SELECT {_COLUMNS} FROM users WHERE name = ?", [_clean(name)]
            ).fetchone()
        return User(*row) if row else None

    def add(self, name: str, role: str, password: str | None) -> User:
        """Adds a user; `password` None is for one whom only a proxy's header lets in.

        Raises DataError for a name, role or password that cannot be, StoreError for a name that is
        taken or cannot be told from one that is.
        """
        name = require_name(name)
        _require_role(role)
        secret = _secret(name, password)
        with self._connections.write() as database:
            for (taken,) in database.execute("SELECT name FROM users"):
                if seen_as(taken) == seen_as(name):
                    raise StoreError(
                        f"There is a user {taken!r} already. Choose another name, or change that "
                        "one with `python -m backend users password` or `role`."
                    )
            database.execute(
                "INSERT INTO users (name, role, secret, created) VALUES (?, ?, ?, ?)",
                [name, role, secret, now()],
            )
        self._keep_from_others()
        return self.get(name)

    def set_password(self, name: str, password: str) -> User:
        """Gives a user another password and ends every login that was made with the old one."""
        user = self.get(name)
        secret = _secret(user.name, password)
        return self._change(user, "secret = ?", secret)

    def change_password(self, name: str, old: str, new: str) -> User | None:
        """Gives a user who knows the old password another one, and ends every login that was made
        with the old one; None where it is not the old one. Raises DataError as `set_password`.
        """
        user = self.get(name)
        with self._connections.read() as database:
            (was,) = database.execute(
                "SELECT secret FROM users WHERE name = ?", [user.name]
            ).fetchone()
        if not passwords.fits(old, was):
            return None
        secret = _secret(user.name, new)
        with self._connections.write() as database:
            # Of somebody who was given another one or was shut out meanwhile, that stays.
            changed = database.execute(
                "UPDATE users SET secret = ? WHERE name = ? AND secret = ? AND disabled IS NULL",
                [secret, user.name, was],
            ).rowcount
            if changed:
                database.execute("DELETE FROM logins WHERE user = ?", [user.name])
        return user if changed else None

    def set_role(self, name: str, role: str) -> User:
        """Gives a user another role, from their next request on."""
        _require_role(role)
        user = self.get(name)
        with self._connections.write() as database:
            database.execute("UPDATE users SET role = ? WHERE name = ?", [role, user.name])
        return self.get(name)

    def disable(self, name: str) -> User:
        """Shuts a user out, from their next request on."""
        user = self.get(name)
        return user if user.disabled else self._change(user, "disabled = ?", now())

    def enable(self, name: str) -> User:
        """Lets a user in again, with the password they had."""
        return self._change(self.get(name), "disabled = ?", None)

    def seal(self, name: str) -> str:
        """Another word after each change of a user's password; it tells nothing of either."""
        with self._connections.read() as database:
            row = database.execute(
                "SELECT secret FROM users WHERE name = ?", [_clean(name)]
            ).fetchone()
        return hashlib.sha256(row[0].encode()).hexdigest() if row else ""

    def check(self, name: str, password: str) -> User | None:
        """The user whose password this is, or None; as slow for a name that nobody has."""
        with self._connections.read() as database:
            row = database.execute(
                f"SELECT secret, {_COLUMNS} FROM users WHERE name = ?", [_clean(name)]
            ).fetchone()
        right = passwords.fits(password, row[0] if row else None)
        user = User(*row[1:]) if row else None
        return user if right and user is not None and user.disabled is None else None

    def _change(self, user: User, setting: str, value: Any) -> User:
        with self._connections.write() as database:
            database.execute(f"UPDATE users SET {setting} WHERE name = ?", [value, user.name])
            database.execute("DELETE FROM logins WHERE user = ?", [user.name])
        return self.get(user.name)

    def _keep_from_others(self) -> None:
        """Takes the database, which holds secrets now, from the machine's other accounts."""
        path = self._connections.path
        for each in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            # SQLite may fold its log away meanwhile, and makes the next one as the database is.
            with suppress(FileNotFoundError):
                each.chmod(each.stat().st_mode & 0o770)


def require_name(name: str) -> str:
    """The name as it is kept; DataError where it cannot be a user's."""
    clean = _clean(name)
    if not 0 < len(clean) <= LONGEST_NAME or not clean.isprintable():
        raise DataError(
            f"A user's name has 1 to {LONGEST_NAME} characters that can be printed, not "
            f"{name[:80]!r}."
        )
    return clean


def _clean(name: str) -> str:
    return unicodedata.normalize("NFC", " ".join(name.split()))


def seen_as(name: str) -> str:
    """What a name is to the eye: `Ana`, ` ana` and `ａｎａ` are one, and no two users."""
    return unicodedata.normalize("NFKC", _clean(name)).casefold()


def _require_role(role: str) -> None:
    if role not in ROLES:
        raise DataError(f"{role[:80]!r} is not a role; {', '.join(ROLES)} are.")


def _secret(name: str, password: str | None) -> str:
    if password is None:
        return passwords.NONE
    passwords.require_fit(password, name)
    return passwords.secret_of(password)
