"""The arrows of the house: who may import whom, by the source and in a bare process."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Package -> what no module of it may import, not even inside a function or for a type.
FORBIDDEN = {
    "backend": ("ui", "training", "gradio", "fastapi", "starlette", "app"),
    "training": (
        "ui", "gradio", "fastapi", "sqlite_utils", "app",
        "backend.store", "backend.workspace", "backend.supervisor", "backend.intake",
    ),
    "ui": ("training", "app"),
    "backend.networks": ("backend.weights", "backend.images"),
    "backend.exchange": ("backend.store", "backend.workspace", "torch"),
}  # fmt: skip

# What may open the database or know what does; everything else goes without sqlite-utils.
KNOWS_THE_STORE = (
    "backend.store",
    "backend.workspace",
    "backend.supervisor",
    "backend.intake",
    "backend.commands",
    "backend.inspectors",
    "backend.showing",
    "backend.transfers",
)

# `backend.maps` is arithmetic: numpy, OpenCV, scipy, torch where a gradient passes, and the CRF.
MAPS_NEED = {"numpy", "cv2", "scipy", "torch", "pydensecrf"}

BARE = """
import importlib, pkgutil, sys

class Blocked:
    names = {"gradio", "pydensecrf", "sqlite_utils", "fastapi", "starlette", "uvicorn"}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ImportError(f"{name} is not installed here")
        return None

sys.meta_path.insert(0, Blocked())

def whole(name):
    module = importlib.import_module(name)
    for each in pkgutil.walk_packages(getattr(module, "__path__", []), name + "."):
        if not each.name.endswith("__main__"):
            importlib.import_module(each.name)

for name in sys.argv[1:]:
    whole(name)
print("imported", *sys.argv[1:])
"""


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(package: str) -> Iterator[tuple[str, ast.Module]]:
    place = ROOT / package.replace(".", "/")
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    assert files, f"there is no package {package}"
    for path in files:
        yield module_name(path), ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(module: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import; `from a import b` counts as a and as a.b."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno} imports relatively"
            yield node.lineno, node.module or ""
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("package", FORBIDDEN)
def test_nobody_imports_against_the_arrows(package: str) -> None:
    wrong = [
        f"{name}, line {line}: {imported}"
        for name, module in sources(package)
        for line, imported in imports(module)
        if any(within(imported, each) for each in FORBIDDEN[package])
    ]
    assert wrong == []


def test_only_the_store_and_its_keepers_know_sqlite() -> None:
    wrong = [
        f"{name}, line {line}: {imported}"
        for name, module in sources("backend")
        for line, imported in imports(module)
        if within(imported, "sqlite_utils") or within(imported, "backend.store")
        if not any(within(name, each) for each in KNOWS_THE_STORE)
    ]
    assert wrong == []


def test_the_maps_stand_on_arrays_alone() -> None:
    wrong = [
        f"{name}, line {line}: {imported}"
        for name, module in sources("backend.maps")
        for line, imported in imports(module)
        if not within(imported, "backend.maps")
        and imported.partition(".")[0] not in MAPS_NEED | set(sys.stdlib_module_names)
    ]
    assert wrong == []


def test_torchvision_comes_after_the_shim() -> None:
    """Beside a CPU-only torch its import fails unless the missing operators are known first."""
    for package in ("backend", "training", "ui"):
        for name, module in sources(package):
            lines = sorted(imports(module))
            shims = [line for line, each in lines if within(each, "backend.torchvision_shim")]
            uses = [line for line, each in lines if within(each, "torchvision")]
            if uses and name != "backend.torchvision_shim":
                assert shims, f"{name} imports torchvision without backend.torchvision_shim"
                assert min(shims) < min(uses), f"{name} imports the shim too late"


def test_a_bare_machine_can_import_what_a_gpu_node_needs() -> None:
    needed = (
        "backend.maps", "backend.networks", "backend.inspection", "backend.weights",
        "backend.exchange", "backend.images", "backend.labels", "backend.saliency",
        "backend.refinement", "backend.atomic", "backend.gradients", "training",
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", BARE, *needed], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["imported", *needed]


def test_the_block_itself_works() -> None:
    """So that the test above cannot pass because nothing was blocked."""
    done = subprocess.run(
        [sys.executable, "-c", BARE, "backend.store"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "sqlite_utils is not installed here" in done.stderr
