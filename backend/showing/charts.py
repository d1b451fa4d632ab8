"""Charts as SVG text for a page without scripts: lines and a histogram, in the page's own colours.

Colours are CSS variables (`--line-1` ...), so that a chart follows the theme of its page.
"""

import html
import math
from collections.abc import Callable, Mapping, Sequence

WIDTH, HEIGHT = 560, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 10, 26

Points = Sequence[tuple[float, float]]


def line_chart(lines: Mapping[str, Points], label: str, unit: str = "") -> str:
    """Lines over steps, the first one drawn on top; `label` says it to those who cannot see it."""
    drawn = {name: points for name, points in lines.items() if points}
    xs = [x for points in drawn.values() for x, _ in points]
    ys = [y for points in drawn.values() for _, y in points]
    ticks = nice_ticks(min(ys), max(ys))
    low, high = min(ticks[0], min(ys)), max(ticks[-1], max(ys))
    left, right = min(xs), max(max(xs), min(xs) + 1)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - left) / (right - left)
        up = (y - low) / (high - low)
        return (
            _LEFT + across * (WIDTH - _LEFT - _RIGHT),
            HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM),
        )

    parts = [_grid(ticks, lambda y: place(left, y)[1], unit)]
    steps = sorted({round(each) for each in (left, (left + right) / 2, right)})
    parts += [_text(place(x, low)[0], HEIGHT - 8, f"{x:,}", "middle") for x in steps]
    for at, (name, points) in reversed(list(enumerate(drawn.items()))):
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in (place(x, y) for x, y in points))
        shape = (
            f'<polyline points="{path}" fill="none" stroke="var(--line-{at % 6 + 1})" '
            f'stroke-width="{2 if at == 0 else 1.3}" stroke-linejoin="round"/>'
            if len(points) > 1
            else '<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="var(--line-{})"/>'.format(
                *place(*points[0]), at % 6 + 1
            )
        )
        parts.append(f"<g><title>{html.escape(name)}</title>{shape}</g>")
    return _svg(parts, label)


def histogram(values: Sequence[float], label: str, bins: int = 20) -> str:
    """How many values 0..1 lie in each of equal bins, and where their median is."""
    counts = [0] * bins
    for value in values:
        counts[min(max(int(value * bins), 0), bins - 1)] += 1
    ticks = [each for each in nice_ticks(0, max(counts)) if each == int(each)]
    high = max(ticks[-1], max(counts))
    room, tall = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def up(count: float) -> float:
        return HEIGHT - _BOTTOM - count / high * tall

    parts = [_grid(ticks, up, "")]
    for at, count in enumerate(counts):
        left, wide = _LEFT + at * room / bins, room / bins
        said = f"{at / bins:.2f} to {(at + 1) / bins:.2f}: {count:,}"
        parts.append(
            f'<rect x="{left + 0.75:.1f}" y="{up(count):.1f}" width="{wide - 1.5:.1f}" '
            f'height="{HEIGHT - _BOTTOM - up(count):.1f}" rx="1.5" fill="var(--line-1)">'
            f"<title>{said}</title></rect>"
        )
    middle = sorted(values)[len(values) // 2]
    x = _LEFT + middle * room
    parts.append(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}" '
        'stroke="var(--text)" stroke-dasharray="3 3"/>'
    )
    side = ("end", -5) if middle > 0.7 else ("start", 5)
    parts.append(_text(x + side[1], _TOP + 10, f"median {middle:.2f}", side[0]))
    parts += [
        _text(_LEFT + share * room, HEIGHT - 8, f"{share:g}", "middle")
        for share in (0, 0.25, 0.5, 0.75, 1)
    ]
    return _svg(parts, label)


def nice_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers that span the values, about so many."""
    if high - low < 1e-12:
        high = low + (abs(low) or 1.0)
    rough = (high - low) / about
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(each for each in (1, 2, 5, 10) if each * magnitude >= rough * 0.75) * magnitude
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(each * step, 12) for each in range(first, last + 1)]


def _grid(ticks: Sequence[float], up: Callable[[float], float], unit: str) -> str:
    return "".join(
        f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{up(tick):.1f}" y2="{up(tick):.1f}" '
        f'stroke="var(--rule)"/>' + _text(_LEFT - 6, up(tick) + 4, f"{tick:,g}{unit}", "end")
        for tick in ticks
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="var(--faint)" '
        f'font-size="11">{html.escape(text)}</text>'
    )


def _svg(parts: Sequence[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(label)}">'
        f"{''.join(parts)}</svg>"
    )
