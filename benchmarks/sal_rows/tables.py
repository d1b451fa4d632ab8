"""The rows of SAL's benchmark as the paper's tables, and what curating gains."""

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.attention_rows.cache import Kept
from benchmarks.attention_rows.tables import Line, Table, orders, spread
from benchmarks.dcsp_rows.tables import figures
from benchmarks.sal_rows.reviewer import BUDGETS, CELLS, ORDERS, RANDOM, WAYS, Cell

Found = Mapping[tuple[str, int], Kept]
# The paper's figures for VGG16 by tau and by lambda.
TAUS = {
    "SF": {0.0: 56.4, 0.35: 56.8, 0.55: 58.0, 0.7: 57.6, 0.8: 57.2, 0.85: 56.9},
    "SC": {0.0: 56.2, 0.35: 57.1, 0.55: 57.6, 0.7: 57.3, 0.8: 56.5, 0.85: 55.3},
}
LAMBDAS = {0: 60.9, 0.5: 60.8, 1: 61.2, 2: 61.3, 5: 61.2, 15: 60.6, 30: 58.9}
# The training that a line of another table is, too.
SAME = {
    "SF-0": "p2", "SC-0": "p2", "SF-0.55": "p4", "SC-0.55": "p3", "lambda-0": "p4",
    "lambda-2": "p5", "branches-1369": "p5", "none": "p2",
}  # fmt: skip


def same(name: str) -> str:
    return SAME.get(name, name)


def line(label: str, name: str, published: float | None = None, figure: str = "val") -> Line:
    return Line(label, same(name), figure, published)


TABLES = (
    Table(
        "Table VI: P1 to P5",
        "The paper's figures are of VOC val with VGG16. Several sizes and the CRF. P2 to P5 and "
        "the tables below, but for IX, go on from P1's network, in the 160 steps of `light`.",
        (
            line("P1: learning from tags (DSRG)", "p1", 56.9),
            line("P2: again, on all its masks", "p2", 59.1),
            line("P3: coarse selection loss", "p3", 60.2),
            line("P4: fine selection loss", "p4", 60.9),
            line("P5: and attention loss", "p5", 61.3),
        ),
        ((1, 0), (2, 1), (3, 2), (4, 3), (4, 1)),
    ),
    Table(
        "Table VI, in brackets: one size, no CRF",
        "The same trainings.",
        (
            line("P1", "p1", 52.1, "plain"),
            line("P2", "p2", 56.2, "plain"),
            line("P3", "p3", 57.6, "plain"),
            line("P4", "p4", 58.0, "plain"),
            line("P5", "p5", 58.4, "plain"),
        ),
        ((1, 0), (2, 1), (3, 2), (4, 3), (4, 1)),
    ),
    Table(
        "What the CRF makes of the first and the last",
        "The same two networks of P1 and P5. SAL's CRF (bilateral 10, 80, 13), meant for "
        "photographs of 500 pixels and here on 320, fills the thin labels of P1 and drowns the "
        "better ones of P5, so that the figures with it say less about what was learnt than those "
        "in brackets. DeepLab's (4, 67, 3) helps both.",
        tuple(
            line(f"{of}: {words}", f"tested-{of.lower()}", figure=test)
            for of in ("P1", "P5")
            for test, words in (
                ("plain", "one size, no CRF"),
                ("sizes", "three sizes and flip"),
                ("deeplab", "and DeepLab's CRF"),
                ("sal", "or SAL's CRF"),
            )
        ),
        ((4, 0), (5, 1), (6, 2), (7, 3)),
    ),
    Table(
        "Table VII: selection and attention",
        "",
        (
            line("neither", "none", 59.1),
            line("coarse selection", "p3", 60.2),
            line("fine selection", "p4", 60.9),
            line("attention", "attention", 59.8),
            line("coarse selection and attention", "coarse-attention", 60.7),
            line("fine selection and attention", "p5", 61.3),
        ),
        ((1, 0), (2, 0), (3, 0), (5, 2), (5, 3)),
    ),
    Table(
        "Table IV: tau",
        "Without the attention loss; one size, no CRF, as the paper's. From 0 every mask teaches.",
        tuple(
            line(f"{by} from {tau:g}", f"{by}-{tau:g}", published, "plain")
            for by, published_by_tau in TAUS.items()
            for tau, published in published_by_tau.items()
        ),
        tuple((2, other) for other in (0, 1, 3, 4, 5)) + tuple((8, n) for n in (6, 7, 9, 10, 11)),
    ),
    Table(
        "Table V: branches of the attention subnetwork",
        "By their dilation. In `light` a branch is one layer from the trunk to the classes, so its "
        "mean over the image hardly knows the dilation: only what lies at the border differs.",
        (
            line("1", "branches-1", 61.24),
            line("1, 3", "branches-13", 61.26),
            line("1, 3, 6", "branches-136", 61.29),
            line("1, 3, 6, 9", "branches-1369", 61.33),
            line("1, 3, 6, 9: the first and the mean of the others (C)", "branches-mean"),
        ),
        ((1, 0), (2, 1), (3, 2)),
    ),
    Table(
        "Table VIII: lambda",
        "0 is P4, as in the paper: there is no subnetwork, and no gate.",
        tuple(line(f"{each:g}", f"lambda-{each:g}", value) for each, value in LAMBDAS.items()),
        tuple((3, other) for other in (0, 1, 2, 4, 5, 6)),
    ),
    Table(
        "Table IX: some true masks",
        "True masks of 27 of the 200 photographs (as 1,449 of VOC's 10,582); the others have "
        "DSRG's. These begin with ImageNet's weights and take 400 steps.",
        (
            line("S1: the true masks alone", "s1", 62.8),
            line("S2: with the attention loss", "s2", 63.2),
            line("S3: the others' masks, too", "s3", 64.5),
            line("S4: with the fine selection loss", "s4", 65.7),
            line("S5: with both losses", "s5", 66.2),
        ),
        ((1, 0), (2, 1), (3, 2), (4, 3)),
    ),
)


