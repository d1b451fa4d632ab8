"""OAA: what each pass of training saw of this image, and what was gathered of it."""

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from backend.errors import DataError
from backend.history import (
    ACCUMULATED,
    NO_ATTENTION,
    NO_CLASS,
    REFUSED,
    WARM_UP,
    History,
    history_path,
    read_history,
)
from backend.inspection.methods.cam import class_maps
from backend.inspection.methods.gathered import Gathered, Source, fits, state_of
from backend.inspection.methods.method import Method
from backend.inspection.stages import Stage, StageMap
from backend.maps.attention import normalise

VERDICTS = {
    ACCUMULATED: "accumulated",
    WARM_UP: "warm-up",
    REFUSED: "refused",
    NO_ATTENTION: "no attention",
}


class Total(NamedTuple):
    """A tag's map (h,w) in 0..1, where it comes from, in a sentence, and of how many passes."""

    map: np.ndarray
    source: Source
    caption: str
    passes: int


class Oaa(Method):
    """The passes of an image that the run kept, and their fusion up to the chosen one.

    Source: OAA, section 3.2.
    """

    name = "oaa"
    title = "OAA"
    about = "The attention of every training pass over this image, gathered where it was reliable"
    kinds = ("oaa",)
    stages: ClassVar[dict[str, Stage]] = {
        "oaa.pass": Stage(("image",), ("oaa_pass",), per_tag=True),
        "oaa.accumulated": Stage(("image",), ("oaa_pass", "oaa_fusion"), per_tag=True),
    }
    final = "oaa.accumulated"

    @classmethod
    def serves(cls, kind: str, folder: Path | None) -> bool:
        return super().serves(kind, folder) and folder is not None

    @property
    def gathered(self) -> Gathered:
        """What the run's folder says beside the histories."""
        folder = self.scene.inspector.folder
        assert folder is not None
        made_from = Gathered.state(folder)
        return self.scene.inspector.kept.keep("oaa run", made_from, lambda: Gathered.of(folder))

    @property
    def made_from(self) -> Hashable:
        # Files of a run can be repaired while the page is open: what they made is made again then.
        path, name = self._history_path(), self.scene.name or ""
        classes = [self.scene.card.classes[output] for output in self.scene.outputs]
        maps = [state_of(self.gathered.map_path(name, each)) for each in classes]
        run = Gathered.state(self.gathered.folder)
        return super().made_from, run, path and state_of(path), tuple(maps)

    def make(self, stage: str) -> Iterator[StageMap]:
        if stage == "oaa.pass":
            yield from self._passes()
            return
        totals = self._totals()
        heats = self.final_maps()
        for (_, tag), heat, total in zip(self.scene.tags, heats, totals, strict=True):
            numbers: dict[str, float] = {"mean": float(heat.mean()), "passes": total.passes}
            if (history := self._history()) is not None:
                numbers |= {"t": self._chosen_pass(history), "T": history.passes}
            details = {"source": total.source}
            yield StageMap(stage, "heat", heat, tag, total.caption, numbers, details)

    def final_maps(self) -> np.ndarray:
        # Grids differ: a tag may have the run's map and another the network's.
        return np.concatenate([self.scene.resized(total.map[None]) for total in self._totals()])

    def _passes(self) -> Iterator[StageMap]:
        try:
            history = self._history(complain=True)
        except DataError as problem:
            yield StageMap("oaa.pass", "note", None, caption=str(problem))
            return
        if history is None:
            yield StageMap("oaa.pass", "note", None, caption=self._why_no_history())
            return
        number = self._chosen_pass(history)
        for output, (_, tag) in zip(self.scene.outputs, self.scene.tags, strict=True):
            column = self._column(history, output)
            if column is None:
                caption = f"The image was not tagged '{tag}' when the run learnt from it."
                yield StageMap("oaa.pass", "note", None, tag=tag, caption=caption)
                continue
            heat = self.scene.resized(history.maps[number - 1, column][None] / np.float32(255))[0]
            numbers = {
                "t": float(number),
                "T": float(history.passes),
                "score": float(history.scores[number - 1, column]),
                "mean": float(heat.mean()),
            }
            if history.rival_class[number - 1] != NO_CLASS:
                numbers["rival"] = float(history.rival[number - 1])
            details = self._time_line(history, number, column)
            caption = f"pass {number} of {history.passes}, {details['said']}"
            yield StageMap("oaa.pass", "heat", heat, tag, caption, numbers, details)

    def _verdict(self, history: History, number: int, column: int, gate: str) -> str:
        """What became of a pass, and why, as the end of a sentence."""
        verdict = int(history.verdict[number - 1, column])
        tag = self._class_name(int(history.class_ids[column]))
        score = float(history.scores[number - 1, column])
        rival = self._class_name(int(history.rival_class[number - 1]))
        against = f"'{rival}' {history.rival[number - 1]:.2f}, which is no tag"
        if verdict == WARM_UP:
            return f"warm-up: nothing is stored yet ('{tag}' scored {score:.2f})"
        if verdict == NO_ATTENTION:
            return f"no attention: no pixel spoke for '{tag}' (score {score:.2f})"
        if verdict == REFUSED:
            said = f"refused: '{tag}' scored {score:.2f}, "
            if gate == "topk":
                count = len(history.class_ids)
                said += f"not among the {count} best classes"
                return said if rival is None else f"{said}; the best other is {against}"
            return said + ("too little" if rival is None else f"not above {against}")
        said = f"accumulated: '{tag}' scored {score:.2f}"
        return said if rival is None or gate == "none" else f"{said}, beside {against}"

    def _time_line(self, history: History, number: int, column: int) -> dict[str, Any]:
        others = [self._class_name(int(id)) for id in history.rival_class]
        gate = self.gathered.gate
        said = [self._verdict(history, t, column, gate) for t in range(1, history.passes + 1)]
        return {
            "t": number,
            "T": history.passes,
            "verdicts": [VERDICTS.get(int(each), "unknown") for each in history.verdict[:, column]],
            "said": said[number - 1],
            # The page keeps room for the longest, so that nothing moves while the passes play.
            "longest": max(said, key=len),
            "scores": [float(score) for score in history.scores[:, column]],
            "rivals": [
                None if name is None else float(score)
                for name, score in zip(others, history.rival, strict=True)
            ],
            "rival_classes": others,
            "kept": int((history.verdict[:, column] == ACCUMULATED).sum()),
        }

    def _totals(self) -> list[Total]:
        """M_t of each known tag; where nothing was gathered, what stands in for it."""
        history, path = self._history(), self._history_path()
        steps = None
        if history is not None and path is not None:
            how = self.scene.settings.oaa_fusion or self.gathered.fusion
            steps = self.scene.caches.method.keep(
                "oaa accumulated", (path, state_of(path), how),
                lambda: history.accumulated("mean" if how == "mean" else "max"),
            )  # fmt: skip
        totals = []
        for output, (_, tag) in zip(self.scene.outputs, self.scene.tags, strict=True):
            column = None if history is None else self._column(history, output)
            if history is None or steps is None or column is None:
                totals.append(self._without_history(tag, output, told=history is not None))
                continue
            number = self._chosen_pass(history)
            stored = int((history.verdict[:number, column] == ACCUMULATED).sum())
            if stored or number < history.passes:
                caption = f"{stored} of {number} passes"
                if not stored:
                    caption = f"Nothing was accumulated for '{tag}' up to pass {number}."
                totals.append(Total(steps[number - 1, column], "history", caption, stored))
                continue
            totals.append(self._of_model(tag, output, "Its gate never opened"))
        return totals

    def _without_history(self, tag: str, output: int, *, told: bool) -> Total:
        """The run's final map of a tag; `told`: other tags of the image do have a history."""
        scene = self.scene
        passes = self.gathered.passes(scene.name or "", scene.card.classes[output])
        if told:
            return self._of_model(tag, output, f"The run did not know this image as '{tag}'")
        if passes is None:
            return self._of_model(tag, output, "The run did not learn from this image")
        if not passes:
            return self._of_model(tag, output, "Its gate never opened")
        heat = self.gathered.map(scene.name or "", scene.card.classes[output], scene.size)
        if heat is None:
            return self._of_model(tag, output, "The run's map of it is missing or of no use")
        caption = f"the run's final map of {passes} passes"
        return Total(heat, "maps", caption, passes)

    def _of_model(self, tag: str, output: int, why: str) -> Total:
        """The final network's map: as the run wrote it, else by another look."""
        scene = self.scene
        caption = (
            f"{why}, so that nothing was accumulated for '{tag}'; this is the final network's map."
        )
        heat = self.gathered.map(scene.name or "", scene.card.classes[output], scene.size)
        if heat is None:
            heat = normalise(class_maps(scene)[1][output][None])[0]
        return Total(heat, "model", caption, 0)

    def _history(self, *, complain: bool = False) -> History | None:
        """The kept passes of this image, None where there are none. DataError for damaged ones and
        another image's, which without `complain` count as none."""
        path, name = self._history_path(), self.scene.name
        if path is None:
            return None

        def read() -> History | DataError | None:
            try:
                history = read_history(path) if path.is_file() else None
            except DataError as problem:
                return problem
            if history is not None and not fits(history.maps.shape[2:], self.scene.size):
                return DataError(
                    f"The run knows another image of the name {name}: its maps have another shape."
                )
            return history

        found = self.scene.caches.method.keep("oaa history", (path, state_of(path)), read)
        if isinstance(found, DataError):
            if complain:
                raise found
            return None
        return found

    def _history_path(self) -> Path | None:
        """Where the run would keep the passes of this image, None for a name that is no file's."""
        folder, name = self.scene.inspector.folder, self.scene.name
        if folder is None or not name or Path(name).name != name:
            return None
        return history_path(folder, name)

    def _why_no_history(self) -> str:
        known = any(
            self.gathered.passes(self.scene.name or "", self.scene.card.classes[output]) is not None
            for output in self.scene.outputs
        )
        if known:
            return "The run kept no passes of this image, only what it accumulated in the end."
        return "The run did not learn from this image, so that there are no passes to show."

    def _chosen_pass(self, history: History) -> int:
        """The pass to show, 1..T."""
        return min(self.scene.settings.oaa_pass, history.passes) or history.passes

    def _column(self, history: History, output: int) -> int | None:
        """Which of a history's tags an output of the network is."""
        ids = [int(id) for id in history.class_ids]
        wanted = self.scene.card.class_ids[output]
        return ids.index(wanted) if wanted in ids else None

    def _class_name(self, class_id: int) -> str | None:
        found = self.scene.card.index_of(class_id)
        return None if found is None else self.scene.card.classes[found]
