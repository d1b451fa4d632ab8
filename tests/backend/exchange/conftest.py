"""Small data sets written for a test."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.labels import write_labels


@pytest.fixture
def make_files(tmp_path: Path) -> Callable[[Mapping[str, object]], Path]:
    """Writes {relative path: content} under a folder and returns it.

    Content is text, bytes, an array of labels (uint8 (H,W), as a palette PNG), or "photo" for an
    image of 12x9 pixels (JPEG, or what the extension says).
    """

    def make(files: Mapping[str, object], folder: str = "set") -> Path:
        root = tmp_path / folder
        for number, (name, content) in enumerate(files.items()):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, np.ndarray):
                write_labels(path, content)
            elif content == "photo":
                Image.new("RGB", (12, 9), (number * 20 % 255, 90, 120)).save(path)
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text(str(content))
        return root

    return make


def mask(*ids: int) -> np.ndarray:
    """Labels of 12x9 pixels that hold these ids, the first one nearly everywhere."""
    labels = np.full((9, 12), ids[0] if ids else 0, np.uint8)
    labels[0, : len(ids)] = ids
    return labels


@pytest.fixture(name="mask")
def mask_fixture() -> Callable[..., np.ndarray]:
    return mask
