"""MAE, F- and S-measure of saliency maps, each against a plain second formulation."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from training.saliency_measures import SaliencyScores, s_measure

Arrays = tuple[np.ndarray, np.ndarray]


def random_pair(seed: int, height: int = 9, width: int = 12) -> Arrays:
    random = np.random.default_rng(seed)
    truth = np.zeros((height, width), np.uint8)
    truth[2:7, 3 : 4 + seed % 7] = 1
    heat = np.clip(0.6 * truth + random.random(truth.shape) * 0.5, 0, 1)
    return np.rint(heat * 255) / 255, truth


def scores_of(*pairs: Arrays) -> dict[str, float]:
    scores = SaliencyScores()
    for heat, truth in pairs:
        scores.add(heat, truth)
    return scores.result()


def plain_mae(heat: np.ndarray, truth: np.ndarray) -> float:
    height, width = heat.shape
    total = 0.0
    for row in range(height):
        for column in range(width):
            total += abs(float(heat[row, column]) - int(truth[row, column]))
    return total / (height * width)


def plain_max_f(pairs: list[Arrays]) -> tuple[float, float]:
    """The largest F over the 256 levels, and that level, threshold by threshold."""
    best = (0.0, 0.0)
    for level in range(255, -1, -1):
        precisions, recalls = [], []
        for heat, truth in pairs:
            found = heat * 255 > level - 0.5
            both = int((found & (truth == 1)).sum())
            precisions.append(both / found.sum() if found.any() else 0.0)
            recalls.append(both / (truth == 1).sum())
        precision, recall = np.mean(precisions), np.mean(recalls)
        if precision + recall > 0:
            f = 1.3 * precision * recall / (0.3 * precision + recall)
            best = max(best, (float(f), level / 255))
    return best


def plain_s(heat: np.ndarray, truth: np.ndarray) -> float:
    """Fan et al. written out with sums: 0.5 of the objects, 0.5 of the four regions."""

    def mean(values: list[float]) -> float:
        # Of one value the mean is that value, which a rounded sum may miss.
        return values[0] if min(values) == max(values) else sum(values) / len(values)

    def of_object(values: list[float]) -> float:
        x = mean(values)
        sigma = math.sqrt(mean([(value - x) ** 2 for value in values]))
        return 2 * x / (x * x + 1 + sigma)

    height, width = heat.shape
    cells = [(r, c) for r in range(height) for c in range(width)]
    inside = [(r, c) for r, c in cells if truth[r, c]]
    outside = [(r, c) for r, c in cells if not truth[r, c]]
    share = len(inside) / len(cells)
    objects = share * of_object([float(heat[rc]) for rc in inside])
    objects += (1 - share) * of_object([1 - float(heat[rc]) for rc in outside])
    y = round(mean([r for r, _ in inside])) + 1
    x = round(mean([c for _, c in inside])) + 1
    regions = 0.0
    for down in (False, True):
        for across in (False, True):
            part = [(r, c) for r, c in cells if (r >= y) == down and (c >= x) == across]
            if not part:
                continue
            one = [float(heat[rc]) for rc in part]
            other = [float(truth[rc] != 0) for rc in part]
            mx, my, less = mean(one), mean(other), max(len(part) - 1, 1)
            sx = sum((v - mx) ** 2 for v in one) / less
            sy = sum((v - my) ** 2 for v in other) / less
            sxy = sum((v - mx) * (w - my) for v, w in zip(one, other, strict=True)) / less
            top, bottom = 4 * mx * my * sxy, (mx * mx + my * my) * (sx + sy)
            alike = top / bottom if top != 0 else float(bottom == 0)
            regions += len(part) / len(cells) * alike
    return max(0.0, (objects + regions) / 2)


@pytest.mark.parametrize("seeds", [(0,), (1, 2, 3), range(6)])
def test_every_measure_is_what_its_definition_says(seeds: range) -> None:
    pairs = [random_pair(seed) for seed in seeds]
    found = scores_of(*pairs)
    assert found["images"] == len(pairs)
    assert found["mae"] == pytest.approx(np.mean([plain_mae(*pair) for pair in pairs]))
    best, at = plain_max_f(pairs)
    assert (found["max_f"], found["max_f_at"]) == (pytest.approx(best), pytest.approx(at))
    assert found["s_measure"] == pytest.approx(np.mean([plain_s(*pair) for pair in pairs]))


@settings(max_examples=60, deadline=None)
@example(np.full((5, 6), 51, np.uint8), np.array([[0, *[1] * 5], *[[1] * 6] * 4], np.uint8))
@given(
    arrays(np.uint8, (5, 6), elements=st.integers(0, 255)),
    arrays(np.uint8, (5, 6), elements=st.integers(0, 1)),
)
def test_measures_stay_between_0_and_1_and_agree_with_the_plain_ones(
    levels: np.ndarray, truth: np.ndarray
) -> None:
    heat = levels / 255
    found = scores_of((heat, truth))
    assert all(0 <= value <= 1 for value in found.values())
    assert found["mae"] == pytest.approx(plain_mae(heat, truth))
    if truth.any():
        assert found["max_f"] == pytest.approx(plain_max_f([(heat, truth)])[0])
    if truth.any() and not truth.all():
        assert found["s_measure"] == pytest.approx(plain_s(heat, truth), abs=1e-6)


def test_a_perfect_map_has_no_error_and_a_full_score() -> None:
    _, truth = random_pair(4)
    found = scores_of((truth.astype(float), truth))
    assert found["mae"] == 0
    assert found["max_f"] == pytest.approx(1)
    assert found["s_measure"] == pytest.approx(1, abs=1e-6)
    worst = scores_of((1.0 - truth, truth))
    assert worst["mae"] == 1
    assert worst["s_measure"] < 0.2


def test_ignored_pixels_count_neither_way() -> None:
    heat, truth = random_pair(3)
    void = truth.copy()
    void[:, :4] = 255
    changed = heat.copy()
    changed[:, :4] = 1 - changed[:, :4]
    assert scores_of((heat, void)) == scores_of((changed, void))
    kept = scores_of((heat[:, 4:], truth[:, 4:]))
    found = scores_of((heat, void))
    assert (found["mae"], found["max_f"]) == (pytest.approx(kept["mae"]), kept["max_f"])


def test_images_with_nothing_salient_have_no_f() -> None:
    nothing = np.zeros((4, 5), np.uint8)
    found = scores_of((np.full((4, 5), 0.25), nothing))
    assert "max_f" not in found
    assert (found["mae"], found["s_measure"]) == (0.25, 0.75)
    both = scores_of((np.full((4, 5), 0.25), nothing), random_pair(2))
    assert both["max_f"] == scores_of(random_pair(2))["max_f"]
    assert both["images"] == 2


def test_everything_salient_is_scored_by_the_mean() -> None:
    assert s_measure(np.full((3, 3), 0.4), np.ones((3, 3), bool)) == pytest.approx(0.4)


def test_no_images_have_no_scores_and_shapes_must_agree() -> None:
    assert SaliencyScores().result() == {}
    scores = SaliencyScores()
    scores.add(np.zeros((2, 2)), np.full((2, 2), 255, np.uint8))
    assert scores.result() == {}
    with pytest.raises(ValueError, match=r"one shape \(H,W\)"):
        scores.add(np.zeros((2, 3)), np.zeros((3, 2), np.uint8))
