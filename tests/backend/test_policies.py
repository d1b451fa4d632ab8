"""Policies: which rule an image falls under, and how tau is found for a number of masks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.policies import (
    ACCEPTED_ONLY,
    CURATED,
    POLICIES,
    RULES,
    SCORES_ONLY,
    Known,
    is_scored,
    rule_of,
    table,
    tau_keeping,
)

VERDICTS = ("accept", "fix", "reject", "undecided", None)


@pytest.mark.parametrize(
    ("policy", "high", "low"),
    [
        (CURATED, ["accepted", "fixed", "rejected", "above", "above"],
         ["accepted", "fixed", "rejected", "below", "below"]),
        (ACCEPTED_ONLY, ["accepted", "fixed", "rejected", "undecided", "undecided"],
         ["accepted", "fixed", "rejected", "undecided", "undecided"]),
        (SCORES_ONLY, ["above"] * 5, ["below"] * 5),
    ],
)  # fmt: skip
def test_a_policy_says_which_decisions_count(policy: str, high: list[str], low: list[str]):
    for score, expected in ((0.55, high), (0.5499, low)):
        found = [rule_of(policy, Known(verdict, score=score), 0.55) for verdict in VERDICTS]
        assert found == expected


def test_only_what_is_judged_by_its_score_needs_one():
    judged = {
        policy: [verdict for verdict in VERDICTS if is_scored(policy, Known(verdict))]
        for policy in POLICIES
    }
    assert judged == {
        CURATED: ["undecided", None], ACCEPTED_ONLY: [], SCORES_ONLY: list(VERDICTS)
    }  # fmt: skip
    assert not is_scored(SCORES_ONLY, Known(is_true=True))
    assert not is_scored(SCORES_ONLY, Known(has_mask=False))


def test_a_true_mask_counts_whatever_was_decided_and_a_missing_one_never_does():
    for policy in POLICIES:
        assert rule_of(policy, Known("reject", is_true=True, score=0.0), 1.0) == "true"
        assert rule_of(policy, Known("accept", has_mask=False), 0.0) == "bare"
    assert rule_of(CURATED, Known(score=None), 0.0) == "unscored"


def test_without_selection_every_proposed_mask_counts_and_decisions_still_do():
    found = [rule_of(CURATED, Known(each, score=0.0), 1.0, selection=False) for each in VERDICTS]
    assert found == ["accepted", "fixed", "rejected", "all", "all"]


def test_tau_is_found_for_a_number_of_masks_and_equals_stay_together():
    scores = [0.9, 0.2, 0.5, 0.5, 0.7]
    assert [tau_keeping(scores, count) for count in (1, 2, 3, 4, 5, 99)] == [
        0.9, 0.7, 0.5, 0.5, 0.2, 0.2,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="0 scores to keep 3"):
        tau_keeping([], 3)
    with pytest.raises(ValueError, match="2 scores to keep 0"):
        tau_keeping([0.1, 0.2], 0)


@given(st.lists(st.floats(0, 1), min_size=1), st.integers(1, 30))
def test_at_least_as_many_are_kept_and_without_the_equals_fewer(scores: list[float], count: int):
    tau = tau_keeping(scores, count)
    assert sum(score >= tau for score in scores) >= min(count, len(scores))
    assert sum(score > tau for score in scores) < count


def test_the_table_counts_every_image_once_and_says_why():
    rules = {"a": "above", "b": "below", "c": "above", "d": "fixed"}
    rows = table(rules)
    assert [(row["rule"], row["weight"], row["images"]) for row in rows] == [
        ("fixed", 1.0, 1), ("above", 1.0, 2), ("below", 0.0, 1),
    ]  # fmt: skip
    assert all(row["why"] == RULES[str(row["rule"])].why for row in rows)
