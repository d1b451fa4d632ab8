"""Saliency of a data set by processes: the same maps, few at a time, and no process left behind."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from backend.exchange.sources import Source, open_source
from backend.labels import read_heat, write_heat
from backend.saliency import SaliencySource, saliency_source
from training.errors import TrainingError
from training.events import EventWriter
from training.hierarchical import begin, make_saliency, mean_colour
from training.run import Run
from training.saliency_processes import Salient, detecting

from .conftest import PROJECT, events_of


@pytest.fixture
def source(scenes: Path) -> Source:
    return open_source(scenes)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run("dcsp", tmp_path, events=EventWriter(tmp_path))


def maps(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def said(run: Run) -> str:
    return " ".join(event.get("text", "") for event in events_of(run.folder))


def test_processes_make_the_maps_that_one_makes_and_only_those_that_lack(
    run: Run, source: Source, tmp_path: Path
):
    classical = saliency_source("classical")
    how = begin(run, classical, (0.7, 0.8), source.items)
    one, two = tmp_path / "one", tmp_path / "two"
    assert make_saliency(run, classical, how, source.items, one, processes=1) == {}
    assert make_saliency(run, classical, how, source.items, two, processes=2) == {}
    assert len(maps(one)) == len(source.items)
    assert maps(one) == maps(two)
    name = sorted(maps(two))[3]
    (two / name).unlink()
    before = {path.name: path.stat().st_mtime_ns for path in two.glob("*.png")}
    make_saliency(run, classical, how, source.items, two, processes=1)
    assert maps(one) == maps(two)
    after = {path.name: path.stat().st_mtime_ns for path in two.glob("*.png")}
    assert {name for name in after if after[name] != before.get(name)} == {name}
    assert "9 saliency maps are there already; 1 remain" in said(run)


def test_the_mean_colour_is_that_of_all_pixels(run: Run, tmp_path: Path):
    """64 black pixels and 192 of another colour, in two images of different sizes."""
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    Image.new("RGB", (16, 12), (200, 100, 40)).save(tmp_path / "b.png")
    items = open_source(tmp_path).items
    assert mean_colour(run, items) == pytest.approx((150, 75, 30))


def test_how_saliency_was_begun_goes_on_and_another_network_is_refused(
    run: Run, source: Source, tmp_path: Path
):
    network = SaliencySource("network:x", "test", detector=lambda image: image[..., 0] / 255)
    first = begin(run, network, (0.5,), source.items)
    assert first.thresholds == (0.5,)
    assert json.loads((tmp_path / "saliency.json").read_text())["source"] == "network:x"
    assert begin(run, network, (0.9,), source.items) == first
    other = SaliencySource("network:x", "test", detector=network.detector, digest="ab" * 32)
    with pytest.raises(TrainingError, match="Put the first one back"):
        begin(run, other, (0.5,), source.items)


def test_maps_of_a_folder_are_resized_and_missing_or_unusable_ones_are_named(
    run: Run, source: Source, tmp_path: Path
):
    folder, out = tmp_path / "given", tmp_path / "out"
    names = [item.name for item in source.items]
    for name in names[2:]:
        write_heat(folder / f"{name}.png", np.full((8, 4), 0.5, np.float32))
    (folder / f"{names[1]}.png").write_bytes(b"no png")
    given = saliency_source(f"folder:{folder}")
    how = begin(run, given, (0.7, 0.8), source.items)
    assert how == Salient(f"folder:{folder}", "", (), None)
    left_out = make_saliency(run, given, how, source.items, out, processes=1)
    assert set(left_out) == set(names[:2])
    heat = read_heat(out / f"{names[5]}.png")
    assert heat.shape == (64, 64)
    np.testing.assert_allclose(heat, 0.5, atol=1 / 255)
    text = said(run)
    assert f"1 of {len(names)} images have no saliency map" in text
    assert f"{names[1]} has no saliency" in text
    assert f"{len(names) - 2} saliency maps are the same everywhere" in text


def test_a_process_that_dies_is_a_sentence(source: Source, tmp_path: Path):
    how = Salient("classical", thresholds=())
    with detecting(saliency_source("classical"), how, tmp_path, 2) as (work, count):
        assert count == 2
        assert work(source.items[0]) == ("", False)
        for child in multiprocessing.active_children():
            child.kill()
        with pytest.raises(TrainingError, match=r"process that computes saliency died.*--resume"):
            work(source.items[1])


ORPHANS = """
import multiprocessing, sys, time
from pathlib import Path
from backend.exchange.sources import open_source
from backend.saliency import saliency_source
from training.saliency_processes import Salient, detecting

if __name__ == "__main__":
    items = open_source(sys.argv[1]).items
    how = Salient("classical", thresholds=())
    with detecting(saliency_source("classical"), how, Path(sys.argv[2]), 2) as (work, _):
        work(items[0])
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        time.sleep(60)
"""


def lives(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet waited for does not."""
    try:
        os.kill(pid, 0)
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_processes_end_with_the_one_that_started_them_even_if_it_is_killed(
    scenes: Path, tmp_path: Path
):
    script = tmp_path / "orphans.py"
    script.write_text(ORPHANS)
    parent = subprocess.Popen(
        [sys.executable, str(script), str(scenes), str(tmp_path)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )
    assert parent.stdout is not None
    children = [int(word) for word in parent.stdout.readline().split()]
    assert children
    assert all(lives(child) for child in children)
    os.kill(children[0], signal.SIGTERM)
    assert lives(children[0])
    parent.kill()
    parent.wait()
    until = time.monotonic() + 30
    while any(lives(child) for child in children) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(lives(child) for child in children)
