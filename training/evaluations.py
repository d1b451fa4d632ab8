"""What a run's predictions, labels and maps are worth, kept in its folder for people and the page.

RUN/evaluation/NAME.json holds what `training.measures.result` says, or for attention maps the sweep
over their thresholds; RUN/evaluation/NAME.csv the same as a table. Only ever measures: nothing
learns from them, and a run whose truth cannot be used ends without.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.atomic import write_whole
from backend.errors import TagmaskError
from backend.labels import read_heat
from training import tables
from training.errors import TrainingError
from training.evaluation import BACKGROUND_NAME, THRESHOLDS, class_iou, miou, threshold_sweep
from training.measures import measure_items, result

if TYPE_CHECKING:
    from backend.exchange.sources import Item, Source
    from training.run import Run

FOLDER = "evaluation"
FORMAT = "tagmask-evaluation/1"
PREDICTIONS, LABELS, MAPS = "predictions", "labels", "maps"
# A stage of a pipeline, which measures for itself what it puts out.
STAGE = "stage.json"


def keep(folder: Path, name: str, found: Mapping[str, Any], *, of: str) -> None:
    """Writes evaluation/NAME.json and NAME.csv of a result; `of`: the list that was measured."""
    told = {"format": FORMAT, "of": of, **found}
    text = tables.sweep_csv(found) if found["sweep"] else tables.to_csv(found)
    write_whole(folder / FOLDER / f"{name}.csv", text.encode())
    write_whole(folder / FOLDER / f"{name}.json", json.dumps(told, ensure_ascii=False).encode())


def forget(folder: Path, name: str) -> None:
    """Removes what `keep` wrote of an earlier result that no longer stands."""
    for suffix in (".csv", ".json"):
        (folder / FOLDER / f"{name}{suffix}").unlink(missing_ok=True)


def evaluate_run(run: "Run") -> None:
    """Measures the maps/ and labels/ that a recipe left, over the images that have a true mask;
    labels/ without those which taught by a true mask or by one that a person saw to.

    Says why where they cannot be measured. Raises DataError where nothing can be written, and
    Cancelled.
    """
    made = [name for name in (MAPS, LABELS, PREDICTIONS) if (run.folder / name).is_dir()]
    if run.data is None or not made or (run.folder / STAGE).exists():
        return
    from backend.exchange.sources import open_source

    source = open_source(run.data, run.split)
    known = [item for item in source.items if item.truth is not None]
    of = source.split or "all"
    try:
        if known and MAPS in made:
            keep(run.folder, MAPS, swept(run, source, known), of=of)
        if known and LABELS in made:
            _measure_labels(run, source, known, of)
        if PREDICTIONS in made:
            _measure_predictions(run, source)
    except (TagmaskError, TrainingError) as problem:
        run.message(f"What the run made is not measured: {problem}")


def _measure_labels(run: "Run", source: "Source", known: "list[Item]", of: str) -> None:
    """Measures labels/; what a person or the truth has taught an image says nothing of the others,
    so that such images are left out, and how many they are is said where the list is named.
    """
    from training.selection import decided_in

    decided = decided_in(run.folder)
    items = [item for item in known if item.name not in decided]
    left = len(known) - len(items)
    if left and not items:
        run.message(
            f"The labels are not measured: all {left} images with a true mask taught by it, or by "
            "a mask that a person accepted or drew."
        )
    elif left:
        of = f"{of}, without {left} decided image{'' if left == 1 else 's'}"
    found = measure_items(items, run.folder / LABELS, source.classes, run.check)
    if found is None:
        forget(run.folder, LABELS)
    else:
        keep(run.folder, LABELS, result(found, source.classes), of=of)


def _measure_predictions(run: "Run", source: "Source") -> None:
    """Measures predictions/, which a run of dcsp without joint training leaves of the list val."""
    from training.segment_watching import held_out_with_truth

    held = held_out_with_truth(run, source)
    if held is None:
        return
    found = measure_items(held.items, run.folder / PREDICTIONS, held.classes, run.check)
    if found is not None:
        told = result(found, held.classes)
        keep(run.folder, PREDICTIONS, told, of=held.split or "all")


def swept(run: "Run", source: "Source", items: "list[Item]") -> dict[str, Any]:
    """The mIoU of a run's maps/IMAGE/CLASS.png at every threshold, as `evaluate_maps` gives it."""
    ids = {name: id for id, name in source.classes.items()}

    def images() -> Iterator[tuple[np.ndarray, list[int], np.ndarray]]:
        for number, item in enumerate(items, start=1):
            run.check()
            paths = [
                path
                for path in (run.folder / MAPS / item.name).glob("*.png")
                if ids.get(path.stem) in item.tags
            ]
            paths.sort(key=lambda path: ids[path.stem])
            maps = [read_heat(path) for path in paths]
            stacked = np.stack(maps) if maps else np.zeros((0, 1, 1), np.float32)
            yield stacked, [ids[path.stem] for path in paths], source.truth(item)
            run.progress(number, len(items), stage="evaluation")

    matrices = threshold_sweep(images(), max(source.classes) + 1)
    if not matrices.any():
        raise TrainingError("the true masks hold no class at all, only 255 (void).")
    scores = [100 * miou(matrix) for matrix in matrices]
    best = int(np.argmax(scores))
    names = {0: BACKGROUND_NAME, **source.classes}
    iou = {
        names[id]: 100 * float(each)
        for id, each in enumerate(class_iou(matrices[best]))
        if not np.isnan(each)
    }
    return {
        "miou": scores[best],
        "iou": iou,
        "threshold": THRESHOLDS[best],
        "sweep": [list(each) for each in zip(THRESHOLDS, scores, strict=True)],
        "images": len(items),
    }
