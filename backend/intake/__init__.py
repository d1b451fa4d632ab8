"""Taking things into the store: data sets, label maps as candidates, scores of those there are."""

from backend.intake.masks import (
    BATCH,
    Intake,
    Refusals,
    ScoreLine,
    batches,
    method_of,
    read_scores,
    take_in_labels,
    take_in_source,
)

__all__ = [
    "BATCH",
    "Intake",
    "Refusals",
    "ScoreLine",
    "batches",
    "method_of",
    "read_scores",
    "take_in_labels",
    "take_in_source",
]
