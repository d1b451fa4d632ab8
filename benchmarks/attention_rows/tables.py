"""The rows of the attention benchmark as the papers' own tables."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.attention_rows.cache import Kept

Found = Mapping[tuple[str, int], Kept]


@dataclass(frozen=True)
class Line:
    """A line of a table: which figure of which training, and what its paper gives for it."""

    label: str
    training: str
    figure: str = "maps"
    published: float | None = None


@dataclass(frozen=True)
class Table:
    """A paper's comparison; `orders` are pairs of line numbers (better, worse) as published, and
    `why` says of some of them what is known of the reason, printed where one does not hold.
    """

    title: str
    note: str
    lines: tuple[Line, ...]
    orders: tuple[tuple[int, int], ...]
    why: Mapping[tuple[int, int], str] = field(default_factory=dict)


TABLES = (
    Table(
        "SeeNet, Table 1",
        "The paper's figures are of segmenters on VOC val. All three look at an image and its "
        "mirror image.",
        (
            Line("setting 1: ACoL", "acol", published=56.1),
            Line("setting 2: zero instead of sign flip", "seenet-zero", published=55.8),
            Line("SeeNet", "seenet", published=57.3),
            Line("second branch alone: ACoL", "acol", "second"),
            Line("second branch alone: zero", "seenet-zero", "second"),
            Line("second branch alone: SeeNet", "seenet", "second"),
        ),
        ((2, 0), (2, 1)),
        {
            (2, 0): "What the paper claims can be seen: by itself SeeNet's second branch is the "
            "better one (last lines), since the background is kept out. But the maximum of both "
            "branches is measured here at one threshold for all images, and there ACoL's looser "
            "second branch fills objects more evenly, which a higher threshold then cuts out. The "
            "difference is within the spread of the seeds."
        },
    ),
    Table(
        "OAA, Table 2",
        "The paper's figures are of segmenters on VOC val. CAM, mean and maximum come from one "
        "training a seed, the CAM from its final network; every network looks once. A throw-away "
        "script of sixty lines had 47.6, 47.4 and 48.3 for these three: a better plain CAM, from "
        "which its accumulation gains little.",
        (
            Line("CAM", "oaa", "cam", 53.9),
            Line("OAA, mean", "oaa", "mean", 57.0),
            Line("OAA, maximum", "oaa", published=58.6),
            Line("OAA+, cross entropy (MCE)", "oaaplus-mce", published=51.2),
            Line("OAA+, hybrid loss (HL)", "oaaplus-hl", published=59.6),
        ),
        ((1, 0), (2, 1), (4, 2), (2, 3), (4, 3)),
    ),
    Table(
        "OAA, Table 3: part of the images",
        "The paper's figures are of segmenters that learn from a part of VOC's images, with maps "
        "by OAA+. Here the classification network learns from the part; every line takes as many "
        "steps and is measured on all images: those not learnt from have the final network's map.",
        (
            Line("20 %", "oaa-0.2", published=54.6),
            Line("50 %", "oaa-0.5", published=57.3),
            Line("80 %", "oaa-0.8", published=58.9),
            Line("100 %", "oaa", published=59.6),
        ),
        ((1, 0), (2, 1), (3, 2)),
    ),
    Table(
        "ECS-Net, Table 1: size of the first pass",
        "The paper's figures of all ECS-Net tables are of maps on VOC train.",
        (
            Line("beta 1", "ecs-1-0.8", published=55.1),
            Line("beta 0.7", "ecs-0.7-0.8", published=55.7),
            Line("beta 0.5", "ecs-0.5-0.8", published=56.1),
        ),
        ((1, 0), (2, 1)),
        {
            (2, 1): (
                "Half of the preset's 224 pixels leaves 14 cells a side, half of the paper's 448 "
                "leaves 28: a smaller image helps until its cells are too coarse for the objects."
            )
        },
    ),
    Table(
        "ECS-Net, Table 2: threshold of reliable labels",
        "With beta 1.",
        (
            Line("theta 0.6", "ecs-1-0.6", published=53.8),
            Line("theta 0.7", "ecs-1-0.7", published=54.1),
            Line("theta 0.8", "ecs-1-0.8", published=55.1),
            Line("theta 0.9", "ecs-1-0.9", published=54.9),
        ),
        ((1, 0), (2, 1), (2, 3)),
        dict.fromkeys(
            ((1, 0), (2, 1), (2, 3)),
            "The paper's lines lie within 1.3 of each other; the seeds differ by more here.",
        ),
    ),
    Table(
        "ECS-Net, Table 3: which map of the erased image gives labels",
        "With beta 1 and theta 0.8.",
        (
            Line("CAM H'", "ecs-1-0.8", published=55.1),
            Line("refined E'", "ecs-1-0.8-refined", published=54.2),
        ),
        ((0, 1),),
    ),
    Table(
        "ECS-Net, Table 4: its parts",
        "The refine module comes with the supervision that it is there for. The CRF is run on "
        "the labels at four thresholds around the best of the plain maps, with the preset and the "
        "confidence that the recipe `labels` takes by itself.",
        (
            Line("baseline: CAM", "ecs-baseline", published=47.4),
            Line("+ erasing", "ecs-erasing", published=48.5),
            Line("+ supervision (CE)", "ecs-1-0.8", published=55.1),
            Line("+ rescale and overlay", "ecs-full", published=56.6),
            Line("+ CRF", "ecs-full", "crf", 58.6),
        ),
        ((1, 0), (2, 1), (3, 2), (4, 3)),
        {
            (1, 0): (
                "Half of what is learnt is then learnt from images with their best parts blurred, "
                "in a run of 136 steps, and without the supervision that it is there for nothing "
                "is gained by that."
            )
        },
    ),
    Table(
        "ECS-Net, Table 5: against other maps",
        "GradCAM and its kin on the network of the line CAM, at one look; LayerCAM is not in the "
        "paper. SEAM, which the paper also has, is not part of this project.",
        (
            Line("CAM", "ecs-baseline", published=47.4),
            Line("GradCAM", "ecs-baseline", "gradcam"),
            Line("GradCAM++", "ecs-baseline", "gradcampp", 47.4),
            Line("LayerCAM", "ecs-baseline", "layercam"),
            Line("ECS-Net", "ecs-full", published=56.6),
        ),
        ((4, 0), (4, 2)),
    ),
)


def tables(found: Found, seeds: Sequence[int]) -> str:
    """All tables as Markdown; lines whose rows are not made yet say so."""
    parts = [
        "# The attention methods on photographs",
        "mIoU of the attention maps of MSRC's 266 training photographs at the best single "
        "threshold, from tags alone, preset `light`; made by `python -m benchmarks.attention "
        "--data DIR --write`. An order holds where the mean of the paired differences over the "
        "seeds is above zero; in brackets, for how many seeds.",
    ]
    for table in TABLES:
        parts += [f"## {table.title}", table.note, figures(table, found, seeds)]
        said = orders(table, found, seeds)
        if said:
            parts.append(said)
    parts += ["## Every threshold", "Means over the seeds.", sweeps(found, seeds)]
    return "\n\n".join(parts)


def values(line: Line, found: Found, seeds: Sequence[int]) -> dict[int, float]:
    """A line's mIoU by seed, as far as it is made."""
    return {
        seed: float(row.figures[line.figure]["miou"])
        for seed in seeds
        if (row := found.get((line.training, seed))) and line.figure in row.figures
    }


