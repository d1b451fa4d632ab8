"""Measures as a person reads them and as a spreadsheet takes them: text and CSV."""

import csv
import io
from collections.abc import Mapping
from typing import Any

SHOWN = 8


def text(result: Mapping[str, Any]) -> str:
    """A result of `training.measures` as plain text: IoU by class, then the confusion table."""
    outlines = result["boundary"]
    rows = [
        [name, f"{value:.1f}", f"{outlines['iou'][name]:.1f}"]
        for name, value in result["iou"].items()
    ]
    rows.append(["mIoU", f"{result['miou']:.1f}", f"{outlines['miou']:.1f}"])
    lines = aligned([["", "IoU", "boundary IoU"], *rows])
    images = f"over {result['images']} images"
    if result["missing"]:
        images += f", {len(result['missing'])} of them without a prediction: counted as background"
    return "\n".join([*lines, images, "", *confusion(result)])


def confusion(result: Mapping[str, Any]) -> list[str]:
    """The confusion table in per cent of each true class: rows truth, columns prediction."""
    classes, pixels = result["confusion"]["classes"], result["confusion"]["pixels"]
    rows = [["true \\ predicted", *(name[:SHOWN] for name in classes)]]
    for name, counts in zip(classes, pixels, strict=True):
        total = sum(counts)
        if total:
            rows.append([name, *(_share(count, total) for count in counts)])
    return aligned(rows)


def to_csv(result: Mapping[str, Any]) -> str:
    """Per class: IoU, boundary IoU, true pixels, and how many of them were predicted as which."""
    classes, pixels = result["confusion"]["classes"], result["confusion"]["pixels"]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["class", "iou", "boundary_iou", "pixels", *(f"as {one}" for one in classes)])
    for name, counts in zip(classes, pixels, strict=True):
        iou, outline = result["iou"].get(name, ""), result["boundary"]["iou"].get(name, "")
        writer.writerow([name, iou, outline, sum(counts), *counts])
    writer.writerow(
        ["mean", result["miou"], result["boundary"]["miou"], "", *("" for _ in classes)]
    )
    return buffer.getvalue()


def sweep_csv(result: Mapping[str, Any]) -> str:
    """Of attention maps: the mIoU at every threshold."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["threshold", "miou"])
    writer.writerows(result["sweep"])
    return buffer.getvalue()


def comparison(found: Mapping[str, Any], most: int = 10) -> str:
    """A comparison of `training.measures` as text: classes, then the images that changed most."""
    rows = [[name, f"{value:+.1f}"] for name, value in found["iou"].items()]
    rows.append(["mIoU", f"{found['miou']:+.1f}"])
    rows.append(["boundary mIoU", f"{found['boundary_miou']:+.1f}"])
    lines = aligned([["", "change"], *rows])
    better = [each for each in found["images"] if each[2] > each[1]]
    worse = [each for each in reversed(found["images"]) if each[2] < each[1]]
    same = len(found["images"]) - len(better) - len(worse)
    lines.append(f"{len(better)} images are better, {len(worse)} worse, {same} the same")
    for title, images in (("most improved", better), ("most worsened", worse)):
        if images:
            lines += ["", *aligned([[title, "before", "after"], *map(_image, images[:most])])]
    return "\n".join(lines)


def aligned(rows: list[list[str]]) -> list[str]:
    """Rows as lines of columns, the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _image(each: list[Any]) -> list[str]:
    name, before, after = each
    return [name, f"{before:.1f}", f"{after:.1f}"]


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.1f}" if count else "."
