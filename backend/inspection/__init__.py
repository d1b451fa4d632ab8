"""One image and its tags through every stage, as a stream of StageMap (DESIGN, "The data's way").

The network and the detector run once per image; every later stage is kept beside the settings and
stages that it was made from, so that a moved slider re-runs only what stands after it.
"""

from backend.inspection.inspector import WORKING_SIDE, Inspector, inspect
from backend.inspection.settings import FUSIONS, Settings
from backend.inspection.stages import STAGES, StageMap, standing_after

__all__ = [
    "FUSIONS",
    "STAGES",
    "WORKING_SIDE",
    "Inspector",
    "Settings",
    "StageMap",
    "inspect",
    "standing_after",
]
