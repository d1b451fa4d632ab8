"""The film of a run: a strip of example maps for every look, over one strip of photographs.

film/photographs.jpg    the examples side by side, PART pixels high
film/00000100.png       their attention maps after step 100, 8-bit grey, in the same places
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from backend.atomic import write_whole
from backend.images import encode_jpeg, encode_png
from backend.maps.attention import resize

FOLDER = "film"
PHOTOGRAPHS = "photographs.jpg"
PART = 96
MOST_FRAMES = 60
# Sides of a JPEG's block of colours: photographs that begin on one do not run into each other.
_BLOCK = 16
_NARROWEST, _WIDEST = 32, 240


@dataclass(frozen=True)
class Place:
    """Where an example stands in every strip: its tag's name, and pixels from the left."""

    image: str
    tag: str
    left: int
    width: int


def places(shown: Sequence[tuple[str, str, tuple[int, int]]]) -> list[Place]:
    """The places of examples given as (image, tag, (height, width)), from left to right."""
    found: list[Place] = []
    left = 0
    for image, tag, (height, width) in shown:
        wide = min(_WIDEST, max(_NARROWEST, round(PART * width / height)))
        found.append(Place(image, tag, left, wide))
        left = -(-(left + wide) // _BLOCK) * _BLOCK
    return found


def write_photographs(
    folder: Path, where: Sequence[Place], images: Sequence[np.ndarray], most: int = 90
) -> None:
    """Writes film/photographs.jpg of images uint8 (H,W,3); DataError where it cannot."""
    strip = np.zeros((PART, where[-1].left + where[-1].width, 3), np.uint8)
    for place, image in zip(where, images, strict=True):
        kind = cv2.INTER_AREA if image.shape[0] > PART else cv2.INTER_LINEAR
        part = cv2.resize(image, (place.width, PART), interpolation=kind)
        strip[:, place.left : place.left + place.width] = part
    write_whole(folder / FOLDER / PHOTOGRAPHS, encode_jpeg(strip, quality=most))


def write_frame(
    folder: Path, step: int, where: Sequence[Place], heats: Sequence[np.ndarray]
) -> dict[str, object]:
    """Writes the frame of a step, heats float32 (h,w) in 0..1; the fields of its event.

    A frame of the same step is replaced. Raises DataError where the file cannot be written.
    """
    strip = np.zeros((PART, where[-1].left + where[-1].width), np.uint8)
    for place, heat in zip(where, heats, strict=True):
        part = resize(heat[None], (PART, place.width))[0]
        strip[:, place.left : place.left + place.width] = np.rint(255 * part)
    name = f"{FOLDER}/{step:08d}.png"
    write_whole(folder / name, encode_png(strip))
    return {"step": step, "file": name, "frame": [asdict(place) for place in where]}


def frame_interval(between: int, steps: int) -> int:
    """Steps between two frames where looks are `between` steps apart: doubled until the film of
    a run of so many steps has at most MOST_FRAMES.
    """
    while steps // between >= MOST_FRAMES:
        between *= 2
    return between
