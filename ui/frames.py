"""StageMaps as bytes: the frames that a browser reads one after another.

A frame is the header's length (uint32, little endian), the header (JSON, UTF-8), then as many
bytes of payload as the header's `bytes` says. Heat travels as uint8, 255 = 1.0.
"""

import json
import struct
import zlib
from typing import Any

import numpy as np

from backend.images import encode_jpeg, encode_png
from backend.inspection import StageMap

# Below it PNG costs little and keeps small drawn scenes free of JPEG's ringing.
PNG_PIXELS = 120_000
# Flat maps shrink tenfold in a millisecond; heat hardly shrinks and is sent as it is.
DEFLATED_KINDS = frozenset({"zones", "labels", "score", "errors", "reliable"})


def frame(header: dict[str, Any], payload: bytes = b"") -> bytes:
    """One frame; `bytes` is added to the header."""
    text = json.dumps({**header, "bytes": len(payload)}, separators=(",", ":")).encode()
    return struct.pack("<I", len(text)) + text + payload


def stage_frame(made: StageMap) -> bytes:
    """The frame of a stage. `encoding` is raw, deflate, png, jpeg or none."""
    header: dict[str, Any] = {
        "stage": made.stage,
        "kind": made.kind,
        "tag": made.tag,
        "caption": made.caption,
        "numbers": made.numbers,
        "details": made.details,
        "seconds": round(made.seconds, 4),
        "encoding": "none",
    }
    if made.array is None:
        return frame(header)
    header["height"], header["width"] = made.array.shape[:2]
    if made.kind == "image":
        small = made.array.shape[0] * made.array.shape[1] <= PNG_PIXELS
        header["encoding"] = "png" if small else "jpeg"
        return frame(header, encode_png(made.array) if small else encode_jpeg(made.array))
    pixels = made.array
    if pixels.dtype.kind == "f":
        pixels = np.rint(pixels * 255).astype(np.uint8)
    header["dtype"] = pixels.dtype.name
    payload = np.ascontiguousarray(pixels).tobytes()
    if made.kind not in DEFLATED_KINDS:
        return frame({**header, "encoding": "raw"}, payload)
    return frame({**header, "encoding": "deflate"}, zlib.compress(payload, 1))
