"""The networks that a workspace can look with, loaded once and shared: by the page, and by the
commands that draw what the page shows.
"""

from backend.inspectors.inspectors import KEPT_NETWORKS, Inspectors

__all__ = ["KEPT_NETWORKS", "Inspectors"]
