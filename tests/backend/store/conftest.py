"""A store on a real file, pictures to put into it, and what its folder holds."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.errors import StoreError
from backend.images import encode_png
from backend.labels import encode_labels
from backend.store import Image, Store, create_store, open_store

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


@pytest.fixture
def closed(store: Store, candidate: int) -> Path:
    """The path of a closed store that holds a decision."""
    digest = store.candidates.get(candidate).digest
    store.decisions.record(candidate, digest, "accept", reviewer="ada", session="s", action_id="1")
    store.close()
    return store.path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, byte for byte."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def refused(path: Path, sentence: str, *, read_only: bool = False) -> None:
    """Opening is refused with the sentence, and not a byte of the folder changes."""
    before = contents(path.parent)
    with pytest.raises(StoreError, match=sentence):
        open_store(path, path.parent / "files", read_only=read_only)
    assert contents(path.parent) == before


def set_pragma(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
