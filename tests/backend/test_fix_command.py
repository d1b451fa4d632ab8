"""python -m backend fix: what the editor saves, without a page."""

from pathlib import Path

import numpy as np
import pytest

from backend.__main__ import main
from backend.images import encode_png
from backend.labels import encode_labels, write_labels
from backend.maps import crf
from backend.workspace import Workspace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace with one photograph of a square, and a mask too small for it."""
    root = tmp_path / "workspace"
    image = np.full((48, 48, 3), 30, np.uint8)
    image[12:36, 12:36] = (220, 40, 40)
    labels = np.zeros((48, 48), np.uint8)
    labels[16:32, 16:32] = 1
    with Workspace.create(root, classes=["square"]) as made:
        added = made.store.images.add("one", encode_png(image), source="test", tags=[1]).image
        made.store.candidates.add(added.id, None, "cam", encode_labels(labels))
    return root


def test_a_corrected_mask_is_kept_as_the_next_version(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_labels(tmp_path / "mine.png", np.ones((48, 48), np.uint8))
    assert main(["fix", str(root), "1", str(tmp_path / "mine.png"), "--by", "ada"]) == 0
    assert "Candidate 2, drawn over 1" in capsys.readouterr().out
    write_labels(tmp_path / "other.png", np.full((48, 48), 255, np.uint8))
    assert main(["fix", str(root), "1", str(tmp_path / "other.png"), "--by", "ben"]) == 2
    assert "--over 2" in capsys.readouterr().err
    assert main(["fix", str(root), "1", str(tmp_path / "other.png"), "--over", "2"]) == 0
    with Workspace.open(root, read_only=True) as workspace:
        assert [c.parent_id for c in workspace.store.candidates.of_image(1)] == [1, 1, None]


@pytest.mark.skipif(crf.missing() is not None, reason="pydensecrf is not installed")
def test_a_mask_is_grown_to_the_edge(root: Path) -> None:
    assert main(["fix", str(root), "1", "--grow", "Square", "--reach", "8"]) == 0
    with Workspace.open(root, read_only=True) as workspace:
        digest = workspace.store.candidates.get(2).digest
        from backend.labels import read_labels

        grown = read_labels(workspace.store.files.path(digest))
    assert np.count_nonzero(grown[12:36, 12:36]) > 0.97 * 24 * 24
    assert np.count_nonzero(grown) < 1.03 * 24 * 24


def test_what_is_missing_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", str(root), "1"]) == 2
    assert "Name a corrected label PNG" in capsys.readouterr().err
    assert main(["fix", str(root), "1", "--grow", "dog"]) == 2
    assert "no class 'dog'" in capsys.readouterr().err
