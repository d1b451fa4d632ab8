"""Taking things into the store: data sets, label maps as candidates, scores of those there are."""

from backend.intake.data_sets import Import, take_in_source
from backend.intake.masks import (
    BATCH,
    Intake,
    Refusals,
    ScoreLine,
    batches,
    method_of,
    read_scores,
    take_in_labels,
)

__all__ = [
    "BATCH",
    "Import",
    "Intake",
    "Refusals",
    "ScoreLine",
    "batches",
    "method_of",
    "read_scores",
    "take_in_labels",
    "take_in_source",
]
