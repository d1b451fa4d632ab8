"""python -m backend tags: list images by their tags, give and take tags, see what changed."""

import argparse
import getpass
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands._speaking import number, remark
from backend.errors import StoreError

if TYPE_CHECKING:
    from backend.store import Store, Suggestion

_SHOWS = ("all", "untagged", "suggested", "doubted", "changed")
_PART = 300


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "tags",
        help="list, give and take tags",
        description="Lists images with their tags, a line each, or gives and takes tags of those "
        "that --images names. Each such act is kept in the log and can be undone. Suggestions of a "
        "classifier are listed, never applied: they come from `python -m training suggest`.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--show", choices=_SHOWS, default="all", help="which images (all)")
    parser.add_argument("--class", dest="tag", metavar="NAME", help="of this class only")
    parser.add_argument("--name", default="", help="whose name holds this")
    parser.add_argument("--least", type=float, default=0.5, help="suggest from this score on (0.5)")
    parser.add_argument("--most", type=float, default=0.2, help="doubt up to this score (0.2)")
    parser.add_argument("--since", metavar="DIGEST", help="what changed since this snapshot")
    parser.add_argument("--images", nargs="+", default=(), metavar="NAME", help="whose tags change")
    parser.add_argument("--give", nargs="+", default=(), metavar="CLASS", help="tags to give")
    parser.add_argument("--take", nargs="+", default=(), metavar="CLASS", help="tags to take")
    parser.add_argument("--undo", action="store_true", help="take back the last act of --by")
    parser.add_argument("--by", default=None, help="who does it; else the user's name")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Lists or changes."""
    from backend.workspace import Workspace

    changing = bool(arguments.give or arguments.take or arguments.undo)
    if bool(arguments.images) != bool(arguments.give or arguments.take):
        raise StoreError("Name the images with --images and their tags with --give or --take.")
    with Workspace.open(arguments.workspace, read_only=not changing) as workspace:
        store = workspace.store
        by = arguments.by or getpass.getuser()
        if arguments.undo:
            undone = store.tags.undo(by, "command line", uuid.uuid4().hex)
            remark(
                f"Undone for {number(len(undone.images), 'image')}."
                if undone
                else f"There is no act of {by} left to undo."
            )
        elif changing:
            _change(store, arguments, by)
        elif arguments.since:
            _tell_changed(store, store.snapshots.get(arguments.since).digest)
        else:
            _list(store, arguments)
    return 0


def _change(store: "Store", arguments: argparse.Namespace, by: str) -> None:
    from backend.store import TagEdit

    images = [_image(store, name) for name in arguments.images]
    edit = TagEdit(tuple(images), _classes(store, arguments.give), _classes(store, arguments.take))
    done = store.tags.change(
        [edit], reviewer=by, session="command line", action_id=uuid.uuid4().hex
    )
    remark(f"{number(done.changed, 'image')} changed; --undo takes it back.")


def _image(store: "Store", name: str) -> int:
    found = store.images.by_name(name)
    if found is None:
        raise StoreError(f"There is no image {name!r} in this workspace.")
    return found.id


def _classes(store: "Store", names: Sequence[str]) -> tuple[int, ...]:
    known = {each.name.casefold(): each.id for each in store.classes.all()}
    missing = [name for name in names if name.casefold() not in known]
    if missing:
        raise StoreError(
            f"There is no class {missing[0]!r} in this workspace; there are "
            f"{', '.join(each.name for each in store.classes.all())}. Add one in the Tags tab."
        )
    return tuple(known[name.casefold()] for name in names)


def _list(store: "Store", arguments: argparse.Namespace) -> None:
    from backend.store import TagView

    tag = _classes(store, [arguments.tag])[0] if arguments.tag else None
    view = TagView(arguments.show, tag, arguments.name, arguments.least, arguments.most)
    ids = store.tags.listed(view)
    names = {each.id: each.name for each in store.classes.all()}
    for start in range(0, len(ids), _PART):
        part = ids[start : start + _PART]
        said = store.suggestions.of(part)
        for image in store.images.many(part):
            asked = _asked(image.tags, said.get(image.id, []), view.least, view.most, names)
            print(f"{image.name}\t{' '.join(names[each] for each in image.tags)}\t{asked}")
    remark(number(len(ids), "image"))


def _asked(
    tags: tuple[int, ...],
    said: "Sequence[Suggestion]",
    least: float,
    most: float,
    names: Mapping[int, str],
) -> str:
    """What the classifier suggests (+) and doubts (?) and nobody has answered."""
    found = []
    for each in said:
        if each.judged:
            continue
        if each.class_id not in tags and each.score >= least:
            found.append(f"+{names[each.class_id]} {each.score:.2f}")
        elif each.class_id in tags and each.score <= most:
            found.append(f"?{names[each.class_id]} {each.score:.2f}")
    return " ".join(found)


def _tell_changed(store: "Store", digest: str) -> None:
    since = store.tags.since(digest)
    names = {each.id: each.name for each in store.classes.all()}
    changed = store.tags.changed(since) if since else []
    for each in changed:
        given = [f"+{names[tag]}" for tag in each.after if tag not in each.before]
        taken = [f"-{names[tag]}" for tag in each.before if tag not in each.after]
        print(f"{each.image}\t{' '.join([*given, *taken])}\t{each.by}")
    remark(f"The tags of {number(len(changed), 'image')} changed.")
