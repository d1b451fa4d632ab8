"""Maps of saliency that say nothing, are missing or of another size: every stage goes on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from backend.inspection import FUSIONS, Caches, Inspector, Settings, StageMap
from backend.refinement import CrfPool
from backend.saliency import saliency_source
from backend.weights import load, save

from .conftest import CAT, Make, by_stage

Look = Callable[..., dict[str, StageMap]]


@pytest.fixture
def look(make: Make, image: np.ndarray, tmp_path: Path) -> Look:
    """What Inspect shows of an image with this map of it in a folder."""
    loaded = make("cam")
    maps = tmp_path / "maps"
    maps.mkdir()

    def made(heat: np.ndarray, crf: CrfPool | None = None, name: str = "a") -> dict[str, StageMap]:
        cv2.imwrite(str(maps / "a.png"), heat)
        source = saliency_source(f"folder:{maps}")
        bench = Inspector(loaded.network, loaded.card, source, crf)
        return by_stage(bench.inspect(image, [CAT], name=name, caches=Caches()))

    return made


@pytest.mark.parametrize(
    ("level", "said"),
    [
        (0, "folder:maps; zero everywhere: nothing stands out"),
        (255, "folder:maps; one everywhere: all stands out"),
        (51, "folder:maps; 0.20 everywhere: it tells no pixel from another"),
    ],
)
def test_a_map_that_is_the_same_everywhere_says_so_and_fusion_goes_on(
    look: Look, level: int, said: str
) -> None:
    made = look(np.full((48, 64), level, np.uint8))
    assert made["saliency"].kind == "heat"
    assert made["saliency"].caption.startswith(said)
    for rule in FUSIONS:
        labels = made[f"fusion.{rule}"]
        assert labels.kind == "labels"
        assert set(np.unique(labels.array).tolist()) <= {0, 8, 255}
        if level == 0:
            assert not (labels.array == 8).any()
    assert made["sal.score"].kind == "score"
    assert all(np.isfinite(value) for value in made["sal.score"].numbers.values())
    if level == 0:
        assert made["sal.score"].numbers["AC"] == 0


@pytest.mark.parametrize("level", [0, 255])
def test_a_flat_map_goes_through_the_crf(look: Look, level: int) -> None:
    pytest.importorskip("pydensecrf.densecrf", reason="the dense CRF is not installed")
    with CrfPool(1) as pool:
        made = look(np.full((48, 64), level, np.uint8), pool)
    assert made["crf"].kind == "labels"
    assert made["sal.score"].kind == "score"
    assert "after CRF" in made["sal.score"].caption


def test_a_map_of_another_size_is_resized(look: Look) -> None:
    small = np.zeros((12, 16), np.uint8)
    small[:, 8:] = 255
    made = look(small)
    assert made["saliency"].array.shape == (48, 64)
    assert made["saliency"].caption == "folder:maps"
    assert made["saliency"].array[:, :28].max() == 0
    assert made["saliency"].array[:, 36:].min() == 1


def test_an_image_without_a_map_is_named(look: Look) -> None:
    made = look(np.zeros((48, 64), np.uint8), name="b")
    for stage in ("saliency", *(f"fusion.{rule}" for rule in FUSIONS), "crf", "sal.score"):
        assert made[stage].kind == "note"
        assert "no saliency map for b" in made[stage].caption or stage == "crf"


def test_a_network_says_which_weights_it_has_and_is_asked_again_for_others(
    make: Make, image: np.ndarray, saliency_weights: Path
) -> None:
    loaded, caches = make("cam"), Caches()
    source = saliency_source(f"network:{saliency_weights}")
    bench = Inspector(loaded.network, loaded.card, {"net": source})
    settings = Settings(saliency="net")
    first = by_stage(bench.inspect(image, [CAT], settings, caches=caches))
    assert first["saliency"].caption == f"network:sal.safetensors ({source.digest[:8]})"
    kept = by_stage(bench.inspect(image, [CAT], settings, caches=caches))
    assert kept["saliency"].array is first["saliency"].array

    def nothing(pixels: np.ndarray) -> np.ndarray:
        return np.zeros(pixels.shape[:2], np.float32)

    bench.saliency = {"net": replace(source, digest="other", detector=nothing)}
    assert not by_stage(bench.inspect(image, [CAT], settings, caches=caches))[
        "saliency"
    ].array.any()


def test_damaged_weights_silence_what_stands_on_them_and_nothing_else(
    make: Make, image: np.ndarray, saliency_weights: Path
) -> None:
    loaded = make("cam")
    network, card = load(saliency_weights)
    with torch.no_grad():  # weights that no other test has loaded
        network.fuse.bias += 0.125
    save(saliency_weights, network, card)
    source = saliency_source(f"network:{saliency_weights}")
    saliency_weights.write_bytes(saliency_weights.read_bytes()[:-9])
    made = by_stage(Inspector(loaded.network, loaded.card, source).inspect(image, [CAT]))
    assert made["cam:cat"].kind == "heat"
    assert made["saliency"].kind == "note"
    assert "The saliency network cannot be used" in made["saliency"].caption
