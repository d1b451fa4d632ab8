"""The Compare tab."""

from ui.context import Context
from ui.roots import module_root


def build(context: Context) -> None:
    """Places the tab's root; everything it shows comes through /tagmask/api/."""
    module_root("compare", "compare.js")
