"""python -m backend export: write a snapshot out for other programs."""

import argparse
from pathlib import Path


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "export",
        help="write a snapshot out for other programs",
        description="Writes a snapshot's images, masks and tags in Pascal VOC layout.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("snapshot", help="its digest, the first 8 digits of it, or its name")
    parser.add_argument("out", type=Path, help="the folder or zip to write; it must not exist")
    parser.add_argument("--format", choices=("voc", "zip"), default="voc")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exports; the files are checked against the snapshot's digests on the way."""
    from backend.exchange.export import export_folder, export_zip
    from backend.exchange.sources import open_source
    from backend.workspace import Workspace

    with Workspace.open(arguments.workspace, read_only=True) as workspace:
        path = workspace.store.snapshots.get(arguments.snapshot).path
    export = export_zip if arguments.format == "zip" else export_folder
    print(export(open_source(path), arguments.out))
    return 0
