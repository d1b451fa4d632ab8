"""The Inspect tab: one image and its tags through every stage."""

from ui.context import Context
from ui.roots import module_root


def build(context: Context) -> None:
    """Places the viewer; everything it shows comes through /tagmask/api/."""
    module_root("inspect", "viewer/inspect.js")
