"""Every method from tags to a segmenter on photographs, beside the segmenter on true masks.

    python -m benchmarks.pipeline --data ../shared/data/msrc --ecssd ../shared/data/ecssd
                                  [--only NAME ...] [--seed 0] [--at build/pipeline] [--write]

Runs `python -m training pipeline` with the preset `light`: for each method over the list train,
with predictions for test, and over the list fit, with predictions for val, beside the same
segmenter on the true masks of fit. Saliency is a network taught class-agnostic masks of other
photographs (--ecssd), or --saliency classical. What is made already is not made again: stages are
shared under --at. Rows are kept in benchmarks/rows/pipeline; --table prints them and runs nothing;
--write also writes benchmarks/pipeline.md, and the predictions for test that lie under --at as
benchmarks/predictions/METHOD.zip.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.pipeline_rows.packing import pack
from benchmarks.pipeline_rows.rows import PRESET, ROOT, Wanted, carry_out, keep, kept
from benchmarks.pipeline_rows.tables import TITLES, table

ROWS = ROOT / "benchmarks" / "rows" / "pipeline"
TABLE = ROOT / "benchmarks" / "pipeline.md"
PREDICTIONS = ROOT / "benchmarks" / "predictions"

# DCSP's own network has the ASPP head, so its fully supervised twin has it, too.
ASPP = ("segmenter.head=aspp", "segmenter.head_channels=0", "segmenter.spread=0.34")
PIPELINES = (
    Wanted("full", "full", "fit", "val"),
    Wanted("full-aspp", "full", "fit", "val", ASPP),
    *(Wanted(name, name, "fit", "val") for name in TITLES),
    *(Wanted(name, name, "train", "test") for name in TITLES),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the MSRC folder, in VOC layout")
    parser.add_argument("--ecssd", type=Path, help="photographs with salient-object masks")
    parser.add_argument("--saliency", help="classical, network:RUN or folder:DIR")
    parser.add_argument("--only", nargs="+", choices=sorted({each.name for each in PIPELINES}))
    parser.add_argument("--split", choices=("fit", "train"), help="one of the two halves")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at", type=Path, default=ROOT / "build" / "pipeline")
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--write", action="store_true", help="write benchmarks/pipeline.md")
    given = parser.parse_args()
    if not (given.table or given.ecssd or given.saliency):
        parser.error("give --ecssd DIR to train a saliency network on, or --saliency")
    if not given.table:
        at = given.at.absolute()
        saliency = given.saliency or f"network:{saliency_run(given.ecssd.absolute(), at)}"
        chosen = [each for each in PIPELINES if not given.only or each.name in given.only]
        for each in [each for each in chosen if given.split in (None, each.split)]:
            print(f"{each.name} on {each.split} ...", file=sys.stderr, flush=True)
            row = carry_out(each, given.data.absolute(), at, saliency, given.seed)
            keep(ROWS, row)
            told = {name: f["miou"] for name, f in row.figures.items() if "miou" in f}
            print(f"{each.name} on {each.split}: {told}", file=sys.stderr, flush=True)
    found = {
        (each.name, each.split): row
        for each in PIPELINES
        if (row := kept(ROWS, each, given.seed)) is not None
    }
    text = table(found, given.seed)
    print(text)
    if given.write:
        TABLE.write_text(text + "\n", encoding="utf-8")
        for each in PIPELINES:
            row = found.get((each.name, each.split))
            if each.test == "test" and row is not None:
                folder = each.folder(given.at.absolute(), given.seed)
                pack(folder, row, PREDICTIONS / f"{each.name}.zip")
    return 0


def saliency_run(data: Path, at: Path) -> Path:
    """The run of a saliency network, trained where it is not there yet."""
    folder = at / "saliency"
    if not (folder / "weights.safetensors").is_file():
        words = ["saliency", "--data", str(data), "--out", str(folder), "--preset", PRESET]
        words += ["--resume"] if (folder / "config.json").exists() else []
        print("the saliency network ...", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "training", *words], cwd=ROOT, check=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
