"""The door: who somebody is by their cookie or a proxy's word, and who may come in."""

import asyncio
import logging
import math
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import cookie_parser

from backend.errors import DataError, StoreError
from backend.passwords import require_fit
from backend.store import Store, User
from backend.store.logins import IDLE, LASTS, digest_of
from backend.store.users import require_name
from ui.access import Access, Heard
from ui.login_rate import Attempts
from ui.who import WHOEVER, Who

log = logging.getLogger("tagmask.login")

# A password takes a core for a quarter of a second; reviewers keep the others.
_AT_ONCE = 2
# How seldom is written that a login is in use, so that looking around does not write to the disk.
_SEEN_EVERY = 600.0
_MOST_KEPT = 1000


@dataclass
class Kept:
    """A login of a read-only workspace, in memory; times are monotonic. `seal` is of the password
    that it was made with."""

    name: str
    seal: str
    ends: float
    seen: float


@dataclass
class Refused(Exception):
    """Somebody was not let in: a sentence, and the seconds to wait where there were too many."""

    sentence: str
    wait: int = 0


class Door:
    """One per web process. `cookie` names the workspace: cookies know no ports.

    A workspace without users is open to whoever reaches it, until it has one: then the door shuts,
    and no change to the users opens it again before a restart.
    """

    def __init__(self, store: Store, access: Access, workspace: str) -> None:
        self._store = store
        self._access = access
        self._shut = access.header is not None
        self._attempts = Attempts()
        self._hashing = asyncio.Semaphore(_AT_ONCE)
        self._seen: dict[str, float] = {}
        # A read-only workspace writes nothing down, so who logs in there is kept here.
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self.cookie = f"tagmask-{'look-' if store.read_only else ''}{workspace[:8]}"

    def shut(self) -> bool:
        """Whether people have to log in."""
        self._shut = self._shut or self._store.users.any()
        return self._shut

    async def who(self, heard: Heard) -> Who | None:
        """Who asks; None where somebody has to log in first."""
        if not self.shut():
            return WHOEVER
        if heard.person is not None:
            return self._vouched(heard.person)
        token = self.token(heard)
        user = self._user(token) if token else None
        if user is None:
            return None
        await self._note(token)
        return Who(user.name, user.role, "password")

    async def enter(self, name: str, password: str, address: str) -> str:
        """Logs somebody in; their new token. Raises Refused, after the same time for a name that
        nobody has as for a wrong password."""
        self._count(name, address)
        async with self._hashing:
            user = await run_in_threadpool(self._store.users.check, name, password)
        if user is None:
            log.warning("A try to log in as %r from %s failed.", name[:64], address)
            raise Refused("This name and password do not go together.")
        self._attempts.succeeded(name, address)
        log.info("%r logged in from %s.", user.name, address)
        return await run_in_threadpool(self._begin, user)

    async def change(self, who: Who, old: str, new: str, address: str) -> str:
        """Gives whoever is logged in another password and ends all of their logins; the token of
        the one that goes on here. Raises Refused, DataError for what can be no password, and
        StoreError where there is none to change."""
        if who.name is None or who.how != "password":
            raise StoreError(
                "There is no password of yours here. Change it where you logged in."
                if who.how == "proxy"
                else "Nobody has to log in here, so there is no password to change."
            )
        require_fit(new, who.name)
        if new == old:
            raise DataError("This is the password that you have. Choose another one.")
        self._count(who.name, address)
        async with self._hashing:
            user = await run_in_threadpool(self._store.users.change_password, who.name, old, new)
        if user is None:
            log.warning("A try to change the password of %r from %s failed.", who.name, address)
            raise Refused("The old password is not right, so nothing was changed.")
        self._attempts.succeeded(who.name, address)
        log.info("%r changed the password from %s.", user.name, address)
        return await run_in_threadpool(self._begin, user)

    async def leave(self, token: str) -> None:
        """Logs out."""
        self._kept.pop(digest_of(token), None)
        if not self._store.read_only:
            await run_in_threadpool(self._store.logins.end, token)

    def token(self, heard: Heard) -> str:
        """The token in a request's cookie, or ""."""
        for name, value in heard.scope["headers"]:
            if name == b"cookie":
                found = cookie_parser(value.decode("latin-1")).get(self.cookie)
                if found:
                    return found[:200]
        return ""

    def _count(self, name: str, address: str) -> None:
        """Counts a try; raises Refused where it is one too many."""
        wait = self._attempts.begin(name, address)
        if wait > 0:
            log.warning("Too many tries to log in as %r from %s.", name[:64], address)
            minutes = math.ceil(wait / 60)
            raise Refused(
                f"There were too many tries. Wait {minutes} minute{'' if minutes == 1 else 's'} "
                "and try again.",
                math.ceil(wait),
            )

    def _vouched(self, person: str) -> Who | None:
        """Somebody whom the proxy let in: with the role they have here, else a viewer's."""
        try:
            name = require_name(person)
        except DataError:
            return None
        user = self._store.users.find(name)
        if user is None:
            return Who(name, "viewer", "proxy")
        return None if user.disabled is not None else Who(user.name, user.role, "proxy")

    def _user(self, token: str) -> User | None:
        if not self._store.read_only:
            return self._store.logins.user(token)
        kept, at = self._kept.get(digest_of(token)), time.monotonic()
        if kept is None or at > kept.ends or at - kept.seen > IDLE:
            return None
        user = self._store.users.find(kept.name)
        if user is None or user.disabled is not None:
            return None
        if self._store.users.seal(user.name) != kept.seal:
            return None
        kept.seen = at
        return user

    def _begin(self, user: User) -> str:
        if not self._store.read_only:
            return self._store.logins.begin(user)
        token = secrets.token_urlsafe(32)
        at, seal = time.monotonic(), self._store.users.seal(user.name)
        self._kept[digest_of(token)] = Kept(user.name, seal, at + LASTS, at)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return token

    async def _note(self, token: str) -> None:
        at, digest = time.monotonic(), digest_of(token)
        if self._store.read_only or at - self._seen.get(digest, -math.inf) < _SEEN_EVERY:
            return
        while len(self._seen) >= _MOST_KEPT:
            self._seen.pop(next(iter(self._seen)))
        self._seen[digest] = at
        try:
            await run_in_threadpool(self._store.logins.seen, token)
        except StoreError:
            log.warning("That a login is in use could not be written down.", exc_info=True)
