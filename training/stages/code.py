"""Which code makes what a recipe makes: its file and all that it imports of ours, as digests.

Found by following imports, not by a list that somebody keeps: a file that a list forgot would let
old labels pass for new ones, while a file too many costs no more than making a stage again. What
cannot change a result is left out by name, below.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("backend", "training")

# Each of these may change without changing a single number that a stage leaves behind.
WITHOUT_EFFECT = (
    # How a run speaks, stops, saves and is watched. A checkpoint restores exactly what was there.
    "training.run",
    "training.events",
    "training.machine",
    "training.options",
    "training.orphan",
    "training.checkpoints",
    "training.errors",
    "training.film",
    "training.watching",
    "training.segment_watching",
    "training.saliency_watching",
    "training.examples",
    "training.cli",
    "training.describe",
    "training.earlier_run",
    "training.footprint",
    "training.scores",
    "training.streaming",
    "backend.errors",
    "backend.atomic",
    "backend.refinement",
    # How data sets and weights are read: what they hold is digested itself.
    "backend.exchange.*",
    "backend.weights.*",
    "training.sources",
    # Figures about results that are made already.
    "training.evaluation",
    "training.evaluations",
    "training.measures",
    "training.tables",
    "training.boundary_iou",
    "training.label_quality",
    "training.saliency_measures",
    # Which recipes there are.
    "training.recipes",
)


@cache
def code_of(module: str) -> dict[str, str]:
    """The files that a module stands on, itself included, each with the digest of its code: its
    syntax tree without docstrings, comments, layout and settings.
    """
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if path is None:
            # A constant of a module counts by itself, without all that the module stands on.
            front, _, constant = name.rpartition(".")
            found[f"{_file(front)}:{constant}"] = _digest(_constants(front)[constant])
        elif str(path) not in found:
            found[str(path)], imported = _looked_through(path)
            waiting += [each for each in imported if _has_effect(each)]
    return dict(sorted(found.items()))


def forget() -> None:
    """Files are read anew the next time; within a process they are read once."""
    for each in (code_of, _looked_through, _constants, _passed_on, _file):
        each.cache_clear()


@cache
def _looked_through(path: Path) -> tuple[str, list[str]]:
    """The digest of a file's code, and the modules of ours that it imports."""
    tree = bare(_tree(path))
    return _digest(tree), sorted(_imported(tree))


def bare(tree: ast.Module) -> ast.Module:
    """A module without docstrings, without its options (their values stand in the digest by
    themselves), without its RECIPE and without what only a type checker reads.
    """
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]
        node.body = [each for each in body if not _is_left_out(each)]  # type: ignore[attr-defined]
    return tree


def _is_left_out(node: ast.stmt) -> bool:
    if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Call):
        called = node.value.func
        return isinstance(called, ast.Name) and called.id in ("option", "restated")
    if isinstance(node, ast.Assign):
        return any(isinstance(to, ast.Name) and to.id == "RECIPE" for to in node.targets)
    return _is_type_checking(node)


def _is_type_checking(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def _imported(tree: ast.Module) -> set[str]:
    """The modules of ours that a module imports, at its head or within its functions."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names |= _bound(node.module, alias.name)
    return {name for name in names if name.split(".")[0] in PACKAGES}


def _bound(module: str, name: str) -> set[str]:
    """The modules behind `from module import name`: a package's front only passes names on."""
    if module.split(".")[0] not in PACKAGES:
        return set()
    if _file(f"{module}.{name}") is not None:
        return {f"{module}.{name}"}
    path = _file(module)
    if path is None or not _has_effect(module):
        return {module}
    if name in _constants(module):
        return {f"{module}.{name}"}
    if path.name != "__init__.py":
        return {module}
    behind = _passed_on(path).get(name)
    return {module} if behind is None else _bound(*behind)


@cache
def _passed_on(path: Path) -> dict[str, tuple[str, str]]:
    """The names that a package's front imports, each with its module and its name there."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in reversed(_tree(path).body)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
        for alias in reversed(node.names)
    }


@cache
def _constants(module: str) -> dict[str, ast.expr]:
    """The names that a module gives to plain values, with these."""
    path = _file(module)
    assert path is not None
    found = {}
    for node in _tree(path).body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            (to,) = node.targets
            if isinstance(to, ast.Name) and _is_plain(node.value):
                found[to.id] = node.value
    return found


def _is_plain(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except ValueError:
        return False
    return True


def _digest(tree: ast.AST) -> str:
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:12]


def _tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def _has_effect(module: str) -> bool:
    return not any(
        module == each.removesuffix(".*") or (each.endswith("*") and module.startswith(each[:-1]))
        for each in WITHOUT_EFFECT
    )


@cache
def _file(module: str) -> Path | None:
    """A module's file relative to the project, None where it is none of ours."""
    path = Path(*module.split("."))
    for found in (path.with_suffix(".py"), path / "__init__.py"):
        if (ROOT / found).is_file():
            return found
    return None
