"""Online accumulation over the passes of a training: what is stored, and what it depends on."""

import io
import tracemalloc
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.history import ACCUMULATED, NO_ATTENTION, REFUSED, WARM_UP, read_history
from training.accumulating import Accumulator, grid_of
from training.view_maps import put_back
from training.views import View

# name, the columns of its tags, its grid
IMAGES = [("a", [0, 2], (6, 8)), ("b", [1], (8, 6)), ("c", [0, 1, 2], (7, 7))]
COLUMNS = {name: columns for name, columns, _ in IMAGES}
GRIDS = {name: grid for name, _, grid in IMAGES}
CLASS_IDS = [8, 12, 15, 20]
WHOLE = View(0.0, 0.0, 1.0, 1.0, False)


class Sample(NamedTuple):
    """What `Accumulator.add` takes."""

    name: str
    view: View
    maps: np.ndarray
    scores: np.ndarray
    epoch: int


def samples(seed: int = 0, epochs: int = 3) -> list[Sample]:
    """Every image once an epoch, through random views and a network of four classes."""
    random = np.random.default_rng(seed)
    made = []
    for epoch in range(epochs):
        for name, _, _ in IMAGES:
            height, width = random.uniform(0.4, 1.3, 2)
            top, left = random.random() * (1 - height), random.random() * (1 - width)
            view = View(top, left, height, width, bool(random.random() < 0.5))
            maps = random.normal(0.2, 1, (4, 7, 7)).astype(np.float32)
            scores = random.normal(size=4).astype(np.float32)
            made.append(Sample(name, view, maps, scores, epoch))
    return made


def gathered(passes: list[Sample], how: str = "max", **changes: Any) -> Accumulator:
    accumulator = Accumulator(IMAGES, how, **{"warmup": 0, "gate": "none", **changes})
    for each in passes:
        accumulator.add(*each)
    return accumulator


def by_hand(passes: list[Sample], name: str, column: int, how: str) -> np.ndarray:
    """The fused map of one tag, cell by cell over the passes that saw the cell."""
    values: list[list[list[float]]] = [[[] for _ in range(GRIDS[name][1])] for _ in range(8)]
    for each in passes:
        if each.name == name:
            positive = np.maximum(each.maps[column], 0)
            placed, seen = put_back(positive[None] / positive.max(), each.view, GRIDS[name])
            for y, x in zip(*seen.nonzero(), strict=True):
                values[y][x].append(float(placed[0, y, x]))
    fused = np.zeros(GRIDS[name])
    for y, x in np.ndindex(*GRIDS[name]):
        if values[y][x]:
            fused[y, x] = max(values[y][x]) if how == "max" else np.mean(values[y][x])
    return fused


# How far a stored map may be from the exact one: half a level; for the mean, of each step.
ROUNDING = {"max": 0.5 / 255 + 1e-6, "mean": 3 * 0.5 / 65535 + 1e-6}


@pytest.mark.parametrize("how", ["max", "mean"])
def test_a_map_is_fused_from_the_passes_that_saw_it(how: str):
    accumulator = gathered(samples(), how)
    for name, columns, grid in IMAGES:
        maps = accumulator.maps_of(name)
        assert maps.shape == (len(columns), *grid)
        for own, column in zip(maps, columns, strict=True):
            expected = by_hand(samples(), name, column, how)
            np.testing.assert_allclose(own, expected, atol=ROUNDING[how])
        assert accumulator.accepted(name).tolist() == [3] * len(columns)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.randoms(use_true_random=False), st.sampled_from(["max", "mean"]))
def test_the_order_of_an_epoch_does_not_matter(seed: int, random: Any, how: str):
    """Neither what is shuffled nor how it is cut into batches: samples come one after another."""
    made = samples(seed)
    shuffled = []
    for _, epoch in groupby(made, key=lambda each: each.epoch):
        shuffled += random.sample(list(epoch), len(IMAGES))
    one, other = (
        gathered(passes, how, warmup=1, gate="strict", told=["a"]) for passes in (made, shuffled)
    )
    for name in COLUMNS:
        np.testing.assert_array_equal(one.maps_of(name), other.maps_of(name))
        np.testing.assert_array_equal(one.accepted(name), other.accepted(name))


