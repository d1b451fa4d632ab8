"""`python -m backend queue` and `decide`, as a person types them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backend.images import encode_png
from backend.labels import encode_labels
from backend.workspace import Workspace

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Three images with two masks each, the first two tagged cat."""
    root = tmp_path / "workspace"
    with Workspace.create(root, classes=("cat", "dog")) as made:
        draw = np.random.default_rng(0)
        for index in range(3):
            photo = encode_png(draw.integers(0, 256, (6, 9, 3), np.uint8))
            tag = 1 + index // 2
            image = made.store.images.add(f"image{index}", photo, source="t", tags=[tag]).image
            for place, method in enumerate(("dcsp", "oaa")):
                labels = np.zeros((6, 9), np.uint8)
                labels[: 2 + place * (index + 1)] = tag
                score = {"SC": (index + 3 * place) / 10}
                made.store.candidates.add(image.id, None, method, encode_labels(labels), score)
    return root


def typed(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "backend", *map(str, words)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_queue_is_listed_with_its_reasons(workspace: Path) -> None:
    done = typed("queue", workspace, "--tag", "CAT", "--from", "0.1")
    assert done.returncode == 0
    assert [line.split()[2:4] for line in done.stdout.splitlines()] == [
        ["image1", "dcsp"],
        ["image0", "oaa"],
        ["image1", "oaa"],
    ]
    assert "lowest SC first: 0.10" in done.stdout
    assert "3 of 3" in done.stderr
    done = typed("queue", workspace, "--order", "methods", "--compare", "--json", "--limit", "2")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    # Two rows of five are common in the last image, two of three in the first.
    assert [row["image_name"] for row in rows] == ["image2", "image2"]
    assert rows[0]["apart"] == pytest.approx(0.6)


def test_a_set_is_counted_decided_and_taken_back(workspace: Path) -> None:
    counted = typed("decide", workspace, "accept", "--tag", "cat", "--to", "0.2")
    assert counted.stdout == "2 masks of 2 under these filters\n"
    assert "--yes" in counted.stderr
    words = ("decide", workspace, "accept", "--tag", "cat", "--to", "0.2", "--reviewer", "ada")
    assert typed(*words, "--yes").stdout == "2 masks accepted by ada\n"
    with Workspace.open(workspace, read_only=True) as opened:
        assert opened.store.candidates.counts().verdicts["accept"] == 2
    undone = typed("decide", workspace, "undo", "--reviewer", "ada")
    assert undone.stdout == "2 decisions of ada taken back\n"
    again = typed("decide", workspace, "undo", "--reviewer", "ada")
    assert again.stdout == "There is nothing of ada's left to undo.\n"
    with Workspace.open(workspace, read_only=True) as opened:
        assert opened.store.candidates.counts().verdicts["undecided"] == 6


def test_an_unknown_class_is_named_with_the_known_ones(workspace: Path) -> None:
    done = typed("queue", workspace, "--tag", "horse")
    assert done.returncode == 2
    assert "no class 'horse'; there are cat, dog" in done.stderr
