"""Label Studio's brush strokes: a stream of bits that unfolds to the RGBA bytes of a picture.

The stream begins with how many values there are (32 bits), the bits of a value less one (5), and
four lengths less one (4 bits each). Then come blocks: one bit that says whether one value follows
or as many as the block is long, two that choose among the four lengths, the block's length less
one in that many bits, and the value or values. The alpha channel is the mask.
"""

from collections.abc import Sequence

import numpy as np

from backend.errors import DataError

_CHANNELS = 4
_ALPHA = 3
_HEADER = 32 + 5 + 4 * 4
_SIZES = (3, 4, 8, 16)
_WORD = 8


def decode_brush(rle: Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """The pixels of any opacity of a stroke, bool (H,W); raises DataError for what is no stream."""
    try:
        data = bytes(rle)
    except (TypeError, ValueError) as problem:
        raise DataError("a brush stroke must be a list of bytes") from problem
    stream = _Bits(data)
    if stream.left() < _HEADER:
        raise DataError("a brush stroke is cut short")
    total, word = stream.read(32), stream.read(5) + 1
    sizes = [stream.read(4) + 1 for _ in range(4)]
    wanted = size[0] * size[1] * _CHANNELS
    if total != wanted or word != _WORD:
        raise DataError(
            f"a brush stroke has {total:,} values of {word} bits, the {size[1]}x{size[0]} pixels "
            f"of its image {wanted:,} of {_WORD}"
        )
    values = np.zeros(total, np.uint8)
    at = 0
    while at < total:
        repeated = stream.read(1)
        count = stream.read(sizes[stream.read(2)]) + 1
        if at + count > total:
            raise DataError("a brush stroke unfolds to more than its image")
        values[at : at + count] = stream.read(word) if repeated else stream.many(count)
        at += count
    return values.reshape(*size, _CHANNELS)[:, :, _ALPHA] > 0


def encode_brush(covered: np.ndarray) -> list[int]:
    """The stream of bool (H,W), every covered pixel white and opaque."""
    flat = np.repeat(covered.ravel(), _CHANNELS)
    ends = np.append(np.flatnonzero(flat[1:] != flat[:-1]), len(flat) - 1)
    bits = [f"{len(flat):032b}", f"{_WORD - 1:05b}", *(f"{size - 1:04b}" for size in _SIZES)]
    begin = 0
    for end in ends.tolist():
        value = "1" * _WORD if flat[begin] else "0" * _WORD
        left = end + 1 - begin
        while left:
            count = min(left, 1 << _SIZES[-1])
            which = next(i for i, size in enumerate(_SIZES) if count <= 1 << size)
            bits.append(f"1{which:02b}{count - 1:0{_SIZES[which]}b}{value}")
            left -= count
        begin = end + 1
    digits = np.frombuffer("".join(bits).encode(), np.uint8) - ord("0")
    return np.packbits(digits).tolist()


class _Bits:
    """Bits of bytes, the highest first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def left(self) -> int:
        return 8 * len(self._data) - self._at

    def read(self, count: int) -> int:
        """The next `count` bits as a number."""
        if count > self.left():
            raise DataError("a brush stroke is cut short")
        begin, end = self._at, self._at + count
        piece = int.from_bytes(self._data[begin // 8 : (end + 7) // 8])
        self._at = end
        return (piece >> (-end % 8)) & ((1 << count) - 1)

    def many(self, count: int) -> np.ndarray:
        """The next `count` values of a byte each."""
        if count * _WORD > self.left():
            raise DataError("a brush stroke is cut short")
        begin, end = self._at, self._at + count * _WORD
        bits = np.unpackbits(np.frombuffer(self._data[begin // 8 : (end + 7) // 8], np.uint8))
        self._at = end
        return np.packbits(bits[begin % 8 : begin % 8 + count * _WORD])
