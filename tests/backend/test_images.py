"""backend.images: every kind of photograph comes out right, everything else as one sentence."""

import io
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backend.errors import ImageError
from backend.images import (
    encode_jpeg,
    encode_png,
    image_size,
    plain_jpeg,
    read_image,
    require_usable,
    thumbnail,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:Corrupt EXIF data"),
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
]

# 2 rows, 3 columns, every pixel its own colour, so that every turn gives another picture.
CARD = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[9, 9, 9], [120, 120, 0], [250, 250, 250]]],
    np.uint8,
)


def smooth(height: int = 40, width: int = 60) -> np.ndarray:
    """A picture that JPEG keeps nearly unchanged."""
    rows, columns = np.mgrid[:height, :width]
    channels = (rows * 255 / height, columns * 255 / width, 128 + 0 * rows)
    return np.stack(channels, axis=2).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png_of_size(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A PNG whose header promises a size, 8-bit RGB, whatever its pixels are."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", pixels)
        + png_chunk(b"IEND", b"")
    )


def exif_with(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


# What a camera stores so that turning by the EXIF rule gives CARD (EXIF 2.3, figure 5):
STORED = {
    1: CARD,
    2: CARD[:, ::-1],
    3: CARD[::-1, ::-1],
    4: CARD[::-1],
    5: CARD.transpose(1, 0, 2),
    6: np.rot90(CARD, 1),
    7: CARD[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(CARD, -1),
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "WEBP"])
def test_lossless_files_come_back_pixel_for_pixel(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    image = read_image(saved(Image.fromarray(CARD), kind, **options))
    assert np.array_equal(image, CARD)
    assert image.flags.writeable
    assert image.flags.c_contiguous


def test_a_gif_with_few_colours_comes_back_pixel_for_pixel() -> None:
    data = saved(Image.fromarray(CARD).quantize(6), "GIF")
    assert np.array_equal(read_image(data), CARD)


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"progressive": True}])
def test_the_fast_jpeg_decoder_gives_pillows_pixels(options: dict) -> None:
    data = saved(Image.fromarray(smooth()), "JPEG", quality=85, **options)
    assert np.array_equal(read_image(data), np.asarray(Image.open(io.BytesIO(data))))


