"""A quick look at a photograph: that it can be decoded, how large it is, and a small grey copy.

An import looks at every image. JPEG's own downscaling decodes all of the file but builds an eighth
of its pixels, which costs about as much as hashing it.
"""

from typing import NamedTuple

import cv2
import numpy as np

from backend.errors import ImageError
from backend.images import image_size, plain_jpeg, read_image

_JPEG_END = b"\xff\xd9"
_PROGRESSIVE = b"\xff\xc2"
_SMALLEST = 64
_SCALED = (
    (8, cv2.IMREAD_REDUCED_GRAYSCALE_8),
    (4, cv2.IMREAD_REDUCED_GRAYSCALE_4),
    (2, cv2.IMREAD_REDUCED_GRAYSCALE_2),
    (1, cv2.IMREAD_GRAYSCALE),
)


class Glance(NamedTuple):
    """Width and height in pixels after the EXIF turn; grey, uint8 (h,w), is never smaller than 64
    pixels a side where the image is not.
    """

    width: int
    height: int
    grey: np.ndarray


def glance(data: bytes, name: str) -> Glance:
    """Looks at a photograph; raises ImageError as `read_image` does."""
    try:
        # Progressive files and those cut short go the careful way, which knows what to say.
        plain = data.endswith(_JPEG_END) and _PROGRESSIVE not in data and plain_jpeg(data)
    except ImageError:
        plain = False
    if plain:
        width, height = image_size(data)
        grey = _scaled(data, width, height)
        if grey is not None:
            return Glance(width, height, grey)
    pixels = read_image(data, name=name)
    height, width = pixels.shape[:2]
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    scale = max(1, min(width, height) // _SMALLEST)
    if scale > 1:
        small = (-(-width // scale), -(-height // scale))
        grey = cv2.resize(grey, small, interpolation=cv2.INTER_AREA)
    return Glance(width, height, grey)


def _scaled(data: bytes, width: int, height: int) -> np.ndarray | None:
    by, flag = next(
        each for each in _SCALED if each[0] == 1 or min(width, height) >= _SMALLEST * each[0]
    )
    try:
        grey = cv2.imdecode(np.frombuffer(data, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    fits = grey is not None and grey.shape == (-(-height // by), -(-width // by))
    return grey if fits else None
