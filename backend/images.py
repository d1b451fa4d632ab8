"""Photographs: read safely whatever the file is, and written as PNG or JPEG.

Everything that comes from outside is decoded here and nowhere else. The header is read first, so
that a decompression bomb is refused before a pixel of it is allocated.
"""

import io
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from backend.errors import ImageError

MAX_PIXELS = 64_000_000
SMALLEST_SIDE = 8
ACCEPTED = "JPEG, PNG, WebP, BMP, TIFF and GIF"
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})

# Half a photograph must be an error even where another library asked Pillow to be lenient.
ImageFile.LOAD_TRUNCATED_IMAGES = False
# Above 89 million pixels Pillow warns, above 178 million it refuses; this module refuses far
# below both, in its own words.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)

_ORIENTATION = 0x0112
_JPEG_END = b"\xff\xd9"
_JPEG_SCAN = b"\xff\xda"
_MOST_WORK = 30 * MAX_PIXELS  # pixels times passes; encoders use about ten passes
_PNG_START = b"\x89PNG\r\n\x1a\n"
_LARGEST_BYTES_PER_PIXEL = 8  # 16-bit RGBA without compression
_OTHER_KINDS = (
    (rb"\s*%PDF", "a PDF document"),
    (rb"(?s).{4}ftyp(heic|heix|hevc|mif1|msf1)", "a HEIC photograph"),
    (rb"(?s).{4}ftypavi[fs]", "an AVIF image"),
    (rb"(?s).{4}ftyp", "a video"),
    (rb"PK\x03\x04", "a zip archive"),
    (rb"8BPS", "a Photoshop document"),
    (rb"(?i)\s*<(!doctype )?html", "a web page"),
)


def read_image(
    source: str | Path | bytes, *, max_pixels: int = MAX_PIXELS, name: str | None = None
) -> np.ndarray:
    """Decode a photograph to uint8 (H,W,3) RGB, turned the way its EXIF orientation says.

    CMYK, 16-bit, grey, palette, alpha (over white) and animated files (their first frame) are
    converted; the file's extension is not looked at. `name` stands in messages, else the file's.
    Raises ImageError with one sentence for everything that is not a whole photograph of at most
    `max_pixels`.
    """
    data, name = _bytes_of(source, name, max_pixels)
    with _opened(io.BytesIO(data), name, max_pixels) as (file, image):
        _check_scans(image, data, name)
        turn = _orientation(image, file)
        pixels = _decode_plain_jpeg(image, data)
        if pixels is None:
            pixels = _decode(image, name)
    return np.require(_turned(pixels, turn), requirements=["C", "W"])


def image_size(source: str | Path | bytes, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """(width, height) from the header alone, after the EXIF turn; raises ImageError."""
    with _header(source, max_pixels) as (file, image):
        width, height = image.size
        return (height, width) if _orientation(image, file) >= 5 else (width, height)


def plain_jpeg(source: str | Path | bytes) -> bool:
    """Whether a file is a JPEG that needs no turning and no other colours; raises ImageError."""
    with _header(source, MAX_PIXELS) as (file, image):
        return image.format == "JPEG" and image.mode == "RGB" and _orientation(image, file) == 1


def require_usable(image: np.ndarray, name: str = "The image") -> np.ndarray:
    """Hand back an image of at least 8x8 pixels; raises ImageError for a smaller one."""
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise ImageError(
            f"{name} is {width}x{height} pixels, too small to find anything in. "
            f"Both sides must be at least {SMALLEST_SIDE} pixels."
        )
    return image


def encode_png(image: np.ndarray) -> bytes:
    """PNG bytes of a uint8 (H,W,3) RGB or (H,W) grey image."""
    return _encoded(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 3])


def encode_jpeg(image: np.ndarray, quality: int = 92) -> bytes:
    """JPEG bytes of a uint8 (H,W,3) RGB or (H,W) grey image; quality 1..100."""
    return _encoded(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])