def test_photographs_give_pillows_pixels(shared_data: Path) -> None:
    for path in sorted((shared_data / "msrc" / "JPEGImages").glob("*.jpg"))[:12]:
        assert np.array_equal(read_image(path), np.asarray(Image.open(path)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_exif_rotated_photographs_are_turned_right(orientation: int, kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation]))
    data = saved(stored, kind, exif=exif_with(orientation), **options)
    assert np.array_equal(read_image(data), CARD)
    assert image_size(data) == (3, 2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotated_jpegs_are_turned_right_on_the_fast_path(orientation: int) -> None:
    big = np.kron(CARD, np.ones((16, 16, 1), np.uint8))
    turned = {
        number: np.kron(card, np.ones((16, 16, 1), np.uint8)) for number, card in STORED.items()
    }
    data = saved(
        Image.fromarray(np.ascontiguousarray(turned[orientation])),
        "JPEG",
        quality=100,
        subsampling=0,
        exif=exif_with(orientation),
    )
    image = read_image(data)
    assert image.shape == big.shape
    assert np.abs(image.astype(int) - big).max() < 12
    assert image_size(data) == (48, 32)
    assert plain_jpeg(data) == (orientation == 1)


def test_an_exif_chunk_behind_the_pixels_of_a_png_is_seen() -> None:
    data = saved(Image.fromarray(np.ascontiguousarray(STORED[6])), "PNG")
    exif = exif_with(6).tobytes().removeprefix(b"Exif\0\0")
    late = data[:-12] + png_chunk(b"eXIf", exif) + data[-12:]
    assert np.array_equal(read_image(late), CARD)
    assert image_size(late) == (3, 2)


@pytest.mark.parametrize("block", [b"", b"II*\0", b"MM\0*\xff\xff\xff\xff", b"garbage" * 9])
def test_a_broken_exif_block_does_not_spoil_the_photograph(block: bytes) -> None:
    data = saved(Image.fromarray(smooth()), "JPEG", exif=b"Exif\0\0" + block)
    assert read_image(data).shape == (40, 60, 3)


@pytest.mark.parametrize("nonsense", [0, 9, 65535])
def test_a_nonsense_orientation_means_upright(nonsense: int) -> None:
    data = saved(Image.fromarray(CARD), "PNG", exif=exif_with(nonsense))
    assert np.array_equal(read_image(data), CARD)


def test_grey_becomes_three_equal_channels() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    assert np.array_equal(read_image(saved(Image.fromarray(grey), "PNG")), np.dstack([grey] * 3))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(kind: str) -> None:
    values = np.array([[0, 257, 32896, 65535]], np.uint16)
    image = read_image(saved(Image.fromarray(values), kind))
    assert image[0, :, 0].tolist() == [0, 1, 128, 255]


def test_sixteen_bit_colour_is_scaled() -> None:
    values = np.full((4, 5, 3), 65535, np.uint16)
    values[0, 0] = (0, 32896, 65535)
    image = read_image(cv2.imencode(".png", values[..., ::-1])[1].tobytes())
    assert image[0, 0].tolist() == [0, 128, 255]
    assert image[1, 1].tolist() == [255, 255, 255]


def test_values_without_a_white_are_refused() -> None:
    data = saved(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF")
    with pytest.raises(ImageError, match=r"32-bit values.*Save it with 8 or 16 bits"):
        read_image(data)


def test_cmyk_becomes_rgb() -> None:
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # full magenta and yellow: red
    red = read_image(saved(ink, "JPEG", quality=100)).reshape(-1, 3).mean(0)
    assert red[0] > 240
    assert max(red[1], red[2]) < 15


def test_alpha_is_laid_over_white() -> None:
    layers = np.zeros((1, 3, 4), np.uint8)
    layers[0, :, 3] = (255, 0, 51)  # black: solid, absent, a fifth
    image = read_image(saved(Image.fromarray(layers), "PNG"))
    assert image[0, :, 0].tolist() == [0, 255, 204]


def test_a_transparent_palette_colour_becomes_white() -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8))
    image.putpalette([10, 20, 30, 200, 0, 0])
    data = saved(image, "PNG", transparency=0)
    assert read_image(data).tolist() == [[[255, 255, 255], [200, 0, 0]]]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_read(kind: str) -> None:
    frames = [Image.new("RGB", (9, 8), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (read_image(data) == (255, 0, 0)).all()


def test_the_extension_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(saved(Image.fromarray(CARD), "PNG"))
    assert np.array_equal(read_image(path), CARD)
    assert image_size(path) == (3, 2)


def test_one_pixel_is_read_but_is_not_usable() -> None:
    image = read_image(saved(Image.new("RGB", (1, 1), "red"), "PNG"))
    assert image.tolist() == [[[255, 0, 0]]]
    with pytest.raises(ImageError, match=r"dot\.png is 1x1 pixels, too small.*at least 8"):
        require_usable(image, "dot.png")
    assert require_usable(np.zeros((8, 8, 3), np.uint8)).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\0", "is not an image"),
        (b"hello, I am a text file\n" * 9, "is not an image"),
        (b"%PDF-1.7\n...", "is a PDF document, which is not read. Save it as JPEG or PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is an SVG drawing"),
        (b"<?xml version='1.0'?>\n<!-- x --><svg/>", "is an SVG drawing"),
        (b"<!DOCTYPE html><html></html>", "is a web page"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "is a HEIC photograph"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "is an AVIF image"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "is a video"),
        (b"PK\x03\x04" + b"\0" * 40, "is a zip archive"),
        (b"\xff\xd8\xff\xe0", "not an image, or its beginning is damaged|damaged or cut short"),
        (b"\x89PNG\r\n\x1a\n", "not an image, or its beginning is damaged|damaged or cut short"),
    ],
)
def test_what_is_no_photograph_is_named_in_one_sentence(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "thing.jpg"
    path.write_bytes(content)
    for read in (read_image, image_size):
        with pytest.raises(ImageError, match=words) as caught:
            read(path)
        assert str(caught.value).startswith("thing.jpg")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_refused(kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)
    data = saved(Image.fromarray(noise), kind)
    with pytest.raises(ImageError, match=r"damaged or cut short|beginning is damaged"):
        read_image(data[: int(len(data) * share)])


def test_truncated_photographs_are_refused_wherever_they_end(shared_data: Path) -> None:
    data = min((shared_data / "msrc" / "JPEGImages").glob("*.jpg")).read_bytes()
    for end in range(700, len(data) - 4, 997):
        with pytest.raises(ImageError):
            read_image(data[:end])


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"none\.jpg could not be read: No such file"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="is not a file"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match="could not be read"):
        image_size("a\0b.jpg")


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    with pytest.raises(ImageError, match="is not a file"):
        read_image(pipe)


