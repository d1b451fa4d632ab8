"""Who is logged in: tokens, of which the database knows the digests only."""

import hashlib
import secrets

from backend.store.rows import Noun, now
from backend.store.users import User

_DAY = 86400.0
LASTS, IDLE = 30 * _DAY, 7 * _DAY
"""A login ends after so many seconds, and sooner where nothing was asked with it for so long."""


class Logins(Noun):
    """A login is a random token in a cookie. A copy of the database lets nobody in."""

    def begin(self, user: User) -> str:
        """Logs a user in; the token, which is told once and kept nowhere."""
        token = secrets.token_urlsafe(32)
        at = now()
        with self._connections.write() as database:
            database.execute("DELETE FROM logins WHERE expires < ? OR seen < ?", [at, at - IDLE])
            database.execute(
                "INSERT INTO logins (token_digest, user, created, seen, expires)"
                " VALUES (?, ?, ?, ?, ?)",
                [digest_of(token), user.name, at, at, at + LASTS],
            )
        return token

    def user(self, token: str) -> User | None:
        """Whose login this is; None where it ended or its user was disabled."""
        at = now()
        with self._connections.read() as database:
            row = database.execute(
                "SELECT users.name, users.role, users.created, users.disabled"
                " FROM logins JOIN users ON users.name = logins.user"
                " WHERE token_digest = ? AND expires >= ? AND seen >= ? AND disabled IS NULL",
                [digest_of(token), at, at - IDLE],
            ).fetchone()
        return User(*row) if row else None

    def seen(self, token: str) -> None:
        """Notes that a login is in use, so that it does not end for idleness."""
        with self._connections.write() as database:
            database.execute(
                "UPDATE logins SET seen = ? WHERE token_digest = ?", [now(), digest_of(token)]
            )

    def end(self, token: str) -> None:
        """Logs out."""
        with self._connections.write() as database:
            database.execute("DELETE FROM logins WHERE token_digest = ?", [digest_of(token)])


def digest_of(token: str) -> str:
    """What is kept of a token. It is random, so a plain hash cannot be guessed back."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
