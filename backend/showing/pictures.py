"""The cells of a figure: photographs, true masks, stored masks, and stages made on the spot."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from backend.errors import DataError
from backend.images import read_image, require_usable
from backend.inspection import Inspector, Settings, StageMap, Truth, stages_of, trained_with
from backend.labels import decode_labels
from backend.showing.figure_request import Column, FigureRequest, Row
from backend.showing.painting import Picture
from backend.showing.sides import RUN, masks_of, side
from backend.showing.titles import IMAGE, TRUTH, method_title, stage_title
from backend.weights.classifiers import number_tags

if TYPE_CHECKING:
    from backend.inspectors import Inspectors
    from backend.inspectors.choices import Choice
    from backend.store import Image, Store

ATTENTION, MASK = "attention", "mask"
"""The method's final map, and the mask that counts: refined where the settings refine."""

DRAWN = ("image", "heat", "zones", "labels", "errors", "score")

Tag = tuple[int, str]


class Pictures:
    """Makes the pictures of one request. `remarks` are sentences about cells that stay empty."""

    def __init__(self, store: "Store", inspectors: "Inspectors", request: FigureRequest) -> None:
        self.store = store
        self.inspectors = inspectors
        self.request = request
        self.remarks: list[str] = []
        self._classes = {each.id: each for each in store.classes.all()}
        self._sides = {
            each.what: side(store, each.what) for each in request.columns if each.is_side
        }

    def row(self, row: Row) -> list[Picture | None]:
        """The pictures of one image, None where there is nothing to show."""
        image = self._image(row.image)
        path = self.store.files.path(image.digest)
        photo = require_usable(read_image(path, name=image.name), image.name)
        truth = None
        if image.truth_digest is not None:
            truth = decode_labels(self.store.files.read(image.truth_digest))
        made = self._stages(image, row, photo, truth) if self.request.stages else {}
        return [self._cell(each, image, photo, truth, made) for each in self.request.columns]

    def titles(self) -> list[str]:
        """What the columns are called; sides of one method go by their own names."""
        short = [self._title(each) for each in self.request.columns]
        return [
            self._sides[each.what].title
            if each.title is None and each.what in self._sides and short.count(title) > 1
            else title
            for each, title in zip(self.request.columns, short, strict=True)
        ]

    def _title(self, column: Column) -> str:
        if column.title is not None:
            return column.title
        if column.what in self._sides:
            found = self._sides[column.what]
            methods = found.detail.split(", ") if column.what.startswith(RUN) else [found.title]
            return method_title(methods[0]) if len(methods) == 1 else found.title
        if column.what == ATTENTION:
            return self._inspector.method(self._settings).title
        return "Mask" if column.what == MASK else stage_title(column.what)

    def provenance(self) -> str:
        """What the figure was made of, for those who find the file in a year."""
        parts = [f"columns {', '.join(each.what for each in self.request.columns)}"]
        if self.request.stages:
            parts.append(f"weights {self._choice.title} {self._choice.key.split()[-1][:16]}")
            moved = ", ".join(f"{name} {value}" for name, value in self.request.settings.items())
            parts.append(f"settings {moved or 'as trained'}")
        return f"Made with Tagmask: {'; '.join(parts)}."

    def _cell(
        self,
        column: Column,
        image: "Image",
        photo: np.ndarray,
        truth: np.ndarray | None,
        made: dict[str, Picture],
    ) -> Picture | None:
        if column.what == IMAGE:
            return Picture(photo)
        if column.what == TRUTH:
            if truth is None:
                self.remarks.append(f"{image.name} has no true mask, so that its cell is empty.")
                return None
            return self._labels(photo, truth, truth)
        if column.is_side:
            mask = masks_of(self.store, column.what, [image.id]).get(image.id)
            if mask is None:
                title = self._sides[column.what].title
                self.remarks.append(f"{image.name} has no mask of {title}; its cell is empty.")
                return None
            return self._labels(photo, decode_labels(self.store.files.read(mask.digest)), truth)
        return made.get(column.what)

    def _labels(self, photo: np.ndarray, values: np.ndarray, truth: np.ndarray | None) -> Picture:
        return Picture(
            photo,
            "labels",
            values,
            {id: each.colour for id, each in self._classes.items()},
            {id: each.name for id, each in self._classes.items()},
            truth,
        )

    def _stages(
        self, image: "Image", row: Row, photo: np.ndarray, truth: np.ndarray | None
    ) -> dict[str, Picture]:
        """The inspected columns of one image, by what the request calls them."""
        choice, inspector, settings = self._choice, self._inspector, self._settings
        method = inspector.method(settings)
        tags = self._tags(image, row)
        names = {each: self._stage(each) for each in self.request.stages}
        known = stages_of(method)
        unknown = [each for each in names.values() if each not in known]
        if unknown:
            raise DataError(
                f"{method.title} has no stage {unknown[0][:60]!r}; there are {', '.join(known)}, "
                f"and {ATTENTION} and {MASK} for its final map and its mask."
            )
        there = None
        if truth is not None and image.truth_digest is not None:
            ids = {id: each.name for id, each in self._classes.items()}
            there = Truth(image.truth_digest, lambda: truth, ids)
        found: dict[str, list[StageMap]] = {}
        for each in inspector.inspect(
            photo,
            tags,
            settings,
            caches=self.inspectors.caches(image.digest, choice, method.name),
            name=image.name,
            only=tuple(names.values()),
            truth=there,
        ):
            found.setdefault(each.stage, []).append(each)
        self.inspectors.tidy()
        pictures = {}
        for what, stage in names.items():
            picture = self._picture(found.get(stage, []), row, photo, truth, tags)
            if picture is None:
                notes = [each.caption for each in found.get(stage, []) if each.caption]
                why = notes[0].rstrip(".") if notes else "these settings leave it out"
                self.remarks.append(f"{image.name} has nothing to show for {stage}: {why}.")
            else:
                pictures[what] = picture
        return pictures

    def _picture(
        self,
        maps: list[StageMap],
        row: Row,
        photo: np.ndarray,
        truth: np.ndarray | None,
        tags: list[Tag],
    ) -> Picture | None:
        """One picture out of what a stage made: of heat a tag each the strongest at each pixel."""
        seen = [each for each in maps if each.array is not None and each.kind in DRAWN]
        if row.tag is not None:
            own = [each for each in seen if each.tag and each.tag.lower() == row.tag.lower()]
            seen = own or [each for each in seen if each.tag is None]
        if not seen:
            return None
        first = seen[0]
        assert first.array is not None
        if first.kind == "image":
            return Picture(photo, "image", first.array)
        if first.kind == "heat":
            return Picture(
                photo,
                "heat",
                np.max([each.array for each in seen if each.array is not None], axis=0),
            )
        if first.kind != "labels":
            return Picture(photo, first.kind, first.array)
        own_names = {each.name.casefold(): each for each in self._classes.values()}
        colours = {id: each.colour for id, each in self._classes.items()}
        names = {id: each.name for id, each in self._classes.items()}
        for id, name in tags:
            names[id] = name
            if name.casefold() in own_names:
                colours[id] = own_names[name.casefold()].colour
        # ImageNet's classes are numbered by themselves and have no truth here.
        known = truth if self._choice.card is not None else None
        return Picture(photo, "labels", first.array, colours, names, known)

    def _stage(self, what: str) -> str:
        if what == ATTENTION:
            return self._inspector.method(self._settings).final
        if what == MASK:
            settings = self._settings
            return settings.refine if settings.refines else f"fusion.{settings.fusion}"
        return what

    def _tags(self, image: "Image", row: Row) -> list[Tag]:
        names = [self._classes[id].name for id in image.tags if id in self._classes]
        if row.tag is not None and row.tag.lower() not in {name.lower() for name in names}:
            raise DataError(
                f"{image.name} has no tag {row.tag[:60]!r}; it has {', '.join(names) or 'none'}."
            )
        if self._choice.card is None:
            return number_tags(names)
        return [(id, self._classes[id].name) for id in image.tags if id in self._classes]

    def _image(self, wanted: str) -> "Image":
        images = self.store.images
        found = images.by_digest(wanted) or images.by_name(wanted)
        if found is None:
            raise DataError(f"There is no image {wanted[:80]!r} in this workspace.")
        return found

    @cached_property
    def _choice(self) -> "Choice":
        return self.inspectors.choice(self.request.weights)

    @cached_property
    def _inspector(self) -> Inspector:
        return self.inspectors.inspector(self._choice)

    @cached_property
    def _settings(self) -> Settings:
        return Settings.from_json({**trained_with(self._inspector.card), **self.request.settings})