def thumbnail(image: np.ndarray, side: int) -> bytes:
    """JPEG bytes of the image scaled so that its longer side is `side`; never enlarged."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return encode_jpeg(image, quality=85)


def _bytes_of(source: str | Path | bytes, name: str | None, max_pixels: int) -> tuple[bytes, str]:
    """The file in memory and what to call it; refuses what its length rules out as an image."""
    if isinstance(source, bytes):
        name = name or "The image"
        _check_length(len(source), name, max_pixels)
        return source, name
    path = Path(source)
    name = name or path.name
    try:
        _check_length(_file_length(path), name, max_pixels)
        return path.read_bytes(), name
    except (OSError, ValueError) as problem:
        raise ImageError(_unreadable(path, problem)) from problem


def _file_length(path: Path) -> int:
    # A pipe or a device named as an image would be read for ever.
    if path.exists() and not path.is_file():
        raise ImageError(f"{path} is not a file. Name an image: {ACCEPTED} are read.")
    return path.stat().st_size


def _unreadable(path: Path, problem: Exception) -> str:
    return f"{path} could not be read: {getattr(problem, 'strerror', None) or problem}."


def _check_length(length: int, name: str, max_pixels: int) -> None:
    if length == 0:
        raise ImageError(f"{name} is empty (0 bytes). Copy it again from where it came.")
    if length > max_pixels * _LARGEST_BYTES_PER_PIXEL + 16_000_000:
        raise ImageError(
            f"{name} is {length / 1e6:,.0f} MB, more than an image of {max_pixels:,} pixels can "
            "take. Scale it down first."
        )


@contextmanager
def _header(source: str | Path | bytes, max_pixels: int) -> Iterator[tuple[BinaryIO, Image.Image]]:
    """As `_opened`, but of a path no more is read than the decoder asks for."""
    if isinstance(source, bytes):
        _check_length(len(source), "The image", max_pixels)
        with _opened(io.BytesIO(source), "The image", max_pixels) as opened:
            yield opened
        return
    path = Path(source)
    try:
        _check_length(_file_length(path), path.name, max_pixels)
        file = path.open("rb")
    except (OSError, ValueError) as problem:
        raise ImageError(_unreadable(path, problem)) from problem
    with file, _opened(file, path.name, max_pixels) as opened:
        yield opened


@contextmanager
def _opened(file: BinaryIO, name: str, max_pixels: int) -> Iterator[tuple[BinaryIO, Image.Image]]:
    """The file and the image of which only the header is read; all failures are ImageErrors."""
    try:
        with Image.open(file, formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise ImageError(
                    f"{name} is {width:,} x {height:,} pixels; at most {max_pixels:,} pixels are "
                    "read. Scale it down first."
                )
            yield file, image
    except ImageError:
        raise
    except UnidentifiedImageError as problem:
        raise ImageError(_not_an_image(file, name)) from problem
    except Image.DecompressionBombError as problem:
        count = re.search(r"\d+", str(problem))
        pixels = f"{int(count[0]):,}" if count else "too many"
        raise ImageError(
            f"{name} would unfold to {pixels} pixels; at most {max_pixels:,} are read. "
            "Scale it down first."
        ) from problem
    except MemoryError as problem:
        raise ImageError(f"{name} does not fit into memory. Scale it down first.") from problem
    except Exception as problem:
        # A decoder fed with broken bytes raises whatever it stumbles over (OSError, SyntaxError,
        # ValueError, struct.error, zlib.error, ...): to a person they are all one thing.
        raise ImageError(
            f"{name} is damaged or cut short ({told_by(problem)}). Copy it again from where it "
            "came."
        ) from problem


def told_by(problem: Exception) -> str:
    """What a decoder says of a file, without the names that objects have inside of this program."""
    said = re.sub(r" ?<[^<>]* at 0x[0-9a-fA-F]+>", "", str(problem)).rstrip(". ")
    return said or type(problem).__name__


def _not_an_image(file: BinaryIO, name: str) -> str:
    file.seek(0)
    start = file.read(4096)
    kind = next((words for pattern, words in _OTHER_KINDS if re.match(pattern, start)), None)
    if start.lstrip().startswith(b"<") and b"<svg" in start:
        kind = "an SVG drawing"
    if kind:
        return f"{name} is {kind}, which is not read. Save it as JPEG or PNG first."
    return f"{name} is not an image, or its beginning is damaged. {ACCEPTED} are read."


def _check_scans(image: Image.Image, data: bytes, name: str) -> None:
    """Refuse a progressive JPEG that passes over its pixels thousands of times, taking hours."""
    width, height = image.size
    if image.info.get("progressive") and data.count(_JPEG_SCAN) * width * height > _MOST_WORK:
        raise ImageError(
            f"{name} is a progressive JPEG with an unreasonable number of passes. Save it again "
            "as an ordinary JPEG."
        )


def _decode_plain_jpeg(image: Image.Image, data: bytes) -> np.ndarray | None:
    """OpenCV's decoder for ordinary whole JPEGs: the same pixels as Pillow's in half the time.

    It fills the missing part of a file cut short with grey instead of failing, so a file that does
    not end as a JPEG ends is left to Pillow, which refuses it.
    """
    if image.format not in ("JPEG", "MPO") or image.mode != "RGB" or not data.endswith(_JPEG_END):
        return None
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    width, height = image.size
    return pixels if pixels is not None and pixels.shape == (height, width, 3) else None


def _decode(image: Image.Image, name: str) -> np.ndarray:
    """Any mode to uint8 (H,W,3), not yet turned."""
    if image.mode.startswith("I;16"):
        # Pillow's own conversion clips at 255 instead of scaling 65535 to 255.
        values = np.asarray(image).astype(np.uint32)
        grey = ((values + 128) // 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise ImageError(
            f"{name} holds 32-bit values, for which no white is agreed. Save it with 8 or 16 bits."
        )
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        flat = Image.new("RGB", layers.size, (255, 255, 255))
        flat.paste(layers, mask=layers.getchannel("A"))
        return np.asarray(flat)
    return np.asarray(image.convert("RGB"))


def _orientation(image: Image.Image, file: BinaryIO) -> int:
    """EXIF orientation 1..8, from the header alone; 1 where there is none or it is nonsense."""
    if image.format == "TIFF":
        return 1  # Pillow turns TIFFs itself, their size included.
    try:
        if image.format == "PNG":
            exif = Image.Exif()
            exif.load(_png_exif(file))
        else:
            exif = image.getexif()
        value = exif.get(_ORIENTATION, 1)
    except Exception:
        # A photograph with a broken EXIF block is still a photograph.
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _png_exif(file: BinaryIO) -> bytes:
    """The eXIf chunk, which may also stand behind the pixels, where Pillow finds it only late."""
    before = file.tell()
    found = b""
    file.seek(len(_PNG_START))
    while len(start := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", start)
        if kind == b"eXIf":
            found = file.read(length)
            break
        file.seek(length + 4, io.SEEK_CUR)
    file.seek(before)
    return found


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation: 2 and 4 mirror, 3 turns by half, 5 to 8 swap the sides."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _encoded(suffix: str, image: np.ndarray, options: list[int]) -> bytes:
    grey = image.ndim == 2
    if image.dtype != np.uint8 or not (grey or (image.ndim == 3 and image.shape[2] == 3)):
        raise ValueError(f"an image is uint8 (H,W,3) or (H,W), this is {image.dtype} {image.shape}")
    if 0 in image.shape:
        raise ValueError(f"an image has at least one pixel, this is {image.shape}")
    done, buffer = cv2.imencode(suffix, image if grey else image[..., ::-1], options)
    if not done:
        raise ValueError(f"{image.shape} could not be encoded as {suffix}")
    return bytes(buffer)
