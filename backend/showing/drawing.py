"""A figure's sheet as PNG, PDF or SVG: text stays text, in embedded typefaces."""

import io
import threading
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from backend.showing.layout import Box, Sheet
from backend.showing.painting import colour_table
from backend.showing.typefaces import embedded, face

FORMATS = {"png": "image/png", "pdf": "application/pdf", "svg": "image/svg+xml"}

# matplotlib's settings are the process's; two figures at once would mix theirs.
_drawing = threading.Lock()
_SETTINGS: dict[Any, Any] = {
    "pdf.fonttype": 42,  # whole TrueType outlines, which every editor can take up
    "svg.fonttype": "none",
    "svg.hashsalt": "tagmask",
    "path.simplify": False,
}


def draw(
    sheet: Sheet,
    pixels: Callable[[int, int, tuple[int, int]], np.ndarray],
    *,
    form: str,
    dpi: int,
    colours: str,
    about: Mapping[str, str],
) -> bytes:
    """The file. `pixels(row, column, (height, width))` paints a cell at its size; `about` are the
    Title and the Description that the file carries. The same figure gives the same bytes."""
    with _drawing, mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(sheet.width / 72, sheet.height / 72), dpi=dpi)
        figure.patch.set_facecolor("white")
        for row, boxes in enumerate(sheet.cells):
            for column, box in enumerate(boxes):
                if box is not None:
                    size = (round(box.height * dpi / 72), round(box.width * dpi / 72))
                    _place(figure, sheet, box, pixels(row, column, size))
        ramp = colour_table(colours)[None]
        for box in sheet.bars:
            _place(figure, sheet, box, ramp)
        for box, colour in sheet.swatches:
            left, bottom, width, height = _part(sheet, box)
            figure.add_artist(
                Rectangle((left, bottom), width, height, facecolor=colour, edgecolor="none")
            )
        for words in sheet.words:
            figure.text(
                words.x / sheet.width,
                1 - words.baseline / sheet.height,
                words.text,
                fontproperties=face(words.size, words.weight),
                ha="center" if words.turned else words.align,
                va="center" if words.turned else "baseline",
                rotation=90 if words.turned else 0,
                rotation_mode="anchor" if words.turned else None,
                parse_math=False,
            )
        return _written(figure, sheet, form, dpi, about)


def _written(figure: Figure, sheet: Sheet, form: str, dpi: int, about: Mapping[str, str]) -> bytes:
    out = io.BytesIO()
    title, description = about["Title"], about["Description"]
    meta: dict[str, Any]
    if form == "png":
        meta = {"Software": "Tagmask", "Title": title, "Description": description}
        FigureCanvasAgg(figure).print_png(out, metadata=meta)
    elif form == "pdf":
        meta = {"Title": title, "Subject": description, "Creator": "Tagmask"}
        FigureCanvasPdf(figure).print_pdf(out, metadata={**meta, "CreationDate": None})
    else:
        meta = {"Title": title, "Description": description, "Date": None, "Creator": "Tagmask"}
        canvas = FigureCanvasSVG(figure)
        canvas.print_svg(out, metadata=meta)
        faces = embedded(words.text for words in sheet.words)
        svg = out.getvalue().decode()
        at = svg.index("<defs>") + len("<defs>")
        return f'{svg[:at]}\n  <style type="text/css">{faces}</style>{svg[at:]}'.encode()
    return out.getvalue()


def _place(figure: Figure, sheet: Sheet, box: Box, pixels: np.ndarray) -> None:
    axes = figure.add_axes(_part(sheet, box))
    axes.set_axis_off()
    axes.imshow(pixels, interpolation="none", aspect="auto")


def _part(sheet: Sheet, box: Box) -> tuple[float, float, float, float]:
    """A box in matplotlib's parts of the figure, from its lower left corner."""
    bottom = 1 - (box.top + box.height) / sheet.height
    return (
        box.left / sheet.width,
        bottom,
        box.width / sheet.width,
        box.height / sheet.height,
    )
