"""The boundary loss's target: a CRF on a small grid, in processes, that leaves the rest alone."""

import os
import signal

import cv2
import numpy as np
import psutil
import pytest

from backend.maps import crf
from training.boundary import LEAST_PROBABLE, Boundaries, at_grid
from training.errors import TrainingError
from training.seed_losses import LEAST

pytestmark = pytest.mark.skipif(crf.missing() is not None, reason=str(crf.missing()))
CLASSES, GRID = 5, 12


@pytest.fixture
def boundaries():
    with Boundaries(2) as opened:
        yield opened


def batch(images: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Photographs with a bright square, noisy probabilities of it, and tags."""
    random = np.random.default_rng(0)
    photographs = random.integers(0, 60, (images, 3, 48, 48), dtype=np.uint8)
    photographs[:, :, 12:36, 12:36] += 150
    raw = random.random((images, CLASSES, GRID, GRID)).astype(np.float32)
    raw[:, 1, 3:9, 3:9] += 1.5
    raw[:, 0] += 1
    raw[:, 3:] *= 0.02
    tags = np.zeros((images, CLASSES - 1), np.float32)
    tags[:, 0] = 1
    return photographs, raw / raw.sum(axis=1, keepdims=True), tags


def workers() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [each for each in children if "backend.refinement" in each.cmdline()]


def test_the_target_is_the_crf_over_the_tags_and_what_is_probable(boundaries: Boundaries):
    images, probabilities, tags = batch()
    refined = boundaries.refined(images, probabilities, tags)
    assert refined.dtype == np.float32
    np.testing.assert_allclose(refined.sum(axis=1), 1, rtol=1e-5)
    assert refined.min() >= LEAST * 0.99
    labels = [0, 1, 2]
    assert (probabilities[:, 3:] < LEAST_PROBABLE).all()
    for image, before, after in zip(images, probabilities, refined, strict=True):
        small = cv2.resize(image.transpose(1, 2, 0), (GRID, GRID), interpolation=cv2.INTER_AREA)
        share = before[labels].sum(axis=0)
        expected = before.copy()
        own = crf.refine(small, before[labels] / share, at_grid(GRID, GRID))
        expected[labels] = own * share
        expected = np.maximum(expected, 1e-4)
        np.testing.assert_allclose(after, expected / expected.sum(axis=0), atol=1e-5)


def test_the_square_is_found_more_cleanly_than_the_network_did(boundaries: Boundaries):
    images, probabilities, tags = batch()
    truth = np.zeros((GRID, GRID), bool)
    truth[3:9, 3:9] = True
    refined = boundaries.refined(images, probabilities, tags)
    before = ((probabilities.argmax(axis=1) == 1) == truth).mean()
    after = ((refined.argmax(axis=1) == 1) == truth).mean()
    assert after > before


def test_distances_follow_the_grid():
    paper = at_grid(41, 41)
    assert (paper.bilateral_xy, paper.gaussian_xy) == (80 / 12, 3 / 12)
    assert (paper.bilateral_weight, paper.bilateral_rgb, paper.iterations) == (10, 13, 10)
    assert at_grid(82, 82).bilateral_xy == pytest.approx(2 * 80 / 12)


def test_it_is_worked_out_in_processes_that_end_with_it():
    # Other tests' processes may not have ended yet.
    before = {each.pid for each in workers()}
    with Boundaries(2) as boundaries:
        boundaries.refined(*batch())
        own = [each for each in workers() if each.pid not in before]
        assert 1 <= len(own) <= 2
    assert not any(each.is_running() for each in own)


def test_a_process_that_died_is_replaced(boundaries: Boundaries):
    expected = boundaries.refined(*batch())
    for each in workers():
        os.kill(each.pid, signal.SIGKILL)
        each.wait(timeout=20)
    np.testing.assert_array_equal(boundaries.refined(*batch()), expected)


def test_a_crf_that_stays_away_is_a_sentence(boundaries: Boundaries):
    boundaries._pool.close()
    with pytest.raises(TrainingError, match=r"boundary loss could not be .* --resume goes on from"):
        boundaries.refined(*batch())
