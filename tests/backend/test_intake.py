"""What comes from outside the store."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.errors import DataError
from backend.exchange.items import Item, Source
from backend.exchange.sources import open_source
from backend.images import encode_png
from backend.intake import method_of, read_scores, take_in_labels, take_in_source
from backend.intake.data_sets import FILES_AT_ONCE
from backend.labels import decode_labels, write_labels
from backend.store import Store, create_store

SIZE = (4, 5)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with create_store(tmp_path / "tagmask.db", tmp_path / "files") as made:
        yield made


def photo(number: int) -> bytes:
    return encode_png(np.random.default_rng(number).integers(0, 256, (*SIZE, 3), np.uint8))


def labels(value: int) -> np.ndarray:
    found = np.zeros(SIZE, np.uint8)
    found[1:3] = value
    found[3, 0] = 255
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three tagged images with masks: classes cat (1) and dog (2)."""
    root = tmp_path / "photos"
    (root / "masks").mkdir(parents=True)
    lines = ["image,tags"]
    for number, tag in enumerate(("cat", "dog", "cat dog")):
        (root / f"photo {number}.png").write_bytes(photo(number))
        write_labels(root / "masks" / f"photo {number}.png", labels(1 + number % 2))
        lines.append(f"photo {number}.png,{tag}")
    (root / "tags.csv").write_text("\n".join(lines))
    (root / "classes.txt").write_text("cat\ndog\n")
    return root


@pytest.fixture
def run_folder(store: Store, tmp_path: Path) -> Path:
    """A run's labels and scores for the images a, b and c of the store."""
    store.classes.add("cat")
    root = tmp_path / "run"
    told = []
    for number, name in enumerate("abc"):
        store.images.add(name, photo(number), source="test")
        write_labels(root / "labels" / f"{name}.png", labels(1))
        told.append({"image": name, "method": "dcsp", "AC": 0.5, "SC": number / 10, "file": "x"})
    (root / "scores.jsonl").write_text("".join(json.dumps(each) + "\n" for each in told))
    return root


def test_a_runs_labels_become_candidates(store: Store, run_folder: Path) -> None:
    run = store.runs.add("first", "labels", run_folder)
    seen: list[tuple[int, int]] = []
    intake = take_in_labels(store, run_folder, run, lambda done, all: seen.append((done, all)))
    assert (intake.new, intake.known, intake.refused.count) == (3, 0, 0)
    rows = store.candidates.queue("score").rows
    assert [(row.image_name, row.score) for row in rows] == [("a", 0.0), ("b", 0.1), ("c", 0.2)]
    assert rows[1].scores == {"AC": 0.5, "SC": 0.1}
    assert {(row.run_id, row.method) for row in rows} == {(run, "dcsp")}
    assert decode_labels(store.files.read(rows[0].digest)).tolist() == labels(1).tolist()
    assert seen[-1] == (3, 3)


def test_taken_in_twice_nothing_is_doubled(store: Store, run_folder: Path) -> None:
    take_in_labels(store, run_folder, None)
    again = take_in_labels(store, run_folder, None)
    assert (again.new, again.known) == (0, 3)
    assert store.candidates.count() == 3
    # A later run over the same folder adds what is new and keeps what was decided.
    write_labels(run_folder / "labels" / "a.png", labels(0))
    assert take_in_labels(store, run_folder, None).new == 1


def test_labels_that_do_not_fit_are_refused_one_by_one(store: Store, run_folder: Path) -> None:
    write_labels(run_folder / "labels" / "stranger.png", labels(1))
    write_labels(run_folder / "labels" / "a.png", labels(77))
    (run_folder / "labels" / "b.png").write_bytes(b"torn")
    intake = take_in_labels(store, run_folder, None)
    assert (intake.new, intake.refused.count) == (1, 3)
    told = " ".join(intake.refused.sentences)
    for words in ("no image stranger", "The mask of a holds the value 77", "The mask of b"):
        assert words in told


def test_a_run_without_labels_is_explained(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no label maps"):
        take_in_labels(store, tmp_path, None)


def test_labels_without_scores_come_in_unscored(store: Store, run_folder: Path) -> None:
    (run_folder / "scores.jsonl").unlink()
    (run_folder / "config.json").write_text('{"fusion": "oaa", "recipe": "labels"}')
    take_in_labels(store, run_folder, None)
    assert {(row.method, row.score) for row in store.candidates.queue().rows} == {("oaa", None)}


def test_scores_survive_a_torn_line_and_a_hand(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    path.write_bytes(
        b'{"image": "a", "SC": 0.1}\n'
        b"# a remark\n\n[1]\nnull\n"
        b'{"image": 5, "SC": 0.3}\n'
        b'{"image": "b", "method": 7, "SC": "0.3", "AC": 0.2, "good": true}\n'
        b'{"image": "a", "method": "dcsp", "SC": 0.4}\n'
        b'{"image": "c", "SC": \xff'
    )
    assert read_scores(path, "oaa") == {
        "a": ("dcsp", {"SC": 0.4}, None),
        "b": ("oaa", {"AC": 0.2}, None),
    }
    assert read_scores(tmp_path / "absent", "oaa") == {}


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ('{"method": "seenet", "fusion": "oaa"}', "seenet"),
        ('{"method": null, "fusion": "oaa"}', "oaa"),
        ('{"recipe": "labels"}', "labels"),
        ("[]", "labels"),
        ("7", "labels"),
        ("{", "labels"),
    ],
)
def test_the_method_is_read_from_the_configuration(tmp_path: Path, text: str, method: str) -> None:
    (tmp_path / "config.json").write_text(text)
    assert method_of(tmp_path) == method


