"""The attention methods on photographs, from tags alone, in the papers' own comparisons.

    python -m benchmarks.attention --data ../shared/data/msrc [--seeds 0 1 2] [--only NAME ...]
                                   [--at build/attention] [--jobs 1] [--write] [--table]

Trains every row with the preset `light` as anyone would from the command line, measures the maps of
the training images against their true masks at every threshold, and prints one table a paper:
figures by seed, mean and spread, the published order beside them, and whether it holds over
the paired seeds. A finished row is kept in benchmarks/rows/attention under the digest of what made
it and not made again; --table prints what is there and trains nothing; --write also writes
benchmarks/attention.md.
"""

import argparse
import os
import platform
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from benchmarks.attention_rows import figures
from benchmarks.attention_rows.cache import ROOT, Kept, Training, digest_of, keep, kept, train
from benchmarks.attention_rows.tables import tables

ROWS = ROOT / "benchmarks" / "rows" / "attention"
TABLE = ROOT / "benchmarks" / "attention.md"

ONCE = ("--map-scales", "1", "--no-map-flip")
MIRRORED = ("--map-scales", "1")
PARTS = {0.2: 26, 0.5: 12, 0.8: 8}
# Every pass over every image is kept, so that the mean comes from the same passes as the maximum.
OAA = Training("oaa", "oaa", ("--history", "100000", *ONCE))
ECS_CAM = ("--no-erasing", "--no-supervision", "--no-refine", "--final", "cam")
PLAIN = ("--overlay", "none", "--beta", "1")

TRAININGS = (
    OAA,
    Training("oaaplus-hl", "oaaplus", ONCE, OAA),
    Training("oaaplus-mce", "oaaplus", ("--loss", "mce", *ONCE), OAA),
    # As many steps as the whole set takes, and as many before anything is gathered: the paper's
    # iterations do not depend on the part either.
    *(
        Training(
            f"oaa-{part}",
            "oaa",
            ("--part", str(part), "--steps", "255", "--warmup-passes", str(warmup), *ONCE),
        )
        for part, warmup in PARTS.items()
    ),
    Training("seenet", "seenet", MIRRORED),
    Training("seenet-zero", "seenet", ("--erasing", "zero", *MIRRORED)),
    Training("acol", "seenet", ("--erasing", "acol", *MIRRORED)),
    Training("ecs-full", "ecsnet"),
    Training("ecs-baseline", "ecsnet", (*ECS_CAM, *PLAIN)),
    Training(
        "ecs-erasing",
        "ecsnet",
        ("--no-supervision", "--no-refine", "--final", "cam", *PLAIN),
    ),
    Training("ecs-1-0.8", "ecsnet", PLAIN),
    Training("ecs-0.7-0.8", "ecsnet", ("--overlay", "none", "--beta", "0.7")),
    Training("ecs-0.5-0.8", "ecsnet", ("--overlay", "none", "--beta", "0.5")),
    Training("ecs-1-0.6", "ecsnet", (*PLAIN, "--theta", "0.6")),
    Training("ecs-1-0.7", "ecsnet", (*PLAIN, "--theta", "0.7")),
    Training("ecs-1-0.9", "ecsnet", (*PLAIN, "--theta", "0.9")),
    Training("ecs-1-0.8-refined", "ecsnet", (*PLAIN, "--label-source", "refined")),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the MSRC folder, in VOC layout")
    parser.add_argument("--split", default="train")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=[each.name for each in TRAININGS])
    parser.add_argument("--at", type=Path, default=ROOT / "build" / "attention")
    parser.add_argument("--jobs", type=int, default=1, help="seeds trained beside each other")
    parser.add_argument("--table", action="store_true", help="train nothing")
    parser.add_argument("--write", action="store_true", help="write benchmarks/attention.md")
    given = parser.parse_args()
    data = given.data.resolve()
    chosen = [each for each in TRAININGS if not given.only or each.name in given.only]
    if not given.table:
        with ThreadPoolExecutor(given.jobs) as workers:
            work = [
                workers.submit(made, each, data, given.split, seed, given.at.absolute())
                for each in chosen
                for seed in given.seeds
            ]
            for each in work:
                each.result()
    found = {
        (each.name, seed): up_to_date(each, row)
        for each in TRAININGS
        for seed in given.seeds
        if (row := kept(ROWS, digest_of(each, data, given.split, seed)[0]))
    }
    text = tables(found, given.seeds)
    print(text)
    if given.write:
        TABLE.write_text(text + "\n", encoding="utf-8")
    return 0


def up_to_date(training: Training, row: Kept) -> Kept:
    """A row without the figures that older code made."""
    stale = figures.missing(training, row.figures)
    return replace(row, figures={name: f for name, f in row.figures.items() if name not in stale})


def made(training: Training, data: Path, split: str, seed: int, at: Path) -> Kept:
    """A row from the store of rows with what it lacks made now."""
    digest, made_of = digest_of(training, data, split, seed)
    row = kept(ROWS, digest)
    lacking = figures.missing(training, row.figures if row else {})
    if row is not None and not lacking:
        return row
    if training.on is not None:
        # Its row may be known while its run was thrown away or is of older settings; a run that is
        # there and the same is left alone.
        first = digest_of(training.on, data, split, seed)[0]
        train(training.on, data, split, seed, at, first)
    print(f"training {training.name}, seed {seed} ...", file=sys.stderr, flush=True)
    seconds = train(training, data, split, seed, at, digest)
    found = figures.of(training, training.folder(at, seed), data, split, lacking)
    if row is None:
        threads = os.environ.get("OMP_NUM_THREADS") or os.cpu_count()
        words, machine = list(training.words), f"{platform.machine()}, {threads} threads"
        told = (made_of, round(seconds, 1), machine)
        row = Kept(digest, training.name, training.recipe, words, seed, {}, *told)
    row = replace(row, figures={**row.figures, **found})
    keep(ROWS, row)
    best = max(figure["miou"] for figure in row.figures.values())
    print(f"{training.name}, seed {seed}: {best:.1f} in {seconds:.0f} s", file=sys.stderr)
    shutil.rmtree(training.folder(at, seed) / "film", ignore_errors=True)
    return row


if __name__ == "__main__":
    sys.exit(main())
