"""Imports and exports that say how far they came, can be stopped, and go on after a kill.

A transfer is a row of the table `transfers`; the process that works on it holds a lock, so that a
row that says "running" without a holder was killed and can go on where it stopped.
"""

from backend.transfers.exporting import begin_export, run_export
from backend.transfers.holding import held, is_held, place_of
from backend.transfers.importing import begin_import, run_import
from backend.transfers.reporting import Stopped
from backend.transfers.starting import Starter
from backend.transfers.stopping import cancel_transfer

__all__ = [
    "Starter",
    "Stopped",
    "begin_export",
    "begin_import",
    "cancel_transfer",
    "held",
    "is_held",
    "place_of",
    "run_export",
    "run_import",
]
