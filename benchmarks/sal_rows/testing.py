"""The first and the last network of Table VI, tested in other ways: what the CRF makes of them."""

import hashlib
from pathlib import Path

from backend.exchange.sources import open_source
from benchmarks.attention_rows.cache import Kept, kept
from benchmarks.sal_rows.base import VAL, Base, trainer
from benchmarks.sal_rows.rows import digest_of, keep_alone, machine
from training.evaluation import evaluate_predictions

SIZES = ("--scales", "0.75,1,1.25", "--flip")
# By the name of its figure: how a network labels the photographs of `val`.
TESTS = {
    "plain": (),
    "sizes": SIZES,
    "deeplab": (*SIZES, "--crf", "deeplab"),
    "sal": (*SIZES, "--crf", "sal"),
}
NETWORKS = {"tested-p1": "labels", "tested-p5": "segmenter"}


def made(name: str, base: Base, data: Path, at: Path, rows: Path) -> Kept:
    """A row from the store of rows, or measured now: a figure for each way to look."""
    digest, made_of = digest_of(name, [], base, data)
    made_of["tests"] = [word for how in TESTS.values() for word in how]
    digest = hashlib.sha256(" ".join([digest, *made_of["tests"]]).encode()).hexdigest()[:16]
    row = kept(rows, digest)
    if row is not None:
        return row
    source = open_source(data, VAL)
    names = [item.name for item in source.items]
    found = {}
    for test, how in TESTS.items():
        out = at / f"{name}-{base.seed}" / test
        out.mkdir(parents=True, exist_ok=True)
        told = ["predict", "--run", str(base.folders[NETWORKS[name]]), "--data", str(data)]
        trainer([*told, "--split", VAL, "--out", str(out), *how], out.parent / "log.txt")
        figures = evaluate_predictions(out, data / "SegmentationClass", source.classes, names)
        found[test] = {"miou": figures["miou"], "iou": figures.get("iou", {})}
    row = Kept(digest, name, "predict", [], base.seed, found, made_of, 0.0, machine())
    keep_alone(rows, row)
    return row