@given(st.integers(0, 1000), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_the_maximum_does_not_depend_on_the_order_of_the_passes(seed: int, random: Any):
    made = samples(seed)
    one, other = gathered(made), gathered(random.sample(made, len(made)))
    for name in COLUMNS:
        np.testing.assert_array_equal(one.maps_of(name), other.maps_of(name))


@pytest.mark.parametrize("how", ["max", "mean"])
def test_a_state_saved_midway_and_loaded_ends_the_same(how: str):
    made = samples()
    whole = gathered(made, how, told=["a", "c"])
    stopped = gathered(made[:5], how, told=["a", "c"])
    buffer = io.BytesIO()
    torch.save(stopped.state_dict(), buffer)
    buffer.seek(0)
    resumed = gathered([], how, told=["a", "c"])
    resumed.load_state_dict(torch.load(buffer, weights_only=True))
    for each in made[5:]:
        resumed.add(*each)
    assert resumed._maps.dtype == whole._maps.dtype
    for name in COLUMNS:
        np.testing.assert_array_equal(resumed.maps_of(name), whole.maps_of(name))
        np.testing.assert_array_equal(resumed.accepted(name), whole.accepted(name))


def test_the_histories_of_a_resumed_run_are_those_of_a_whole_one(tmp_path: Path):
    made = samples()
    whole = gathered(made, told=["a"])
    resumed = gathered([], told=["a"])
    resumed.load_state_dict(gathered(made[:4], told=["a"]).state_dict())
    for each in made[4:]:
        resumed.add(*each)
    for folder, accumulator in (("whole", whole), ("resumed", resumed)):
        assert accumulator.write_histories(tmp_path / folder, CLASS_IDS) == 1
    files = [tmp_path / folder / "history" / "a.npz" for folder in ("whole", "resumed")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_attention_that_is_zero_everywhere_is_never_stored():
    nothing = [each._replace(maps=-np.abs(each.maps)) for each in samples(1)]
    for how in ("max", "mean"):
        accumulator = gathered(nothing, how, told=["a"])
        assert not accumulator.maps_of("a").any()
        assert not accumulator.accepted("a").any()
        assert {tuple(each.verdict) for each in accumulator._told["a"]} == {(NO_ATTENTION,) * 2}
    # A mean over what was found is not pulled down by the passes that found nothing.
    made = samples()
    mixed, plain = gathered(made + nothing, "mean"), gathered(made, "mean")
    np.testing.assert_array_equal(mixed.maps_of("c"), plain.maps_of("c"))


def test_only_tags_above_every_other_class_are_stored():
    maps = np.ones((4, 7, 7), np.float32)
    # Of the image's tags 0 and 2 the first is above the strongest stranger, class 1; 2 is not.
    told = Sample("a", WHOLE, maps, np.array([0.9, 0.5, 0.4, -1.0], np.float32), 0)
    strict = gathered([told], gate="strict", told=["a"])
    assert strict.accepted("a").tolist() == [1, 0]
    assert strict.maps_of("a").max(axis=(1, 2)).tolist() == [1.0, 0.0]
    assert strict._told["a"][0].verdict.tolist() == [ACCUMULATED, REFUSED]
    assert gathered([told], gate="none").accepted("a").tolist() == [1, 1]
    third = told._replace(scores=np.array([0.9, 0.5, 0.6, 0.4], np.float32), name="c")
    assert gathered([third], gate="topk").accepted("c").tolist() == [1, 1, 1]


def test_nothing_of_the_warm_up_is_stored_but_it_is_told():
    accumulator = gathered(samples(), warmup=2, told=["a", "b"])
    last = gathered([each for each in samples() if each.epoch == 2])
    for name in COLUMNS:
        np.testing.assert_array_equal(accumulator.maps_of(name), last.maps_of(name))
        assert set(accumulator.accepted(name).tolist()) == {1}
    verdicts = [each.verdict.tolist() for each in accumulator._told["b"]]
    assert verdicts == [[WARM_UP], [WARM_UP], [ACCUMULATED]]
    assert not gathered(samples(), warmup=3).maps_of("a").any()


@pytest.mark.parametrize("how", ["max", "mean"])
@pytest.mark.parametrize("gate", ["strict", "none"])
def test_the_history_plays_to_the_maps_that_were_stored(tmp_path: Path, how: str, gate: str):
    accumulator = gathered(samples(epochs=8), how, gate=gate, warmup=1, told=["a", "c", "stranger"])
    assert accumulator.write_histories(tmp_path, CLASS_IDS) == 2
    assert not (tmp_path / "history" / "b.npz").exists()
    for name in ("a", "c"):
        history = read_history(tmp_path / "history" / f"{name}.npz")
        assert history.passes == 8
        assert history.class_ids.tolist() == [CLASS_IDS[column] for column in COLUMNS[name]]
        stored = (history.verdict == ACCUMULATED).sum(axis=0)
        assert stored.tolist() == accumulator.accepted(name).tolist()
        played = history.accumulated(how)[-1]
        np.testing.assert_allclose(played, accumulator.maps_of(name), atol=1 / 255)


def test_a_history_names_the_strongest_stranger(tmp_path: Path):
    maps = np.ones((4, 7, 7), np.float32)
    told = Sample("a", WHOLE, maps, np.array([0.9, 0.5, 0.4, -1.0], np.float32), 0)
    gathered([told], told=["a"]).write_histories(tmp_path, CLASS_IDS)
    history = read_history(tmp_path / "history" / "a.npz")
    assert history.rival.tolist() == [0.5]
    assert history.rival_class.tolist() == [12]
    np.testing.assert_allclose(history.scores, [[0.9, 0.4]], atol=1e-7)


def test_where_every_class_is_a_tag_there_is_no_stranger(tmp_path: Path):
    accumulator = Accumulator([("d", [0, 1], (4, 4))], warmup=0, told=["d"])
    accumulator.add("d", WHOLE, np.ones((2, 7, 7), np.float32), np.zeros(2, np.float32), 0)
    accumulator.write_histories(tmp_path, [8, 12])
    history = read_history(tmp_path / "history" / "d.npz")
    assert history.rival_class.tolist() == [-1]
    assert accumulator.accepted("d").tolist() == [1, 1]


def test_a_state_of_other_images_tags_or_fusion_is_refused():
    state = gathered(samples()).state_dict()
    for images, how, words in (
        (IMAGES[:2], "max", "other images"),
        ([*IMAGES[:2], ("z", [0, 1, 2], (7, 7))], "max", "other images"),
        ([*IMAGES[:2], ("c", [0, 1, 3], (7, 7))], "max", "other tags"),
        ([*IMAGES[:2], ("c", [0, 1, 2], (9, 7))], "max", "another size"),
        (IMAGES, "mean", "another --fusion"),
    ):
        with pytest.raises(ValueError, match=words):
            Accumulator(images, how).load_state_dict(state)


@pytest.mark.parametrize("passes", [255, 300])
def test_a_mean_of_hundreds_of_passes_is_still_one(passes: int):
    accumulator = Accumulator([("a", [0], (2, 2))], "mean", gate="none", warmup=0)
    for epoch in range(passes):
        heat = np.array([[[1.0, 0.0], [0.0, epoch % 2]]], np.float32)
        accumulator.add("a", WHOLE, heat, np.zeros(1, np.float32), epoch)
    np.testing.assert_allclose(accumulator.maps_of("a")[0], [[1, 0], [0, 0.5]], atol=5e-3)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(375, 500, (28, 37)), (500, 375, (37, 28)), (100, 100, (28, 28)), (50, 500, (6, 56))],
)
def test_a_grid_keeps_the_shape_of_its_image(height: int, width: int, expected: tuple):
    assert grid_of(height, width, 28) == expected


@pytest.mark.parametrize("how", ["max", "mean"])
def test_vocs_10582_images_stay_under_64_mb(how: str):
    """1.46 tags an image on average, 28 cells along the shorter side of 500 x 375 pixels."""
    random = np.random.default_rng(0)
    counts = 1 + (random.random(10_582) < 0.46)
    images = [
        (f"2008_{n:06d}", list(range(tags)), grid_of(375, 500, 28)) for n, tags in enumerate(counts)
    ]
    tracemalloc.start()
    try:
        accumulator = Accumulator(images, how, warmup=0)
        accumulator._maps[:] = 1
        accumulator.state_dict()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 15e6 < accumulator.nbytes < 50e6
    assert peak < 64e6
