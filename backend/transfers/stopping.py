"""Stopping a transfer, and taking away what it leaves behind."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from backend.exchange.writing import discard
from backend.transfers.holding import is_held, place_of, tidy

if TYPE_CHECKING:
    from backend.store import Transfer
    from backend.workspace import Workspace


def cancel_transfer(workspace: "Workspace", id: int) -> "Transfer":
    """Cancels a transfer: whoever works on it stops soon; where nobody does, it is tidied up here.

    What an import brought in so far stays. Raises StoreError for one that is done.
    """
    stopped = workspace.store.transfers.cancel(id)
    if not is_held(workspace.root, id):
        shutil.rmtree(place_of(workspace.root, id), ignore_errors=True)
        tidy(workspace.root, id)
        if stopped.kind == "export":
            discard(Path(stopped.path), f"transfer-{id}")
    return stopped
