"""The typefaces of figures: the page's Inter, and DejaVu for letters that it lacks."""

import base64
import io
import threading
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.textpath import TextToPath

FOLDER = Path(__file__).parent / "fonts"
FAMILIES = ("Inter", "DejaVu Sans")
REGULAR, SEMIBOLD = 400, 600
SMALLEST = 5.0
"""Points; smaller letters cannot be read in print."""

_OWN = {REGULAR: FOLDER / "Inter-Regular.ttf", SEMIBOLD: FOLDER / "Inter-SemiBold.ttf"}
_lock = threading.Lock()


@cache
def _registered() -> bool:
    for path in _OWN.values():
        fontManager.addfont(path)
    # DejaVu has no semibold; its bold stands in for it, which matplotlib would remark on each time.
    bold = [each for each in fontManager.ttflist if each.name == FAMILIES[1] and each.weight == 700]
    fontManager.ttflist.extend(replace(each, weight=SEMIBOLD) for each in bold)
    return True


def face(size: float, weight: int = REGULAR) -> FontProperties:
    """The typeface at a size in points."""
    with _lock:
        _registered()
    return FontProperties(family=list(FAMILIES), weight=weight, size=size)


def width(text: str, size: float, weight: int = REGULAR) -> float:
    """How wide a line is, in points."""
    wide, _, _ = TextToPath().get_text_width_height_descent(text, face(size, weight), ismath=False)
    return float(wide)


def fitted(
    text: str, room: float, size: float, weight: int = REGULAR, lines: int = 2
) -> tuple[list[str], float]:
    """The text in at most so many lines no wider than `room` points, and the size that it fits at.

    It is broken between words first, then made smaller down to SMALLEST, then cut in the middle:
    labels never run into each other.
    """
    words = text.split()
    if not words:
        return [], size
    while True:
        broken = _broken(words, room, size, weight)
        if len(broken) <= lines and all(width(line, size, weight) <= room for line in broken):
            return broken, size
        if size <= SMALLEST:
            kept = [*broken[: lines - 1], " ".join(broken[lines - 1 :])]
            return [_cut(line, room, size, weight) for line in kept], size
        size = max(size - 0.5, SMALLEST)


def missing(texts: Iterable[str]) -> str:
    """Letters that no typeface here has, each once."""
    wanted = {letter for text in texts for letter in text if not letter.isspace()}
    known = set().union(*(_letters(path) for path in _files(REGULAR)))
    return "".join(sorted(letter for letter in wanted if ord(letter) not in known))


def embedded(texts: Iterable[str]) -> str:
    """`@font-face` rules with these letters of each typeface inside, so that an SVG shows the same
    letters on a machine that has none of them."""
    letters = {ord(letter) for text in texts for letter in text}
    rules = []
    for weight in (REGULAR, SEMIBOLD):
        left = set(letters)
        for family, path in zip(FAMILIES, _files(weight), strict=True):
            here = left & _letters(path)
            left -= here
            if any(letter != ord(" ") for letter in here):
                data = base64.b64encode(_subset(path, here)).decode()
                rules.append(
                    f"@font-face{{font-family:'{family}';font-weight:{weight};"
                    f"src:url(data:font/woff;base64,{data}) format('woff')}}"
                )
    return "".join(rules)


def _files(weight: int) -> list[Path]:
    """The files of FAMILIES at a weight, in their order."""
    with _lock:
        _registered()
    other = FontProperties(family=FAMILIES[1], weight=weight)
    return [_OWN[weight], Path(fontManager.findfont(other))]


@cache
def _letters(path: Path) -> frozenset[int]:
    from fontTools.ttLib import TTFont

    with TTFont(path, lazy=True) as font:
        return frozenset(font.getBestCmap())


def _subset(path: Path, letters: set[int]) -> bytes:
    from fontTools import subset
    from fontTools.ttLib import TTFont

    with TTFont(path, recalcTimestamp=False) as font:
        cutter = subset.Subsetter(subset.Options(layout_features=["kern", "liga", "calt"]))
        cutter.populate(unicodes=letters)
        cutter.subset(font)
        font.flavor = "woff"
        out = io.BytesIO()
        font.save(out)
    return out.getvalue()


def _broken(words: list[str], room: float, size: float, weight: int) -> list[str]:
    lines = [words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        if width(longer, size, weight) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _cut(line: str, room: float, size: float, weight: int) -> str:
    if width(line, size, weight) <= room:
        return line
    kept = len(line)
    while kept > 1:
        kept -= 1
        head = (kept + 1) // 2
        shorter = f"{line[:head]}…{line[len(line) - (kept - head) :]}"
        if width(shorter, size, weight) <= room:
            return shorter
    return "…"
