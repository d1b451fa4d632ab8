"""Sure labels out of maps: both readings must agree, cells are averaged before they are decided."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.exchange.sources import open_source
from backend.labels import read_heat, write_heat
from backend.maps import crf
from backend.refinement import CrfPool
from training.data import Batch
from training.errors import TrainingError
from training.run import Run, write_config
from training.seeds import LARGEST_SIDE, RunMaps, Seeds, Sowing, agreed, packed, sow

from .conftest import paint_voc

THRESHOLDS = Sowing("thresholds", 4, 32, "psa", 0.3, 0.05)
CRF = Sowing("crf", 4, 32, "psa", 0.3, 0.05)
WHOLE = (0.0, 0.0, 1.0, 1.0, 0.0)


def write_maps(folder: Path, source, side: int = 12) -> None:
    """A run whose maps are true masks made small: 1 inside, 0.15 beside, 0 far from them."""
    folder.mkdir()
    write_config(folder, {"recipe": "classify", "settings": {}})
    for item in source.items:
        truth = source.truth(item)
        for tag in item.tags:
            cells = (truth == tag).reshape(side, 48 // side, side, 48 // side).mean(axis=(1, 3))
            heat = np.where(cells > 0.9, 1.0, np.where(cells > 0.1, 0.15, 0.0))
            write_heat(folder / "maps" / item.name / f"{source.classes[tag]}.png", heat)


def batch_of(indices: list[int], views: list[tuple[float, ...]]) -> Batch:
    count = len(indices)
    return Batch(
        torch.zeros(count, 3, 8, 8, dtype=torch.uint8),
        torch.zeros(count, 2),
        torch.tensor(indices),
        torch.tensor(views),
    )


@pytest.fixture
def source(tmp_path: Path):
    return open_source(paint_voc(tmp_path / "data", count=4)).tagged()


@pytest.fixture
def maps(tmp_path: Path, source) -> RunMaps:
    write_maps(tmp_path / "cam", source)
    return RunMaps(str(tmp_path / "cam"), source, [8, 12])


def test_a_cell_is_decided_where_both_readings_agree() -> None:
    #          tag in both, tag in second only, background in both, outside
    first = np.array([[[0.2, 0.6, 0.9, 0.0]], [[0.8, 0.4, 0.1, 0.0]], [[0.0, 0.0, 0.0, 0.0]]])
    second = np.array([[[0.1, 0.2, 0.8, 0.0]], [[0.9, 0.8, 0.2, 0.0]], [[0.0, 0.0, 0.0, 0.0]]])
    assert agreed(np.concatenate([first, second]), [8, 12]).tolist() == [[8, 255, 0, 255]]


def test_background_wins_where_the_readings_contradict_each_other() -> None:
    first, second = np.array([[[0.2]], [[0.8]]]), np.array([[[0.8]], [[0.2]]])
    assert agreed(np.concatenate([first, second]), [8]).tolist() == [[0]]


def test_packed_shares_keep_their_means_and_are_no_longer_than_needed() -> None:
    shares = np.zeros((3, 2 * LARGEST_SIDE, LARGEST_SIDE), np.float32)
    shares[1, ::2] = 1
    small = packed(shares)
    assert (small.dtype, small.shape) == (np.uint8, (3 * LARGEST_SIDE, LARGEST_SIDE // 2))
    assert set(np.unique(small[LARGEST_SIDE : 2 * LARGEST_SIDE])) <= {127, 128}
    assert packed(shares[:, :5, :7]).shape == (15, 7)


def test_thresholds_make_seeds_of_strong_and_of_missing_attention(
    tmp_path: Path, source, maps: RunMaps
) -> None:
    run = Run("affinity", tmp_path / "run")
    with CrfPool() as pool:
        sow(run, source, maps, THRESHOLDS, pool, 2)
    seeds = Seeds(run.folder, source, maps)
    labels = seeds.batch(batch_of([0, 1, 2], [WHOLE] * 3), (12, 12)).numpy()
    for row, item in enumerate(source.items[:3]):
        truth = source.truth(item).reshape(12, 4, 12, 4)
        for tag in (8, 12):
            share = (truth == tag).mean(axis=(1, 3))
            assert ((labels[row] == tag) <= (share > 0.5)).all()
            if tag in item.tags:
                assert (labels[row] == tag).any()
        object_here = (truth != 0).mean(axis=(1, 3)) > 0.25
        assert (labels[row][object_here] != 0).all()
        assert (labels[row] == 255).any()


def test_a_sample_gets_the_labels_of_the_part_that_it_shows(
    tmp_path: Path, source, maps: RunMaps
) -> None:
    run = Run("affinity", tmp_path / "run")
    with CrfPool() as pool:
        sow(run, source, maps, THRESHOLDS, pool, 1)
    seeds = Seeds(run.folder, source, maps)
    views = [WHOLE, (0.0, 0.0, 1.0, 1.0, 1.0), (-0.5, -0.5, 2.0, 2.0, 0.0)]
    whole, mirrored, around = seeds.batch(batch_of([2] * 3, views), (12, 12)).numpy()
    (upper,) = seeds.batch(batch_of([2], [(0.0, 0.0, 0.5, 0.5, 0.0)]), (6, 6)).numpy()
    assert np.array_equal(mirrored, whole[:, ::-1])
    assert np.array_equal(upper, whole[:6, :6])
    assert (around[:3] == 255).all()
    assert (around[:, 9:] == 255).all()
    assert 8 in around[3:9, 3:9]


@pytest.mark.skipif(crf.missing() is not None, reason=str(crf.missing()))
def test_the_crf_draws_seeds_to_the_edges_of_the_image(tmp_path: Path, source, maps) -> None:
    run = Run("affinity", tmp_path / "run")
    with CrfPool(2) as pool:
        sow(run, source, maps, CRF, pool, 2)
    labels = Seeds(run.folder, source, maps).batch(batch_of([0], [WHOLE]), (24, 24)).numpy()[0]
    truth = source.truth(source.items[0])[::2, ::2]
    known = labels != 255
    assert known.mean() > 0.8
    assert (labels[known] == truth[known]).mean() > 0.97


def test_seeds_are_made_once_and_anew_for_other_numbers(tmp_path: Path, source, maps) -> None:
    run = Run("affinity", tmp_path / "run")
    with CrfPool() as pool:
        sow(run, source, maps, THRESHOLDS, pool, 1)
        made = sorted((run.folder / "seeds").iterdir())
        assert [path.stem for path in made] == [item.name for item in source.items]
        before = {path.name: path.stat().st_mtime_ns for path in made}
        made[0].unlink()
        sow(run, source, maps, THRESHOLDS, pool, 1)
        after = {path.name: path.stat().st_mtime_ns for path in made}
        assert [name for name in before if before[name] != after[name]] == [made[0].name]
        first = read_heat(made[0])
        sow(run, source, maps, Sowing("thresholds", 4, 32, "psa", 0.6, 0.05), pool, 1)
    assert not np.array_equal(read_heat(made[0]), first)
    assert json.loads((run.folder / "seeds.json").read_text())["sure_object"] == 0.6


def test_images_without_maps_are_named_and_teach_nothing(
    tmp_path: Path, source, maps: RunMaps, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cam" / "maps" / "im0" / "cat.png").unlink()
    run = Run("affinity", tmp_path / "run")
    with CrfPool() as pool:
        sow(run, source, maps, THRESHOLDS, pool, 1)
        said = capsys.readouterr().err
        assert "im0 is left out: the run cam has no map of its tags" in said
        assert "1 of 4 images teach nothing" in said
        seeds = Seeds(run.folder, source, maps)
        assert (seeds.batch(batch_of([0], [WHOLE]), (6, 6)) == 255).all()
        for item in source.items:
            for path in (tmp_path / "cam" / "maps" / item.name).iterdir():
                path.unlink()
        with pytest.raises(TrainingError, match="No image has anything to learn from"):
            sow(Run("affinity", tmp_path / "other"), source, maps, THRESHOLDS, pool, 1)


def test_a_folder_that_is_no_run_with_maps_is_refused(tmp_path: Path, source) -> None:
    with pytest.raises(TrainingError, match="is not a run's folder"):
        RunMaps(str(tmp_path / "none"), source, [8])
    bare = tmp_path / "bare"
    bare.mkdir()
    write_config(bare, {"recipe": "labels", "settings": {}})
    with pytest.raises(TrainingError, match="has no maps"):
        RunMaps(str(bare), source, [8])
