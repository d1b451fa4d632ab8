"""What a weights file says about itself: its network, its classes, its input and where it came
from.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from backend.networks.normalisation import Normalisation

CARD_KEY = "tagmask"
CARD_FORMAT = "tagmask-weights/1"


@dataclass(frozen=True)
class WeightsCard:
    """The card in the header of a weights file.

    kind names the network's class (see backend.weights.KINDS) and architecture its arguments.
    classes and class_ids go together, in the order of the network's outputs; ids are the data set's
    own. origin says where the weights come from: text, source, command, seed, metrics, as far as
    known. digest (sha256 of the file, hex) and path are filled in by reading; they are not part of
    the card in the file.
    """

    name: str
    kind: str
    backbone: str
    stride: int
    classes: tuple[str, ...]
    class_ids: tuple[int, ...]
    normalisation: Normalisation
    input_size: int
    origin: dict[str, Any] = field(default_factory=dict)
    architecture: dict[str, Any] = field(default_factory=dict)
    digest: str = ""
    path: Path | None = None

    def __post_init__(self) -> None:
        if len(self.classes) != len(self.class_ids):
            raise ValueError(
                f"A card has an id for each class; it has {len(self.classes)} classes and "
                f"{len(self.class_ids)} ids."
            )
        if len(set(self.class_ids)) != len(self.class_ids):
            raise ValueError("A card names each class id once.")
        if not all(1 <= value <= 254 for value in self.class_ids):
            raise ValueError("Class ids are 1 to 254; 0 is the background and 255 is ignored.")

    def index_of(self, class_id: int) -> int | None:
        """The network's output for a class id, None for a class that it does not know."""
        return self.class_ids.index(class_id) if class_id in self.class_ids else None

    def to_text(self) -> str:
        """The card as JSON, without digest and path."""
        values = asdict(replace(self, path=None))
        del values["digest"], values["path"]
        return json.dumps({"format": CARD_FORMAT, **values}, sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> "WeightsCard":
        """The card of to_text; ValueError with a sentence where it is not one."""
        values = json.loads(text)
        if not isinstance(values, dict) or values.get("format") != CARD_FORMAT:
            raise ValueError(f"its card is not of the format {CARD_FORMAT}")
        try:
            return cls(
                name=str(values["name"]),
                kind=str(values["kind"]),
                backbone=str(values["backbone"]),
                stride=int(values["stride"]),
                classes=tuple(str(value) for value in values["classes"]),
                class_ids=tuple(int(value) for value in values["class_ids"]),
                normalisation=Normalisation.from_json(values["normalisation"]),
                input_size=int(values["input_size"]),
                origin=dict(values["origin"]),
                architecture=dict(values["architecture"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"its card lacks or misstates {error}") from error
