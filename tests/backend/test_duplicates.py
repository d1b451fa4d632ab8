"""Images that are there twice, by their bytes and by their looks."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.__main__ import main
from backend.exchange.duplicates import FLAT, NEAR, distance, groups, near_pairs, perceptual_hash
from backend.exchange.sources import open_source
from backend.glance import glance
from backend.images import encode_jpeg, encode_png, read_image
from backend.intake import take_in_source
from backend.intake.duplicates import find_duplicates, hash_missing
from backend.workspace import Workspace

RNG = np.random.default_rng(0)


def scene(seed: int, size: tuple[int, int] = (213, 320)) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), np.uint8)
    return cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)


def hashed(data: bytes) -> str:
    return perceptual_hash(glance(data, "it").grey)


def test_a_photograph_is_known_again_smaller_brighter_and_packed_harder() -> None:
    for seed in range(8):
        image = scene(seed)
        kept = hashed(encode_png(image))
        half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        brighter = np.clip(image.astype(int) + 20, 0, 255).astype(np.uint8)
        for other in (encode_jpeg(image, 40), encode_jpeg(half), encode_png(brighter)):
            assert distance(kept, hashed(other)) <= NEAR
        assert distance(kept, hashed(encode_png(scene(seed + 100)))) > NEAR


def test_images_without_contrast_are_like_none() -> None:
    grey = np.full((50, 50, 3), 90, np.uint8)
    assert hashed(encode_png(grey)) == FLAT
    assert near_pairs([FLAT, FLAT, "0" * 16]) == []


def test_pairs_are_those_of_comparing_all_with_all() -> None:
    numbers = [int(n) for n in RNG.integers(0, 2**63, 120)]
    numbers += [n ^ (1 << int(RNG.integers(0, 63))) for n in numbers[:40]]
    texts = [f"{number:016x}" for number in numbers]
    expected = {
        (i, j, distance(texts[i], texts[j]))
        for i in range(len(texts))
        for j in range(i + 1, len(texts))
        if distance(texts[i], texts[j]) <= 20
    }
    assert set(near_pairs(texts, 20)) == expected
    assert len(expected) >= 40


def test_groups_join_what_is_near_to_what_is_near() -> None:
    assert groups([(0, 3, 1), (3, 5, 2), (1, 2, 4), (7, 5, 6)]) == [[0, 3, 5, 7], [1, 2]]


def test_a_glance_sees_what_reading_sees(shared_data: Path) -> None:
    for path in sorted((shared_data / "msrc" / "JPEGImages").iterdir())[:20]:
        seen = glance(path.read_bytes(), path.name)
        pixels = read_image(path)
        assert (seen.height, seen.width) == pixels.shape[:2]
        whole = hashed(encode_png(pixels))
        assert distance(perceptual_hash(seen.grey), whole) <= 4


def test_the_same_bytes_under_another_name_are_told(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "ws") as workspace:
        store = workspace.store
        for name in ("a", "a", "b", "b"):
            store.images.add(name, encode_png(scene(1)), source="test")
        store.images.add("a", encode_png(scene(2)), source="test")
        store.images.add("a", encode_png(scene(2)), source="test")
        found = find_duplicates(store)
        ((_, name, _, copies),) = found.same
        assert (name, [copy.name for copy in copies]) == ("a", ["b"])
        assert found.near == []


def test_msrc_has_a_pair_of_the_same_aeroplane(shared_data: Path, tmp_path: Path) -> None:
    source = open_source(shared_data / "msrc", "all")
    with Workspace.create(tmp_path / "ws") as workspace:
        take_in_source(workspace.store, source, origin="msrc")
        found = find_duplicates(workspace.store)
        assert found.unhashed == 0
        assert [[each.name for each in group.images] for group in found.near] == [
            ["4_2_s", "4_3_s"]
        ]
        assert found.same == []


def test_the_command_looks_at_images_that_came_before_there_were_hashes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Workspace.create(tmp_path / "ws") as workspace:
        store = workspace.store
        image = scene(1)
        store.images.add("a", encode_png(image), source="test")
        store.images.add("b", encode_jpeg(image, 50), source="test")
        store.images.add("c", encode_png(scene(2)), source="test")
        with store.connections.write() as database:
            database.execute("UPDATE images SET phash = NULL")
        assert find_duplicates(store).unhashed == 3
        assert hash_missing(store, most=1) == 1
    assert main(["duplicates", str(tmp_path / "ws"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [group["images"] for group in told["near"]] == [["a", "b"]]
    assert main(["duplicates", str(tmp_path / "ws"), "--within", "0"]) == 0
