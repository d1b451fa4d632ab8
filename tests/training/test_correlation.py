"""Correlations against scipy's, and the bins of a calibration against a table by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from training.correlation import binned, correlations, pearson, ranks, spearman, write_calibration


@pytest.mark.parametrize("levels", [3, 1000])
def test_correlations_are_those_of_scipy_ties_or_not(levels: int):
    random = np.random.default_rng(levels)
    one = random.integers(0, levels, 60) / levels
    other = one + random.normal(0, 0.3, 60).round(1)
    assert pearson(one, other) == pytest.approx(stats.pearsonr(one, other).statistic)
    assert spearman(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)


def test_equal_numbers_share_the_mean_of_their_places():
    assert ranks([0.5, 0.1, 0.5, 0.9]).tolist() == [1.5, 0, 1.5, 3]


def test_what_never_varies_has_no_correlation():
    assert pearson([1, 1, 1], [1, 2, 3]) is None
    assert spearman([], []) is None
    assert correlations({"SC": [1.0, 1.0], "SF": [0.0, 1.0]}, [0.2, 0.4]) == pytest.approx(
        {"pearson_SF": 1, "spearman_SF": 1}
    )
    with pytest.raises(ValueError, match="as many numbers"):
        pearson([1, 2], [1, 2, 3])


def test_bins_hold_means_and_counts(tmp_path: Path):
    scores, truth = [0.0, 0.09, 0.95, 1.0], [0.2, 0.4, 0.8, 1.0]
    assert binned(scores, truth) == [
        {"from": 0.0, "to": 0.1, "count": 2, "score": pytest.approx(0.045),
         "truth": pytest.approx(0.3)},
        {"from": 0.9, "to": 1.0, "count": 2, "score": pytest.approx(0.975),
         "truth": pytest.approx(0.9)},
    ]  # fmt: skip
    write_calibration(tmp_path, {"SC": scores}, truth)
    told = json.loads((tmp_path / "calibration.json").read_text())
    assert told["masks"] == 4
    assert [each["count"] for each in told["scores"]["SC"]["bins"]] == [2, 2]
    assert told["scores"]["SC"]["pearson"] == pytest.approx(pearson(scores, truth))
    assert told["points"] == {"truth": truth, "SC": scores}
