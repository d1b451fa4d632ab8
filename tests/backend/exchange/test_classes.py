"""backend.exchange.classes: which id a class name gets."""

from pathlib import Path

import pytest

from backend.errors import DataError
from backend.exchange.classes import check_classes, classes_of_words, read_classes


def written(folder: Path, text: str) -> Path:
    path = folder / "classes.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("tram\nlamp\n", {1: "tram", 2: "lamp"}),
        ("tram\r\nlamp", {1: "tram", 2: "lamp"}),
        ("\n\ntram\n\nlamp\n\n", {3: "tram", 5: "lamp"}),
        ("background\ntram\nlamp\n", {1: "tram", 2: "lamp"}),
        ("__ignore__\n_background_\ntram\n", {1: "tram"}),
        ("traffic light\n", {1: "traffic light"}),
    ],
)
def test_an_id_is_the_number_of_its_line(
    tmp_path: Path, text: str, classes: dict[int, str]
) -> None:
    assert read_classes(written(tmp_path, text)) == classes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no class"),
        ("cat\nCat\n", "names the class Cat twice .also as cat"),
        ("cat\nbackground\n", "background is always id 0"),
        ("a/b\n", "cannot be a class name"),
        ("\n" * 254 + "last\n", "the id 255. Class ids run from 1 to 254"),
    ],
)
def test_a_classes_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_classes(written(tmp_path, text))


def test_names_of_voc_get_vocs_ids() -> None:
    assert classes_of_words(["sheep", "Bird", "bird"], "x") == {3: "bird", 17: "sheep"}


def test_other_names_are_numbered_alphabetically() -> None:
    assert classes_of_words(["sheep", "zebra", "Ape", "ape"], "x") == {
        1: "Ape",
        2: "sheep",
        3: "zebra",
    }


def test_more_names_than_a_mask_can_hold_are_refused() -> None:
    with pytest.raises(DataError, match=r"uses 255 different tags .*at most 254"):
        classes_of_words([f"c{number}" for number in range(255)], "tags.csv")


def test_no_names_are_no_classes() -> None:
    assert classes_of_words([], "x") == {}
    assert check_classes({2: "b", 1: "a"}, "x") == {1: "a", 2: "b"}
