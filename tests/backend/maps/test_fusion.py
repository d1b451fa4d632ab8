"""The three fusion rules against values by hand and against the papers' loops."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backend.maps.fusion import dcsp_labels, harmonic_mean, oaa_labels, seenet_labels

UNIT = st.floats(0, 1, width=32)
# Few distinct values make ties and exact thresholds common.
STEPS = st.sampled_from([np.float32(v) for v in (0, 0.1, 0.25, 0.3, 0.4, 0.5, 0.75, 0.8, 0.9, 1)])
RULES = [seenet_labels, dcsp_labels, oaa_labels]


@st.composite
def cues(draw, elements=STEPS):
    tags = draw(st.integers(0, 4))
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    attention = draw(hnp.arrays(np.float32, (tags, *shape), elements=elements))
    saliency = draw(hnp.arrays(np.float32, shape, elements=elements))
    ids = draw(st.lists(st.integers(1, 254), min_size=tags, max_size=tags, unique=True))
    return attention, saliency, ids


def _pixels(*rows):
    return np.array(rows, dtype=np.float32)[:, None, :]


# --- harmonic mean -----------------------------------------------------------------------------


def test_the_harmonic_mean_of_a_half_and_one_is_two_thirds():
    assert harmonic_mean(_pixels([0.5]), np.ones((1, 1)))[0, 0, 0] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("weight", "expected"),
    # (w + 1) / (w / 0.2 + 1 / 0.8), by hand: the weight pulls towards the attention, 0.2.
    [(0, 0.8), (1, 2 / 6.25), (3, 4 / 16.25), (1e6, 0.2)],
)
def test_the_weight_pulls_from_the_saliency_to_the_attention(weight, expected):
    result = harmonic_mean(_pixels([0.2]), np.full((1, 1), 0.8), weight)
    assert result[0, 0, 0] == pytest.approx(expected, rel=1e-5)


def test_zero_on_either_side_gives_zero_and_no_warning(recwarn):
    result = harmonic_mean(_pixels([0, 0.5, 0]), np.array([[0.5, 0, 0]]))
    np.testing.assert_array_equal(result, np.zeros((1, 1, 3)))
    assert not recwarn.list


def test_with_no_weight_the_saliency_counts_only_where_there_is_attention():
    result = harmonic_mean(_pixels([0.5, 0.0]), np.array([[0.3, 0.3]]), 0)
    np.testing.assert_array_equal(result, np.array([[[0.3, 0]]], dtype=np.float32))


def test_saliency_in_bytes_overflows_nowhere(recwarn):
    # weight 0 is the limit D where there is attention, and 0 where there is none
    attention, bright = _pixels([0, 1e-30, 1, 255]), np.full((1, 4), 255)
    result = harmonic_mean(attention, bright, 0)
    np.testing.assert_array_equal(result[0, 0], np.array([0, 255, 255, 255], np.float32))
    # 2 A D / (A + D) by hand: 0, 2e-30, 510/256, 255
    result = harmonic_mean(attention, bright, 1)
    np.testing.assert_allclose(result[0, 0], [0, 2e-30, 510 / 256, 255], rtol=1e-6)
    assert not recwarn.list


def test_very_small_maps_do_not_vanish():
    result = harmonic_mean(np.full((1, 1), 1e-30), np.full((1, 1), 1e-30))
    assert result[0, 0] == pytest.approx(1e-30)


@given(cues(UNIT), st.floats(0, 20))
def test_a_harmonic_mean_lies_between_what_it_averages(maps, weight):
    attention, saliency, _ = maps
    mean = harmonic_mean(attention, saliency, weight)
    assert mean.dtype == np.float32
    assert mean.shape == attention.shape
    assert (mean <= np.maximum(attention, saliency)).all()
    assert (mean >= np.minimum(attention, saliency)).all()


@given(cues(UNIT), st.floats(0.015625, 20))
def test_the_harmonic_mean_follows_the_papers_formula(maps, weight):
    attention, saliency, _ = maps
    mean = harmonic_mean(attention, saliency, weight)
    for k, y, x in np.ndindex(attention.shape):
        a, d = float(attention[k, y, x]), float(saliency[y, x])
        expected = (weight + 1) / (weight / a + 1 / d) if a > 1e-30 and d > 1e-30 else 0
        assert mean[k, y, x] == pytest.approx(expected, rel=1e-4, abs=1e-29)


@given(hnp.arrays(np.float32, (1, 2, 3), elements=UNIT), st.floats(0, 20))
def test_the_mean_of_a_map_with_itself_is_the_map_exactly(attention, weight):
    np.testing.assert_array_equal(harmonic_mean(attention, attention[0], weight), attention)


def test_a_single_map_may_come_without_the_tag_dimension():
    one = harmonic_mean(np.full((2, 3), 0.5), np.full((2, 3), 1.0))
    assert one.shape == (2, 3)


@pytest.mark.parametrize(
    ("attention", "saliency", "weight", "words"),
    [
        (np.zeros(3), np.zeros(3), 1, "attention must have the shape"),
        (np.zeros((1, 2, 2)), np.zeros((2, 3)), 1, r"saliency must have the shape \(2, 2\)"),
        (np.full((1, 2, 2), -1), np.zeros((2, 2)), 1, "must not be negative"),
        (np.zeros((1, 2, 2)), np.full((2, 2), -1), 1, "must not be negative"),
        (np.full((1, 2, 2), np.nan), np.zeros((2, 2)), 1, "attention holds NaN"),
        (np.zeros((1, 2, 2)), np.full((2, 2), np.nan), 1, "saliency holds NaN"),
        (np.zeros((1, 2, 2)), np.zeros((2, 2)), -1, "weight must be"),
        (np.zeros((1, 2, 2)), np.zeros((2, 2)), np.inf, "weight must be"),
    ],
)
def test_means_of_what_does_not_fit_are_refused(attention, saliency, weight, words):
    with pytest.raises(ValueError, match=words):
        harmonic_mean(attention, saliency, weight)


# --- SeeNet ------------------------------------------------------------------------------------


def test_seenet_weighs_background_against_the_harmonic_mean():
    # harm(0.5, 0.6) = 0.545 > 1 - 0.6; harm(0.2, 0.6) = 0.3 < 0.4; harm(0.4, 0.4) = 0.4 < 0.6.
    labels = seenet_labels(_pixels([0.5, 0.2, 0.4]), np.array([[0.6, 0.6, 0.4]]), [7])
    assert labels.tolist() == [[7, 0, 0]]


def test_seenet_gives_the_pixel_to_the_tag_with_more_attention():
    attention = _pixels([0.9, 0.3], [0.4, 0.8])
    assert seenet_labels(attention, np.ones((1, 2)), [12, 3]).tolist() == [[12, 3]]


def test_seenets_weight_can_turn_a_pixel():
    # Q0 = 0.45; w=1: 2/(1/0.3+1/0.55) = 0.388 is background, w=0.1: 1.1/(0.1/0.3+1/0.55) = 0.511.
    cue = (_pixels([0.3]), np.array([[0.55]]), [5])
    assert seenet_labels(*cue).tolist() == [[0]]
    assert seenet_labels(*cue, weight=0.1).tolist() == [[5]]


def test_a_tie_with_the_background_is_background():
    assert seenet_labels(_pixels([0.5]), np.array([[0.5]]), [5]).tolist() == [[0]]


def test_a_hard_saliency_threshold_makes_background_below_it_and_is_off_by_default():
    cue = (_pixels([1.0, 1.0]), np.array([[0.6, 0.7]]), [5])
    assert seenet_labels(*cue).tolist() == [[5, 5]]
    assert seenet_labels(*cue, saliency_threshold=0.7).tolist() == [[0, 5]]
    assert seenet_labels(*cue, saliency_threshold=0.0).tolist() == [[5, 5]]


@given(cues())
def test_seenet_follows_algorithm_1(maps):
    attention, saliency, ids = maps
    labels = seenet_labels(attention, saliency, ids)
    for y, x in np.ndindex(labels.shape):
        d = saliency[y, x]
        best, expected = np.float32(1) - d, 0
        for class_id, a in sorted(zip(ids, attention[:, y, x], strict=True)):
            score = harmonic_mean(np.full((1, 1), a), np.full((1, 1), d))[0, 0]
            if score > best:
                best, expected = score, class_id
        assert labels[y, x] == expected


# --- DCSP --------------------------------------------------------------------------------------


def test_dcsp_keeps_a_tag_from_gamma_on():
    # Equal cues have their own value as harmonic mean: 0.39 is under 0.4, 0.4 and 0.41 are not.
    attention = _pixels([0.39, 0.4, 0.41])
    assert dcsp_labels(attention, attention[0], [9]).tolist() == [[0, 9, 9]]


def test_dcsp_takes_the_tag_with_the_largest_mean():
    attention = _pixels([0.9, 0.3, 0.3], [0.4, 0.8, 0.2])
    assert dcsp_labels(attention, np.ones((1, 3)), [12, 3]).tolist() == [[12, 3, 12]]


@pytest.mark.parametrize(
    ("mean", "value"), [("harmonic", 0.32), ("geometric", 0.4), ("arithmetic", 0.5)]
)
def test_each_mean_of_a_fifth_and_four_fifths(mean, value):
    cue = (_pixels([0.2]), np.array([[0.8]]), [9])
    assert dcsp_labels(*cue, gamma=value - 1e-4, mean=mean).tolist() == [[9]]
    assert dcsp_labels(*cue, gamma=value + 1e-4, mean=mean).tolist() == [[0]]


@given(cues(), UNIT, st.sampled_from(["harmonic", "arithmetic", "geometric"]))
def test_dcsp_follows_algorithm_1(maps, gamma, mean):
    attention, saliency, ids = maps
    means = {
        "harmonic": lambda a, s: 2 * a * s / (a + s) if a + s else 0.0,
        "arithmetic": lambda a, s: (a + s) / 2,
        "geometric": lambda a, s: math.sqrt(a * s),
    }[mean]
    labels = dcsp_labels(attention, saliency, ids, gamma, mean)
    for y, x in np.ndindex(labels.shape):
        here = sorted(zip(ids, attention[:, y, x].tolist(), strict=True))
        values = {class_id: means(a, float(saliency[y, x])) for class_id, a in here}
        best = max(values.values(), default=-1)
        if abs(best - gamma) < 1e-6:
            continue
        winners = {c for c, value in values.items() if value > best - 1e-6}
        assert labels[y, x] in (winners if best >= gamma else {0})


@given(cues(), UNIT, UNIT)
def test_a_larger_gamma_never_adds_foreground(maps, one, other):
    low, high = sorted((one, other))
    few, many = dcsp_labels(*maps, gamma=high), dcsp_labels(*maps, gamma=low)
    assert ((few == 0) | (few == many)).all()


# --- OAA ---------------------------------------------------------------------------------------


def _oaa(attention_rows, saliency_row, ids, **options):
    options = {"smallest_share": 0.0} | options
    labels = oaa_labels(_pixels(*attention_rows), np.array([saliency_row]), ids, **options)
    return labels[0].tolist()


def test_oaa_lets_the_strongest_cue_win():
    # Attention 0.6 against a background of 0.4, 0.95 and, with 0.5 for the other tag, 0.4.
    assert _oaa([[0.6, 0.6, 0.6], [0, 0, 0.7]], [0.6, 0.05, 0.6], [3, 8]) == [3, 0, 8]


def test_oaa_drops_attention_under_its_threshold():
    # A background of 0.25 falls as well, so that saliency without attention is a doubt.
    assert _oaa([[0.29, 0.3]], [0.75, 0.75], [3]) == [255, 3]


def test_two_confident_tags_are_a_conflict():
    assert _oaa([[0.95, 0.95, 0.9], [0.91, 0.9, 0.95]], [0.5] * 3, [3, 8]) == [255, 3, 8]


def test_a_confident_background_and_a_confident_tag_are_a_conflict():
    assert _oaa([[0.95, 0.9]], [0.05, 0.05], [3]) == [255, 255]
    assert _oaa([[0.95, 0.8]], [0.05, 0.05], [3]) == [255, 0]


def test_background_is_doubted_where_the_saliency_says_object():
    assert _oaa([[0.0, 0.0, 0.0]], [31 / 255, 32 / 255, 0.9], [3]) == [0, 255, 255]


def test_background_is_doubted_under_strong_attention():
    assert _oaa([[0.8, 0.81]], [0.1, 0.1], [3]) == [0, 255]


def test_an_image_with_hardly_any_foreground_is_ignored_as_a_whole():
    attention, saliency = np.zeros((1, 10, 20)), np.zeros((10, 20))
    attention[0, 0, 0] = saliency[0, 0] = 1
    assert (oaa_labels(attention, saliency, [3]) == 255).all()
    attention[0, 0, 1] = saliency[0, 1] = 1
    labels = oaa_labels(attention, saliency, [3])
    assert labels[0, :3].tolist() == [3, 3, 0]


def test_every_threshold_of_oaa_can_be_given():
    assert _oaa([[0.2]], [0.9], [3], keep_above=0.1) == [3]
    assert _oaa([[0.8], [0.7]], [0.5], [3, 8], conflict_above=0.6) == [255]
    assert _oaa([[0.0]], [0.3], [3], salient_from=0.4) == [0]
    assert _oaa([[0.5]], [0.1], [3], strong_above=0.4) == [255]
    assert _oaa([[1.0, 0.0]], [1.0, 0.0], [3], smallest_share=0.6) == [255, 255]
    assert _oaa([[1.0, 0.0]], [1.0, 0.0], [3], smallest_share=0.5) == [3, 0]


@given(cues())
def test_oaa_follows_its_rules_pixel_by_pixel(maps):
    attention, saliency, ids = maps
    labels = oaa_labels(attention, saliency, ids)
    expected = np.zeros_like(labels)
    for y, x in np.ndindex(labels.shape):
        one = np.float32(1)
        channels = [(0, one - saliency[y, x]), *sorted(zip(ids, attention[:, y, x], strict=True))]
        kept = [(c, v if v >= np.float32(0.3) else np.float32(0)) for c, v in channels]
        label = max(kept, key=lambda channel: channel[1])[0]
        strong = any(v > np.float32(0.8) for _, v in channels[1:])
        if sum(v > np.float32(0.9) for _, v in kept) > 1 or (
            label == 0 and (saliency[y, x] >= np.float32(32 / 255) or strong)
        ):
            label = 255
        expected[y, x] = label
    if np.isin(expected, ids).sum() < 0.01 * expected.size:
        expected[:] = 255
    np.testing.assert_array_equal(labels, expected)


# --- all three ---------------------------------------------------------------------------------


@given(cues(), st.sampled_from(RULES))
def test_absent_tags_never_win_a_pixel(maps, rule):
    attention, saliency, ids = maps
    labels = rule(attention, saliency, ids)
    assert labels.dtype == np.uint8
    assert labels.shape == saliency.shape
    allowed = {0, *ids, 255} if rule is oaa_labels else {0, *ids}
    assert set(np.unique(labels).tolist()) <= allowed


@given(cues(), st.sampled_from(RULES))
def test_the_order_of_the_tags_never_changes_a_pixel(maps, rule):
    attention, saliency, ids = maps
    labels = rule(attention, saliency, ids)
    for order in itertools.permutations(range(len(ids))):
        permuted = rule(attention[list(order)], saliency, [ids[k] for k in order])
        np.testing.assert_array_equal(permuted, labels)


@given(cues(), st.sampled_from(RULES))
def test_a_rule_leaves_its_inputs_alone(maps, rule):
    before = [np.copy(part) for part in maps]
    rule(*maps)
    for part, copy in zip(maps, before, strict=True):
        np.testing.assert_array_equal(part, copy)


@pytest.mark.parametrize("rule", [seenet_labels, dcsp_labels])
def test_without_tags_everything_is_background(rule):
    assert not rule(np.zeros((0, 2, 3)), np.ones((2, 3)), []).any()


@pytest.mark.parametrize("rule", [seenet_labels, dcsp_labels])
def test_maps_that_say_nothing_give_background(rule):
    assert not rule(np.zeros((2, 2, 3)), np.zeros((2, 3)), [1, 2]).any()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("attention", "saliency", "ids", "words"),
    [
        (np.zeros((2, 2)), np.zeros((2, 2)), [1], "attention must have the shape"),
        (np.zeros((1, 2, 2)), np.zeros((3, 2)), [1], r"saliency must have the shape \(2, 2\)"),
        (np.zeros((1, 2, 2)), np.zeros((2, 2)), [1, 2], "1 maps, 2 ids"),
        (np.zeros((2, 2, 2)), np.zeros((2, 2)), [4, 4], "must not repeat a class"),
        (np.zeros((1, 2, 2)), np.zeros((2, 2)), [0], "must lie in 1..254"),
        (np.zeros((1, 2, 2)), np.zeros((2, 2)), [255], "must lie in 1..254"),
        (np.zeros((1, 2, 2)), np.full((2, 2), 255), [1], "saliency must lie in 0..1"),
        (np.full((1, 2, 2), 1.1), np.zeros((2, 2)), [1], "attention must lie in 0..1"),
        (np.full((1, 2, 2), -0.1), np.zeros((2, 2)), [1], "attention must lie in 0..1"),
        (np.full((1, 2, 2), np.nan), np.zeros((2, 2)), [1], "attention holds NaN"),
        (np.zeros((1, 2, 2)), np.full((2, 2), np.nan), [1], "saliency holds NaN"),
    ],
)
def test_cues_that_do_not_fit_are_refused_with_a_sentence(rule, attention, saliency, ids, words):
    with pytest.raises(ValueError, match=words):
        rule(attention, saliency, ids)


@pytest.mark.parametrize(
    ("rule", "options", "words"),
    [
        (seenet_labels, {"weight": -1}, "weight must be"),
        (seenet_labels, {"saliency_threshold": 1.5}, "saliency_threshold must lie in 0..1"),
        (dcsp_labels, {"gamma": 1.5}, "gamma must lie in 0..1"),
        (dcsp_labels, {"gamma": np.nan}, "gamma must lie in 0..1"),
        (dcsp_labels, {"mean": "median"}, "mean must be harmonic, .* but is 'median'"),
        (oaa_labels, {"keep_above": 2}, "keep_above must lie in 0..1"),
        (oaa_labels, {"conflict_above": -1}, "conflict_above must lie in 0..1"),
        (oaa_labels, {"salient_from": 32}, "salient_from must lie in 0..1"),
        (oaa_labels, {"strong_above": 2}, "strong_above must lie in 0..1"),
        (oaa_labels, {"smallest_share": 2}, "smallest_share must lie in 0..1"),
    ],
)
def test_options_out_of_range_are_refused_by_name(rule, options, words):
    with pytest.raises(ValueError, match=words):
        rule(np.zeros((1, 2, 2)), np.zeros((2, 2)), [1], **options)


def test_rounding_just_outside_the_range_is_taken_for_its_end():
    attention = np.full((1, 1, 1), 1 + 1e-6)
    assert dcsp_labels(attention, np.full((1, 1), 1 + 1e-6), [3], gamma=1.0).tolist() == [[3]]
