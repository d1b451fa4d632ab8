"""Accumulation over data-parallel processes: halves, merged, are the whole."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from .conftest import PROJECT

RANKS = """
import sys
import numpy as np
from lightning_fabric import Fabric
from training.accumulating import Accumulator
from training.views import View

IMAGES = [("a", [0, 2], (6, 8)), ("b", [1], (8, 6)), ("never", [0], (4, 4))]

def passes():
    random = np.random.default_rng(4)
    for epoch in range(5):
        for name in ("a", "b"):
            top, left, height, width = random.random(4) * [0.4, 0.4, 0.6, 0.6]
            view = View(top, left, height + 0.2, width + 0.2, bool(random.random() < 0.5))
            maps = random.normal(size=(3, 7, 7)).astype(np.float32)
            yield name, view, maps, random.normal(size=3).astype(np.float32), epoch

def gather(fabric, folder, rank, ranks):
    for how in ("max", "mean"):
        gathered = Accumulator(IMAGES, how, gate="none", warmup=1, told=["a"])
        for number, each in enumerate(passes()):
            # Each image goes to either rank in turn, as a shuffled data set does.
            if (number // 2 + number) % ranks == rank:
                gathered.add(*each)
        gathered.merge(fabric)
        told = {name: gathered.maps_of(name) for name in gathered.places}
        accepted = {f"{name} passes": gathered.accepted(name) for name in gathered.places}
        np.savez(f"{folder}/{how}-{ranks}-{rank}.npz", **told, **accepted)

def work(fabric, folder):
    assert fabric.world_size == 2
    gather(fabric, folder, fabric.global_rank, 2)

folder = sys.argv[1]
gather(Fabric(accelerator="cpu", devices=1), folder, 0, 1)
Fabric(accelerator="cpu", devices=2, strategy="ddp_fork").launch(work, folder)
"""


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process gathered, and what each of two gloo processes had after the merge."""
    folder = tmp_path_factory.mktemp("ranks")
    done = subprocess.run(
        [sys.executable, "-c", RANKS, str(folder)],
        cwd=PROJECT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize(("how", "tolerance"), [("max", 0.0), ("mean", 5e-5)])
def test_two_processes_over_halves_equal_one(merged: Path, how: str, rank: int, tolerance: float):
    """The maximum exactly; the mean but for the rounding to 1 / 65535 in every step."""
    with (
        np.load(merged / f"{how}-1-0.npz") as alone,
        np.load(merged / f"{how}-2-{rank}.npz") as half,
    ):
        assert set(half.files) == set(alone.files)
        for name in alone.files:
            np.testing.assert_allclose(half[name], alone[name], rtol=0, atol=tolerance)
        assert alone["a passes"].tolist() == [4, 4]
        assert alone["a"].max() > 0.5
        assert not half["never"].any()
