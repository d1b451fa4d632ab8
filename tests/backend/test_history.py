"""The record of every pass over an image: written, read again, played, and found out if damaged."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.errors import DataError
from backend.history import (
    ACCUMULATED,
    FIELDS,
    NO_ATTENTION,
    NO_CLASS,
    REFUSED,
    WARM_UP,
    History,
    history_path,
    read_history,
    write_history,
)


def recorded() -> History:
    """Four passes over an image of two tags, maps of 1 x 2 cells; the last saw the left one."""
    maps = [[[[255, 51]], [[102, 0]]], [[[51, 102]], [[255, 0]]]]
    maps += [[[[0, 204]], [[0, 255]]], [[[153, 0]], [[51, 0]]]]
    seen = np.ones((4, 1, 2), bool)
    seen[3, 0, 1] = False
    return History(
        maps=np.array(maps, np.uint8),
        seen=seen,
        scores=np.arange(8, dtype=np.float32).reshape(4, 2),
        rival=np.array([1.0, -2.5, 3.0, 0.0], np.float32),
        rival_class=np.array([4, 4, 7, NO_CLASS], np.int16),
        verdict=np.array(
            [
                [WARM_UP, WARM_UP],
                [ACCUMULATED, REFUSED],
                [ACCUMULATED, NO_ATTENTION],
                [ACCUMULATED, ACCUMULATED],
            ],
            np.uint8,
        ),
        class_ids=np.array([8, 12], np.int16),
    )


def test_what_is_written_is_read_again(tmp_path: Path):
    path = history_path(tmp_path, "2007_000032")
    assert path == tmp_path / "history" / "2007_000032.npz"
    write_history(path, recorded())
    again = read_history(path)
    for name in FIELDS:
        written, read = getattr(recorded(), name), getattr(again, name)
        assert read.dtype == written.dtype
        np.testing.assert_array_equal(read, written)
    assert again.passes == 4


def test_the_same_passes_give_the_same_bytes(tmp_path: Path):
    for name in "ab":
        write_history(tmp_path / f"{name}.npz", recorded())
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_accumulation_by_maximum_plays_as_worked_out_by_hand():
    played = recorded().accumulated("max")
    assert played.dtype == np.float32
    # In fifths of 255: the warm-up and what was refused add nothing, nor does what was not seen.
    first = [[0, 0], [1, 2], [1, 4], [3, 4]]
    second = [[0, 0], [0, 0], [0, 0], [1, 0]]
    np.testing.assert_allclose(played[:, 0, 0], np.array(first) / 5, atol=1e-6)
    np.testing.assert_allclose(played[:, 1, 0], np.array(second) / 5, atol=1e-6)


def test_accumulation_by_mean_counts_what_each_cell_was_shown():
    played = recorded().accumulated("mean")
    first = [[0, 0], [1, 2], [1 / 2, 6 / 2], [4 / 3, 6 / 2]]
    np.testing.assert_allclose(played[:, 0, 0], np.array(first) / 5, atol=1e-6)


def test_a_history_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"There is no history of none in the run 7-oaa\."):
        read_history(history_path(tmp_path / "7-oaa", "none"))


@pytest.mark.parametrize("cut", [0, 1, 40, -1, -30, -200])
def test_a_torn_file_is_a_sentence(tmp_path: Path, cut: int):
    path = history_path(tmp_path / "7-oaa", "torn")
    write_history(path, recorded())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(
        DataError, match=r"of torn in the run 7-oaa cannot be .*train again"
    ) as told:
        read_history(path)
    assert str(tmp_path) not in str(told.value)


def test_a_file_that_holds_more_than_numbers_is_not_run(tmp_path: Path):
    fields = {name: getattr(recorded(), name) for name in FIELDS}
    np.savez(tmp_path / "code.npz", **fields | {"scores": np.array([Path("/")], object)})
    with pytest.raises(DataError, match=r"of code .* cannot be read \(ValueError\)"):
        read_history(tmp_path / "code.npz")


def test_a_missing_part_is_a_sentence(tmp_path: Path):
    fields = {name: getattr(recorded(), name) for name in FIELDS if name != "seen"}
    np.savez(tmp_path / "less.npz", **fields)
    with pytest.raises(DataError, match="cannot be read"):
        read_history(tmp_path / "less.npz")


@pytest.mark.parametrize("name", FIELDS)
def test_parts_that_do_not_fit_each_other_are_damage(tmp_path: Path, name: str):
    odd = replace(recorded(), **{name: getattr(recorded(), name)[:1]})
    write_history(tmp_path / "odd.npz", odd)
    with pytest.raises(DataError, match="its parts do not fit each other"):
        read_history(tmp_path / "odd.npz")


def test_a_history_without_passes_is_damage(tmp_path: Path):
    empty = {name: getattr(recorded(), name)[:0] for name in FIELDS if name != "class_ids"}
    write_history(tmp_path / "none.npz", replace(recorded(), **empty))
    with pytest.raises(DataError, match="damaged"):
        read_history(tmp_path / "none.npz")
