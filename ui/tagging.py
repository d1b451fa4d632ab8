"""Tags by name: those of the workspace and those that weights know beyond it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from backend.exchange.tags import parse_tags
from backend.store.classes import colour_of

if TYPE_CHECKING:
    from backend.inspectors import Inspectors
    from backend.store import Image, Store

Tag = tuple[int, str]


class Tagging:
    """Turns names into (class id, class name).

    A class that only some weights know can be looked at under a borrowed id; it enters the
    workspace when an image is tagged with it.
    """

    def __init__(self, store: "Store", inspectors: "Inspectors", *, read_only: bool) -> None:
        self._store = store
        self._inspectors = inspectors
        self._read_only = read_only

    def of_image(self, image: "Image") -> list[Tag]:
        """An image's own tags."""
        return self.of_images([image])[0]

    def of_images(self, images: Sequence["Image"]) -> list[list[Tag]]:
        """The tags of each of these images."""
        names = {each.id: each.name for each in self._store.classes.all()}
        return [[(tag, names[tag]) for tag in one.tags if tag in names] for one in images]

    def resolve(self, names: Sequence[str], *, add: bool = False) -> list[Tag]:
        """Tags of these names in any case, each once, by ascending id.

        `add` enters classes that only weights know into the workspace. DataError for a name that
        nobody knows, with the nearest ones.
        """
        known = self._known()
        ids = parse_tags(", ".join(name.replace(",", " ") for name in names), known)
        if add and not self._read_only:
            own = {each.id for each in self._store.classes.all()}
            ids = tuple(i if i in own else self._store.classes.add(known[i]).id for i in ids)
            known = self._known()
        return [(i, known[i]) for i in sorted(ids)]

    def as_json(self, tags: Sequence[Tag] | None = None) -> list[dict[str, Any]]:
        """These tags, or all that can be chosen: id, name, colour, `own` (in the workspace)."""
        own = {each.name: each for each in self._store.classes.all()}
        chosen = list(self._known().items()) if tags is None else tags
        return [
            {
                "id": i,
                "name": name,
                "colour": own[name].colour if name in own else colour_of(i),
                "own": name in own,
            }
            for i, name in chosen
        ]

    def _known(self) -> dict[int, str]:
        known = {each.id: each.name for each in self._store.classes.all()}
        names = {name.casefold() for name in known.values()}
        free = (i for i in range(254, 0, -1) if i not in known)
        borrowed: dict[int, str] = {}
        for choice in self._inspectors.choices()[0]:
            for name in choice.classes:
                id = None if name.casefold() in names else next(free, None)
                if id is not None:
                    names.add(name.casefold())
                    borrowed[id] = name
        return {**known, **borrowed}
