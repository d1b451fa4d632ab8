"""GrabCut finds what its colours tell, keeps what is sure, and says the same every time."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from backend.maps import grabcut

SIZE = (48, 64)


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A red disc and a blue square on grey noise, and their bool masks."""
    random = np.random.default_rng(0)
    image = random.integers(100, 130, (*SIZE, 3), dtype=np.uint8)
    disc, square = np.zeros((2, *SIZE), np.uint8)
    cv2.circle(disc, (18, 24), 12, 1, -1)
    square[12:36, 38:58] = 1
    image[disc == 1] = np.array((200, 40, 40)) + random.integers(0, 20, (disc.sum(), 3))
    image[square == 1] = np.array((30, 40, 200)) + random.integers(0, 20, (square.sum(), 3))
    return image, disc == 1, square == 1


def spot(mask: np.ndarray) -> np.ndarray:
    """Attention that is 1 in the middle of a mask and falls off beyond its border."""
    y, x = np.argwhere(mask).mean(axis=0)
    rows, columns = np.indices(SIZE)
    return np.exp(-(((rows - y) / 14) ** 2 + ((columns - x) / 14) ** 2)).astype(np.float32)


def test_a_rough_guess_becomes_the_objects_that_their_colours_show() -> None:
    image, disc, square = scene()
    heats = np.stack([spot(disc), spot(square)])
    guess = np.zeros(SIZE, np.uint8)
    guess[18:30, 12:26], guess[16:30, 42:52] = 8, 12
    made = grabcut.refine(image, guess, heats, (8, 12))
    expected = np.where(disc, 8, np.where(square, 12, 0))
    assert made.dtype == np.uint8
    assert (made == expected).mean() > 0.99
    assert (guess == expected).mean() < 0.85


def test_sure_parts_stay_whatever_their_colour() -> None:
    image, disc, _ = scene()
    heat = np.zeros(SIZE, np.float32)
    heat[disc] = 0.5
    grey, red = (slice(2, 6), slice(2, 8)), (slice(22, 26), slice(16, 20))
    heat[grey], heat[red] = 0.9, 0.0
    labels = np.where(heat >= 0.5, 8, 0)
    made = grabcut.refine(image, labels, heat[None], (8,))
    assert (made[grey] == 8).all()
    assert (made[red] == 0).all()
    assert made[disc].mean() > 7


def test_ignored_pixels_are_guessed_from_the_attention() -> None:
    image, disc, _ = scene()
    heat = spot(disc)[None]
    labels = np.where(heat[0] > 0.8, 8, 255)
    labels[40:] = 0
    made = grabcut.refine(image, labels, heat, (8,))
    assert set(np.unique(made).tolist()) == {0, 8}
    assert ((made == 8) == disc).mean() > 0.99


def test_the_larger_attention_wins_where_two_tags_claim_one_place() -> None:
    image, disc, _ = scene()
    stronger = spot(disc)
    weaker = stronger * np.float32(0.6)
    labels = np.where(disc & (np.indices(SIZE)[1] < 18), 8, np.where(disc, 12, 0))
    made = grabcut.refine(image, labels, np.stack([weaker, stronger]), (8, 12), high=1)
    assert 12 in made
    assert 8 not in made


@pytest.mark.parametrize("label", [0, 8])
def test_where_there_is_nothing_or_nothing_else_there_is_nothing_to_cut(label: int) -> None:
    image = scene()[0]
    labels = np.full(SIZE, label, np.uint8)
    made = grabcut.refine(image, labels, np.full((1, *SIZE), 0.5, np.float32), (8,))
    assert (made == label).all()


def test_without_a_tag_all_is_background() -> None:
    image = scene()[0]
    made = grabcut.refine(image, np.zeros(SIZE, np.uint8), np.zeros((0, *SIZE)), ())
    assert not made.any()


def test_the_same_image_gives_the_same_labels_in_any_thread_and_after_any_other() -> None:
    random = np.random.default_rng(1)
    images = random.integers(0, 255, (4, *SIZE, 3), dtype=np.uint8)
    heat = spot(scene()[1])[None]
    labels = np.where(heat[0] > 0.5, 8, 0)

    def cut(image: np.ndarray) -> bytes:
        return grabcut.refine(image, labels, heat, (8,)).tobytes()

    alone = [cut(image) for image in images]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(cut, [*images[::-1], *images]))
    assert together == [*alone[::-1], *alone]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"high": 0.2, "low": 0.4}, "low and high must lie in 0..1 in this order"),
        ({"iterations": 0}, "iterations must be at least 1"),
        ({"labels": np.zeros((4, 4), np.uint8)}, "labels must have the shape"),
        ({"attention": np.zeros((1, 4, 4))}, "each map of attention must have the shape"),
        ({"class_ids": (8, 9)}, "class_ids must name one class for each attention map"),
        ({"image": np.zeros(SIZE)}, "image must be an 8-bit colour image"),
    ],
)
def test_what_does_not_fit_is_named(changed: dict, sentence: str) -> None:
    given = {
        "image": scene()[0],
        "labels": np.zeros(SIZE, np.uint8),
        "attention": np.zeros((1, *SIZE), np.float32),
        "class_ids": (8,),
    }
    with pytest.raises(ValueError, match=sentence):
        grabcut.refine(**{**given, **changed})
