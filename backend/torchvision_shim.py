"""Lets torchvision be imported where its compiled operators cannot load.

Package indexes carry a torchvision built against CUDA; beside a CPU-only torch its library does not
load, and `import torchvision` then stops at "operator torchvision::nms does not exist" because two
operators are described without being declared. Importing this module first declares them. What is
used of torchvision (models, transforms.v2, datasets) needs no compiled operator; calling one that
is missing (nms, roi_align, decoding through torchvision.io) still fails. On an install whose
operators load, nothing is declared.
"""

import importlib.util
from pathlib import Path

import torch

# The operators that torchvision describes (register_fake) whether or not its library was loaded.
DESCRIBED_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def operators_load(folder: Path) -> bool:
    """Whether a library of compiled operators (`_C*`) in torchvision's folder loads into this
    torch.
    """
    for library in sorted([*folder.glob("_C*.so"), *folder.glob("_C*.pyd")]):
        try:
            torch.ops.load_library(str(library))
        except (OSError, ImportError):
            continue
        return True
    return False


def declare_missing_operators() -> torch.library.Library | None:
    """Declares torchvision's operators where none load; the declarations live as long as what is
    returned.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return None
    if hasattr(torch.ops.torchvision, "nms"):
        return None
    if operators_load(Path(next(iter(spec.submodule_search_locations)))):
        return None
    library = torch.library.Library("torchvision", "DEF")
    for schema in DESCRIBED_OPERATORS:
        library.define(schema)
    return library


DECLARED = declare_missing_operators()
