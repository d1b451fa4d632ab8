"""The rows of DCSP's benchmark as the paper's tables and its ablations."""

import statistics
from collections.abc import Sequence

from benchmarks.attention_rows.cache import Kept
from benchmarks.attention_rows.tables import Found, Line, Table, orders, spread, values

TABLES = (
    Table(
        "Table 2: hierarchical saliency, adaptation, CRF",
        "Each pair of a row before and after adapting is one training: the row that is not adapted "
        "is its network after the first round. The paper's figures are of VOC val.",
        (
            Line("S1, not adapted", "s1", "round-0", 55.4),
            Line("S1, adapted", "s1", "round-1", 55.7),
            Line("S3, not adapted", "s3", "round-0", 58.5),
            Line("S3, adapted", "s3", "round-1", 59.5),
            Line("S1, not adapted, CRF", "s1", "round-0-crf", 56.0),
            Line("S1, adapted, CRF", "s1", "round-1-crf", 56.3),
            Line("S3, not adapted, CRF", "s3", "round-0-crf", 60.4),
            Line("S3, adapted, CRF", "s3", "round-1-crf", 60.8),
        ),
        ((1, 0), (3, 2), (2, 0), (3, 1), (5, 4), (7, 6), (6, 4), (7, 5), (4, 0), (7, 3)),
    ),
    Table(
        "What adapting adds to longer training",
        "Not in the paper: its second round is as much training again. The second line trains as "
        "long on the first cues, in one round.",
        (
            Line("S3, not adapted", "s3", "round-0"),
            Line("S3, not adapted, twice as long", "long", "round-0"),
            Line("S3, adapted", "s3", "round-1"),
            Line("S3, adapted twice", "s3", "round-2"),
        ),
        (),
    ),
    Table(
        "Table 4: joint training",
        "Not joint: no segmentation is trained, and labels at test time are Algorithm 1 on the "
        "attention of the classes that the network finds and on hierarchical saliency.",
        (
            Line("not joint", "fcan", "not-joint", 48.3),
            Line("joint", "s3", "round-1", 59.5),
        ),
        ((1, 0),),
    ),
    Table(
        "The parts of the joint loss, the mean, the pooling",
        "After one adaptation. The paper says of them only which is best: the harmonic mean "
        "(4.2) and average pooling (4.1).",
        (
            Line("DCSP", "s3", "round-1"),
            Line("without l_c", "no-lc", "round-1"),
            Line("without l_s", "no-ls", "round-1"),
            Line("arithmetic mean", "arithmetic", "round-1"),
            Line("geometric mean", "geometric", "round-1"),
            Line("maximum pooling", "max", "round-1"),
        ),
        (),
    ),
    Table(
        "Pseudo labels",
        "mIoU on the images that are learnt from.",
        (
            Line("attention at its best threshold", "fcan", "attention"),
            Line("the same, maximum pooling", "max", "attention"),
            Line("cues, S1", "s1", "cues-0"),
            Line("cues, S3", "s3", "cues-0"),
            Line("cues, arithmetic mean", "arithmetic", "cues-0"),
            Line("cues, geometric mean", "geometric", "cues-0"),
            Line("cues, maximum pooling", "max", "cues-0"),
            Line("adapted, S1", "s1", "cues-1"),
            Line("adapted, S3", "s3", "cues-1"),
            Line("adapted twice, S3", "s3", "cues-2"),
        ),
        (),
    ),
)
# Beside the published orders, those that the paper claims in words or that the method stands on.
CLAIMS = {
    "The parts of the joint loss, the mean, the pooling": tuple(
        (0, other) for other in range(1, 6)
    ),
    "Pseudo labels": ((3, 2), (3, 4), (3, 5), (0, 1), (7, 2), (8, 3)),
    "What adapting adds to longer training": ((2, 1), (2, 3)),
}


def tables(found: Found, seeds: Sequence[int]) -> str:
    """All tables as Markdown; lines whose rows are not made yet say so."""
    parts = [
        "# DCSP on photographs",
        "mIoU on MSRC, preset `light`: learnt from the tags of the 200 photographs of `fit`, "
        "measured on the 66 of `val` where nothing else is said; made by `python -m "
        "benchmarks.dcsp --data DIR --write`. An order holds where the mean of the paired "
        "differences over the seeds is above zero; in brackets, for how many seeds.",
    ]
    for table in TABLES:
        judged = Table(
            table.title, table.note, table.lines, table.orders or CLAIMS.get(table.title, ())
        )
        parts += [f"## {table.title}", table.note, figures(judged, found, seeds)]
        said = orders(judged, found, seeds)
        if said:
            parts.append(said)
    seconds = [row.seconds for (name, _), row in found.items() if name == "s3"]
    if seconds:
        parts.append(
            f"A row of S3 with two adaptations, its attention network taken from another row, took "
            f"{statistics.median(seconds) / 60:.1f} minutes (median)."
        )
    return "\n\n".join(parts)


def why_not(row: Kept | None) -> str:
    """Why a line has no figure: its training was refused, or is not made yet."""
    return "not made" if row is None else str(row.made_of.get("refused", "not made"))


def figures(table: Table, found: Found, seeds: Sequence[int]) -> str:
    published = any(line.published is not None for line in table.lines)
    head = ["", *(f"seed {seed}" for seed in seeds), "mean", *(["published"] if published else [])]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for line in table.lines:
        by_seed = values(line, found, seeds)
        cells = [
            f"{by_seed[seed]:.1f}" if seed in by_seed else why_not(found.get((line.training, seed)))
            for seed in seeds
        ]
        cells.append(spread(list(by_seed.values())))
        if published:
            cells.append("" if line.published is None else f"{line.published:.1f}")
        lines.append(f"| {line.label} | {' | '.join(cells)} |")
    return "\n".join(lines)
