"""The papers' arithmetic: pure functions on arrays, one idea a file.

Needs numpy, OpenCV and scipy and nothing of ours; pydensecrf only when a CRF is run, torch only
where a gradient passes. Bad arguments raise ValueError with a sentence that names them.
"""

from backend.maps import (
    accumulation,
    attention,
    crf,
    cues,
    erasing,
    fusion,
    grabcut,
    gradient,
    growing,
    scoring,
    walk,
    zones,
)

__all__ = [
    "accumulation",
    "attention",
    "crf",
    "cues",
    "erasing",
    "fusion",
    "grabcut",
    "gradient",
    "growing",
    "scoring",
    "walk",
    "zones",
]