def figures(table: Table, found: Found, seeds: Sequence[int]) -> str:
    head = ["", *(f"seed {seed}" for seed in seeds), "mean", "threshold", "published"]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for line in table.lines:
        by_seed = values(line, found, seeds)
        cells = [f"{by_seed[seed]:.1f}" if seed in by_seed else "not made" for seed in seeds]
        cells.append(spread(list(by_seed.values())))
        thresholds = [
            float(found[line.training, seed].figures[line.figure]["threshold"]) for seed in by_seed
        ]
        cells.append(f"{statistics.median(thresholds):.2f}" if thresholds else "")
        cells.append("" if line.published is None else f"{line.published:.1f}")
        lines.append(f"| {line.label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(numbers: list[float]) -> str:
    if not numbers:
        return ""
    mean = statistics.mean(numbers)
    return f"{mean:.1f} ± {statistics.stdev(numbers):.1f}" if len(numbers) > 1 else f"{mean:.1f}"


def orders(table: Table, found: Found, seeds: Sequence[int]) -> str:
    """Which of the published orders hold, each judged over the seeds that both lines have."""
    said = []
    for better, worse in table.orders:
        first, second = table.lines[better], table.lines[worse]
        high, low = values(first, found, seeds), values(second, found, seeds)
        differences = [high[seed] - low[seed] for seed in high if seed in low]
        if not differences:
            continue
        mean = statistics.mean(differences)
        won = sum(difference > 0 for difference in differences)
        verdict = "holds" if mean > 0 else "does not hold"
        why = "" if mean > 0 else table.why.get((better, worse), "")
        said.append(
            f"- {first.label} above {second.label}: {verdict}, {mean:+.1f} "
            f"({won} of {len(differences)} seeds){'. ' + why if why else ''}"
        )
    return "\n".join(said)


def sweeps(found: Found, seeds: Sequence[int]) -> str:
    """mIoU at every threshold, a column a line, each line once."""
    lines = list(
        {(line.training, line.figure): line for table in TABLES for line in table.lines}.values()
    )
    columns = {}
    for line in lines:
        rows = [found[line.training, s] for s in values(line, found, seeds)]
        swept = [dict(map(tuple, row.figures[line.figure]["sweep"])) for row in rows]
        if swept and line.figure != "crf":
            columns[f"{line.training} {line.figure}"] = swept
    if not columns:
        return "Nothing is made yet."
    thresholds = sorted(next(iter(columns.values()))[0])
    out = [
        f"| | {' | '.join(f'{threshold:.2f}' for threshold in thresholds)} |",
        f"|{' --- |' * (len(thresholds) + 1)}",
    ]
    for name, swept in columns.items():
        means = [statistics.mean(each[threshold] for each in swept) for threshold in thresholds]
        out.append(f"| {name} | {' | '.join(f'{mean:.1f}' for mean in means)} |")
    return "\n".join(out)
