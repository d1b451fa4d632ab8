"""DCSP on photographs, from tags alone: its Tables 2 and 4 and its ablations.

    python -m benchmarks.dcsp --data ../shared/data/msrc [--seeds 0 1 2] [--only NAME ...]
                              [--at build/dcsp] [--write] [--table]

Trains every row with the preset `light` on the tags of the list `fit` as anyone would from the
command line, measures its cues there and what its networks label on `val`, and prints the paper's
tables. A finished row is kept in benchmarks/rows/dcsp under the digest of what made it and not
made again, a training that was cut goes on; --table prints what is there and trains nothing;
--write also writes benchmarks/dcsp.md. The rows behind the orders S3 > S1, adapted > not and joint
> not (fcan, s3, s1) are made first, for all seeds: some 20 minutes of a core each seed; all rows
take some 50.
"""

import argparse
import hashlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from benchmarks.attention_rows.cache import (
    PRESET,
    ROOT,
    Kept,
    Training,
    data_digest,
    digest_of,
    keep,
    kept,
    train,
)
from benchmarks.dcsp_rows import figures
from benchmarks.dcsp_rows.tables import TABLES, tables
from training.options import settle
from training.recipes import find_recipe

ROWS = ROOT / "benchmarks" / "rows" / "dcsp"
TABLE = ROOT / "benchmarks" / "dcsp.md"
FIT, VAL = "fit", "val"

TWICE = str(2 * settle(find_recipe("dcsp").settings, PRESET, {}).epochs)

FCAN = Training("fcan", "dcsp", ("--no-joint",))
TRAININGS = (
    FCAN,
    Training("s3", "dcsp", ("--adapt", "2"), FCAN),
    Training("s1", "dcsp", ("--erasing-steps", "1"), FCAN),
    Training("no-lc", "dcsp", ("--no-classification-loss",), FCAN),
    Training("no-ls", "dcsp", ("--no-segmentation-loss",), FCAN),
    Training("arithmetic", "dcsp", ("--mean", "arithmetic"), FCAN),
    Training("geometric", "dcsp", ("--mean", "geometric"), FCAN),
    Training("max", "dcsp", ("--pooling", "max")),
    Training("long", "dcsp", ("--adapt", "0", "--epochs", TWICE), FCAN),
)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the MSRC folder, in VOC layout")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="(0 1 2)")
    parser.add_argument("--only", nargs="+", choices=[each.name for each in TRAININGS])
    parser.add_argument(
        "--at", type=Path, default=ROOT / "build" / "dcsp", help="where the runs are (build/dcsp)"
    )
    parser.add_argument("--table", action="store_true", help="train nothing")
    parser.add_argument("--write", action="store_true", help="write benchmarks/dcsp.md")
    given = parser.parse_args()
    data = given.data.absolute()
    if not given.table:
        for each in TRAININGS:
            for seed in given.seeds:
                if not given.only or each.name in given.only:
                    made(each, data, seed, given.at.absolute())
    found = {
        (each.name, seed): row
        for each in TRAININGS
        for seed in given.seeds
        if (row := kept(ROWS, digest(each, data, seed)[0]))
    }
    text = tables(found, given.seeds)
    print(text)
    if given.write:
        TABLE.write_text(text + "\n", encoding="utf-8")
    return 0


def wanted_of(training: Training) -> set[str]:
    """The figures of a training that a table asks for."""
    lines = [line for table in TABLES for line in table.lines]
    return {line.figure for line in lines if line.training == training.name}


def digest(training: Training, data: Path, seed: int) -> tuple[str, dict[str, Any]]:
    """The digest of all that makes a row's figures, the images measured included."""
    first, made_of = digest_of(training, data, FIT, seed)
    made_of = {**made_of, "measured": data_digest(data, VAL)}
    told = f"{first} {made_of['measured']}"
    return hashlib.sha256(told.encode()).hexdigest()[:16], json.loads(json.dumps(made_of))


def made(training: Training, data: Path, seed: int, at: Path) -> Kept:
    """A row from the store of rows, or trained and measured now."""
    name, made_of = digest(training, data, seed)
    row, wanted = kept(ROWS, name), wanted_of(training)
    if row is not None and wanted <= row.figures.keys():
        return row
    if training.on is not None:
        # Its row may be known while its run was thrown away; a run that is there is left alone.
        train(training.on, data, FIT, seed, at, digest(training.on, data, seed)[0])
    print(f"training {training.name}, seed {seed} ...", file=sys.stderr, flush=True)
    seconds = train(training, data, FIT, seed, at, name)
    row = Kept(
        name,
        training.name,
        training.recipe,
        list(training.words),
        seed,
        figures.of(training.folder(at, seed), data, FIT, VAL, wanted),
        made_of,
        # A run that was finished before is trained no more, but knows how long it took.
        max(round(seconds, 1), 0.0 if row is None else row.seconds),
        f"{platform.machine()}, {os.environ.get('OMP_NUM_THREADS') or os.cpu_count()} threads",
    )
    keep(ROWS, row)
    said = ", ".join(f"{each} {figure['miou']:.1f}" for each, figure in row.figures.items())
    print(f"{training.name}, seed {seed}, {seconds:.0f} s: {said}", file=sys.stderr, flush=True)
    return row


if __name__ == "__main__":
    sys.exit(main())
