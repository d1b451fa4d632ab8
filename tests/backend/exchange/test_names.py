"""backend.exchange.names: whatever an image is called, its name is one harmless file name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import DataError
from backend.exchange.names import (
    LONGEST_NAME,
    check_class_name,
    image_name,
    nearest,
    safe_name,
    some,
)


@given(st.text(max_size=200))
def test_a_safe_name_is_one_path_component_whatever_was_given(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert not set(safe) & set('/\\:*?"<>|\0 \n')
    assert safe[0] not in "._"
    assert ".." not in safe
    assert len(safe) <= LONGEST_NAME
    assert len(safe.encode()) <= 2 * LONGEST_NAME
    assert safe_name(safe) == safe


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("2007_000032", "2007_000032"),
        ("12_10_s", "12_10_s"),
        ("my photo (1)", "my_photo_1"),
        ("../../etc/passwd", "etc_passwd"),
        ("C:\\Windows\\x", "C_Windows_x"),
        ("a..b", "a.b"),
        (".hidden", "hidden"),
        ("", "image"),
        ("...", "image"),
        ("CON", "C_ON"),
        ("com1.old", "c_om1.old"),
        ("Ä pfel", "Ä_pfel"),
        ("हिन्दी", "हिन्दी"),
        ("猫と犬", "猫と犬"),
        ("e\u0301te\u0301", "\u00e9t\u00e9"),
        ("bad\udcffbyte", "bad_byte"),
    ],
)
def test_names_stay_as_readable_as_they_can(given: str, safe: str) -> None:
    assert safe_name(given) == safe


def test_long_names_that_begin_alike_stay_apart() -> None:
    first, second = (safe_name("x" * 300 + end) for end in "ab")
    assert first != second
    assert first[:71] == second[:71] == "x" * 71


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.jpg", "a"),
        ("a.JPeG", "a"),
        ("a.b.png", "a.b"),
        ("2008.03.01", "2008.03.01"),
        ("sub/dir/a b.tiff", "sub_dir_a_b"),
        ("sub\\a.png", "sub_a"),
        ("a", "a"),
    ],
)
def test_image_names_lose_an_images_extension_only(path: str, name: str) -> None:
    assert image_name(path) == name


@pytest.mark.parametrize(
    "name", ["", " cat", "cat ", ".cat", "a/b", "a\\b", "a,b", "a;b", "a\nb", "a\0b", "x" * 81]
)
def test_class_names_that_could_not_name_a_file_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="cannot be a class name"):
        check_class_name(name)


@pytest.mark.parametrize("name", ["cat", "traffic light", "T-shirt", "potted_plant", "自転車"])
def test_ordinary_class_names_pass(name: str) -> None:
    assert check_class_name(name) == name


def test_the_nearest_name_is_found_in_any_case_and_nothing_is_forced() -> None:
    assert nearest("areoplane", ["Aeroplane", "bird"]) == "Aeroplane"
    assert nearest("xyz", ["Aeroplane", "bird"]) == ""


def test_long_lists_are_shortened() -> None:
    assert some("abc") == "a, b, c"
    assert some("abcdefgh", 3) == "a, b, c and 5 more"
    assert some([]) == ""
