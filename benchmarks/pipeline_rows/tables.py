"""The rows of the pipeline benchmark as Markdown."""

from collections.abc import Mapping

from benchmarks.pipeline_rows.rows import Row

TITLES = {
    "seenet": "SeeNet",
    "oaa": "OAA",
    "oaa+": "OAA+",
    "dcsp": "DCSP",
    "ecsnet": "ECS-Net",
}
# Whose fully supervised twin a method is compared with: the same segmenter.
TWIN = {"dcsp": "full-aspp"}
EXPECTED = 90.0
WITHOUT_SALIENCY = ("ecsnet",)
Found = Mapping[tuple[str, str], Row]


def table(found: Found, seed: int) -> str:
    """All of it: what comes of tags alone, and against full supervision."""
    parts = [
        "# Pipelines on photographs",
        "From the tags of MSRC's photographs to a segmenter, preset `light`, seed "
        f"{seed}; made by `python -m benchmarks.pipeline --data DIR --ecssd DIR --write`. Figures "
        "are mIoU in per cent. Saliency `network` is a network taught the class-agnostic masks of "
        "500 photographs of ECSSD, none of them MSRC's; ECS-Net uses none.",
        "## Tags alone",
        "Proxy labels against the true masks of the list `train`, 266 photographs, which teach "
        "nothing. The segmenter's predictions for the 132 of `test`, palette PNGs, are in "
        "[predictions/](predictions), a zip a method; their truth is not here.",
        labels(found),
        "## Beside full supervision",
        "The same segmenter taught by the tags of the list `fit`, 200 photographs, and by their "
        "true masks, both measured on the 66 of `val`.",
        supervision(found),
    ]
    return "\n\n".join(parts)


def labels(found: Found) -> str:
    lines = [
        "| method | saliency | attention maps, best threshold | proxy labels | minutes |",
        "| --- | --- | --- | --- | --- |",
    ]
    for method, title in TITLES.items():
        row = found.get((method, "train"))
        if row is None:
            lines.append(f"| {title} | not made | | | |")
            continue
        maps = [
            f"{figures['miou']:.1f}" if "miou" in figures else ""
            for name, figures in row.figures.items()
            if name in ("attention", "integral")
        ]
        minutes = sum(row.seconds.values()) / 60
        lines.append(
            f"| {title} | {saliency(method, row)} | {' / '.join(filter(None, maps))} "
            f"| {labels_miou(row):.1f} "
            f"| {minutes:.0f} |"
        )
    return "\n".join(lines)


def supervision(found: Found) -> str:
    lines = [
        "| method | saliency | proxy labels of `fit` | from tags | from true masks | part | |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for method, title in TITLES.items():
        weak, full = found.get((method, "fit")), found.get((TWIN.get(method, "full"), "fit"))
        if weak is None or full is None:
            lines.append(f"| {title} | not made | | | | | |")
            continue
        one, other = predictions_miou(weak), predictions_miou(full)
        part = 100 * one / other
        verdict = "reaches 90 %" if part >= EXPECTED else "below 90 %"
        lines.append(
            f"| {title} | {saliency(method, weak)} | {labels_miou(weak):.1f} | {one:.1f} "
            f"| {other:.1f} | {part:.1f} % | {verdict} |"
        )
    return "\n".join(lines)


def saliency(method: str, row: Row) -> str:
    """What the proxy labels stand on beside the attention."""
    return "none" if method in WITHOUT_SALIENCY else row.saliency


def labels_miou(row: Row) -> float:
    """mIoU of the proxy labels that the segmenter learnt from."""
    return next(each["labels_miou"] for each in row.figures.values() if "labels_miou" in each)


def predictions_miou(row: Row) -> float:
    """mIoU of the predictions for the test list."""
    return row.figures["predictions"]["miou"]
