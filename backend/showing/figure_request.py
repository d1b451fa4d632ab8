"""What a figure is to show, checked before anything is made of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.errors import DataError
from backend.inspection import Settings
from backend.showing.painting import COLOUR_MAPS
from backend.showing.titles import IMAGE

MOST_ROWS, MOST_COLUMNS = 24, 12
WIDTHS = {"column": 84.0, "wide": 129.0, "page": 174.0}
"""Millimetres: one column of a journal's page, one and a half, the whole."""
NAMES = ("none", "names", "letters")

_NUMBERS = {"width": (30, 400), "dpi": (72, 600), "size": (5, 14), "opacity": (0, 1)}


@dataclass(frozen=True)
class Row:
    """An image by name or digest; `tag` is whose map per-tag stages show, None the strongest."""

    image: str
    tag: str | None = None


@dataclass(frozen=True)
class Column:
    """`what` is `image`, `truth`, a stage of the inspection, or a side (`run:3`, `method:...`,
    `accepted`); `title` None is the usual one."""

    what: str
    title: str | None = None

    @property
    def is_side(self) -> bool:
        """Whether it shows stored masks."""
        return self.what == "accepted" or self.what.startswith(("run:", "method:"))


@dataclass(frozen=True)
class FigureRequest:
    """Which images (rows) with which columns, and how.

    `width` in millimetres, `size` of letters in points. `weights` (an id as in the Inspect tab,
    None the first there are) and `settings` are for stages. `turned`: the images side by side, the
    stages below each other. `numbers`: the mean IoU beneath each mask whose truth is known.
    """

    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    weights: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    width: float = WIDTHS["page"]
    dpi: int = 300
    size: float = 7.0
    opacity: float = 0.6
    colours: str = "viridis"
    flat: bool = False
    outline: bool = True
    titles: bool = True
    names: str = "none"
    numbers: bool = False
    legend: bool = True
    turned: bool = False

    def __post_init__(self) -> None:
        for name, some, most in (
            ("images", self.rows, MOST_ROWS),
            ("columns", self.columns, MOST_COLUMNS),
        ):
            if not 1 <= len(some) <= most:
                raise DataError(
                    f"A figure has 1 to {most} {name}; {len(some)} were asked for. Choose "
                    f"{'some' if not some else 'fewer'}."
                )
        for name, (lowest, highest) in _NUMBERS.items():
            value = getattr(self, name)
            # Asked this way round, so that NaN is refused, too.
            if not lowest <= value <= highest:
                raise DataError(f"{name} was {value:g}; accepted is {lowest:g} to {highest:g}.")
        if self.colours not in COLOUR_MAPS:
            raise DataError(
                f"There is no colour map {self.colours[:40]!r}; there are {', '.join(COLOUR_MAPS)}."
            )
        if self.names not in NAMES:
            raise DataError(f"names was {self.names[:40]!r}; accepted are {', '.join(NAMES)}.")
        Settings.from_json(self.settings)

    @property
    def stages(self) -> tuple[str, ...]:
        """The columns that an inspection makes."""
        plain = (IMAGE, "truth")
        return tuple(
            each.what for each in self.columns if each.what not in plain and not each.is_side
        )


def rows_of(texts: Sequence[str]) -> tuple[Row, ...]:
    """Rows out of `IMAGE` or `IMAGE:TAG`."""
    parted = [text.partition(":") for text in texts if text.strip()]
    return tuple(Row(image.strip(), tag.strip() or None) for image, _, tag in parted)


def columns_of(texts: Sequence[str]) -> tuple[Column, ...]:
    """Columns out of `WHAT` or `WHAT=TITLE`."""
    found = []
    for text in texts:
        what, equals, title = text.partition("=")
        if what.strip():
            found.append(Column(what.strip(), title.strip() if equals else None))
    return tuple(found)
