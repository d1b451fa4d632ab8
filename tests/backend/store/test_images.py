"""Images and their tags."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from backend.errors import DataError, ImageError, StoreError
from backend.labels import encode_labels
from backend.store import Image, Store

Photo = Callable[[int], bytes]
Mask = Callable[..., bytes]


def test_an_image_comes_back_as_it_was_put(store: Store, photo: Photo) -> None:
    added = store.images.add("sub/One.png", photo(1), source="upload", tags=[3, 1, 3])
    assert added.new
    image = added.image
    assert (image.name, image.width, image.height) == ("sub_One", 9, 6)
    assert image.tags == (1, 3)
    assert store.files.read(image.digest) == photo(1)
    assert store.images.get(image.id) == image == store.images.by_name("sub_One")
    assert store.images.by_digest(image.digest) == image


def test_the_same_bytes_are_the_same_image(store: Store, photo: Photo) -> None:
    first = store.images.add("one", photo(1), source="upload", tags=[1])
    again = store.images.add("other", photo(1), source="upload", tags=[2])
    assert again.image == first.image
    assert not again.new
    assert store.images.count() == 1


def test_tags_reach_an_image_that_came_without(store: Store, photo: Photo) -> None:
    store.images.add("one", photo(1), source="upload")
    assert store.images.add("one", photo(1), source="upload", tags=[2]).image.tags == (2,)


def test_a_taken_name_gets_a_number(store: Store, photo: Photo) -> None:
    names = [store.images.add("a.png", photo(n), source="upload").image.name for n in range(3)]
    assert names == ["a", "a-2", "a-3"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "a/../b.png", "\x00\n", "..", "x" * 500])
def test_no_name_is_a_path(store: Store, photo: Photo, name: str) -> None:
    kept = [store.images.add(name, photo(n), source="upload").image.name for n in range(2)]
    for each in kept:
        assert each
        assert Path(each).name == each
        assert len(each) <= 80
    assert len(set(kept)) == 2


def test_a_turned_photograph_has_its_turned_size(store: Store) -> None:
    buffer = io.BytesIO()
    exif = Pillow.Exif()
    exif[0x0112] = 6  # a quarter turn
    Pillow.new("RGB", (20, 10), (1, 2, 3)).save(buffer, "JPEG", exif=exif)
    image = store.images.add("turned.jpg", buffer.getvalue(), source="upload").image
    assert (image.width, image.height) == (10, 20)


def test_what_is_no_image_is_refused_and_not_kept(store: Store, photo: Photo) -> None:
    for data in (b"", b"not an image", photo(1)[:60]):
        with pytest.raises(ImageError):
            store.images.add("bad", data, source="upload")
    assert store.images.count() == 0
    assert [path for path in store.files.root.rglob("*") if path.is_file()] == []


def test_an_absent_file_is_explained(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="could not be read"):
        store.images.add("bad", tmp_path / "absent.png", source="upload")


def test_the_truth_is_kept_with_the_image(store: Store, photo: Photo, mask: Mask) -> None:
    image = store.images.add("one", photo(1), source="voc", truth=mask()).image
    assert image.truth_digest is not None
    assert store.files.read(image.truth_digest) == mask()


def test_a_truth_of_another_size_is_refused(store: Store, photo: Photo) -> None:
    truth = encode_labels(np.zeros((5, 5), np.uint8))
    with pytest.raises(DataError, match=re.escape("mask of one is 5x5 pixels, its image 9x6")):
        store.images.add("one", photo(1), source="voc", truth=truth)


def test_a_truth_with_unknown_ids_is_refused(store: Store, photo: Photo, mask: Mask) -> None:
    with pytest.raises(DataError, match="holds the value 77"):
        store.images.add("one", photo(1), source="voc", truth=mask(class_id=77))
    assert store.images.add("one", photo(1), source="voc", truth=mask(class_id=255)).new


def test_unknown_tags_are_refused_and_nothing_is_entered(store: Store, photo: Photo) -> None:
    with pytest.raises(StoreError, match="no class 40"):
        store.images.add("one", photo(1), source="upload", tags=[1, 40])
    assert store.images.count() == 0


def test_every_change_of_tags_is_kept(store: Store, image: Image) -> None:
    store.images.set_tags(image.id, [2, 3], "ada")
    store.images.set_tags(image.id, [3, 2], "bob")
    changed = store.images.set_tags(image.id, [], "bob")
    assert changed.tags == ()
    changes = store.images.tag_changes(image.id)
    assert [(each.before, each.after, each.by) for each in changes] == [
        ((), (1,), "test"),
        ((1,), (2, 3), "ada"),
        ((2, 3), (), "bob"),
    ]


def test_a_page_finds_by_name_tag_and_verdict(store: Store, photo: Photo, mask: Mask) -> None:
    ids = [
        store.images.add(name, photo(n), source="t", tags=[1 + n % 2]).image.id
        for n, name in enumerate(["red_1", "red_2", "blue%1", "RED_3"])
    ]
    candidate = store.candidates.add(ids[1], None, "dcsp", mask())
    digest = store.candidates.get(candidate).digest
    store.decisions.record(candidate, digest, "accept", reviewer="ada", session="s", action_id="1")

    def found(**asked: object) -> list[int]:
        return [row.id for row in store.images.page(**asked).rows]  # type: ignore[arg-type]

    assert found() == ids
    assert found(query="red") == [ids[0], ids[1], ids[3]]
    assert found(query="_1") == [ids[0], ids[2]]  # "%" is not kept in names
    assert found(query="%") == []
    assert found(query="red", tag=1) == [ids[0]]
    assert found(verdict="accept") == [ids[1]]
    assert found(verdict="none") == [ids[0], ids[2], ids[3]]
    page = store.images.page(1, 2)
    assert ([row.id for row in page.rows], page.total, page.offset) == (ids[1:3], 4, 1)


def test_numbers_count_tags_and_truth(store: Store, photo: Photo, mask: Mask) -> None:
    store.images.add("a", photo(1), source="t", tags=[1, 2], truth=mask())
    store.images.add("b", photo(2), source="t", tags=[2])
    store.images.add("c", photo(3), source="t")
    numbers = store.images.numbers()
    assert (numbers.images, numbers.tagged, numbers.with_truth) == (3, 2, 1)
    assert numbers.by_class == {1: 1, 2: 2}


def test_an_absent_image_is_explained(store: Store) -> None:
    assert store.images.by_name("nobody") is None
    with pytest.raises(StoreError, match="no image 5"):
        store.images.get(5)
