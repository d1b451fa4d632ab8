"""A workspace with a few images and candidates, and the web app on it without a browser."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from backend.images import encode_png
from backend.labels import encode_labels
from backend.workspace import Workspace

HEADERS = {"X-Tagmask": "1", "Origin": "http://testserver"}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Three images tagged cat or dog, a candidate each; scores 0.2, 0.5 and none."""
    made = Workspace.create(tmp_path / "workspace", "Test bench", classes=("cat", "dog"))
    generator = np.random.default_rng(0)
    for index, scores in enumerate(({"SC": 0.2}, {"SC": 0.5}, {})):
        pixels = generator.integers(0, 255, (24, 32, 3), dtype=np.uint8)
        tag = 1 + index % 2
        image = made.store.images.add(
            f"image{index}", encode_png(pixels), source="test", tags=[tag]
        )
        labels = np.zeros((24, 32), np.uint8)
        labels[4:12, 6:20] = tag
        labels[0, index] = 255
        made.store.candidates.add(image.image.id, None, "test", encode_labels(labels), scores)
    yield made
    made.close()


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    """The whole web application; requests carry what the page's own requests carry."""
    from ui.server import build_app

    with TestClient(build_app(workspace), headers=HEADERS) as test_client:
        yield test_client
