"""The benchmark of pipelines: which row a table takes, its verdicts, what its archives hold."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from backend.labels import read_labels, write_labels
from benchmarks.pipeline_rows.packing import pack
from benchmarks.pipeline_rows.rows import Row, Wanted, keep, kept
from benchmarks.pipeline_rows.tables import table


def row(name: str, split: str, miou: float, *, digest: str = "d", made: float = 1.0) -> Row:
    figures = {
        "attention": {"miou": 50.0},
        "labels": {"labels_miou": 70.0},
        "predictions": {"miou": miou},
    }
    return Row(
        name, split, "val", 0, {"predictions": digest}, figures, {"labels": 90.0}, "network", made
    )


def test_the_newest_row_of_a_pipeline_is_taken(tmp_path: Path):
    wanted = Wanted("oaa", "oaa", "fit", "val")
    assert kept(tmp_path, wanted, 0) is None
    keep(tmp_path, row("oaa", "fit", 60, digest="new", made=2))
    keep(tmp_path, row("oaa", "fit", 50, digest="old", made=1))
    keep(tmp_path, row("oaa+", "fit", 40, made=3))
    found = kept(tmp_path, wanted, 0)
    assert found is not None
    assert found.digests == {"predictions": "new"}
    assert kept(tmp_path, wanted, 1) is None


def test_a_method_is_judged_beside_the_segmenter_that_is_its_own():
    found = {
        ("full", "fit"): row("full", "fit", 60),
        ("full-aspp", "fit"): row("full-aspp", "fit", 40),
        ("oaa", "fit"): row("oaa", "fit", 53.9),
        ("dcsp", "fit"): row("dcsp", "fit", 36.1),
    }
    lines = table(found, 0).splitlines()
    said = {line.split("|")[1].strip(): line for line in lines if line.startswith("| ")}
    assert said["OAA"] == "| OAA | network | 70.0 | 53.9 | 60.0 | 89.8 % | below 90 % |"
    assert said["DCSP"] == "| DCSP | network | 70.0 | 36.1 | 40.0 | 90.2 % | reaches 90 % |"
    weak = table(
        {("ecsnet", "fit"): row("ecsnet", "fit", 1), ("full", "fit"): row("full", "fit", 2)}, 0
    )
    assert "| ECS-Net | none | 70.0 | 1.0 | 2.0 | 50.0 % | below 90 % |" in weak
    assert said["SeeNet"] == "| SeeNet | not made | | | | | |"


@pytest.mark.parametrize(("digest", "packed"), [("d", True), ("another", False)])
def test_an_archive_holds_the_predictions_of_the_row_alone(
    tmp_path: Path, digest: str, packed: bool
):
    labels = np.zeros((6, 8), np.uint8)
    for number in range(3):
        labels[number] = number + 1
        write_labels(tmp_path / "predictions" / f"im{number}.png", labels)
    stages = {"stages": [{"name": "predictions", "digest": digest}]}
    (tmp_path / "pipeline.json").write_text(json.dumps(stages))
    archive = tmp_path / "out" / "oaa.zip"
    assert pack(tmp_path, row("oaa", "train", 1), archive) is packed
    assert archive.exists() is packed
    if packed:
        first = archive.read_bytes()
        with zipfile.ZipFile(archive) as made:
            assert made.comment == b"d"
            made.extractall(tmp_path / "again")
        assert sorted(path.name for path in (tmp_path / "again").iterdir()) == [
            "im0.png", "im1.png", "im2.png",
        ]  # fmt: skip
        np.testing.assert_array_equal(read_labels(tmp_path / "again" / "im2.png"), labels)
        assert pack(tmp_path, row("oaa", "train", 1), archive)
        assert archive.read_bytes() == first
    assert not pack(tmp_path / "nowhere", row("oaa", "train", 1), archive)
