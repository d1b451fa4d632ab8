"""In what order candidates come, and the sentence that says why one stands where it does."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from backend.errors import StoreError
from backend.store.filters import UNSCORED
from backend.store.scores import NAMES, RANKING

ORDERS = (
    "score",
    "best",
    "fine",
    "disagreement",
    "methods",
    "tau",
    "rarity",
    "loss",
    "newest",
    "random",
    "name",
)

_PRIME = (1 << 31) - 1


@dataclass(frozen=True)
class Order:
    """In what order candidates come: `name` is one of ORDERS, `seed` that of a random order, `by`
    and `tau` the score and the value of it that the order "tau" begins at.
    """

    name: str = "score"
    seed: int = 0
    by: str = "SF"
    tau: float = 0.5

    def __post_init__(self) -> None:
        if self.name not in ORDERS:
            raise StoreError(
                f"The queue has no order {self.name!r}; there are {', '.join(ORDERS)}."
            )
        require_name(self.by)


@dataclass(frozen=True)
class Place:
    """What a candidate's place can hang on. `drawn`: by a person, over another; `rarest`: the name
    of its image's rarest tag and how many images have that; `loss_run`: the run that gave the loss.
    """

    name: str
    method: str
    scores: Mapping[str, float]
    score: float | None
    apart: float | None
    choices: int
    drawn: bool
    loss: float | None
    loss_run: str | None
    rarest: tuple[str, int] | None


def require_name(by: str) -> str:
    """The name of a score; StoreError where there is no such score."""
    if by not in NAMES:
        raise StoreError(f"There is no score {by!r}; there are {', '.join(NAMES)}.")
    return by


def ordering(order: Order) -> str:
    """What follows ORDER BY over candidates AS c (and images, for names and losses)."""
    fixed = {
        "score": f"ifnull(c.score, {UNSCORED}), c.id",
        "best": f"ifnull(-c.score, {UNSCORED}), c.id",
        "fine": "c.sf IS NULL, c.sf, c.id",
        "disagreement": "c.gap DESC, c.id",
        "methods": "c.apart DESC, c.id",
        "loss": "images.loss DESC, images.id, c.id",
        "newest": "c.id DESC",
        "name": "images.name, c.id",
    }
    if order.name in fixed:
        return fixed[order.name]
    digest = hashlib.sha256(str(int(order.seed)).encode()).digest()
    factor = int.from_bytes(digest[:4]) % (_PRIME - 1) + 1
    shift = int.from_bytes(digest[4:8]) % _PRIME
    # `shuffle` is 31 random bits a candidate: a line modulo a prime orders them anew per seed.
    return f"(c.shuffle * {factor} + {shift}) % {_PRIME}, c.id"


def why(order: Order, place: Place) -> str:
    """Why a candidate stands here, in a sentence without its full stop."""
    if order.name in ("score", "best"):
        if place.score is None:
            return "has no score, so it comes last"
        ranked = next((key for key in RANKING if key in place.scores), "score")
        first = "lowest" if order.name == "score" else "highest"
        return f"{first} {ranked} first: {place.score:.2f}"
    if order.name == "methods":
        return _why_apart(place)
    if order.name == "loss":
        if place.loss is None:
            return "has no loss yet, so it comes last"
        return f"highest loss first: {place.loss:.2f}" + (
            f" in {place.loss_run}" if place.loss_run else ""
        )
    if order.name == "rarity":
        if place.rarest is None:
            return "has no tag, so it comes last"
        name, images = place.rarest
        return f"rarest tag first: {name}, on {images:,} image{'' if images == 1 else 's'}"
    if order.name == "newest":
        return f"newest first: made by {place.method}"
    if order.name == "random":
        return f"random order, seed {order.seed}"
    if order.name == "name":
        return f"by name: {place.name}"
    return _why_score(order, place.scores)


def _why_apart(place: Place) -> str:
    if place.apart is not None:
        return f"methods {place.apart:.2f} apart (1 − mean IoU)"
    if place.drawn:
        return "drawn by a person, so it comes last"
    if place.choices > 1:
        return "not compared with the other masks yet"
    return "the only mask of its image, so it comes last"


def _why_score(order: Order, scores: Mapping[str, float]) -> str:
    needed = {"fine": ("SF",), "disagreement": ("SC", "SF"), "tau": (order.by,)}[order.name]
    missing = [key for key in needed if key not in scores]
    if missing:
        return f"has no {missing[-1]}, so it comes last"
    if order.name == "fine":
        return f"lowest SF first: {scores['SF']:.2f}"
    if order.name == "disagreement":
        apart = abs(scores["SC"] - scores["SF"])
        return f"SC {scores['SC']:.2f}, SF {scores['SF']:.2f}: {apart:.2f} apart"
    far = abs(scores[order.by] - order.tau)
    return f"{order.by} {scores[order.by]:.2f}, {far:.2f} from tau"
