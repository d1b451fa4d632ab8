"""What the attention methods cost: their steps, OAA's accumulation, the maps' export and memory.

    python -m benchmarks.attention_cost [--data DIR] [--only PART ...] [--rounds 12] [--threads 1]
                                        [--quick]

steps: whole training steps of each recipe beside the bare passes of its own network; watch: what
looking on the way adds; accumulation: OAA's steps beside classify's; export: the part of a map
export that loads images; memory: an export's, and VOC's maps' in OAA; formats: bfloat16,
channels_last and torch.compile. Every comparison takes turns, so that other load falls on both
alike; what is judged is the processor's time where nothing waits, which other load changes least.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.costs import exporting, formats, steps

THROUGHPUT = 0.90
ACCUMULATION = 0.03
LOADING = 0.10
GROWTH = 0.05
OAA_MEGABYTES = 64.0
# A light run over MSRC's 266 images: 15 epochs of 17 batches.
RUN_STEPS = 255


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/msrc"))
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--recipes", nargs="+", choices=steps.RECIPES, default=list(steps.RECIPES))
    parser.add_argument("--rounds", type=int, default=12, help="pairs of every comparison")
    parser.add_argument("--threads", type=int, default=1, help="of torch; 0: as many as it takes")
    parser.add_argument("--quick", action="store_true", help="few rounds: does it run at all?")
    given = parser.parse_args()
    if given.quick:
        given.rounds = 2
    if given.threads:
        torch.set_num_threads(given.threads)
    print(f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}")
    within = True
    for name in given.only:
        print(f"\n{name}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            within &= PARTS[name](given, Path(folder))
    return 0 if within else 1


def print_steps(given: argparse.Namespace, folder: Path) -> bool:
    print(f"| recipe | bare passes | a step | of the bare speed (at least {THROUGHPUT}) | wall |")
    print("| --- | --- | --- | --- | --- |")
    reached = []
    for recipe in given.recipes:
        pairs = steps.throughput(recipe, given.data, folder, given.rounds)
        reached.append(pairs.ratio("processor"))
        bare, whole = pairs.milliseconds("others"), pairs.milliseconds("steps")
        print(
            f"| {recipe} | {bare:.0f} ms | {whole:.0f} ms | {reached[-1]:.2f} "
            f"| {pairs.ratio('wall'):.2f} |",
            flush=True,
        )
    making = steps.batch_milliseconds(given.data, folder / "batch")
    print(f"Making a batch takes {making:.1f} ms of each step.")
    return min(reached) >= THROUGHPUT


def print_watch(given: argparse.Namespace, folder: Path) -> bool:
    pairs = steps.throughput("classify", given.data, folder / "unwatched", min(4, given.rounds))
    a_step = pairs.milliseconds("steps") / 1000
    for split in ("train", "fit"):
        found = steps.watched(given.data, split, folder / split, a_step, RUN_STEPS)
        print(
            f"--split {split}: {found.looks} looks in {RUN_STEPS} steps of classify, "
            f"{found.measured} that measured: {100 * found.part:.1f}% on top"
        )
    return True


def print_accumulation(given: argparse.Namespace, folder: Path) -> bool:
    found = steps.accumulation(given.data, folder, 2 * given.rounds)
    plain = found.pairs.milliseconds("others")
    print(
        f"classify {plain:.0f} ms a step, OAA {found.pairs.milliseconds('steps'):.0f} ms: "
        f"{100 * found.added:+.1f}% (under {100 * ACCUMULATION:g}%); {found.adding:.1f} ms of it, "
        f"{100 * found.adding / plain:.1f}%, in Accumulator.add, which stored "
        f"{100 * found.stored:.0f}% of the tags' maps"
    )
    return found.added < ACCUMULATION


def print_export(given: argparse.Namespace, folder: Path) -> bool:
    found = exporting.loading(given.data, folder, 4 if given.quick else 60)
    waited, reading = found.waited / found.wall, found.reading / found.processor
    print(
        f"waiting for images {100 * waited:.1f}% of the time, reading them {100 * reading:.1f}% of "
        f"the processor's (under {100 * LOADING:g}%)"
    )
    return max(waited, reading) < LOADING


def print_memory(given: argparse.Namespace, folder: Path) -> bool:
    few, many = (10, 40) if given.quick else (200, 800)
    threads = torch.get_num_threads()
    low, high = (exporting.peak_of_export(given.data, count, threads) for count in (few, many))
    print(
        f"export: at most {low:.0f} MB over {few} images, {high:.0f} MB over {many}: "
        f"{100 * (high / low - 1):+.1f}% (at most {100 * GROWTH:g}%)"
    )
    within = high <= low * (1 + GROWTH)
    for how in ("max", "mean"):
        maps, whole = exporting.accumulated_megabytes(how)
        print(
            f"OAA {how}, VOC's {exporting.VOC_IMAGES:,} images: {maps:.1f} MB of maps, "
            f"{whole:.1f} MB with their names and places (under {OAA_MEGABYTES:g} MB)"
        )
        within &= whole < OAA_MEGABYTES
    return within


def print_formats(given: argparse.Namespace, folder: Path) -> bool:
    found = formats.formats(given.rounds)
    plain = found[False, False]
    print("| bfloat16 | channels_last | a step | times the plain one |")
    print("| --- | --- | --- | --- |")
    for (half, last), seconds in found.items():
        said = " | ".join("yes" if each else "no" for each in (half, last))
        print(f"| {said} | {1000 * seconds:.0f} ms | {seconds / plain:.2f} |")
    compiled = formats.compile_cost(given.rounds)
    if isinstance(compiled, str):
        print(compiled)
        return True
    gain = compiled.gain(RUN_STEPS)
    print(
        f"torch.compile: {compiled.compiling:.0f} s to compile; a step {1000 * compiled.eager:.0f} "
        f"ms without, {1000 * compiled.compiled:.0f} ms with it. Over {RUN_STEPS} steps it "
        f"{'wins' if gain > 0 else 'loses'} {abs(gain):.0f} s."
    )
    return True


PARTS = {
    "steps": print_steps,
    "watch": print_watch,
    "accumulation": print_accumulation,
    "export": print_export,
    "memory": print_memory,
    "formats": print_formats,
}

if __name__ == "__main__":
    sys.exit(main())
