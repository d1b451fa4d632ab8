"""Two cues of objectness on drawn images, worked out by hand."""

import numpy as np
import pytest

from backend.maps.objectness import bounding_box, edge_density, objectness
from backend.maps.scoring import boundary_accuracy


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """A red square on grey ground, and its mask."""
    image = np.full((60, 60, 3), 120, np.uint8)
    image[20:40, 20:40] = (220, 20, 20)
    mask = np.zeros((60, 60), np.bool_)
    mask[20:40, 20:40] = True
    return image, mask


def box(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros((60, 60), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def test_none_is_one_but_for_an_empty_mask():
    image, mask = drawn()
    likely = objectness("none", image)
    assert (likely(mask), likely(np.zeros_like(mask))) == (1, 0)


@pytest.mark.parametrize("name", ["edges", "contrast"])
def test_the_box_of_an_object_looks_more_like_one_than_plain_ground_or_a_part(name: str):
    image, mask = drawn()
    likely = objectness(name, image)
    whole = likely(box(18, 42, 18, 42)) if name == "edges" else likely(mask)
    assert whole > 0.5
    assert likely(box(26, 34, 26, 34)) < 0.5 * whole
    assert likely(box(2, 14, 2, 14)) < 0.5 * whole
    assert likely(np.zeros_like(mask)) == 0
    assert boundary_accuracy(mask, mask, likely) == pytest.approx(likely(mask) ** 0.1)


def test_edges_count_in_the_inner_ring_alone():
    edges = np.zeros((60, 60), np.bool_)
    edges[10, 10:50] = True  # 40 on the border of the box below
    edges[30, 25:35] = True  # within its core
    # 40 edge pixels over a perimeter of 160.
    assert edge_density(box(10, 50, 10, 50), edges) == pytest.approx(0.25)
    assert bounding_box(box(10, 50, 20, 30)) == (10, 50, 20, 30)


def test_two_colours_of_which_one_is_inside_are_as_far_apart_as_can_be():
    image, mask = drawn()
    likely = objectness("contrast", image)
    assert likely(mask) == pytest.approx(1)
    assert likely(np.ones_like(mask)) == 0


def test_a_name_that_is_none_is_refused():
    with pytest.raises(ValueError, match="none, edges, contrast, but is 'bing'"):
        objectness("bing", drawn()[0])