def test_a_data_set_comes_in_with_tags_and_truth(store: Store, folder: Path) -> None:
    done = take_in_source(store, open_source(folder), origin="photos", truth=True)
    assert (done.new, done.known, done.candidates, done.refused.count) == (3, 0, 0, 0)
    rows = store.images.page().rows
    assert [(row.name, row.tags, row.source) for row in rows] == [
        ("photo_0", (1,), "photos"),
        ("photo_1", (2,), "photos"),
        ("photo_2", (1, 2), "photos"),
    ]
    assert all(row.truth_digest for row in rows)
    assert store.candidates.count() == 0


def test_importing_again_adds_nothing(store: Store, folder: Path) -> None:
    for number in range(3):
        done = take_in_source(store, open_source(folder), origin="p", as_candidates="given")
        assert (done.new, done.known) == ((3, 0) if number == 0 else (0, 3))
        assert done.candidates == (3 if number == 0 else 0)
    assert (store.images.count(), store.candidates.count()) == (3, 3)


def test_masks_come_in_as_candidates_of_a_name(store: Store, folder: Path) -> None:
    take_in_source(store, open_source(folder), origin="p", as_candidates="given")
    rows = store.candidates.queue("name").rows
    assert {row.method for row in rows} == {"given"}
    assert all(row.truth_digest is None for row in rows)
    for number, row in enumerate(rows):
        found = decode_labels(store.files.read(row.digest))
        assert found.tolist() == labels(1 + number % 2).tolist()


def test_classes_are_merged_by_name_and_masks_follow(store: Store, folder: Path) -> None:
    store.classes.add("sheep")  # takes id 1, which the data set gives to cat
    store.classes.add("DOG", 9)
    take_in_source(store, open_source(folder), origin="p", truth=True, as_candidates="given")
    ids = {name.lower(): each.id for name, each in store.classes.by_name().items()}
    assert ids == {"sheep": 1, "dog": 9, "cat": 2}
    rows = store.candidates.queue("name").rows
    assert [row.tags for row in rows] == [(2,), (9,), (2, 9)]
    for value, row in zip((2, 9, 2), rows, strict=True):
        wanted = labels(value).tolist()
        assert decode_labels(store.files.read(row.digest)).tolist() == wanted
        assert row.truth_digest is not None
        assert decode_labels(store.files.read(row.truth_digest)).tolist() == wanted


def test_ids_are_kept_where_they_are_free(store: Store, tmp_path: Path) -> None:
    store.classes.add("sheep")
    source = Source("tagged", tmp_path, {1: "cat", 2: "dog", 3: "bird"}, [])
    take_in_source(store, source, origin="p")
    assert {each.name: each.id for each in store.classes.all()} == {
        "sheep": 1,
        "dog": 2,
        "bird": 3,
        "cat": 4,
    }


@pytest.mark.parametrize("renumbered", [False, True])
def test_what_is_damaged_is_refused_and_the_rest_comes_in(
    store: Store, folder: Path, renumbered: bool
) -> None:
    if renumbered:
        store.classes.add("sheep")
    (folder / "photo 0.png").write_bytes(b"not an image")
    write_labels(folder / "masks" / "photo 1.png", np.zeros((2, 2), np.uint8))
    write_labels(folder / "masks" / "photo 2.png", labels(50))
    done = take_in_source(store, open_source(folder), origin="p", truth=True, as_candidates="given")
    assert (done.new, done.candidates) == (2, 0)
    # Each bad mask is told of as truth and as candidate, the image once.
    assert done.refused.count == 5
    assert sum("photo_0" in sentence for sentence in done.refused.sentences) == 1
    assert [row.truth_digest for row in store.images.page().rows] == [None, None]


def test_the_same_photograph_twice_is_one_image(store: Store, folder: Path) -> None:
    (folder / "photo 9.png").write_bytes(photo(0))
    done = take_in_source(store, open_source(folder), origin="p")
    assert (done.new, done.known) == (3, 1)
    assert store.images.count() == 3


def test_many_images_come_in_batches(store: Store, tmp_path: Path) -> None:
    count = 2 * FILES_AT_ONCE + 3
    items = []
    for number in range(count):
        path = tmp_path / f"{number}.png"
        path.write_bytes(photo(number))
        items.append(Item(f"n{number}", path))
    seen: list[int] = []
    source = Source("images", tmp_path, {}, items)
    done = take_in_source(store, source, origin="p", progress=lambda n, _: seen.append(n))
    assert (done.new, store.images.count()) == (count, count)
    assert seen == [FILES_AT_ONCE, 2 * FILES_AT_ONCE, count]
    assert all(store.files.intact(row.digest) for row in store.images.page(0, 999).rows)


def test_photographs_of_the_real_set_come_in_whole(store: Store, shared_data: Path) -> None:
    source = open_source(shared_data / "msrc", "val")
    source = source.only([item.name for item in source.items[:20]])
    done = take_in_source(store, source, origin="msrc", truth=True)
    assert (done.new, done.refused.count) == (20, 0)
    for item in source.items:
        image = store.images.by_name(item.name)
        assert image is not None
        assert store.files.read(image.digest) == item.image.read_bytes()
        names = {store.classes.get(id).name for id in image.tags}
        assert names == {source.classes[id] for id in item.tags}
        assert image.truth_digest is not None
        # The set's ids were free, so the true masks are kept byte for byte.
        assert item.truth is not None
        assert store.files.read(image.truth_digest) == item.truth.read_bytes()
