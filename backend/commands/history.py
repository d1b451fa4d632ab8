"""python -m backend history: all that was done to an image, and going back to how it was."""

import argparse
import getpass
import json
import secrets
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import StoreError

if TYPE_CHECKING:
    from backend.store import Store
    from backend.store.events import Event


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "history",
        help="all that was done to an image",
        description="Tells who did what to an image, when, and to which mask. Nothing is ever "
        "taken out of it: going back adds an event.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("image", help="the image's name, or the beginning of its digest")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    back = parser.add_mutually_exclusive_group()
    back.add_argument("--back-to", metavar="EVENT", help="make it again what this event made it")
    back.add_argument("--take-back", metavar="EVENT", help="make it what it was before this event")
    parser.add_argument("--by", help="who goes back; else the user's name")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the history, after going back where that is asked for."""
    from backend.workspace import Workspace

    key = arguments.back_to or arguments.take_back
    with Workspace.open(arguments.workspace, read_only=key is None) as workspace:
        store = workspace.store
        image_id = _image(store, arguments.image)
        if key is not None:
            event = _revert(store, image_id, key, arguments)
            print(f"{event.key}: {event.by} {event.says}")
            return 0
        events = store.audit.history(image_id)
    if arguments.json:
        print(json.dumps([asdict(each) for each in events], indent=2))
        return 0
    for each in events:
        at = datetime.fromtimestamp(each.at).astimezone().isoformat(" ", "seconds")
        mask = f"  mask {each.mask_digest[:12]}" if each.mask_digest else ""
        note = f"  “{each.note}”" if each.note else ""
        print(f"{each.key:16} {at}  {each.by} {each.says}{note}{mask}{'  *' * each.current}")
    print("* counts now. --back-to and --take-back EVENT add an event that goes back.")
    return 0


def _revert(store: "Store", image_id: int, key: str, arguments: argparse.Namespace) -> "Event":
    events = store.audit.history(image_id)
    aspect = next((each.aspect for each in events if each.key == key), None)
    current = [each for each in events if each.current and each.aspect == aspect]
    if aspect is None or not current:
        raise StoreError(f"The history of this image has no {key!r} to go back to.")
    return store.audit.revert(
        image_id,
        key,
        "after" if arguments.back_to else "before",
        seen=current[0].key,
        reviewer=arguments.by or getpass.getuser(),
        session="command line",
        action_id=secrets.token_hex(16),
    )


def _image(store: "Store", name: str) -> int:
    found = store.images.by_name(name)
    if found is not None:
        return found.id
    with store.connections.read() as database:
        rows = database.execute(
            "SELECT id FROM images WHERE length(?) >= 8 AND substr(digest, 1, length(?)) = ?",
            [name, name, name],
        ).fetchall()
    if len(rows) != 1:
        raise StoreError(
            f"There is no image {name!r} in this workspace; name it as the Data tab does."
        )
    return int(rows[0][0])
