"""Reference masks: saliency with erasing for several tags, the CRF where it is, a threshold."""

import numpy as np
import pytest

from backend.maps import crf
from backend.reference_masks import ReferenceMaker
from backend.refinement import CrfPool
from backend.saliency import SaliencySource


def two_squares() -> np.ndarray:
    image = np.full((40, 60, 3), 100, np.uint8)
    image[10:22, 8:22] = (230, 30, 30)
    image[20:32, 38:52] = (40, 90, 220)
    return image


def most_red_first(image: np.ndarray) -> np.ndarray:
    """A detector that sees the red square, and the blue one only once there is no red."""
    red = (image[..., 0] > 200).astype(np.float32) * 0.95
    blue = (image[..., 2] > 200).astype(np.float32) * 0.95
    return red if red.any() else blue


SOURCE = SaliencySource("drawn", "a test", detector=most_red_first)


def test_one_tag_is_one_look_and_several_find_the_next_object():
    image = two_squares()
    maker = ReferenceMaker(SOURCE)
    red, blue = image[..., 0] > 200, image[..., 2] > 200
    assert (maker(image, tags=1) == red).all()
    assert (maker(image, tags=2) == (red | blue)).all()
    assert (ReferenceMaker(SOURCE, erase_above=())(image, tags=2) == red).all()


def test_without_a_crf_the_threshold_is_twice_the_mean_or_what_is_given():
    def ramp(image: np.ndarray) -> np.ndarray:
        return np.tile(np.linspace(0, 0.4, 60, dtype=np.float32), (40, 1))

    source = SaliencySource("ramp", "a test", detector=ramp)
    salient = ramp(two_squares())
    assert not ReferenceMaker(source)(two_squares())[:, :-1].any()
    assert (ReferenceMaker(source, threshold=0.3)(two_squares()) == (salient >= 0.3)).all()


def test_the_crf_draws_the_mask_to_the_edges():
    pytest.importorskip("pydensecrf.densecrf", reason="the dense CRF is not installed")
    image = two_squares()
    red = image[..., 0] > 200

    def blurred(image: np.ndarray) -> np.ndarray:
        heat = np.full(red.shape, 0.1, np.float32)
        heat[8:20, 10:24] = 0.9
        return heat

    source = SaliencySource("blurred", "a test", detector=blurred)
    plain = ReferenceMaker(source)(image)
    with CrfPool() as pool:
        drawn = ReferenceMaker(source, crf=crf.PRESETS["sal"], pool=pool)(image)
    assert (drawn != red).sum() < 0.3 * (plain != red).sum()


def test_its_record_tells_what_decides_the_masks():
    told = ReferenceMaker(SOURCE, crf=crf.PRESETS["sal"], threshold=0.4).told()
    assert told["saliency"] == "drawn"
    assert told["crf"]["bilateral_xy"] == 80
    assert (told["erase_above"], told["threshold"]) == ([0.7, 0.8], 0.4)
