"""The archive that the VOC evaluation server takes: results/VOC2012/Segmentation/.../IMAGE.png."""

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from backend.atomic import write_whole
from backend.exchange.classes import VOC_IDS
from backend.exchange.items import Item
from backend.exchange.names import some
from backend.images import image_size
from backend.labels import read_labels
from training.errors import TrainingError

# comp5: trained on the challenge's own images alone; comp6: on others too, as ImageNet's weights.
COMPETITIONS = ("comp5", "comp6")
SUFFIXES = (".tgz", ".tar.gz")


def check_classes(classes: Mapping[int, str]) -> None:
    """Raises TrainingError unless all these ids are VOC's, under VOC's names."""
    strangers = [name for id, name in classes.items() if VOC_IDS.get(id) != name]
    if strangers:
        raise TrainingError(
            "The VOC server takes labels of VOC's 20 classes under VOC's ids, but these weights "
            f"know {some(strangers)} otherwise. Train them on VOC's classes."
        )


def check_name(file: Path) -> None:
    """Raises TrainingError unless the file is named as an archive."""
    if not file.name.endswith(SUFFIXES):
        raise TrainingError(f"--voc-submission is {file}; the archive's name ends in .tgz.")


def write_submission(
    file: Path, predictions: Path, items: Sequence[Item], split: str, competition: str = "comp6"
) -> Path:
    """Writes the archive of a folder's predictions for a list of images, whole or not at all.

    The same predictions give the same bytes. Raises TrainingError, naming them, where images of the
    list have no prediction, one of another size, or one with an id that is no class of VOC.
    """
    check_name(file)
    missing = [item.name for item in items if not (predictions / f"{item.name}.png").is_file()]
    if missing:
        raise TrainingError(
            f"{len(missing)} of the {len(items)} images of the list {split} have no prediction: "
            f"{some(missing)}. The archive must hold all of them, so it was not written."
        )
    folder = f"results/VOC2012/Segmentation/{competition}_{split}_cls"
    packed = io.BytesIO()
    # Neither the time nor the file's name stands in the archive.
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for item in items:
            path = predictions / f"{item.name}.png"
            _check_prediction(path, item)
            about = tarfile.TarInfo(f"{folder}/{item.name}.png")
            data = path.read_bytes()
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
    return write_whole(file, packed.getvalue())


def _check_prediction(path: Path, item: Item) -> None:
    labels = read_labels(path)
    width, height = image_size(item.image)
    if labels.shape != (height, width):
        raise TrainingError(
            f"The prediction for {item.name} is {labels.shape[1]}x{labels.shape[0]} pixels, its "
            f"image {width}x{height}. Predict it again."
        )
    strangers = sorted(set(np.unique(labels).tolist()) - {0, *VOC_IDS})
    if strangers:
        raise TrainingError(
            f"The prediction for {item.name} holds the ids {strangers}; the VOC server knows 0 to "
            "20 alone."
        )
