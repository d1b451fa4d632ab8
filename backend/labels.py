"""Label maps and heat maps as PNG files.

A label map is uint8 (H,W): 0 background, class ids up to 254, 255 ignore. It is stored as a palette
PNG in VOC's colours and always read back as indices, never as decoded colours.
"""

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from backend.atomic import write_whole
from backend.errors import DataError
from backend.images import MAX_PIXELS, encode_png, told_by

BACKGROUND = 0
IGNORE = 255
VOC_CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)


def voc_palette(n: int = 256) -> np.ndarray:
    """Pascal VOC's colours, uint8 (n,3) RGB: the bits of an id dealt out to red, green, blue."""
    ids = np.arange(n)
    palette = np.zeros((n, 3), np.uint8)
    for place in range(8):
        for channel in range(3):
            bit = (ids >> (3 * place + channel)) & 1
            palette[:, channel] |= (bit << (7 - place)).astype(np.uint8)
    return palette


def read_labels(path: str | Path) -> np.ndarray:
    """A label PNG as uint8 (H,W) of palette indices or 8-bit grey values; raises DataError."""
    path = Path(path)
    return decode_labels(_read(path), name=str(path))


def decode_labels(data: bytes, name: str = "The mask") -> np.ndarray:
    """Label PNG bytes as uint8 (H,W); raises DataError for anything but palette or 8-bit grey."""
    mode, values = _decode(data, name)
    if mode in ("P", "L"):
        return values
    raise DataError(
        f"{name} is a {_describe(mode)} PNG. A mask must be a palette or 8-bit grey PNG whose "
        "values are class ids, because colours cannot be read back as ids safely."
    )


def encode_labels(labels: np.ndarray) -> bytes:
    """Palette PNG bytes (VOC colours) of a uint8 (H,W) label map."""
    if labels.dtype != np.uint8 or labels.ndim != 2 or labels.size == 0:
        raise ValueError(f"a label map is uint8 (H,W), this is {labels.dtype} {labels.shape}")
    image = Image.fromarray(np.ascontiguousarray(labels))
    image.putpalette(voc_palette().tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def write_labels(path: str | Path, labels: np.ndarray) -> None:
    """Write a label map as a palette PNG, whole or not at all; raises DataError on a full disk."""
    write_whole(path, encode_labels(labels))


def resize_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A label map at another (height, width), nearest neighbour, so no id is ever mixed."""
    height, width = size
    return cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def write_heat(path: str | Path, heat: np.ndarray) -> None:
    """Write a map of 0..1 as an 8-bit grey PNG, 255 = 1.0; values outside are clipped."""
    if heat.ndim != 2 or not np.isfinite(heat).all():
        raise ValueError(
            f"a heat map is (H,W) of finite numbers, this is {heat.dtype} {heat.shape}"
        )
    write_whole(path, encode_png(np.rint(np.clip(heat, 0, 1) * 255).astype(np.uint8)))


def read_heat(path: str | Path) -> np.ndarray:
    """An 8-bit grey PNG as float32 (H,W) in 0..1; raises DataError for other files."""
    path = Path(path)
    mode, values = _decode(_read(path), str(path))
    if mode != "L":
        raise DataError(f"{path} is a {_describe(mode)} PNG. A heat map is an 8-bit grey PNG.")
    return values.astype(np.float32) / 255


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise DataError(f"{path} could not be read: {problem.strerror}.") from problem


def _decode(data: bytes, name: str) -> tuple[str, np.ndarray]:
    """Pillow's mode and the raw values of a PNG; low-depth grey is called L;1, L;2 or L;4."""
    if not data:
        raise DataError(f"{name} is empty (0 bytes).")
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(
                    f"{name} is {image.width:,} x {image.height:,} pixels; at most "
                    f"{MAX_PIXELS:,} pixels are read."
                )
            # Pillow stretches 2- and 4-bit grey to 0..255, which would change class ids silently.
            depth = data[24]
            mode = f"L;{depth}" if image.mode in ("1", "L") and depth < 8 else image.mode
            return mode, np.array(image)
    except DataError:
        raise
    except Exception as problem:
        # As in backend.images: a decoder fed with broken bytes raises anything.
        raise DataError(
            f"{name} is not a readable PNG ({told_by(problem)}). Masks and maps are PNG files."
        ) from problem


def _describe(mode: str) -> str:
    if mode.startswith("L;"):
        return f"{mode[2:]}-bit grey"
    names = {"RGB": "colour", "RGBA": "colour", "LA": "grey and alpha", "P": "palette", "L": "grey"}
    return names.get(mode, "16-bit" if mode.startswith("I") else mode)
