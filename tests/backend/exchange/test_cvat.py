"""CVAT's XML as CVAT writes it, and as somebody would who means harm."""

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.errors import DataError
from backend.exchange.items import best_mask
from backend.exchange.sources import open_exchange

HEAD = (
    '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta><task>'
    "<labels><label><name>cow</name></label><label><name>bell</name></label></labels>"
    "</task></meta>"
)


def xml(shapes: str, *, name: str = "cow.jpg", size: str = 'width="12" height="9"') -> str:
    return f'{HEAD}<image id="0" name="{name}" {size}>{shapes}</image></annotations>'


@pytest.fixture
def opened(make_files: Callable) -> Callable:
    def open_it(text: str) -> object:
        root = make_files({"annotations.xml": text, "images/cow.jpg": "photo"})
        return open_exchange(root)

    return open_it


def drawn(source: object) -> list[list[int]]:
    labels = best_mask(source.items[0], source.classes)  # type: ignore[attr-defined]
    assert labels is not None
    return labels.tolist()


def test_masks_and_polygons_by_their_order(opened: Callable) -> None:
    """The example of CVAT's documentation: 3, 5, 7, ... in a box, the first run is of nothing."""
    mask = '<mask label="cow" rle="1, 2, 3" left="2" top="1" width="3" height="2" z_order="0"/>'
    polygon = '<polygon label="bell" points="1,1;4,1;4,3;1,3" z_order="{}"/>'
    below = drawn(opened(xml(polygon.format(-1) + mask)))
    above = drawn(opened(xml(polygon.format(1) + mask)))
    ids = {"cow": 2, "bell": 1}
    assert below[1][1:6] == [1, 1, 2, 2, 0][:5] or below[1][1:6] == [
        1,
        1,
        ids["cow"],
        ids["cow"],
        0,
    ]
    assert above[1][1:6] == [1, 1, 1, 2, 0]
    assert below[1][3:5] == [2, 2]


def test_ellipses_are_drawn_and_boxes_are_tags(opened: Callable) -> None:
    shapes = (
        '<ellipse label="cow" cx="6" cy="4" rx="3" ry="2"/>'
        '<box label="bell" xtl="0" ytl="0" xbr="3" ybr="3"/>'
    )
    source = opened(xml(shapes))
    assert source.items[0].tags == (1, 2)
    assert "Of box only the labels were taken" in source.notes[0]
    labels = drawn(source)
    assert labels[4][6] == 2
    assert labels[0][0] == 0


def test_tags_alone_are_no_mask(opened: Callable) -> None:
    source = opened(xml('<tag label="cow"/>'))
    assert (source.items[0].tags, source.items[0].drawn) == ((2,), None)


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx">]>' + xml("").partition("?>")[2],
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations>&x;</annotations>',
        '<!DOCTYPE a SYSTEM "http://example.org/x.dtd"><annotations/>',
        '<!DOCTYPE a [<!ENTITY a "1"><!ENTITY b "&a;&a;&a;">]><annotations>&b;</annotations>',
        "<annotations>",
        "no xml",
        "<html></html>",
        f"{HEAD}</annotations>",
        f'{HEAD}<track id="0" label="cow"></track></annotations>',
        xml("", name="../../../../etc/passwd"),
        xml("", name=""),
        "<a>" * 20_000,
    ],
)
def test_other_documents_are_sentences(opened: Callable, text: str) -> None:
    with pytest.raises(DataError):
        opened(text)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ('<mask label="cow" rle="9" left="0" top="0" width="3" height="2"/>', ""),
        ('<mask label="cow" rle="6" left="11" top="0" width="3" height="2"/>', ""),
        ('<mask label="cow" rle="x" left="0" top="0" width="3" height="2"/>', ""),
        ('<mask label="cow" rle="6" left="-1" top="0" width="3" height="2"/>', ""),
        ('<mask label="cow" rle="6"/>', ""),
        ('<mask label="cow" rle="0,99999999999" left="0" top="0" width="3" height="2"/>', ""),
        ('<polygon label="cow" points="1,1;2"/>', ""),
        ('<polygon label="cow" points="1,1;nan,2;3,3"/>', ""),
        ('<polygon label="cow" points=""/>', ""),
        ('<polygon label="cow" points="1,1;2,2;3,1"/>', 'width="99999999" height="99999999"'),
        ('<polygon label="cow" points="1,1;2,2;3,1"/>', 'width="0" height="9"'),
        ('<polygon label="cow" points="1,1;2,2;3,1"/>', 'height="9"'),
    ],
)
def test_a_shape_that_cannot_be_drawn_names_its_image(
    opened: Callable, shape: str, size: str
) -> None:
    text = xml(shape, size=size) if size else xml(shape)
    with pytest.raises(DataError, match=r"The mask of cow\.jpg cannot be drawn"):
        drawn(opened(text))


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        open_exchange(tmp_path / "annotations.xml")
