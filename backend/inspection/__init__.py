"""One image and its tags through every stage, as a stream of StageMap (DESIGN, "The data's way").

The network and the detector run once per image; every later stage is kept beside the settings and
stages that it was made from, so that a moved slider re-runs only what stands after it. Where the
attention comes from is a method (`backend.inspection.methods`).
"""

from backend.inspection.inspector import WORKING_SIDE, Inspector, inspect
from backend.inspection.kept import Caches, Kept
from backend.inspection.methods import METHODS, method_for, methods_for, trained_with
from backend.inspection.settings import FUSIONS, LIMITS, Settings
from backend.inspection.stages import StageMap
from backend.inspection.table import REFINED, stages_of, standing_after
from backend.inspection.truth import Truth

__all__ = [
    "FUSIONS",
    "LIMITS",
    "METHODS",
    "REFINED",
    "WORKING_SIDE",
    "Caches",
    "Inspector",
    "Kept",
    "Settings",
    "StageMap",
    "Truth",
    "inspect",
    "method_for",
    "methods_for",
    "stages_of",
    "standing_after",
    "trained_with",
]
