"""backend.labels: class ids survive every file, and nothing else passes for them."""

import io
import resource
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backend.errors import DataError
from backend.labels import (
    VOC_CLASSES,
    decode_labels,
    encode_labels,
    read_heat,
    read_labels,
    resize_labels,
    voc_palette,
    write_heat,
    write_labels,
)


def png(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def test_voc_has_its_twenty_classes_in_order() -> None:
    assert len(VOC_CLASSES) == 20
    assert list(VOC_CLASSES) == sorted(VOC_CLASSES)
    assert VOC_CLASSES[14] == "person"


def test_the_palette_is_the_devkits() -> None:
    palette = voc_palette()
    known = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        2: (0, 128, 0),
        3: (128, 128, 0),
        8: (64, 0, 0),
        15: (192, 128, 128),
        20: (0, 64, 128),
        255: (224, 224, 192),
    }
    assert {number: tuple(palette[number].tolist()) for number in known} == known
    assert len(np.unique(palette, axis=0)) == 256
    assert np.array_equal(voc_palette(21), palette[:21])


def test_the_palette_is_the_one_of_real_masks(shared_data: Path) -> None:
    path = next((shared_data / "msrc" / "SegmentationClass").glob("*.png"))
    stored = np.array(Image.open(path).getpalette()).reshape(-1, 3)
    assert np.array_equal(stored[:21], voc_palette(21))


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_labels_round_trip_as_indices(height: int, width: int, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    assert np.array_equal(decode_labels(encode_labels(labels)), labels)


def test_written_labels_are_a_palette_png_in_vocs_colours(tmp_path: Path) -> None:
    labels = np.array([[0, 15], [255, 1]], np.uint8)
    write_labels(tmp_path / "deep" / "mask.png", labels)
    with Image.open(tmp_path / "deep" / "mask.png") as image:
        assert image.mode == "P"
        assert image.convert("RGB").getpixel((1, 0)) == (192, 128, 128)
    assert np.array_equal(read_labels(tmp_path / "deep" / "mask.png"), labels)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["mask.png"]


def test_a_strided_label_map_is_written_as_it_looks() -> None:
    labels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    assert np.array_equal(decode_labels(encode_labels(labels[::2, ::-3])), labels[::2, ::-3])


def test_grey_masks_and_small_palettes_are_read_as_indices() -> None:
    labels = np.array([[0, 1, 2], [3, 1, 0]], np.uint8)
    assert np.array_equal(decode_labels(png(Image.fromarray(labels))), labels)
    small = Image.fromarray(labels)
    small.putpalette(voc_palette(4).tobytes())
    data = png(small, bits=2)
    assert data[24] == 2  # stored with two bits a pixel
    assert np.array_equal(decode_labels(data), labels)


def test_a_palette_with_transparency_is_still_indices() -> None:
    labels = np.array([[0, 1]], np.uint8)
    image = Image.fromarray(labels)
    image.putpalette(voc_palette().tobytes())
    assert np.array_equal(decode_labels(png(image, transparency=0)), labels)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (Image.new("RGB", (4, 4)), "is a colour PNG"),
        (Image.new("RGBA", (4, 4)), "is a colour PNG"),
        (Image.new("LA", (4, 4)), "is a grey and alpha PNG"),
        (Image.fromarray(np.full((4, 4), 3, np.uint16)), "is a 16-bit PNG"),
        (Image.new("1", (4, 4)), "is a 1-bit grey PNG"),
    ],
)
def test_what_cannot_hold_ids_is_refused(image: Image.Image, words: str) -> None:
    with pytest.raises(DataError, match=f"mask {words}.*palette or 8-bit grey"):
        decode_labels(png(image))


def test_low_depth_grey_is_refused_because_its_values_would_be_stretched() -> None:
    done, data = cv2.imencode(".png", np.zeros((8, 8), np.uint8), [cv2.IMWRITE_PNG_BILEVEL, 1])
    assert done
    assert data[24] == 1
    with pytest.raises(DataError, match="1-bit grey"):
        decode_labels(data.tobytes())


