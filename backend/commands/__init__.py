"""The commands of `python -m backend`, one module each.

A module's name is the command's, a trailing underscore dropped (`import_` is `import`). Its
docstring begins "python -m backend NAME: what it does"; its `add_parser(subparsers)` adds the
command's arguments and sets the default `run`, which takes the namespace, returns the exit status
and raises TagmaskError. Commands are found by looking into the folder and imported only when
asked for, so that `python -m backend --help` is quick and needs nothing heavy.
"""

import ast
import importlib
import pkgutil
from pathlib import Path
from types import ModuleType


def names() -> dict[str, str]:
    """Module names by command name, none of them imported."""
    found = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name.rstrip("_"): name for name in found if not name.startswith("_")}


def summary(module: str) -> str:
    """What a command does, from the first line of its module's docstring."""
    text = Path(__path__[0], f"{module}.py").read_text(encoding="utf-8")
    line = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    return line.partition(": ")[2] or line


def load(module: str) -> ModuleType:
    """One command's module."""
    return importlib.import_module(f"{__name__}.{module}")