@pytest.mark.parametrize("read", [read_image, image_size])
@pytest.mark.parametrize(
    ("width", "height"), [(20_000, 20_000), (9_000, 9_000), (2**31 - 1, 2**31 - 1), (64_000_001, 1)]
)
def test_a_bomb_is_refused_from_its_header_without_allocating(
    read: object, width: int, height: int
) -> None:
    data = png_of_size(width, height, zlib.compress(bytes(100_000), 9))
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match=r"at most 64,000,000.*Scale it down"):
            read(data)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


def promising(kind: str, width: int, height: int) -> bytes:
    """A small file of a format with another size written into its header."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    options = {"save_all": True, "append_images": frames[1:]} if kind == "WEBP" else {}
    data = bytearray(saved(frames[0], kind, **options))
    if kind == "BMP":
        data[18:26] = struct.pack("<ii", width, height)
    elif kind == "GIF":
        data[6:10] = struct.pack("<HH", width, height)
    elif kind == "WEBP":
        data[24:30] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    elif kind == "JPEG":
        at = data.index(b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    else:
        for tag, value in ((b"\x00\x01\x04\x00", width), (b"\x01\x01\x04\x00", height)):
            at = data.index(tag)
            data[at + 8 : at + 12] = struct.pack("<I", value)
    return bytes(data)


@pytest.mark.parametrize("kind", ["BMP", "GIF", "JPEG", "TIFF", "WEBP"])
def test_other_formats_that_promise_too_much_are_refused_too(kind: str) -> None:
    with pytest.raises(ImageError, match="9,000 x 8,000 pixels; at most"):
        read_image(promising(kind, 9_000, 8_000))


def test_the_limit_is_the_callers() -> None:
    data = saved(Image.new("RGB", (20, 10)), "PNG")
    assert read_image(data, max_pixels=200).shape == (10, 20, 3)
    with pytest.raises(ImageError, match="20 x 10 pixels; at most 199 pixels"):
        read_image(data, max_pixels=199)


def test_a_compressed_text_bomb_inside_a_png_is_refused() -> None:
    data = saved(Image.fromarray(CARD), "PNG")
    text = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000), 9))
    with pytest.raises(ImageError, match="damaged or cut short"):
        read_image(data[:33] + text + data[33:])


def test_a_jpeg_of_endless_passes_is_refused() -> None:
    data = saved(Image.new("RGB", (3000, 3000)), "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    slow = data[:-2] + data[at:-2] * 4000 + data[-2:]
    with pytest.raises(ImageError, match="unreasonable number of passes"):
        read_image(slow)
    assert read_image(data).shape == (3000, 3000, 3)


def test_a_file_longer_than_any_image_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "disk.jpg"
    with path.open("wb") as file:
        file.truncate(40_000_000)
    with pytest.raises(ImageError, match="40 MB, more than an image of 1,000,000 pixels"):
        read_image(path, max_pixels=1_000_000)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_png_round_trips_every_picture(height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    assert np.array_equal(read_image(encode_png(image)), image)
    assert image_size(encode_jpeg(image)) == (width, height)


def test_jpeg_keeps_a_smooth_picture_nearly() -> None:
    image = smooth()
    assert np.abs(read_image(encode_jpeg(image, 95)).astype(int) - image).mean() < 2


@pytest.mark.parametrize(
    ("shape", "side", "expected"),
    [((40, 60), 30, (30, 20)), ((40, 60), 600, (60, 40)), ((1, 500), 100, (100, 1))],
)
def test_thumbnails_keep_their_shape_and_are_never_enlarged(
    shape: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    assert image_size(thumbnail(smooth(*shape), side)) == expected


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
)
def test_only_images_are_encoded(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="an image"):
        encode_png(array)
