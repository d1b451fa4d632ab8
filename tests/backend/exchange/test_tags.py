"""backend.exchange.tags: tags as people write them become ids, or a sentence that helps."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import DataError
from backend.exchange.classes import VOC_IDS
from backend.exchange.tags import parse_tags, read_tags

STREET = {1: "traffic light", 2: "traffic", 3: "fire hydrant", 4: "Car"}


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("cat", (8,)),
        ("dog cat", (8, 12)),
        ("dog, cat;person", (8, 12, 15)),
        ("  cat\t cat\nCAT ", (8,)),
        ("Potted_Plant potted-plant", (16,)),
        ("TVMonitor", (20,)),
        ("", ()),
        (" , ; ", ()),
    ],
)
def test_tags_become_ascending_ids(text: str, ids: tuple[int, ...]) -> None:
    assert parse_tags(text, VOC_IDS) == ids


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("traffic light", (1,)),
        ("traffic  LIGHT traffic", (1, 2)),
        ("traffic car", (2, 4)),
        ("car, fire hydrant", (3, 4)),
        ("fire_hydrant", (3,)),
    ],
)
def test_class_names_of_several_words_are_found(text: str, ids: tuple[int, ...]) -> None:
    assert parse_tags(text, STREET) == ids


@given(st.lists(st.sampled_from(sorted(VOC_IDS))), st.sampled_from([" ", ", ", ";", "\n", " | "]))
def test_any_order_and_repetition_of_tags_gives_the_same_ids(ids: list[int], sign: str) -> None:
    text = sign.join(VOC_IDS[number] for number in ids)
    assert parse_tags(text, VOC_IDS) == tuple(sorted(set(ids)))
    assert parse_tags(text.upper(), VOC_IDS) == tuple(sorted(set(ids)))


def test_an_unknown_tag_names_the_nearest_classes() -> None:
    with pytest.raises(DataError, match=r"unknown tag 'birt' \(nearest: bird\)\. Known classes:"):
        parse_tags("cat birt", VOC_IDS)


def test_all_unknown_tags_are_named_at_once() -> None:
    with pytest.raises(DataError, match=r"unknown tags 'zebra', 'hrose' \(nearest: horse\)"):
        parse_tags("zebra cat hrose zebra", VOC_IDS)


def test_no_tag_is_an_error_only_where_one_is_needed() -> None:
    assert parse_tags("", VOC_IDS) == ()
    with pytest.raises(DataError, match=r"no tag is given. Name at least one of: aeroplane, "):
        parse_tags(" ", VOC_IDS, required=True)


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "tags.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "image,tags\na,cat dog\nb.jpg,bird\n",
        "\ufeffimage,tags\r\na,cat dog\r\nb.jpg,bird\r\n",
        "Image;Tags\na;cat dog\nb.jpg;bird\n",
        'image,tags\na,"cat, dog"\nb,bird',
        "image,tags\na,cat,dog\nb,bird\n",
        "image,tags\na,cat\n\n,,\nb,bird\na,dog\n",
        "id,image,note,tags\n7,a,x,dog cat\n8,b.png,y,bird bird\n",
        "tags,image\nCat dOg,a\nbird,b\n",
    ],
)
def test_a_tags_csv_is_read_however_it_was_saved(tmp_path: Path, text: str) -> None:
    tags, classes = read_tags(written(tmp_path, text))
    assert tags == {"a": (8, 12), "b": (3,)}
    assert {number: name.casefold() for number, name in classes.items()} == {
        3: "bird",
        8: "cat",
        12: "dog",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must begin with the line image,tags"),
        ("a,cat\nb,dog\n", "must begin with the line image,tags; it begins with 'a,cat'"),
        ("image,tags\n,cat\n", "line 2: no image is named"),
        ("image,tags\na\0b,cat\n", "is not a text file"),
        ("image,tags\n" + "a," + "x" * 200_000 + "\n", "field larger"),
        (b"image,tags\na,\xff\xfe\n", "is not UTF-8 text"),
        ("image,tags\na,cat/dog\n", "cannot be a class name"),
    ],
)
def test_a_broken_tags_csv_says_where(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_tags(written(tmp_path, text))


def test_an_unknown_tag_in_a_file_says_line_and_image(tmp_path: Path) -> None:
    path = written(tmp_path, "image,tags\na,cat\nb,catt\n")
    with pytest.raises(DataError, match=r"tags\.csv, line 3 \(b\): unknown tag 'catt' .nearest: c"):
        read_tags(path, {8: "cat"})


def test_an_image_without_tags_has_none(tmp_path: Path) -> None:
    assert read_tags(written(tmp_path, "image,tags\na,\nb,cat\n"))[0] == {"a": (), "b": (8,)}
