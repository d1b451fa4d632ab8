"""Which weights a person can choose for inspection, and what is known of them without loading."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.errors import WeightsError
from backend.inspection import methods_for, trained_with
from backend.weights import WeightsCard, classifiers, read_card, shipped

if TYPE_CHECKING:
    from backend.store import Store

WORKSPACE, IMAGENET = "workspace", "imagenet"


@dataclass(frozen=True)
class Choice:
    """Weights that a person can choose. `id` is `shipped:NAME`, `run:NUMBER` or `torchvision:NAME`.

    `key` names their bytes. `folder` is that of the run they come from. A torchvision classifier's
    card is None: reading it means reading its file. `absent` is a sentence where the file is not
    here.
    """

    id: str
    title: str
    detail: str
    key: str
    methods: tuple[str, ...]
    card: WeightsCard | None = None
    folder: Path | None = None
    absent: str = ""
    file: Path | None = None

    @property
    def vocabulary(self) -> str:
        """Whose class names its tags are."""
        return WORKSPACE if self.card else IMAGENET

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that may become the workspace's."""
        return self.card.classes if self.card else ()

    def as_json(self) -> dict[str, Any]:
        """What the page is told about it."""
        card = self.card
        return {
            "id": self.id,
            "title": self.title,
            "detail": self.detail,
            "kind": card.kind if card else classifiers.KIND,
            "methods": self.methods,
            "defaults": trained_with(card) if card else {},
            "vocabulary": self.vocabulary,
            "absent": self.absent or None,
            "classes": self.classes,
            "backbone": card.backbone if card else self.id.removeprefix(classifiers.PREFIX),
            "input_size": card.input_size if card else None,
            "digest": card.digest if card else "",
            "origin": card.origin if card else {"file": self.file.name if self.file else "none"},
        }


class Choices:
    """The weights there are: shipped, trained here, torchvision's. Safe between threads."""

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._cards: dict[tuple[Path, int, int], WeightsCard] = {}
        self._shipped: list[WeightsCard] | None = None

    def all(self) -> tuple[list[Choice], list[str]]:
        """Shipped weights, those of finished runs, the newest first, and ImageNet's classifiers;
        and a sentence for each that should be there but cannot be used."""
        found, problems = self._ours()
        return [choice for choice in found if choice.methods] + torchvision_choices(), problems

    def of_kind(self, kind: str) -> list[Choice]:
        """The shipped weights and those of finished runs, the newest first, of one kind."""
        return [each for each in self._ours()[0] if each.card and each.card.kind == kind]

    def _ours(self) -> tuple[list[Choice], list[str]]:
        """The weights of our own making, of all kinds; and a sentence for each that is damaged."""
        found: list[Choice] = []
        problems: list[str] = []
        try:
            if self._shipped is None:
                self._shipped = shipped()
            found += [of_card(f"shipped:{card.name}", card.name, card) for card in self._shipped]
        except WeightsError as error:
            problems.append(str(error))
        for run in self._store.runs.all():
            if run.weights_path is None or run.finished is None:
                continue
            folder = self._store.path.parent / run.folder
            try:
                card = self._card(folder / run.weights_path)
            except WeightsError as error:
                problems.append(f"Run {run.id}: {error}")
                continue
            found.append(of_card(f"run:{run.id}", f"{run.name} (run {run.id})", card, folder))
        return found, problems

    def _card(self, path: Path) -> WeightsCard:
        try:
            stat = path.stat()
        except OSError as error:
            raise WeightsError(f"The weights file {path.name} is gone.") from error
        key = (path, stat.st_mtime_ns, stat.st_size)
        if key not in self._cards:
            self._cards[key] = read_card(path)
        return self._cards[key]


def of_card(id: str, title: str, card: WeightsCard, folder: Path | None = None) -> Choice:
    """The choice of weights of our own making."""
    detail = f"{card.backbone}, stride {card.stride}, {len(card.classes)} classes"
    methods = tuple(methods_for(card.kind, folder))
    # The same bytes in two runs' folders are two choices: OAA's maps lie beside them.
    return Choice(id, title, detail, f"{id} {card.digest}", methods, card, folder)


def torchvision_choices() -> list[Choice]:
    """ImageNet's classifiers, those whose file is here first; nothing is read."""
    here = {each.name: each.path for each in classifiers.available()}
    methods = tuple(methods_for(classifiers.KIND))
    found = []
    for architecture, offer in classifiers.OFFERED.items():
        name = f"{classifiers.PREFIX}{architecture}"
        path = here.get(name)
        absent = ""
        if path is None:
            absent = (
                f"The ImageNet weights of {name} are not on this machine; "
                f"`python -m backend weights fetch {name}` fetches them."
            )
        found.append(
            Choice(
                id=name,
                title=f"{architecture} (ImageNet)",
                detail=f"{architecture}, stride {offer.stride}, ImageNet's 1,000 classes",
                # torchvision's files carry a part of their sha256 in their name.
                key=str(path or name),
                methods=methods,
                absent=absent,
                file=path,
            )
        )
    return sorted(found, key=lambda choice: bool(choice.absent))
