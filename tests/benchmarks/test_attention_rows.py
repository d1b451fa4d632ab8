"""The attention benchmark's rows: when one is made again, and how the tables judge an order."""

import ast
from pathlib import Path

import pytest

from benchmarks.attention import ECS_CAM
from benchmarks.attention_rows import cache, figures
from benchmarks.attention_rows.cache import Kept, Training, digest_of, keep, kept
from benchmarks.attention_rows.tables import TABLES, tables
from training.cli import main


@pytest.fixture
def data(tmp_path: Path, shared_data: Path) -> Path:
    """The photographs, for their trunk beside them."""
    return shared_data / "msrc"


def test_a_digest_changes_with_a_number_a_seed_and_what_it_stands_on(data: Path) -> None:
    plain = Training("one", "seenet")
    first = digest_of(plain, data, "val", 0)[0]
    assert digest_of(Training("other name", "seenet"), data, "val", 0)[0] == first
    assert digest_of(Training("one", "seenet", ("--workers", "2")), data, "val", 0)[0] == first
    others = {
        digest_of(Training("one", "seenet", ("--high", "0.6")), data, "val", 0)[0],
        digest_of(plain, data, "val", 1)[0],
        digest_of(plain, data, "fit", 0)[0],
    }
    on = [Training("oaa", "oaa", words) for words in ((), ("--gate", "topk"))]
    stood = {digest_of(Training("plus", "oaaplus", (), each), data, "val", 0)[0] for each in on}
    assert first not in others
    assert len(others) == 3
    assert len(stood) == 2


def test_docstrings_and_numbers_of_settings_are_not_code() -> None:
    code = '"""Words."""\nclass S:\n    """More."""\n    a: int = option(1)\n'
    code += "def f(x):\n    return x"
    other = code.replace("Words", "Others").replace("option(1)", "option(2)")
    changed = code.replace("return x", "return -x")
    dumps = [cache.written(cache.bare(ast.parse(each))) for each in (code, other, changed)]
    assert dumps[0] == dumps[1]
    assert dumps[0] != dumps[2]


def test_code_is_written_alike_by_every_python() -> None:
    """Newer versions know of parts that are empty in all that is written here."""
    tree = ast.parse("def f(x):\n    return x")
    plain = cache.written(tree)
    tree.body[0].type_params = []
    tree.body[0].type_comment = None
    assert cache.written(tree) == plain
    assert cache.written(ast.parse("def f(x):\n    return -x")) != plain


def row(name: str, seed: int, miou: float) -> Kept:
    figure = {"miou": miou, "threshold": 0.2, "sweep": [[0.1, miou - 1], [0.2, miou]]}
    figures = dict.fromkeys(("maps", "cam", "mean"), figure)
    return Kept(f"{name}{seed}", name, "seenet", [], seed, figures, {}, 1.0)


def test_a_kept_row_is_read_again_as_it_was(tmp_path: Path) -> None:
    one = row("seenet", 0, 40.0)
    keep(tmp_path, one)
    assert kept(tmp_path, one.digest) == one
    assert kept(tmp_path, "0" * 16) is None


def test_an_order_is_judged_by_the_paired_seeds_alone() -> None:
    rows = [row("seenet", 0, 41), row("seenet", 1, 39), row("acol", 0, 40), row("acol", 1, 36)]
    rows += [row("seenet-zero", 2, 90)]
    text = tables({(each.name, each.seed): each for each in rows}, [0, 1, 2])
    assert "| SeeNet | 41.0 | 39.0 | not made | 40.0 ± 1.4 | 0.20 | 57.3 |" in text
    assert "SeeNet above setting 1: ACoL: holds, +2.0 (2 of 2 seeds)" in text
    # No seed has both, so nothing is said of that order.
    assert "SeeNet above setting 2" not in text


def test_every_published_order_follows_the_published_figures() -> None:
    for table in TABLES:
        for better, worse in table.orders:
            high, low = (table.lines[each].published for each in (better, worse))
            assert (high or 0) > (low or 100), table.title


# Every figure that a training's maps are measured for, by the name and recipe it goes by.
MEASURED = {
    ("oaa", "oaa", ("--history", "100", "--gate", "none")): {"maps", "cam", "mean"},
    ("oaa-0.5", "oaa", ("--part", "0.5")): {"maps"},
    ("ecs-baseline", "ecsnet", ECS_CAM): {"maps", "gradcam", "gradcampp", "layercam"},
    ("seenet", "seenet", ("--map-scales", "1")): {"maps", "second"},
}


@pytest.mark.parametrize(
    ("training", "expected"), MEASURED.items(), ids=[name for name, *_ in MEASURED]
)
def test_the_figures_of_a_finished_training(
    training: tuple[str, str, tuple[str, ...]], expected: set[str], tmp_path: Path
) -> None:
    name, recipe, words = training
    data, run = tmp_path / "scenes", tmp_path / "run"
    assert main(["scenes", "--out", str(data), "--count", "4", "--size", "64"]) == 0
    how = [
        "--preset",
        "scenes",
        "--weights",
        "none",
        "--size",
        "48",
        "--epochs",
        "2",
        "--batch",
        "2",
    ]
    how += ["--split", "all", "--data", str(data), "--out", str(run), "--steps", "3"]
    how += ["--warmup-passes", "0"] if recipe == "oaa" else []
    assert main([recipe, *how, *words, "--watch-every", "-1", "--warmup", "0"]) == 0
    one = Training(name, recipe, words)
    lacking = figures.missing(one, {})
    assert set(lacking) == expected
    found = figures.of(one, run, data, "all", lacking)
    assert not figures.missing(one, found)
    # A figure that other code made is made again, and it alone.
    assert figures.missing(one, {**found, "maps": {**found["maps"], "code": "other"}}) == ["maps"]
    for figure in found.values():
        assert 0 <= figure["miou"] <= 100
        assert len(figure["sweep"]) == 20
