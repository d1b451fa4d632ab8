"""What a finished training's maps measure, and what is made of them without training again."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from backend.exchange.sources import Item, Source, open_source
from backend.gradients import look
from backend.history import history_path, read_history
from backend.images import read_image
from backend.inspection.methods.cam import plain
from backend.labels import read_heat, write_heat, write_labels
from backend.maps import crf
from backend.maps.attention import normalise, resize
from backend.weights import load
from benchmarks.attention_rows.cache import Training
from training.evaluation import evaluate_maps, evaluate_predictions
from training.maps_export import resized

CRF_PRESET = "psa"
# A CRF takes minutes over a data set: it is run at the best threshold of the plain maps and beside.
CRF_BESIDE = (-0.05, 0.0, 0.05)


def of(training: Training, folder: Path, data: Path, split: str) -> dict[str, dict[str, Any]]:
    """The figures of a training by name."""
    source = open_source(data, split).tagged()
    truth = data / "SegmentationClass"
    names = [item.name for item in source.items]

    def measured(maps: Path) -> dict[str, Any]:
        return evaluate_maps(maps, truth, source.classes, names)

    found = {"maps": measured(folder / "maps")}
    with tempfile.TemporaryDirectory(dir=folder) as made:
        if training.name == "oaa":
            found["cam"] = measured(folder / "cams")
            found["mean"] = measured(fused_by_mean(folder, source, Path(made)))
        if training.name == "ecs-baseline":
            for method in ("gradcam", "gradcampp", "layercam"):
                maps = gradient_maps(folder, source, method, Path(made) / method)
                found[method] = measured(maps)
        if training.name == "ecs-full":
            best = float(found["maps"]["threshold"])
            found["crf"] = after_crf(folder / "maps", source, truth, best, Path(made))
    return found


def fused_by_mean(run: Path, source: Source, to: Path) -> Path:
    """The maps that --fusion mean makes of the very passes of a run with --fusion max: its history
    holds every pass over every image.
    """
    for item in source.items:
        history = read_history(history_path(run, item.name))
        mean = history.accumulated("mean")[-1]
        for heat, id in zip(mean, history.class_ids.tolist(), strict=True):
            name = source.classes[id]
            # A tag that never passed the gate keeps the final network's map, as the recipe does.
            own = read_heat(run / "cams" / item.name / f"{name}.png")
            write_heat(to / item.name / f"{name}.png", heat if heat.any() else own)
    return to


def gradient_maps(run: Path, source: Source, method: str, to: Path) -> Path:
    """Maps by GradCAM and its kin of a run's network, at one look, of every image and tag."""
    network, card = load(run)
    for item in source.items:
        batch = card.normalisation.tensor(resized(read_image(item.image), card.input_size))[None]
        columns = [card.class_ids.index(tag) for tag in item.tags]
        heats = normalise(look(plain(network), batch, columns).maps(method))
        for column, heat in zip(columns, heats, strict=True):
            write_heat(to / item.name / f"{card.classes[column]}.png", heat)
    return to


def after_crf(maps: Path, source: Source, truth: Path, best: float, to: Path) -> dict[str, Any]:
    """Label maps by a dense CRF on maps and a constant background, at the thresholds that are
    tried, and the best of them.
    """
    parameters = crf.PRESETS[CRF_PRESET]
    results = []
    for beside in CRF_BESIDE:
        threshold = round(min(0.95, max(0.05, best + beside)), 2)
        folder = to / f"crf-{threshold}"
        for item, image, heats in with_maps(maps, source):
            background = np.full(image.shape[:2], threshold, np.float32)
            refined = crf.refine(image, crf.probabilities_from_maps(heats, background), parameters)
            labels = crf.labels_from_probabilities(refined, item.tags)
            write_labels(folder / f"{item.name}.png", labels)
        result = evaluate_predictions(folder, truth, source.classes)
        results.append({**result, "threshold": threshold})
    top = max(results, key=lambda result: result["miou"])
    sweep = sorted({(each["threshold"], each["miou"]) for each in results})
    return {**top, "sweep": [list(each) for each in sweep]}


def with_maps(maps: Path, source: Source) -> Iterator[tuple[Item, np.ndarray, np.ndarray]]:
    """Each image with its maps float32 (K,H,W) at its size."""
    for item in source.items:
        image = read_image(item.image)
        heats = [
            resize(
                read_heat(maps / item.name / f"{source.classes[tag]}.png")[None], image.shape[:2]
            )
            for tag in item.tags
        ]
        yield item, image, np.concatenate(heats)
