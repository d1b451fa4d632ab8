"""The maps of an earlier run as targets: cut as the samples are, and asked for where missing."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.errors import DataError
from backend.exchange.sources import Source, open_source
from backend.labels import read_heat, write_heat
from training.data import Batch
from training.errors import TrainingError
from training.gathered import LARGEST_SIDE, GatheredMaps
from training.views import View

CLASSES = [8, 12]
WHOLE = View(0.0, 0.0, 1.0, 1.0, False)


@pytest.fixture
def source(tiny_voc: Path) -> Source:
    return open_source(tiny_voc)


def batch_of(source: Source, names: list[str], view: View = WHOLE) -> Batch:
    indices = [[item.name for item in source.items].index(name) for name in names]
    return Batch(
        torch.zeros(len(names), 3, 48, 48, dtype=torch.uint8),
        torch.zeros(len(names), 2),
        torch.tensor(indices),
        torch.tensor([list(map(float, view))] * len(names)),
    )


def test_targets_are_the_maps_and_zero_for_classes_that_are_no_tag(trained: Path, source: Source):
    gathered = GatheredMaps(str(trained), source, CLASSES)
    targets = gathered.batch(batch_of(source, ["im2", "im1", "im0"]), (12, 12))
    assert targets.dtype == torch.float32
    for row, (name, tags) in enumerate(
        [("im2", ["cat", "dog"]), ("im1", ["dog"]), ("im0", ["cat"])]
    ):
        for column, tag in enumerate(["cat", "dog"]):
            if tag in tags:
                heat = read_heat(trained / "maps" / name / f"{tag}.png")
                np.testing.assert_allclose(targets[row, column], heat, atol=1e-6)
            else:
                assert not targets[row, column].any()


def test_targets_are_cut_and_mirrored_as_their_samples_are(trained: Path, source: Source):
    gathered = GatheredMaps(str(trained), source, CLASSES)
    heat = read_heat(trained / "maps" / "im0" / "cat.png")
    left = View(0.0, 0.0, 1.0, 0.5, True)
    targets = gathered.batch(batch_of(source, ["im0"], left), (12, 6))
    np.testing.assert_allclose(targets[0, 0], heat[:, :6][:, ::-1], atol=1e-6)
    around = gathered.batch(batch_of(source, ["im0"], View(-0.5, 0, 2, 1, False)), (24, 12))
    np.testing.assert_allclose(around[0, 0, 6:18], heat, atol=1e-6)
    assert not around[0, 0, :6].any()
    assert not around[0, 0, 18:].any()


def test_large_maps_are_kept_small(trained: Path, source: Source, tmp_path: Path):
    shutil.copytree(trained, tmp_path / "run")
    ramp = np.linspace(0, 1, 600, dtype=np.float32)[None].repeat(300, axis=0)
    for path in (tmp_path / "run" / "maps").glob("*/*.png"):
        write_heat(path, ramp)
    gathered = GatheredMaps(str(tmp_path / "run"), source, CLASSES)
    heats = [heat for _, heats in gathered._maps for heat in heats]
    assert {heat.shape for heat in heats} == {(64, LARGEST_SIDE)}
    assert {heat.dtype for heat in heats} == {np.dtype(np.uint8)}
    targets = gathered.batch(batch_of(source, ["im0"]), (4, 60))
    np.testing.assert_allclose(targets[0, 0], ramp[:4, 5::10], atol=0.02)


def test_where_the_targets_come_from_is_known(trained: Path, source: Source):
    origin = GatheredMaps(str(trained), source, CLASSES).origin
    assert origin["run"] == trained.name
    assert origin["recipe"] == "classify"
    assert origin["settings"]["backbone"] == "slim"
    json.dumps(origin)


def test_a_folder_that_is_no_run_is_a_sentence(tiny_voc: Path, source: Source, tmp_path: Path):
    for folder in (tiny_voc, tmp_path / "nowhere"):
        with pytest.raises(TrainingError, match=r"is not a run's folder: it has no config\.json"):
            GatheredMaps(str(folder), source, CLASSES)


def test_an_unfinished_run_is_a_sentence(trained: Path, source: Source, tmp_path: Path):
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / "maps" / "im2" / "dog.png").unlink()
    with pytest.raises(TrainingError, match=r"no map of 'dog' for im2\. Give with --from a finish"):
        GatheredMaps(str(tmp_path / "run"), source, CLASSES)


def test_a_run_over_other_classes_is_a_sentence(trained: Path, source: Source):
    renamed = replace(source, classes={**source.classes, 8: "lynx"})
    with pytest.raises(TrainingError, match=r"no map of 'lynx' for im0.*same images and tags"):
        GatheredMaps(str(trained), renamed, CLASSES)


def test_a_damaged_map_is_a_sentence(trained: Path, source: Source, tmp_path: Path):
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / "maps" / "im0" / "cat.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"cat\.png"):
        GatheredMaps(str(tmp_path / "run"), source, CLASSES)
