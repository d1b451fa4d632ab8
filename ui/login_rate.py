"""How often somebody may try to log in: by name and address, by address, and by name."""

import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from backend.store.users import seen_as

WINDOW = 15 * 60.0
"""Seconds after which a failed try no longer counts."""

BY_BOTH, BY_ADDRESS, BY_NAME = 5, 30, 60
"""Failed tries in a window: for one name from one address, for all names from one address (many
people may sit behind it), and for one name from everywhere, so that a thousand addresses cannot
guess together. The last does not count where that person logged in from before: else whoever fails
often enough elsewhere would lock them out."""

KEPT = 20_000


class Attempts:
    """Failed tries, in memory: a restart forgets them, a flood of names cannot fill it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()
        self._at_home: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begin(self, name: str, address: str) -> float:
        """Counts a try as failed before it is looked at, so that tries at once count, too.

        Returns 0, or the seconds to wait where it is one too many, which is then not counted.
        """
        at = self._clock()
        wait = 0.0
        both, of_address, of_name = _keys(name, address)
        at_home = both[0] in self._at_home
        for key, limit in (both, of_address, of_name):
            times = self._failed.get(key, deque())
            while times and at - times[0] >= WINDOW:
                times.popleft()
            if len(times) >= limit and not (at_home and key == of_name[0]):
                wait = max(wait, times[0] + WINDOW - at)
        if wait == 0:
            for key, _ in _keys(name, address):
                self._failed.setdefault(key, deque()).append(at)
                self._failed.move_to_end(key)
            while len(self._failed) > KEPT:
                self._failed.popitem(last=False)
        return wait

    def succeeded(self, name: str, address: str) -> None:
        """Takes the try back, and forgets what that person mistyped from there before."""
        both, *others = (key for key, _ in _keys(name, address))
        self._failed.pop(both, None)
        self._at_home[both] = None
        self._at_home.move_to_end(both)
        while len(self._at_home) > KEPT:
            self._at_home.popitem(last=False)
        for key in others:
            times = self._failed.get(key)
            if times:
                times.pop()


def _keys(name: str, address: str) -> list[tuple[tuple[str, str], int]]:
    # As the store tells names apart: else a space more would be five tries more.
    # The sign keeps a name of nothing but spaces apart from the place of an address's own count.
    who, where = f"={seen_as(name)[:80]}", _place(address)
    return [((who, where), BY_BOTH), (("", where), BY_ADDRESS), ((who, ""), BY_NAME)]


def _place(address: str) -> str:
    """An address; of an IPv6 one the /64, which one machine has all to itself."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:80]
    if found.version == 6:
        mapped = found.ipv4_mapped
        return str(mapped or ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return str(found)
