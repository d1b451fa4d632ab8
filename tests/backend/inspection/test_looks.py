"""Hierarchical erasing of one image: every look is shown, and what stands after them follows."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.inspection import Caches, Inspector, Settings
from backend.saliency import SaliencySource, saliency_source

from .conftest import CAT, DOG, Make, by_stage

STEPS = {"erasing_steps": 3, "erase_above": (0.7, 0.8)}


class LargestFirst:
    """A detector that sees one thing at a time: the red patch, else the green, else the blue, each
    with full saliency; it remembers what it was shown.
    """

    def __init__(self) -> None:
        self.shown: list[np.ndarray] = []

    def __call__(self, image: np.ndarray) -> np.ndarray:
        self.shown.append(image.copy())
        heat = np.zeros(image.shape[:2], np.float32)
        for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255)):
            found = (image == colour).all(axis=2)
            if found.any():
                heat[found] = 1
                break
        return heat


@pytest.fixture
def image() -> np.ndarray:
    """48 x 64 of grey with a red, a green and a blue patch."""
    pixels = np.full((48, 64, 3), 120, np.uint8)
    pixels[4:20, 4:20] = (255, 0, 0)
    pixels[4:20, 40:56] = (0, 255, 0)
    pixels[28:44, 20:36] = (0, 0, 255)
    return pixels


@pytest.fixture
def detector() -> LargestFirst:
    return LargestFirst()


@pytest.fixture
def bench(make: Make, detector: LargestFirst) -> Inspector:
    inspector = make("cam")
    inspector.saliency = SaliencySource("patches", "test", detector=detector)
    return inspector


def test_every_look_is_shown_with_what_was_erased_what_was_seen_and_all_so_far(
    bench: Inspector, image: np.ndarray
) -> None:
    made = by_stage(bench.inspect(image, [CAT], Settings(**STEPS)))
    steps = [stage for stage in made if stage.startswith("saliency")]
    assert steps == [
        "saliency.step1", "saliency.step2.erased", "saliency.step2.raw", "saliency.step2",
        "saliency.step3.erased", "saliency.step3.raw", "saliency.step3", "saliency",
    ]  # fmt: skip
    red, green, blue = ((image == colour).all(axis=2) for colour in np.eye(3, dtype=int) * 255)
    assert np.array_equal(made["saliency.step1"].array == 1, red)
    erased = made["saliency.step2.erased"]
    assert erased.kind == "image"
    filled = np.rint(image.mean(axis=(0, 1))).astype(np.uint8)
    assert (erased.array[red] == filled).all()
    assert np.array_equal(erased.array[~red], image[~red])
    assert erased.caption == "8% above 0.7, erased"
    assert np.array_equal(made["saliency.step2.raw"].array == 1, green)
    assert np.array_equal(made["saliency.step2"].array == 1, red | green)
    assert made["saliency.step2"].numbers["raised"] == pytest.approx(green.mean())
    assert (made["saliency.step3.erased"].array[red | green] == filled).all()
    assert np.array_equal(made["saliency.step3.raw"].array == 1, blue)
    assert np.array_equal(made["saliency"].array == 1, red | green | blue)
    assert made["saliency"].caption == "patches, 3 looks"


def test_one_look_shows_no_steps_and_is_what_it_was(bench: Inspector, image: np.ndarray) -> None:
    made = by_stage(bench.inspect(image, [CAT], Settings()))
    assert [stage for stage in made if stage.startswith("saliency")] == ["saliency"]
    assert made["saliency"].caption == "patches"
    assert np.array_equal(made["saliency"].array == 1, (image == (255, 0, 0)).all(axis=2))


def test_thresholds_decide_what_is_erased_and_what_follows_from_it(
    bench: Inspector, image: np.ndarray
) -> None:
    none = Settings(erasing_steps=2, erase_above=(1.0,))
    made = by_stage(bench.inspect(image, [CAT, DOG], none))
    assert np.array_equal(made["saliency.step2.erased"].array, image)
    assert np.array_equal(made["saliency.step2"].array, made["saliency.step1"].array)
    more = by_stage(bench.inspect(image, [CAT, DOG], Settings(**STEPS)))
    assert (more["fusion.seenet"].array > 0).sum() > (made["fusion.seenet"].array > 0).sum()
    assert more["sal.score"].array.sum() > made["sal.score"].array.sum()


def test_moving_a_threshold_makes_only_the_looks_and_what_stands_on_them_again(
    bench: Inspector, detector: LargestFirst, image: np.ndarray
) -> None:
    caches = Caches()
    list(bench.inspect(image, [CAT], Settings(), caches=caches))
    assert len(detector.shown) == 1
    stages = [
        each.stage
        for each in bench.inspect(image, [CAT], Settings(**STEPS), "erasing_steps", caches)
    ]
    assert stages[0] == "saliency.step1"
    assert stages[-1] == "sal.score"
    assert not {"image", "cam", "zones"} & set(stages)
    # The first look is of the whole image, as it was before.
    assert len(detector.shown) == 3
    list(bench.inspect(image, [CAT], Settings(**STEPS), "gamma", caches))
    assert len(detector.shown) == 3
    back = by_stage(bench.inspect(image, [CAT], Settings(), "erasing_steps", caches))
    assert "saliency.step1" not in back
    assert len(detector.shown) == 3


def test_maps_made_elsewhere_cannot_be_looked_for_again_which_is_a_sentence(
    make: Make, image: np.ndarray, tmp_path: Path
) -> None:
    maps = tmp_path / "maps"
    maps.mkdir()
    cv2.imwrite(str(maps / "one.png"), np.full((48, 64), 200, np.uint8))
    bench = make("cam")
    bench.saliency = saliency_source(f"folder:{maps}")
    made = by_stage(bench.inspect(image, [CAT], Settings(**STEPS), name="one"))
    for stage in ("saliency.step1", "saliency.step3", "saliency", "fusion.dcsp", "sal.score"):
        assert made[stage].kind == "note"
        assert "The maps of folder:maps were made elsewhere" in made[stage].caption
    made = by_stage(bench.inspect(image, [CAT], Settings(), name="one"))
    assert made["saliency"].array is not None
