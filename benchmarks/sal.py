"""SAL on photographs, from tags alone: its tables, and what a reviewer's decisions gain.

    python -m benchmarks.sal --data ../shared/data/msrc --ecssd ../shared/data/ecssd
                             [--seeds 0 1 2] [--only NAME ...] [--curation | --no-curation]
                             [--at build/sal] [--jobs 2] [--table] [--write]

For each seed the pipeline of the method sal runs with the preset `light` on the tags of the list
`fit`: OAA, DSRG, the scorer, the scores, SAL-Net. Every row of the tables is one more training of
`sal` on the same masks and scores, measured on `val`; every row of the simulated curation one on a
snapshot that a reviewer who knows the true masks has left in a workspace. A finished row is kept
in benchmarks/rows/sal under the digest of what made it and not made again; --table prints what is
there and trains nothing; --write also writes benchmarks/sal.md and sal-curation.svg.
"""

import argparse
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.attention_rows.cache import Kept, kept
from benchmarks.pipeline import saliency_run
from benchmarks.sal_rows import base, reviewer, rows, testing
from benchmarks.sal_rows.plot import plot
from benchmarks.sal_rows.rows import STRONG, Wanted, keep_alone
from benchmarks.sal_rows.tables import LAMBDAS, SAME, TAUS, tables

ROWS = base.ROOT / "benchmarks" / "rows" / "sal"
TABLE = base.ROOT / "benchmarks" / "sal.md"
PLOT = base.ROOT / "benchmarks" / "sal-curation.svg"

ALONE = ("--no-attention",)
# As many steps as 20 passes over the list take.
TRUE = ("--strong", STRONG, "--steps", "400")
WANTED = (
    Wanted("p1", only_predict=True),
    Wanted("p2", ("--no-selection", *ALONE)),
    Wanted("p3", ("--by", "SC", *ALONE)),
    Wanted("p4", ALONE),
    Wanted("p5"),
    Wanted("attention", ("--no-selection",)),
    Wanted("coarse-attention", ("--by", "SC")),
    *(
        Wanted(f"{by}-{tau:g}", ("--by", by, "--tau", str(tau), *ALONE))
        for by, published in TAUS.items()
        for tau in published
    ),
    Wanted("branches-1", ("--branches", "1")),
    Wanted("branches-13", ("--branches", "1,3")),
    Wanted("branches-136", ("--branches", "1,3,6")),
    Wanted("branches-mean", ("--branch-sum", "mean")),
    *(Wanted(f"lambda-{each:g}", ("--lambda", str(each))) for each in LAMBDAS),
    Wanted("s1", (*TRUE, *ALONE), new=True, alone=True),
    Wanted("s2", TRUE, new=True, alone=True),
    Wanted("s3", (*TRUE, "--no-selection", *ALONE), new=True),
    Wanted("s4", (*TRUE, *ALONE), new=True),
    Wanted("s5", TRUE, new=True),
)
TRAININGS = tuple(each for each in WANTED if each.name not in SAME)
NAMES = [*(each.name for each in TRAININGS), *testing.NETWORKS]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="the MSRC folder, in VOC layout")
    parser.add_argument("--ecssd", type=Path, help="photographs with salient-object masks")
    parser.add_argument("--saliency", help="another one: classical, network:RUN or folder:DIR")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="(0 1 2)")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=[])
    parser.add_argument(
        "--curation", action=argparse.BooleanOptionalAction, help="it alone; not it"
    )
    parser.add_argument("--at", type=Path, default=base.ROOT / "build" / "sal", help="(build/sal)")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time (1)")
    parser.add_argument("--table", action="store_true", help="train nothing")
    parser.add_argument("--write", action="store_true", help="write benchmarks/sal.md")
    given = parser.parse_args()
    if not given.table:
        if not given.data or not (given.ecssd or given.saliency):
            parser.error(
                "give --data DIR, and --ecssd DIR to train a saliency network or --saliency"
            )
        train(given)
    found = known()
    text = tables(found, given.seeds)
    print(text)
    if given.write:
        TABLE.write_text(text + "\n", encoding="utf-8")
        PLOT.write_text(plot(found, given.seeds), encoding="utf-8")
    return 0


def train(given: argparse.Namespace) -> None:
    """Makes every row that is asked for and not there, seed by seed."""
    at, data = given.at.absolute(), given.data.absolute()
    saliency = given.saliency or f"network:{saliency_run(given.ecssd.absolute(), at)}"
    for seed in given.seeds:
        print(f"the pipeline, seed {seed} ...", file=sys.stderr, flush=True)
        stands_on = base.carry_out(data, at, saliency, seed)
        keep_base(stands_on, data)
        work: list[tuple[str, Callable[[], Kept]]] = []
        rows.with_strong_list(data, at)
        if not given.curation:
            work += [
                (each.name, partial(rows.made, each, stands_on, data, at, ROWS))
                for each in TRAININGS
                if not given.only or each.name in given.only
            ]
            work += [
                (name, partial(testing.made, name, stands_on, data, at, ROWS))
                for name in testing.NETWORKS
                if not given.only or name in given.only
            ]
        if given.curation or (given.curation is None and not given.only):
            reviewer.untouched(stands_on, data, at)
            work += [
                (each.name, partial(reviewer.made, each, stands_on, data, at, ROWS))
                for each in reviewer.CELLS
            ]
        with ThreadPoolExecutor(given.jobs) as pool:
            list(pool.map(lambda each: told(*each), work))


def told(name: str, make: Callable[[], Kept]) -> None:
    row = make()
    figures = ", ".join(f"{each} {figure['miou']:.1f}" for each, figure in row.figures.items())
    figures = figures or row.made_of["refused"]
    print(f"{name}, seed {row.seed}, {row.seconds:.0f} s: {figures}", file=sys.stderr, flush=True)


def keep_base(stands_on: base.Base, data: Path) -> None:
    """A row of what the pipeline itself measured: its labels, and how the scores go with truth."""
    digest, made_of = rows.digest_of("base", [], stands_on, data)
    if kept(ROWS, digest) is None:
        figures = {name: dict(each) for name, each in stands_on.figures.items()}
        seconds = sum(each or 0.0 for each in stands_on.seconds.values())
        row = Kept(digest, "base", "pipeline", [], stands_on.seed, figures, made_of, seconds)
        keep_alone(ROWS, row)


def known() -> dict[tuple[str, int], Kept]:
    """Every row by its name and seed that was made with the settings and the code of today."""
    made = [Kept(**json.loads(path.read_text(encoding="utf-8"))) for path in ROWS.glob("*.json")]
    return {(row.name, row.seed): row for row in made if rows.is_of_today(row)}


if __name__ == "__main__":
    sys.exit(main())
