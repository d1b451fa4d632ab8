"""Images of a photograph's size that no two are alike, drawn quickly."""

import random

import cv2
import numpy as np

from backend.images import encode_jpeg
from benchmarks.store import Look

HEIGHT, WIDTH = 375, 500


def photograph(pixels: np.random.Generator, height: int, width: int) -> bytes:
    """Soft colours with grain: a JPEG of some 40 KB, as a photograph is."""
    coarse = pixels.integers(0, 216, (12, 16, 3), np.uint8)
    grain = pixels.integers(0, 40, (height // 2, width // 2, 3), np.uint8)
    size = (width, height)
    soft = cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR)
    return encode_jpeg(soft + cv2.resize(grain, size, interpolation=cv2.INTER_LINEAR))


def ellipse(numbers: random.Random, tag: int, height: int, width: int) -> np.ndarray:
    """One object somewhere in the picture."""
    labels = np.zeros((height, width), np.uint8)
    centre = numbers.randrange(width // 4, 3 * width // 4), numbers.randrange(height // 4, height)
    axes = numbers.randrange(20, width // 3), numbers.randrange(20, height // 3)
    cv2.ellipse(labels, centre, axes, numbers.uniform(0, 180), 0, 360, tag, cv2.FILLED)
    return labels


PHOTOGRAPHS = Look(HEIGHT, WIDTH, photograph, ellipse)
