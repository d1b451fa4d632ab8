"""mIoU of one size without the CRF against decisions spent, as an SVG: a panel a way to decide."""

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.attention_rows.cache import Kept
from benchmarks.sal_rows.reviewer import BUDGETS, ORDERS, WAYS, Cell

WIDTH, HEIGHT, GAP = 420, 300, 60
LEFT, TOP, BOTTOM = 48, 40, 40
# Okabe and Ito's, which the colour-blind can tell apart.
COLOURS = ("#666666", "#d55e00", "#0072b2", "#009e73")


def plot(found: Mapping[tuple[str, int], Kept], seeds: Sequence[int]) -> str:
    """The means over the seeds; points that are not made are left out."""
    points = {
        (way, order): [
            (budget, statistics.mean(values))
            for budget in (0, *BUDGETS)
            if (values := _values(Cell(way, order, budget), found, seeds))
        ]
        for way in WAYS
        for order in ORDERS
    }
    known = [value for line in points.values() for _, value in line] or [0.0, 1.0]
    low, high = min(known) - 0.5, max(known) + 0.5
    parts = []
    for number, way in enumerate(WAYS):
        left = LEFT + number * (WIDTH + GAP)
        parts.append(_panel(left, f"The reviewer {way}", low, high))
        for order, colour in zip(ORDERS, COLOURS, strict=True):
            places = [_place(left, each, low, high) for each in points[way, order]]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}"/>')
            parts += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places
            ]
    for number, (order, colour) in enumerate(zip(ORDERS, COLOURS, strict=True)):
        x, y = LEFT + number * 160, TOP + HEIGHT + BOTTOM + 16
        parts.append(
            f'<rect x="{x}" y="{y - 9}" width="18" height="4" fill="{colour}" stroke="none"/>'
            f'<text x="{x + 24}" y="{y - 3}">{order}</text>'
        )
    whole = LEFT + 2 * WIDTH + GAP + 16, TOP + HEIGHT + BOTTOM + 28
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole[0]} {whole[1]}" '
        'font-family="sans-serif" font-size="12" stroke-width="2">\n'
        f'<rect width="{whole[0]}" height="{whole[1]}" fill="#ffffff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _values(cell: Cell, found: Mapping[tuple[str, int], Kept], seeds: Sequence[int]) -> list[float]:
    rows = [found.get((cell.name, seed)) for seed in seeds]
    return [row.figures["plain"]["miou"] for row in rows if row is not None]


def _place(left: float, point: tuple[int, float], low: float, high: float) -> tuple[float, float]:
    budget, value = point
    return (
        left + WIDTH * budget / BUDGETS[-1],
        TOP + HEIGHT * (high - value) / (high - low),
    )


def _panel(left: float, title: str, low: float, high: float) -> str:
    parts = [f'<text x="{left}" y="{TOP - 14}" font-weight="bold">{title}</text>']
    for value in range(int(low) + 1, int(high) + 1):
        _, y = _place(left, (0, value), low, high)
        parts.append(
            f'<line x1="{left}" x2="{left + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd" '
            f'stroke-width="1"/><text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{value}'
            "</text>"
        )
    for budget in (0, *BUDGETS):
        x, _ = _place(left, (budget, low), low, high)
        parts.append(
            f'<text x="{x:.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{budget}</text>'
        )
    middle = left + WIDTH / 2
    parts.append(
        f'<text x="{middle}" y="{TOP + HEIGHT + 34}" text-anchor="middle">decisions</text>'
    )
    return "\n".join(parts)
