"""A store on a real file, and pictures to put into it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.images import encode_png
from backend.labels import encode_labels
from backend.store import Image, Store, create_store

HEIGHT, WIDTH = 6, 9


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store with the classes cat (1), dog (2) and bird (3)."""
    with create_store(tmp_path / "tagmask.db", tmp_path / "files") as made:
        for name in ("cat", "dog", "bird"):
            made.classes.add(name)
        yield made


@pytest.fixture
def photo() -> Callable[[int], bytes]:
    """PNG bytes of a 9x6 photograph, another one for every number."""

    def make(number: int) -> bytes:
        pixels = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        return encode_png(pixels)

    return make


@pytest.fixture
def mask() -> Callable[..., bytes]:
    """A 9x6 label PNG whose first `rows` rows are of a class."""

    def make(rows: int = 2, class_id: int = 1) -> bytes:
        labels = np.zeros((HEIGHT, WIDTH), np.uint8)
        labels[:rows] = class_id
        return encode_labels(labels)

    return make


@pytest.fixture
def image(store: Store, photo: Callable[[int], bytes]) -> Image:
    """One image, tagged cat."""
    return store.images.add("one", photo(1), source="test", tags=[1]).image


@pytest.fixture
def candidate(store: Store, image: Image, mask: Callable[..., bytes]) -> int:
    """The id of one candidate of `image`."""
    return store.candidates.add(image.id, None, "dcsp", mask(), {"SC": 0.25})