@pytest.mark.parametrize("content", [b"", b"no png", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_png_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.png is (empty|not a readable PNG)"):
        read_labels(path)


def test_a_jpeg_is_no_mask(tmp_path: Path) -> None:
    Image.new("L", (9, 9)).save(tmp_path / "mask.png", "JPEG")
    with pytest.raises(DataError, match=r"not a readable PNG.*Masks and maps are PNG"):
        read_labels(tmp_path / "mask.png")


def test_a_truncated_mask_is_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 60), np.uint8)
    data = encode_labels(noise)
    with pytest.raises(DataError, match="truncated"):
        decode_labels(data[: len(data) // 2])


def test_a_missing_mask_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.png could not be read: No such file"):
        read_labels(tmp_path / "none.png")


def test_a_giant_mask_is_refused_from_its_header() -> None:
    data = bytearray(encode_labels(np.zeros((1, 1), np.uint8)))
    data[16:24] = struct.pack(">II", 9000, 8000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    with pytest.raises(DataError, match="9,000 x 8,000 pixels; at most"):
        decode_labels(bytes(data))


@pytest.mark.parametrize(
    "array", [np.zeros((3, 3, 3), np.uint8), np.zeros((3, 3)), np.zeros((0, 3), np.uint8)]
)
def test_only_label_maps_are_encoded(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a label map is uint8"):
        encode_labels(array)


def test_resizing_labels_takes_the_nearest_and_mixes_nothing() -> None:
    labels = np.array([[1, 20], [255, 7]], np.uint8)
    big = resize_labels(labels, (4, 6))
    assert np.array_equal(big, np.kron(labels, np.ones((2, 3), np.uint8)))
    assert np.array_equal(resize_labels(big, (2, 2)), labels)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_resizing_agrees_with_pillows_nearest(h: int, w: int, new_h: int, new_w: int) -> None:
    labels = np.random.default_rng(h * w).integers(0, 256, (h, w), np.uint8)
    other = Image.fromarray(labels).resize((new_w, new_h), Image.Resampling.NEAREST)
    ours = resize_labels(labels, (new_h, new_w))
    # Where a new pixel's centre falls on the edge between two old ones, either is nearest.
    rows = (np.arange(new_h) + 0.5) * h / new_h
    columns = (np.arange(new_w) + 0.5) * w / new_w
    sure = np.ix_(np.abs(rows - rows.round()) > 1e-6, np.abs(columns - columns.round()) > 1e-6)
    assert np.array_equal(ours[sure], np.asarray(other)[sure])
    assert set(np.unique(ours)) <= set(np.unique(labels))


def test_heat_is_kept_to_half_a_step_of_256(tmp_path: Path) -> None:
    heat = np.linspace(0, 1, 60, dtype=np.float32).reshape(6, 10)
    write_heat(tmp_path / "cat.png", heat)
    back = read_heat(tmp_path / "cat.png")
    assert back.dtype == np.float32
    assert np.abs(back - heat).max() <= 0.5 / 255 + 1e-6
    assert back[0, 0] == 0
    assert back[-1, -1] == 1


def test_heat_outside_its_range_is_clipped_and_nan_is_an_error(tmp_path: Path) -> None:
    write_heat(tmp_path / "a.png", np.array([[-3.0, 7.0]]))
    assert read_heat(tmp_path / "a.png").tolist() == [[0, 1]]
    with pytest.raises(ValueError, match="finite"):
        write_heat(tmp_path / "b.png", np.array([[np.nan]]))
    assert not (tmp_path / "b.png").exists()


def test_a_colour_image_is_no_heat_map(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="A heat map is an 8-bit grey PNG"):
        read_heat(tmp_path / "a.png")


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DataError, match=r"could not be written: .*Free some space or choose"):
        write_labels(tmp_path / "file" / "mask.png", np.array([[1]], np.uint8))


def test_a_write_that_runs_out_of_room_leaves_the_old_mask(tmp_path: Path) -> None:
    old = np.array([[1]], np.uint8)
    write_labels(tmp_path / "mask.png", old)
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(DataError, match="could not be written: File too large"):
            write_labels(tmp_path / "mask.png", noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert np.array_equal(read_labels(tmp_path / "mask.png"), old)
    assert [path.name for path in tmp_path.iterdir()] == ["mask.png"]


def test_a_damaged_file_is_told_without_the_names_of_objects(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"not a PNG at all")
    with pytest.raises(DataError, match=r"is not a readable PNG \(cannot identify") as refused:
        read_labels(tmp_path / "broken.png")
    assert "BytesIO" not in str(refused.value)
    assert "0x" not in str(refused.value)
