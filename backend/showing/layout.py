"""Where everything of a figure stands: pictures in a grid, titles, a legend, nothing overlapping.

Lengths are points (1/72 inch) from the upper left corner; pictures stand on whole pixels of the
resolution, so that no pixel of them is doubled or lost when the figure is drawn.
"""

from dataclasses import dataclass, field

from backend.showing.typefaces import REGULAR, SEMIBOLD, fitted, width

GAP = 2.5
LEGEND_GAP = 6.0
SWATCH = 7.0
BAR = 34.0
TALLEST = 1.25
"""How tall a picture may be, in its column's width, before it is made narrower instead."""


@dataclass(frozen=True)
class Box:
    """A rectangle in points."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Words:
    """A line of text around its anchor; `turned` reads from below to above."""

    text: str
    x: float
    baseline: float
    size: float
    weight: int = REGULAR
    align: str = "center"
    turned: bool = False


@dataclass(frozen=True)
class Entry:
    """What the legend names: a colour, or (None) the bar of the heat's colour map."""

    name: str
    colour: str | None


@dataclass(frozen=True)
class Sheet:
    """A whole figure. `cells` are by row and column of the grid, None where it is empty."""

    width: float
    height: float
    cells: list[list[Box | None]]
    words: list[Words]
    swatches: list[tuple[Box, str]] = field(default_factory=list)
    bars: list[Box] = field(default_factory=list)


def lay_out(
    aspects: list[list[float | None]],
    *,
    width_pt: float,
    dpi: int,
    size: float,
    columns: list[str],
    rows: list[str],
    under: list[list[str]],
    legend: list[Entry],
) -> Sheet:
    """Places a grid whose cell in row r and column c shows a picture of that width over height.

    `columns` and `rows` are titles ("" for none), `under` a line beneath each picture ("" for
    none). In a grid with one aspect a column the pictures of a row get one height, else the columns
    get one width.
    """
    words: list[Words] = []
    snap = 72 / dpi
    side = size * 1.6 if any(rows) else 0.0
    tracks = _tracks(aspects, width_pt - side)
    heads = [
        fitted(title, wide, size, SEMIBOLD) for title, wide in zip(columns, tracks, strict=True)
    ]
    smallest = min((at for lines, at in heads if lines), default=size)
    # Titles of one figure have one size.
    heads = [fitted(t, w, smallest, SEMIBOLD) for t, w in zip(columns, tracks, strict=True)]
    deepest = max((len(lines) for lines, _ in heads), default=0)
    top = deepest * smallest * 1.2 + (2.0 if deepest else 0.0)
    lefts = [side + sum(tracks[:at]) + GAP * at for at in range(len(tracks))]
    for (lines, at), left, wide in zip(heads, lefts, tracks, strict=True):
        for number, line in enumerate(lines):
            below = (len(lines) - 1 - number) * smallest * 1.2
            words.append(Words(line, left + wide / 2, top - 2.0 - 0.25 * at - below, at, SEMIBOLD))
    small = max(size - 1.0, 5.0)
    cells: list[list[Box | None]] = []
    for row, title in enumerate(rows):
        heights = [w / a for w, a in zip(tracks, aspects[row], strict=True) if a]
        tall = min(max(heights, default=0.0), max(tracks) * TALLEST)
        placed: list[Box | None] = []
        for column, aspect in enumerate(aspects[row]):
            if aspect is None:
                placed.append(None)
                continue
            wide = min(tracks[column], tall * aspect)
            high = wide / aspect
            left = lefts[column] + (tracks[column] - wide) / 2
            box = Box(left, top + (tall - high) / 2, wide, high)
            placed.append(_snapped(box, snap))
            if under[row][column]:
                lines, at = fitted(under[row][column], tracks[column], small, lines=1)
                middle = lefts[column] + tracks[column] / 2
                words.append(Words(lines[0], middle, top + tall + small * 1.0, at))
        cells.append(placed)
        if title:
            lines, at = fitted(title, max(tall, 1.0), size, REGULAR, lines=1)
            words.append(Words(lines[0], size * 0.95, top + tall / 2, at, turned=True))
        top += tall + (small * 1.35 if any(under[row]) else 0.0) + GAP
    bottom = top - GAP
    swatches, bars, named, bottom = _legend(legend, width_pt, bottom, size)
    return Sheet(width_pt, bottom + 1.0, cells, words + named, swatches, bars)


def _tracks(aspects: list[list[float | None]], room: float) -> list[float]:
    """The columns' widths: equal, or, where every picture of a column has its shape and the columns
    differ, in proportion to it, so that rows come out level."""
    count = len(aspects[0])
    room -= GAP * (count - 1)
    shapes = []
    for column in range(count):
        found = {round(row[column] or 0.0, 3) for row in aspects} - {0.0}
        shapes.append(found.pop() if len(found) == 1 else None)
    known = [shape for shape in shapes if shape is not None]
    if len(known) == count and len(aspects) and len(set(known)) > 1:
        return [room * shape / sum(known) for shape in known]
    return [room / count] * count


def _legend(
    entries: list[Entry], room: float, top: float, size: float
) -> tuple[list[tuple[Box, str]], list[Box], list[Words], float]:
    """The legend's lines, each in the middle of the figure's width; and where it ends."""
    swatches: list[tuple[Box, str]] = []
    bars: list[Box] = []
    words: list[Words] = []
    if not entries:
        return swatches, bars, words, top
    measured = []
    for entry in entries:
        mark = SWATCH if entry.colour else BAR
        most = room - mark - 3.0
        lines, at = fitted(entry.name, most, size, lines=1)
        measured.append((entry, lines[0], at, mark, mark + 3.0 + width(lines[0], at)))
    lines_of: list[list] = [[]]
    for each in measured:
        used = sum(other[4] + 10.0 for other in lines_of[-1])
        if lines_of[-1] and used + each[4] > room:
            lines_of.append([])
        lines_of[-1].append(each)
    top += LEGEND_GAP
    for line in lines_of:
        left = (room - sum(each[4] for each in line) - 10.0 * (len(line) - 1)) / 2
        middle = top + SWATCH / 2
        for entry, text, at, mark, wide in line:
            box = Box(left, top, mark, SWATCH)
            if entry.colour:
                swatches.append((box, entry.colour))
            else:
                bars.append(box)
            words.append(Words(text, left + mark + 3.0, middle + at * 0.36, at, align="left"))
            left += wide + 10.0
        top += SWATCH + 4.0
    return swatches, bars, words, top - 4.0


def _snapped(box: Box, step: float) -> Box:
    def to(value: float) -> float:
        return round(value / step) * step

    left, top = to(box.left), to(box.top)
    return Box(left, top, max(to(box.width), step), max(to(box.height), step))
