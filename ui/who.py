"""Who asks: found out by the guard for each request, read by routes and the page."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from backend.store import ROLES


@dataclass(frozen=True)
class Who:
    """Somebody and what they may do; `name` is None where nobody has to log in."""

    name: str | None
    role: str
    how: Literal["open", "password", "proxy"]

    def may(self, role: str) -> bool:
        """Whether this is somebody of that role or of more."""
        return ROLES.index(self.role) >= ROLES.index(role)


WHOEVER = Who(None, "trainer", "open")
"""Everybody, where there is no login."""

asking: ContextVar[Who] = ContextVar("asking", default=WHOEVER)
"""Of the request that is being answered. Threads that answer it have it, too."""


def named(given: str) -> str:
    """The name to write beside an act: the login's, else the one that the page gave."""
    return asking.get().name or given
