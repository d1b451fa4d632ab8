"""Whose mask teaches a segmenter: that is decided by its score, or by what people decided.

A policy says which decisions count; every image then falls under one rule, and the rule says what
its mask weighs. The page shows how many images each rule takes before anything is trained.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

CURATED, ACCEPTED_ONLY, SCORES_ONLY = "curated", "accepted-only", "scores-only"

# The scores that can be gone by: the fine one and the coarse one.
BY = ("SF", "SC")

POLICIES: dict[str, str] = {
    CURATED: "Accepted and fixed masks teach, rejected ones do not, and of the undecided ones "
    "those teach whose score is at least tau.",
    ACCEPTED_ONLY: "Accepted and fixed masks teach, and no others.",
    SCORES_ONLY: "Decisions are passed over: every proposed mask teaches whose score is at least "
    "tau.",
}

# The same where scores are not gone by.
WITHOUT_SCORES: dict[str, str] = {
    CURATED: "Accepted and fixed masks teach, rejected ones do not, and every undecided one does.",
    ACCEPTED_ONLY: POLICIES[ACCEPTED_ONLY],
    SCORES_ONLY: "Decisions are passed over, and scores too: every proposed mask teaches.",
}


@dataclass(frozen=True)
class Rule:
    """What a mask under this rule weighs in the selection loss, and why."""

    weight: float
    why: str


RULES: dict[str, Rule] = {
    "true": Rule(1.0, "its true mask is used (--strong)"),
    "fixed": Rule(1.0, "a person drew its mask, which stands in the place of the proposed one"),
    "accepted": Rule(1.0, "a person accepted its mask"),
    "above": Rule(1.0, "its score is at least tau"),
    "all": Rule(1.0, "every proposed mask counts (--no-selection)"),
    "below": Rule(0.0, "its score is below tau"),
    "unscored": Rule(0.0, "its mask has no score"),
    "rejected": Rule(0.0, "a person rejected its mask"),
    "undecided": Rule(0.0, "nobody accepted or fixed its mask"),
    "bare": Rule(0.0, "it has no mask"),
}
"""By name, in the order in which a table shows them. (Source: SAL Eq. 9 and IV-F.)"""

# The rules by which an image teaches what a person saw to, or its true mask.
DECIDED = ("true", "fixed", "accepted")


@dataclass(frozen=True)
class Known:
    """What is known of an image: the verdict on the mask that stands for it (accept, fix, reject,
    undecided or None), whether it has a mask to learn from and whether that is its true one, and
    that mask's score.
    """

    verdict: str | None = None
    has_mask: bool = True
    is_true: bool = False
    score: float | None = None


def is_scored(policy: str, known: Known) -> bool:
    """Whether a policy goes by the score of an image's mask."""
    if known.is_true or not known.has_mask or policy == ACCEPTED_ONLY:
        return False
    return policy == SCORES_ONLY or known.verdict not in ("accept", "fix", "reject")


def rule_of(policy: str, known: Known, tau: float, *, selection: bool = True) -> str:
    """The name of the rule that an image falls under. selection: whether scores are gone by."""
    if known.is_true:
        return "true"
    if policy != SCORES_ONLY and known.verdict == "reject":
        return "rejected"
    if not known.has_mask:
        return "bare"
    if policy != SCORES_ONLY and known.verdict in ("accept", "fix"):
        return "accepted" if known.verdict == "accept" else "fixed"
    if policy == ACCEPTED_ONLY:
        return "undecided"
    if not selection:
        return "all"
    if known.score is None:
        return "unscored"
    return "above" if known.score >= tau else "below"


def tau_keeping(scores: Iterable[float], count: int) -> float:
    """The largest tau at which at least `count` of the scores reach it: the count-th largest.

    Equal scores are kept together, so more may reach it; all do where there are no more than
    count. Raises ValueError for no score at all, or a count below 1.
    """
    ordered = sorted(scores, reverse=True)
    if not ordered or count < 1:
        raise ValueError(f"There are {len(ordered)} scores to keep {count} of.")
    return ordered[min(count, len(ordered)) - 1]


def table(rules: Mapping[str, str]) -> list[dict[str, object]]:
    """How many images each rule takes: rows of rule, weight, images, why; rules is the rule of each
    image.
    """
    counted = dict.fromkeys(RULES, 0)
    for rule in rules.values():
        counted[rule] += 1
    return [
        {"rule": name, "weight": RULES[name].weight, "images": count, "why": RULES[name].why}
        for name, count in counted.items()
        if count
    ]
