"""docs/data-formats.md: its examples are read as the page says."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.exchange.archive import DATA_SUFFIXES, Limits
from backend.exchange.names import image_name
from backend.exchange.sources import open_source
from backend.images import ACCEPTED, MAX_PIXELS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "data-formats.md").read_text()


def test_the_manifest_on_the_page_can_be_opened(make_files: Callable, mask: Callable) -> None:
    text = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1]
    root = make_files({"files/aa/aa.jpg": "photo", "files/bb/bb.png": mask(0, 8)})
    for word, file in (("image", "aa/aa.jpg"), ("mask", "bb/bb.png")):
        digest = hashlib.sha256((root / "files" / file).read_bytes()).hexdigest()
        text = text.replace(f"SHA-256 of the {word} file", digest)
    manifest = root / "snapshots" / json.loads(text)["digest"] / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(text)
    source = open_source(manifest)
    assert source.classes == {8: "cat", 15: "person"}
    item = source.items[0]
    assert (item.name, item.tags, item.verdict) == ("kitchen_1", (8, 15), "accept")
    assert source.mask(item).shape == (9, 12)


def test_the_tags_csv_on_the_page_is_read(make_files: Callable) -> None:
    text = re.search(r"\n    (image,tags\n.*?)\n\n", PAGE, re.DOTALL)[1].replace("\n    ", "\n")
    root = make_files({"tags.csv": text, "kitchen_1.jpg": "photo", "kitchen_2.png": "photo"})
    source = open_source(root)
    assert [(item.name, item.tags) for item in source.items] == [
        ("kitchen_1", (8, 15)),
        ("kitchen_2", ()),
    ]


def test_the_name_on_the_page_is_made_as_it_says() -> None:
    path, name = re.search(r"\(`([^`]+)` is `([^`]+)`\)", PAGE).groups()
    assert image_name(path) == name


@pytest.mark.parametrize(
    "words",
    [
        f"{ACCEPTED}, up to {MAX_PIXELS // 1_000_000} million pixels",
        f"more than {Limits().members:,} members",
        f"more than {Limits().total_bytes // 10**9} GB in all",
        f"more than {Limits().member_bytes // 10**6} MB in one",
        f"inflates more than {Limits().ratio:.0f}-fold",
    ],
)
def test_the_limits_on_the_page_are_the_codes(words: str) -> None:
    assert words in " ".join(PAGE.split())


def test_the_kinds_of_files_taken_from_a_zip_are_on_the_page() -> None:
    assert set(re.search(r"images and `([^`]+)`", PAGE)[1].split()) == DATA_SUFFIXES
