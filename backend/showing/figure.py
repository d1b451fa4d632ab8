"""A publication panel: chosen images with chosen stages, in one file."""

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backend.errors import DataError
from backend.labels import IGNORE, resize_labels
from backend.showing.drawing import FORMATS, draw
from backend.showing.figure_request import FigureRequest, Row
from backend.showing.layout import Entry, lay_out
from backend.showing.measuring import count
from backend.showing.painting import IGNORED, OUTCOMES, ZONES, Look, Picture, paint
from backend.showing.pictures import Pictures
from backend.showing.typefaces import missing

if TYPE_CHECKING:
    from backend.inspectors import Inspectors
    from backend.store import Store

MM = 72 / 25.4
MOST_PIXELS = 60_000_000
"""Of a whole figure: a page of 174 by 230 mm at 600 dpi has half of them."""


@dataclass(frozen=True)
class FigureFile:
    """A finished figure; `remarks` are sentences about what is not as it was asked for."""

    data: bytes
    media: str
    remarks: tuple[str, ...] = ()


def make_figure(
    store: "Store", inspectors: "Inspectors", request: FigureRequest, form: str
) -> FigureFile:
    """The figure as `form`: png, pdf or svg.

    Raises DataError for images, stages and sides that there are not, and whatever an inspection
    raises.
    """
    if form not in FORMATS:
        raise DataError(f"There is no figure as {form[:20]!r}; there are {', '.join(FORMATS)}.")
    pictures = Pictures(store, inspectors, request)
    grid = [pictures.row(row) for row in request.rows]
    names = [_row_name(request, at, row) for at, row in enumerate(request.rows)]
    titles = pictures.titles() if request.titles else [""] * len(request.columns)
    under = [[_number(request, cell) for cell in row] for row in grid]
    if request.turned:
        grid = [list(each) for each in zip(*grid, strict=True)]
        under = [list(each) for each in zip(*under, strict=True)]
        names, titles = titles, names
    entries = _legend(grid) if request.legend else []
    sheet = lay_out(
        [[_aspect(cell) for cell in row] for row in grid],
        width_pt=request.width * MM,
        dpi=request.dpi,
        size=request.size,
        columns=titles,
        rows=names,
        under=under,
        legend=entries,
    )
    size = sheet.width * sheet.height * (request.dpi / 72) ** 2
    if size > MOST_PIXELS:
        raise DataError(
            f"This figure would have {size / 1e6:,.0f} million pixels; at most "
            f"{MOST_PIXELS / 1e6:,.0f} are drawn. Lower the dpi, the width, or leave images out."
        )
    look = Look(
        opacity=request.opacity,
        colours=request.colours,
        flat=request.flat,
        outline=request.outline,
        line=max(1, round(request.dpi / 300)),
    )

    def pixels(row: int, column: int, size: tuple[int, int]) -> np.ndarray:
        picture = grid[row][column]
        assert picture is not None
        return paint(picture, size, look)

    about = {
        "Title": ", ".join(row.image for row in request.rows),
        "Description": pictures.provenance(),
    }
    data = draw(sheet, pixels, form=form, dpi=request.dpi, colours=request.colours, about=about)
    return FigureFile(data, FORMATS[form], tuple(_remarks(pictures, [w.text for w in sheet.words])))


def _remarks(pictures: Pictures, texts: list[str]) -> list[str]:
    lacking = missing(texts)
    said = list(pictures.remarks)
    if lacking:
        said.append(
            f"No typeface of this machine's figures has the letters {lacking[:20]}; they are drawn "
            "as boxes. Rename those classes or titles, or finish the SVG in an editor."
        )
    return said


def _aspect(cell: Picture | None) -> float | None:
    return None if cell is None else cell.photo.shape[1] / cell.photo.shape[0]


def _row_name(request: FigureRequest, at: int, row: Row) -> str:
    if request.names == "letters":
        return f"({string.ascii_lowercase[at]})"
    if request.names == "names":
        return f"{row.image} · {row.tag}" if row.tag else row.image
    return ""


def _number(request: FigureRequest, cell: Picture | None) -> str:
    """The mean IoU of a mask, in per cent, where its truth is known."""
    if not request.numbers or cell is None or cell.truth is None or cell.values is None:
        return ""
    if cell.kind != "labels" or cell.values is cell.truth:
        return ""
    height, width = cell.truth.shape
    found = count(resize_labels(cell.values, (height, width)), cell.truth).mean_iou()
    return "" if found is None else f"{100 * found:.1f}"


def _legend(grid: list[list[Picture | None]]) -> list[Entry]:
    """Every class, zone and outcome that can be seen in the figure, each once."""
    cells = [cell for row in grid for cell in row if cell is not None]
    classes: dict[int, Entry] = {}
    ignored = False
    zones: dict[int, Entry] = {}
    outcomes: dict[int, Entry] = {}
    for cell in cells:
        for code in cell.codes:
            if cell.kind == "zones":
                zones[code] = Entry(*ZONES[code])
            elif cell.kind == "errors" and code in OUTCOMES:
                outcomes[code] = Entry(*OUTCOMES[code])
            elif cell.kind == "labels" and code == IGNORE:
                ignored = True
            elif cell.kind == "labels":
                colour = cell.classes.get(code, "#8a8a8a")
                classes[code] = Entry(cell.names.get(code, f"class {code}"), colour)
    found = [classes[id] for id in sorted(classes)]
    if ignored:
        found.append(Entry(*IGNORED))
    found += [zones[code] for code in sorted(zones, key=lambda code: code % 3)]
    found += [outcomes[code] for code in sorted(outcomes)]
    if any(cell.kind == "heat" for cell in cells):
        found.append(Entry("0 to 1", None))
    return found
