"""python -m backend duplicates: images that are there twice, by their bytes and by their looks."""

import argparse
import json
from pathlib import Path

from backend.commands._speaking import number, progress, remark

FARTHEST = 16


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "duplicates",
        help="images that are there twice",
        description="Lists images whose very bytes came in under several names (each is kept "
        "once), and groups of images that look alike by their perceptual hash.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument(
        "--within",
        type=_bits,
        default=6,
        metavar="BITS",
        help=f"how many of 64 bits may differ between images that look alike, 0 to {FARTHEST} (6)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Looks at images that were not yet, and lists."""
    from backend.intake.duplicates import find_duplicates, hash_missing
    from backend.workspace import Workspace

    with Workspace.open(arguments.workspace) as workspace:
        hash_missing(workspace.store, progress("Looked at"))
        found = find_duplicates(workspace.store, arguments.within)
    if arguments.json:
        told = {
            "same": [
                {"image": name, "digest": digest, "also": [copy.name for copy in copies]}
                for _, name, digest, copies in found.same
            ],
            "near": [
                {"images": [each.name for each in group.images], "apart": group.apart}
                for group in found.near
            ],
        }
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return 0
    for _, name, _, copies in found.same:
        print(f"same  {name}  {', '.join(copy.name for copy in copies)}")
    for group in found.near:
        names = "  ".join(each.name for each in group.images)
        print(f"near  {names}  ({number(group.apart, 'bit')} apart)")
    remark(
        f"{number(len(found.same), 'image')} came in more than once; "
        f"{number(len(found.near), 'group')} look alike."
    )
    return 0


def _bits(text: str) -> int:
    bits = int(text)
    if not 0 <= bits <= FARTHEST:
        raise argparse.ArgumentTypeError(f"0 to {FARTHEST} bits")
    return bits