def tables(found: Found, seeds: Sequence[int]) -> str:
    """All tables as Markdown; lines whose rows are not made yet say so."""
    parts = [
        "# SAL on photographs",
        "mIoU on MSRC, preset `light`: learnt from the tags of the 200 photographs of `fit`, "
        "measured on the 66 of `val`; made by `python -m benchmarks.sal --data DIR --ecssd DIR "
        "--write`. Saliency is a network taught the class-agnostic masks of photographs of ECSSD. "
        "An order holds where the mean of the paired differences over the seeds is above zero; in "
        "brackets, for how many seeds.",
        "## Scores against the true masks",
        "How the scores of DSRG's masks of `fit` go with the AC that they have against the true "
        "masks, which teach nothing. The paper: 70.1 for SC and 73.6 for SF (of a hundred).",
        correlations(found, seeds),
    ]
    for table in TABLES:
        parts += [each for each in (f"## {table.title}", table.note) if each]
        parts.append(figures(table, found, seeds))
        said = orders(table, found, seeds)
        if said:
            parts.append(said)
    parts += curation(found, seeds)
    return "\n\n".join(parts)


def correlations(found: Found, seeds: Sequence[int]) -> str:
    """Pearson's and Spearman's correlation of each score."""
    head = ["", *(f"seed {seed}" for seed in seeds), "mean"]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for kind, name in (("Pearson", "pearson"), ("Spearman", "spearman")):
        for score in ("AC", "SC", "P", "SF"):
            values = {
                seed: row.figures["scores"][f"{name}_{score}"]
                for seed in seeds
                if (row := found.get(("base", seed))) is not None
                and f"{name}_{score}" in row.figures["scores"]
            }
            cells = [f"{values[seed]:.3f}" if seed in values else "not made" for seed in seeds]
            mean = f"{statistics.mean(values.values()):.3f}" if values else ""
            lines.append(f"| {kind}, {score} | {' | '.join(cells)} | {mean} |")
    return "\n".join(lines)


def curation(found: Found, seeds: Sequence[int]) -> list[str]:
    """mIoU after so many decisions, by the order of the queue."""
    parts = [
        "## Simulated curation",
        "A reviewer who knows the true masks of `fit` decides on DSRG's masks in the order of the "
        "queue: accepts from a mean IoU of 0.6 on, and below that rejects or, apart, draws the "
        "true mask. SAL-Net is then trained anew with the policy `curated`, the rest going by SF "
        "and tau. Only `val` is measured; in brackets one size, no CRF. 0 decisions: every mask "
        "goes by SF and tau.",
        "![mIoU of one size without the CRF, against decisions](sal-curation.svg)",
    ]
    for way in WAYS:
        head = ["order", *(str(budget) for budget in (0, *BUDGETS))]
        lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
        for order in ORDERS:
            cells = []
            for budget in (0, *BUDGETS):
                cell = Cell(way, order, budget)
                whole, plain = (of_cell(cell, found, seeds, each) for each in ("val", "plain"))
                told = f"{spread([*whole.values()])} ({spread([*plain.values()])})"
                cells.append(told if whole else "not made")
            lines.append(f"| {order} | {' | '.join(cells)} |")
        parts += [f"### The reviewer {way}", "\n".join(lines)]
        said = claims(way, found, seeds)
        if said:
            parts.append(said)
    times = [
        row.seconds
        for (name, _), row in found.items()
        if name in {cell.name for cell in CELLS} and row.seconds
    ]
    if times:
        machines = " and ".join(sorted({row.machine for row in found.values() if row.machine}))
        parts.append(
            f"One training took {statistics.median(times):.0f} seconds (median of {len(times)}, "
            f"the longest {max(times):.0f}) with {machines}."
        )
    return parts


def of_cell(cell: Cell, found: Found, seeds: Sequence[int], figure: str) -> dict[int, float]:
    return {
        seed: row.figures[figure]["miou"]
        for seed in seeds
        if (row := found.get((cell.name, seed))) is not None
    }


def claims(way: str, found: Found, seeds: Sequence[int]) -> str:
    """Whether curating beats not curating, and an order beats a random one at equal budget."""
    head = ["gain in mIoU", *(str(budget) for budget in BUDGETS)]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for order in ORDERS:
        for other in ("no decisions", *((RANDOM,) if order != RANDOM else ())):
            cells = []
            for budget in BUDGETS:
                cell, beside = Cell(way, order, budget), Cell(way, RANDOM, budget)
                if other == "no decisions":
                    beside = Cell(way, RANDOM, 0)
                told = [
                    gain(of_cell(cell, found, seeds, each), of_cell(beside, found, seeds, each))
                    for each in ("val", "plain")
                ]
                cells.append(f"{told[0]} ({told[1]})" if told[0] else "not made")
            lines.append(f"| {order} above {other} | {' | '.join(cells)} |")
    return "\n".join(lines)


def gain(ours: Mapping[int, float], others: Mapping[int, float]) -> str:
    """The mean of the paired differences, and for how many seeds they are above zero."""
    gains = [ours[seed] - others[seed] for seed in ours if seed in others]
    if not gains:
        return ""
    return f"{statistics.mean(gains):+.1f}, {sum(each > 0 for each in gains)} of {len(gains)}"
