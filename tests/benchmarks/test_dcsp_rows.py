"""DCSP's benchmark: what makes a row anew, and that its tables say what the rows hold."""

from pathlib import Path

import pytest

from benchmarks.attention_rows.cache import Kept, Training
from benchmarks.dcsp import FCAN, TRAININGS, digest
from benchmarks.dcsp_rows.tables import CLAIMS, TABLES, tables


@pytest.fixture
def data(shared_data: Path) -> Path:
    return shared_data / "msrc"


def test_a_row_is_made_again_for_other_options_another_seed_or_another_attention(
    data: Path,
) -> None:
    plain = Training("one", "dcsp", (), FCAN)
    first = digest(plain, data, 0)[0]
    assert digest(Training("other name", "dcsp", (), FCAN), data, 0)[0] == first
    others = {
        digest(Training("one", "dcsp", ("--gamma", "0.5"), FCAN), data, 0)[0],
        digest(plain, data, 1)[0],
        digest(Training("one", "dcsp"), data, 0)[0],
        digest(Training("one", "dcsp", (), Training("f", "dcsp", ("--dropout", "0.1"))), data, 0)[
            0
        ],
    }
    assert first not in others
    assert len(others) == 4


def row(name: str, seed: int, **figures: float) -> Kept:
    named = {each.replace("_", "-"): {"miou": value} for each, value in figures.items()}
    return Kept(f"{name}{seed}", name, "dcsp", [], seed, named, {}, 60.0)


def test_orders_are_judged_by_the_seeds_that_both_lines_have() -> None:
    rows = [
        row("s3", 0, round_0=40.0, round_1=42.0),
        row("s3", 1, round_0=41.0, round_1=42.0),
        row("s1", 0, round_0=41.0),
        row("fcan", 1, not_joint=30.0),
    ]
    text = tables({(each.name, each.seed): each for each in rows}, [0, 1])
    assert "| S3, adapted | 42.0 | 42.0 | 42.0 ± 0.0 | 59.5 |" in text
    assert "- S3, adapted above S3, not adapted: holds, +1.5 (2 of 2 seeds)" in text
    assert "- S3, not adapted above S1, not adapted: does not hold, -1.0 (0 of 1 seeds)" in text
    assert "- joint above not joint: holds, +12.0 (1 of 1 seeds)" in text
    assert "S1, adapted above" not in text
    assert "took 1.0 minutes" in text


def test_every_published_order_follows_the_published_figures() -> None:
    for table in TABLES:
        for better, worse in table.orders:
            high, low = (table.lines[each].published for each in (better, worse))
            assert (high or 0) > (low or 100), table.title


def test_every_line_is_a_figure_that_its_training_has() -> None:
    rounds = {"s3": 3, "long": 1, "fcan": 0}
    names = {each.name for each in TRAININGS}
    for table in TABLES:
        assert table.orders or CLAIMS[table.title]
        for line in table.lines:
            assert line.training in names
            kind, _, number = line.figure.removesuffix("-crf").rpartition("-")
            if kind in ("round", "cues"):
                most = rounds.get(line.training, 2)
                assert int(number) < max(1, most), line
