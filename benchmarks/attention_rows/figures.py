"""What a finished training's maps measure, and what is made of them without training again."""

import inspect
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from backend.exchange.sources import Source, open_source
from backend.gradients import look
from backend.history import history_path, read_history
from backend.images import read_image
from backend.inspection.methods.cam import plain
from backend.labels import read_heat, write_heat, write_labels
from backend.maps import crf
from backend.maps.attention import normalise, resize
from backend.maps.zones import in_unit_range
from backend.weights import load
from benchmarks.attention_rows.cache import Training, digest_of_code
from training.evaluation import evaluate_maps, evaluate_predictions
from training.maps_export import resized

Figures = dict[str, dict[str, Any]]

# What the recipe `labels` takes where nothing else is said.
CRF_PRESET, CRF_CONFIDENCE = "dcsp", 0.9
# A CRF takes minutes over a data set: it is run at the best threshold of the plain maps and beside.
CRF_BESIDE = (-0.1, -0.05, 0.0, 0.05)


class Run(NamedTuple):
    """A finished run, and what it is measured on."""

    folder: Path
    source: Source
    truth: Path

    def measured(self, maps: Path) -> dict[str, Any]:
        names = [item.name for item in self.source.items]
        return evaluate_maps(maps, self.truth, self.source.classes, names)


# A figure's maps, or its result where it is not of maps; the path is a folder to write into.
Make = Callable[[Run, Path], Path | dict[str, Any]]


@dataclass(frozen=True)
class Figure:
    """One figure of a training: how it is made of the finished run, with the code beside the
    recipe's that it hangs on.
    """

    make: Make
    code: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        function = getattr(self.make, "func", self.make)
        return digest_of_code(self.code, inspect.getsource(function))


def wanted(training: Training) -> dict[str, Figure]:
    """The figures of a training by name."""
    names = ["maps"]
    names += {"oaa": ["cam", "mean"], "ecs-full": ["crf"]}.get(training.name, [])
    names += ["second"] if training.recipe == "seenet" else []
    names += ["gradcam", "gradcampp", "layercam"] if training.name == "ecs-baseline" else []
    return {name: FIGURES[name] for name in names}


def missing(training: Training, known: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The figures of a training that are not known yet, or were made by other code."""
    return [
        name
        for name, figure in wanted(training).items()
        if known.get(name, {}).get("code") != figure.digest
    ]


def of(training: Training, folder: Path, data: Path, split: str, names: Iterable[str]) -> Figures:
    """These figures of a finished training."""
    run = Run(folder, open_source(data, split).tagged(), data / "SegmentationClass")
    found = {}
    for name in names:
        figure = wanted(training)[name]
        with tempfile.TemporaryDirectory(dir=folder) as to:
            made = figure.make(run, Path(to))
            result = run.measured(made) if isinstance(made, Path) else made
        found[name] = {**result, "code": figure.digest}
    return found


def final_maps(run: Run, _to: Path) -> Path:
    return run.folder / "maps"


def own_maps(run: Run, _to: Path) -> Path:
    """The final network's own maps, beside the accumulated ones."""
    return run.folder / "cams"


def fused_by_mean(run: Run, to: Path) -> Path:
    """The maps that --fusion mean makes of the very passes of a run with --fusion max: its history
    holds every pass over every image.
    """
    for item in run.source.items:
        history = read_history(history_path(run.folder, item.name))
        mean = history.accumulated("mean")[-1]
        for heat, id in zip(mean, history.class_ids.tolist(), strict=True):
            name = run.source.classes[id]
            # A tag that never passed the gate keeps the final network's map, as the recipe does.
            own = read_heat(run.folder / "cams" / item.name / f"{name}.png")
            write_heat(to / item.name / f"{name}.png", heat if heat.any() else own)
    return to


def second_branch(run: Run, to: Path) -> Path:
    """Maps of a SeeNet's second branch alone, of the image and its mirror image."""
    network, card = load(run.folder)
    for item in run.source.items:
        batch = card.normalisation.tensor(resized(read_image(item.image), card.input_size))[None]
        columns = [card.class_ids.index(tag) for tag in item.tags]
        tags = torch.zeros(2, len(card.class_ids))
        tags[:, columns] = 1.0
        with torch.no_grad():
            seen = network.look(torch.cat([batch, batch.flip(-1)]), tags)  # type: ignore[operator]
        own, mirrored = in_unit_range(seen.maps_b[:, columns])
        for column, heat in zip(columns, torch.maximum(own, mirrored.flip(-1)), strict=True):
            write_heat(to / item.name / f"{card.classes[column]}.png", heat.numpy())
    return to


def gradient_maps(run: Run, to: Path, *, method: str) -> Path:
    """Maps by GradCAM and its kin of a run's network, at one look, of every image and tag."""
    network, card = load(run.folder)
    for item in run.source.items:
        batch = card.normalisation.tensor(resized(read_image(item.image), card.input_size))[None]
        columns = [card.class_ids.index(tag) for tag in item.tags]
        heats = normalise(look(plain(network), batch, columns).maps(method))
        for column, heat in zip(columns, heats, strict=True):
            write_heat(to / item.name / f"{card.classes[column]}.png", heat)
    return to


def after_crf(run: Run, to: Path) -> dict[str, Any]:
    """Label maps by a dense CRF on the labels of the final maps, at the thresholds that are tried,
    and the best of them.
    """
    best = float(run.measured(run.folder / "maps")["threshold"])
    results = []
    for beside in CRF_BESIDE:
        threshold = round(min(0.95, max(0.05, best + beside)), 2)
        folder = to / f"crf-{threshold}"
        for item in run.source.items:
            image = read_image(item.image)
            names = [run.source.classes[tag] for tag in item.tags]
            maps = [read_heat(run.folder / "maps" / item.name / f"{name}.png") for name in names]
            heats = np.concatenate([resize(heat[None], image.shape[:2]) for heat in maps])
            tags = np.array(item.tags, np.uint8)
            labels = np.where(heats.max(axis=0) < threshold, 0, tags[heats.argmax(axis=0)])
            unary = crf.probabilities_from_labels(labels, item.tags, CRF_CONFIDENCE)
            refined = crf.refine(image, unary, crf.PRESETS[CRF_PRESET])
            write_labels(
                folder / f"{item.name}.png", crf.labels_from_probabilities(refined, item.tags)
            )
        result = evaluate_predictions(folder, run.truth, run.source.classes)
        results.append({**result, "threshold": threshold})
    top = max(results, key=lambda result: result["miou"])
    sweep = sorted({(each["threshold"], each["miou"]) for each in results})
    return {**top, "sweep": [list(each) for each in sweep]}


GRADIENTS = ("backend/gradients.py", "backend/maps/gradient.py")
FIGURES = {
    "maps": Figure(final_maps),
    "cam": Figure(own_maps),
    "mean": Figure(fused_by_mean, ("backend/history.py", "backend/maps/accumulation.py")),
    "second": Figure(second_branch),
    "gradcam": Figure(partial(gradient_maps, method="gradcam"), GRADIENTS),
    "gradcampp": Figure(partial(gradient_maps, method="gradcampp"), GRADIENTS),
    "layercam": Figure(partial(gradient_maps, method="layercam"), GRADIENTS),
    "crf": Figure(after_crf, ("backend/maps/crf.py",)),
}
