"""What is worth keeping of an inspection, so that a moved slider re-runs only what it must."""

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Any, TypeVar

Value = TypeVar("Value")


class Kept:
    """Costly values by name, each beside what it was made from.

    One value a name, so that it cannot grow while a slider moves. Safe to share between threads:
    where two want the same value, one makes it and the other waits.
    """

    def __init__(self) -> None:
        self._values: dict[str, tuple[Hashable, Any]] = {}
        self._making: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def keep(self, name: str, made_from: Hashable, make: Callable[[], Value]) -> Value:
        """The value of this name that was made from this, made now where it was not."""
        with self._lock:
            making = self._making.setdefault(name, threading.Lock())
        with making:
            found = self._values.get(name)
            if found is not None and found[0] == made_from:
                return found[1]
            value = make()
            self._values[name] = (made_from, value)
            return value

    @property
    def names(self) -> set[str]:
        return set(self._values)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays and tensors in it."""
        return bytes_of([value for _, value in list(self._values.values())])


@dataclass(frozen=True)
class Caches:
    """What is kept of one image; of it with some weights; and of both with some method.

    Give the same ones to `Inspector.inspect` again, and those of the image to other weights too.
    """

    image: Kept = field(default_factory=Kept)
    weights: Kept = field(default_factory=Kept)
    method: Kept = field(default_factory=Kept)

    @property
    def nbytes(self) -> int:
        return self.image.nbytes + self.weights.nbytes + self.method.nbytes


def bytes_of(value: Any) -> int:
    """Bytes of the arrays and tensors in a value."""
    if isinstance(own := getattr(value, "nbytes", None), int):
        return own
    if is_dataclass(value):
        return bytes_of(list(vars(value).values()))
    if isinstance(value, Mapping):
        return bytes_of(list(value.values()))
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return sum(map(bytes_of, value))
    return 0
