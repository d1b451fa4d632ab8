"""python -m backend export: write a snapshot out for other programs."""

import argparse
import getpass
from pathlib import Path

from backend.commands._speaking import progress

FORMATS = ("voc", "coco", "label-studio", "cvat", "bundle", "zip")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "export",
        help="write a snapshot out for other programs",
        description="Writes a snapshot's images, masks and tags, as a folder or, where OUT ends "
        "in .zip, a zip. Killed, the same command goes on where it was.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("snapshot", help="its digest, the first 8 digits of it, or its name")
    parser.add_argument("out", type=Path, help="the folder or zip to write; it must not exist")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="voc",
        help="Pascal VOC; COCO (run lengths); Label Studio (brush); CVAT for images; or a bundle, "
        "a zip with the decisions and where everything comes from, to be imported again; zip is "
        "voc as a zip",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exports; the files are checked against the snapshot's digests on the way."""
    from backend.transfers import begin_export, run_export
    from backend.workspace import Workspace

    out = arguments.out.expanduser().absolute()
    format = arguments.format
    if format == "zip":
        format, out = "voc", out if out.suffix.lower() == ".zip" else Path(f"{out}.zip")
    with Workspace.open(arguments.workspace) as workspace:
        transfer = begin_export(workspace, arguments.snapshot, format, out, getpass.getuser())
        run_export(workspace, transfer.id, progress("Images"))
    print(out)
    return 0
