"""Broken bytes from outside: either what they say, or a sentence; never a crash."""

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backend.errors import DataError, ImageError
from backend.exchange.archive import extract
from backend.images import image_size, read_image
from backend.labels import decode_labels, encode_labels

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
]

KINDS = {
    "JPEG": {"quality": 80},
    "PNG": {},
    "WEBP": {"quality": 80},
    "BMP": {},
    "TIFF": {"compression": "tiff_lzw"},
    "GIF": {},
}


def picture() -> Image.Image:
    values = np.random.default_rng(3).integers(0, 256, (5, 7, 3), np.uint8)
    return Image.fromarray(values).resize((56, 40), Image.Resampling.BICUBIC)


def encoded(kind: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    options = dict(KINDS[kind])
    if kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        options["exif"] = exif
    buffer = io.BytesIO()
    picture().save(buffer, kind, **options)
    return buffer.getvalue()


SAMPLES = {kind: encoded(kind) for kind in KINDS}

# Places are fractions, so that a sweep does not favour headers or bodies of one format.
flips = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=12
)
header_flips = st.lists(st.tuples(st.integers(0, 120), st.integers(1, 255)), min_size=1, max_size=4)


def is_photograph_or_sentence(data: bytes) -> None:
    try:
        image = read_image(data, max_pixels=4_000_000)
    except ImageError as problem:
        sentence = str(problem)
    else:
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.shape[2] == 3
        assert (image.shape[1], image.shape[0]) == image_size(data)
        return
    assert sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bytes_give_a_photograph_or_a_sentence(kind: str, long_sweep: bool) -> None:
    @settings(max_examples=3000 if long_sweep else 60, deadline=None)
    @given(flips)
    def sweep(changes: list[tuple[float, int]]) -> None:
        data = bytearray(SAMPLES[kind])
        for place, change in changes:
            data[int(place * len(data))] ^= change
        is_photograph_or_sentence(bytes(data))

    sweep()


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_headers_give_a_photograph_or_a_sentence(kind: str, long_sweep: bool) -> None:
    @settings(max_examples=3000 if long_sweep else 60, deadline=None)
    @given(header_flips)
    def sweep(changes: list[tuple[int, int]]) -> None:
        data = bytearray(SAMPLES[kind])
        for place, change in changes:
            data[place % len(data)] ^= change
        is_photograph_or_sentence(bytes(data))

    sweep()


@pytest.mark.parametrize("kind", KINDS)
def test_cut_out_pieces_give_a_photograph_or_a_sentence(kind: str, long_sweep: bool) -> None:
    @settings(max_examples=1000 if long_sweep else 40, deadline=None)
    @given(st.floats(0, 1), st.floats(0, 1))
    def sweep(one: float, other: float) -> None:
        data = SAMPLES[kind]
        start, end = sorted((int(one * len(data)), int(other * len(data))))
        is_photograph_or_sentence(data[:start] + data[end:])

    sweep()


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", *(data[:16] for data in SAMPLES.values())]))
def test_random_bytes_give_a_photograph_or_a_sentence(rest: bytes, start: bytes) -> None:
    is_photograph_or_sentence(start + rest)


def test_flipped_bytes_of_a_mask_give_labels_or_a_sentence(long_sweep: bool) -> None:
    labels = np.random.default_rng(0).integers(0, 5, (20, 30), np.uint8)
    whole = encode_labels(labels)

    @settings(max_examples=3000 if long_sweep else 100, deadline=None)
    @given(flips)
    def sweep(changes: list[tuple[float, int]]) -> None:
        data = bytearray(whole)
        for place, change in changes:
            data[int(place * len(data))] ^= change
        try:
            found = decode_labels(bytes(data))
        except DataError:
            return
        assert found.dtype == np.uint8
        assert found.ndim == 2

    sweep()


def test_flipped_bytes_of_a_zip_never_leave_its_folder(long_sweep: bool) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.jpg", "dir/b.jpg", "tags.csv"):
            archive.writestr(name, SAMPLES["JPEG"])
    whole = buffer.getvalue()

    @settings(max_examples=2000 if long_sweep else 100, deadline=None)
    @given(flips)
    def sweep(changes: list[tuple[float, int]]) -> None:
        data = bytearray(whole)
        for place, change in changes:
            data[int(place * len(data))] ^= change
        with tempfile.TemporaryDirectory() as folder:
            path, out = Path(folder, "set.zip"), Path(folder, "out")
            path.write_bytes(data)
            try:
                extracted = extract(path, out)
            except DataError:
                assert {entry.name for entry in Path(folder).iterdir()} == {"set.zip"}
                return
            assert {entry.name for entry in Path(folder).iterdir()} == {"set.zip", "out"}
            for image in extracted.images:
                assert image.resolve().is_relative_to(out.resolve())

    sweep()
