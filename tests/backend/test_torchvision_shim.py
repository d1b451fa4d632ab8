"""torchvision imports beside any torch, and the networks import without the page's packages."""

import subprocess
import sys
from pathlib import Path

from backend.torchvision_shim import declare_missing_operators, operators_load

ROOT = Path(__file__).resolve().parents[2]


def python(code: str) -> str:
    """The output of a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_is_used_of_torchvision_imports_after_the_shim() -> None:
    code = (
        "import backend.torchvision_shim\n"
        "import torch, torchvision.models, torchvision.datasets\n"
        "from torchvision.transforms import v2\n"
        "from torchvision import tv_tensors\n"
        "mask = tv_tensors.Mask(torch.ones(4, 4, dtype=torch.uint8))\n"
        "print(v2.functional.pad(mask, [1], fill=255)[0, 0].item())"
    )
    assert python(code) == "255"


def test_networks_and_weights_need_nothing_of_the_page() -> None:
    code = (
        "import sys\n"
        "for name in ('gradio', 'pydensecrf', 'sqlite_utils'): sys.modules[name] = None\n"
        "import backend.networks, backend.weights, backend.saliency\n"
        "print('torchvision.models' in sys.modules)"
    )
    assert python(code) == "False"


def test_a_folder_without_a_library_has_no_operators(tmp_path: Path) -> None:
    (tmp_path / "_C.so").write_bytes(b"not a library")
    assert not operators_load(tmp_path)


def test_operators_are_declared_once() -> None:
    # Importing the shim above declared them, or this install's own operators loaded.
    assert declare_missing_operators() is None
