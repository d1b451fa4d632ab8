"""python -m backend figure: draw chosen images with chosen stages as PNG, PDF or SVG."""

import argparse
import json
from pathlib import Path
from typing import Any

from backend.commands._speaking import new_file, remark

ENDINGS = (".png", ".pdf", ".svg")
WIDTHS = "column (84 mm), wide (129), page (174), or millimetres"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "figure",
        help="draw chosen images with chosen stages as PNG, PDF or SVG",
        description="Draws a panel for a paper: a row for each image, a column for each stage or "
        "run, and a legend of the classes in it.",
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("out", type=Path, help="ends in .png, .pdf or .svg; it must not exist")
    parser.add_argument(
        "--images", nargs="+", required=True, metavar="IMAGE[:TAG]",
        help="names of images; with a tag, the maps of that tag instead of the strongest",
    )  # fmt: skip
    parser.add_argument(
        "--columns", nargs="+", default=["image", "truth", "attention", "mask"],
        metavar="WHAT[=TITLE]",
        help="image, truth, attention (the method's final map), mask, any stage of the Inspect "
        "tab, run:NUMBER, method:NAME or accepted (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--weights", help="shipped:NAME, run:NUMBER or torchvision:NAME")
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="NAME=VALUE", help="settings of the stages"
    )
    parser.add_argument("--width", default="page", help=WIDTHS)
    parser.add_argument("--dpi", type=int, default=300, help="of the pictures (%(default)s)")
    parser.add_argument("--size", type=float, default=7, help="of letters, points (%(default)s)")
    parser.add_argument("--opacity", type=float, default=0.6, help="of maps (%(default)s)")
    parser.add_argument("--colours", default="viridis", help="viridis, magma, turbo or grey")
    parser.add_argument("--names", default="none", help="of the images: none, names or letters")
    parser.add_argument("--numbers", action="store_true", help="mean IoU beneath each mask")
    parser.add_argument("--flat", action="store_true", help="masks without the photograph")
    parser.add_argument("--turned", action="store_true", help="the images side by side")
    parser.add_argument("--no-outline", action="store_true", help="no lines around masks")
    parser.add_argument("--no-titles", action="store_true", help="columns without titles")
    parser.add_argument("--no-legend", action="store_true", help="no legend")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Draws the figure; nothing in the workspace changes."""
    from backend.atomic import write_whole
    from backend.inspectors import Inspectors
    from backend.inspectors.saliency_sources import SaliencySources
    from backend.refinement import CrfPool
    from backend.showing.figure import make_figure
    from backend.workspace import Workspace

    out = new_file(arguments.out, ENDINGS)
    request = _request(arguments)
    with Workspace.open(arguments.workspace, read_only=True) as workspace:
        store, crf = workspace.store, CrfPool(processes=1)
        given = workspace.settings.get("saliency", {})
        sources = SaliencySources(store, given, arguments.device)
        inspectors = Inspectors(store, crf, sources, device=arguments.device)
        try:
            figure = make_figure(store, inspectors, request, out.suffix[1:].lower())
        finally:
            crf.close()
    write_whole(out, figure.data)
    for sentence in figure.remarks:
        remark(f"tagmask: {sentence}")
    print(out)
    return 0


def _request(arguments: argparse.Namespace) -> Any:
    from backend.errors import DataError
    from backend.showing.figure_request import WIDTHS, FigureRequest, columns_of, rows_of

    try:
        wide = WIDTHS.get(arguments.width) or float(arguments.width)
    except ValueError as error:
        raise DataError(
            f"The width {arguments.width!r} is no number of millimetres; {', '.join(WIDTHS)} are "
            "the names there are."
        ) from error
    return FigureRequest(
        rows_of(arguments.images),
        columns_of(arguments.columns),
        weights=arguments.weights,
        settings=dict(_setting(each) for each in arguments.set),
        width=wide,
        dpi=arguments.dpi,
        size=arguments.size,
        opacity=arguments.opacity,
        colours=arguments.colours,
        flat=arguments.flat,
        outline=not arguments.no_outline,
        titles=not arguments.no_titles,
        names=arguments.names,
        numbers=arguments.numbers,
        legend=not arguments.no_legend,
        turned=arguments.turned,
    )


def _setting(text: str) -> tuple[str, Any]:
    from backend.errors import DataError

    name, equals, value = text.partition("=")
    if not equals:
        raise DataError(f"--set {text!r} has no value; write NAME=VALUE, as in gamma=0.5.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
