"""The dense CRF on toy images whose answer is known, and its way from labels and back."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backend.maps import crf
from backend.maps.crf import (
    PRESETS,
    CrfParameters,
    labels_from_probabilities,
    probabilities_from_labels,
    probabilities_from_maps,
    refine,
)

installed = pytest.mark.skipif(crf.missing() is not None, reason=str(crf.missing()))

BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "pydensecrf":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
"""


def _toy(height=40, width=60, edge=30):
    """A red half and a blue half, and a coarse mask whose border lies ten pixels off the edge."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[:, :edge], image[:, edge:] = (200, 30, 30), (30, 30, 200)
    labels = np.full((height, width), 3, dtype=np.uint8)
    labels[:, : edge - 10] = 0
    return image, labels


@installed
@pytest.mark.parametrize("preset", ["dcsp", "deeplab", "oaa"])
def test_an_edge_pulls_a_coarse_mask_to_itself(preset):
    image, labels = _toy()
    probabilities = probabilities_from_labels(labels, [3])
    refined = refine(image, probabilities, PRESETS[preset])
    after = labels_from_probabilities(refined, [3])
    assert (labels[:, 20:30] == 3).all()
    assert (after[:, :30] == 0).all()
    assert (after[:, 30:] == 3).all()


@installed
def test_without_pairwise_terms_the_probabilities_come_back():
    image, labels = _toy()
    probabilities = probabilities_from_labels(labels, [3, 9], 0.6)
    weightless = CrfParameters(bilateral_weight=0, gaussian_weight=0)
    np.testing.assert_allclose(refine(image, probabilities, weightless), probabilities, atol=1e-5)


@installed
def test_without_iterations_the_probabilities_come_back_normalised():
    image, labels = _toy()
    probabilities = probabilities_from_labels(labels, [3])
    still = CrfParameters(iterations=0)
    np.testing.assert_allclose(refine(image, 5 * probabilities, still), probabilities, atol=1e-5)


@installed
def test_the_gaussian_term_alone_smooths_away_a_lone_pixel_whatever_its_colour():
    image = np.zeros((30, 30, 3), dtype=np.uint8)
    image[15, 15] = 255
    labels = np.zeros((30, 30), dtype=np.uint8)
    labels[15, 15] = 3
    smooth = CrfParameters(bilateral_weight=0, gaussian_weight=3, gaussian_xy=3)
    refined = refine(image, probabilities_from_labels(labels, [3]), smooth)
    assert not labels_from_probabilities(refined, [3]).any()


@installed
def test_each_number_of_the_parameters_matters():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (24, 30, 3), dtype=np.uint8)
    probabilities = rng.random((3, 24, 30)).astype(np.float32)
    numbers = {
        "bilateral_weight": 4,
        "bilateral_xy": 20,
        "bilateral_rgb": 30,
        "gaussian_weight": 3,
        "gaussian_xy": 2,
        "iterations": 3,
    }
    plain = refine(image, probabilities, CrfParameters(**numbers))
    for name, value in numbers.items():
        other = refine(image, probabilities, CrfParameters(**(numbers | {name: value + 2})))
        assert np.abs(other - plain).max() > 1e-4, name


@installed
def test_refined_probabilities_sum_to_one_and_follow_the_order_of_the_labels():
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (20, 25, 3), dtype=np.uint8)
    probabilities = rng.random((4, 20, 25)).astype(np.float32)
    refined = refine(image, probabilities, PRESETS["psa"])
    assert refined.shape == (4, 20, 25)
    assert refined.dtype == np.float32
    np.testing.assert_allclose(refined.sum(axis=0), 1, atol=1e-5)
    order = [2, 0, 3, 1]
    permuted = refine(image, probabilities[order], PRESETS["psa"])
    np.testing.assert_allclose(permuted, refined[order], atol=1e-4)


@installed
def test_impossible_labels_and_read_only_images_are_no_trouble():
    image, labels = _toy()
    probabilities = np.zeros((2, *labels.shape), dtype=np.float32)
    probabilities[0, :, :30], probabilities[1, :, 40:] = 1, 1
    image.flags.writeable = False
    refined = refine(image, probabilities, PRESETS["dcsp"])
    assert np.isfinite(refined).all()
    assert (labels_from_probabilities(refined, [3])[:, 30:] == 3).all()


def test_the_background_alone_needs_no_crf():
    image, _ = _toy()
    assert (refine(image, np.full((1, 40, 60), 0.3), PRESETS["dcsp"]) == 1).all()


def test_presets_hold_the_published_numbers():
    numbers = {name: tuple(vars(p).values()) for name, p in PRESETS.items()}
    assert numbers == {
        "dcsp": (4, 49, 5, 3, 3, 10),
        "deeplab": (4, 67, 3, 3, 1, 10),
        "psa": (10, 80, 13, 3, 3, 10),
        "irn": (10, 50, 5, 3, 3, 10),
        "oaa": (3, 67, 4, 1, 3, 10),
        "seam": (10, 80, 13, 3, 3, 10),
        "dsrg": (10, 80, 13, 3, 3, 10),
        "sal": (10, 80, 13, 3, 3, 10),
    }
    assert CrfParameters() == PRESETS["psa"]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"bilateral_weight": -1}, "bilateral_weight must be a number at least 0"),
        ({"bilateral_xy": 0}, "bilateral_xy must be a number above 0"),
        ({"bilateral_rgb": 0}, "bilateral_rgb must be a number above 0"),
        ({"gaussian_weight": -1}, "gaussian_weight must be a number at least 0"),
        ({"gaussian_xy": float("nan")}, "gaussian_xy must be a number above 0"),
        ({"iterations": -1}, "iterations must be a number at least 0"),
        ({"iterations": 2.5}, "iterations must be a whole number"),
    ],
)
def test_parameters_that_make_no_sense_are_refused_by_name(numbers, words):
    with pytest.raises(ValueError, match=words):
        CrfParameters(**numbers)


@pytest.mark.parametrize(
    ("image", "probabilities", "words"),
    [
        (np.zeros((2, 2), np.uint8), np.ones((2, 2, 2)), "image must be an 8-bit colour image"),
        (np.zeros((2, 2, 3)), np.ones((2, 2, 2)), "image must be an 8-bit colour image"),
        (np.zeros((2, 2, 3), np.uint8), np.ones((2, 2, 3)), r"must have the shape \(2, 2\)"),
        (np.zeros((2, 2, 3), np.uint8), np.ones((0, 2, 2)), "the background's map and one"),
        (np.zeros((2, 2, 3), np.uint8), np.ones((2, 2)), "probabilities must have the shape"),
        (np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 2), -1), "softmax, not the logits"),
        (np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 2), np.nan), "probabilities holds NaN"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_before_the_crf_is_needed(image, probabilities, words):
    with pytest.raises(ValueError, match=words):
        refine(image, probabilities, PRESETS["dcsp"])


@installed
def test_undecided_pixels_are_shared_evenly_and_the_rest_is_normalised():
    probabilities = np.array([[[0.0, 1.0]], [[0.0, 3.0]]])
    weightless = CrfParameters(bilateral_weight=0, gaussian_weight=0)
    refined = refine(np.zeros((1, 2, 3), np.uint8), probabilities, weightless)
    np.testing.assert_allclose(refined, [[[0.5, 0.25]], [[0.5, 0.75]]], atol=1e-6)


def test_a_missing_pydensecrf_is_a_sentence_and_nothing_else_suffers():
    code = BLOCKED + (
        "import numpy as np\n"
        "from backend.maps import crf, fusion\n"
        "image = np.zeros((4, 4, 3), np.uint8)\n"
        "try:\n"
        "    crf.refine(image, np.ones((2, 4, 4)), crf.PRESETS['dcsp'])\n"
        "except crf.CrfUnavailable as error:\n"
        "    print(error)\n"
        "print(fusion.dcsp_labels(np.ones((1, 1, 1)), np.ones((1, 1)), [3]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "pydensecrf" in done.stdout
    assert "install" in done.stdout
    assert "[[3]]" in done.stdout


def test_labels_become_probabilities_with_the_confidence_given():
    labels = np.array([[0, 5, 255]], dtype=np.uint8)
    third = 1 / 3
    expected = [[[0.8, 0.1, third]], [[0.1, 0.1, third]], [[0.1, 0.8, third]]]
    np.testing.assert_allclose(probabilities_from_labels(labels, [9, 5], 0.8), expected, atol=1e-7)


def test_labels_may_be_trusted_fully_or_not_at_all():
    labels = np.array([[0, 5]], dtype=np.uint8)
    certain = probabilities_from_labels(labels, [5], 1.0)
    np.testing.assert_array_equal(certain, [[[1, 0]], [[0, 1]]])
    assert (probabilities_from_labels(labels, [5], 0.5) == 0.5).all()


def test_labels_are_trusted_as_in_irn_unless_told_otherwise():
    result = probabilities_from_labels(np.array([[0, 5]], dtype=np.uint8), [5])
    np.testing.assert_allclose(result, [[[0.7, 0.3]], [[0.3, 0.7]]], atol=1e-7)


def test_labels_without_tags_leave_the_background_alone():
    result = probabilities_from_labels(np.array([[0, 255]], dtype=np.uint8), [])
    np.testing.assert_array_equal(result, [[[1, 1]]])


@given(
    hnp.arrays(np.uint8, (3, 4), elements=st.sampled_from([0, 4, 250, 255])),
    st.permutations([4, 250]),
)
def test_labels_come_back_from_their_probabilities(labels, ids):
    probabilities = probabilities_from_labels(labels, ids)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-6)
    back = labels_from_probabilities(probabilities, ids)
    np.testing.assert_array_equal(back, np.where(labels == 255, 0, labels))


@pytest.mark.parametrize(
    ("labels", "ids", "confidence", "words"),
    [
        (np.array([[0, 6]]), [5], 0.7, r"ids \[6\], which are not among the image's tags \[5\]"),
        (np.array([[0.5]]), [5], 0.7, "labels must be a label map"),
        (np.array([[0]]), [5, 5], 0.7, "must not repeat a class"),
        (np.array([[0]]), [5], 0.4, r"confidence must lie in 0.5..1 for 2 labels, but is 0.4"),
        (np.array([[0]]), [5], 1.1, "confidence must lie in"),
    ],
)
def test_labels_that_cannot_become_probabilities_are_refused(labels, ids, confidence, words):
    with pytest.raises(ValueError, match=words):
        probabilities_from_labels(labels, ids, confidence)


def test_maps_become_probabilities_by_their_share_of_the_sum():
    attention = np.array([[[0.5, 0.0, 0.0]], [[0.25, 0.3, 0.0]]])
    background = np.array([[0.25, 0.9, 0.0]])
    expected = [[[0.25, 0.75, 1]], [[0.5, 0, 0]], [[0.25, 0.25, 0]]]
    np.testing.assert_allclose(probabilities_from_maps(attention, background), expected, atol=1e-7)


@pytest.mark.parametrize(
    ("attention", "background", "words"),
    [
        (np.zeros((1, 2, 2)), np.zeros((2, 3)), "background must have the shape"),
        (np.full((1, 2, 2), 2.0), np.zeros((2, 2)), "attention must lie in 0..1"),
        (np.zeros((1, 2, 2)), np.full((2, 2), 2.0), "background must lie in 0..1"),
    ],
)
def test_maps_that_cannot_become_probabilities_are_refused(attention, background, words):
    with pytest.raises(ValueError, match=words):
        probabilities_from_maps(attention, background)


def test_the_background_wins_a_tie_and_ids_are_checked():
    assert labels_from_probabilities(np.full((3, 1, 1), 0.5), [8, 2]).tolist() == [[0]]
    with pytest.raises(ValueError, match="2 maps, 1 ids"):
        labels_from_probabilities(np.full((3, 1, 1), 0.5), [8])
