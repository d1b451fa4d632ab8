"""`python -m training evaluate`: label maps or attention maps against true masks."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.atomic import write_whole
from training.cli import Parser
from training.errors import TrainingError

LISTS = "ImageSets/Segmentation"


def evaluate_command(arguments: Sequence[str]) -> int:
    """Runs `evaluate`; the exit status."""
    given = _parser().parse_args(arguments)
    found = _predictions(given) if given.maps is None else _maps(given)
    if given.json is not None:
        write_whole(given.json, json.dumps(found, indent=1, ensure_ascii=False).encode())
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="python -m training evaluate",
        description="mIoU of label maps, or of attention maps at every threshold.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--predictions", type=Path, help="folder of label maps, IMAGE.png")
    what.add_argument("--maps", type=Path, help="folder of attention maps, IMAGE/CLASS.png")
    add = parser.add_argument
    add("--truth", type=Path, required=True, help="folder of true masks, IMAGE.png")
    add(
        "--classes",
        type=Path,
        help="names, one a line; the line is the id (classes.txt beside the truth, else those of "
        "the network that made the maps or predictions, else VOC's)",
    )
    add("--split", help="list of images to measure; without it, of label maps, the list beside the "
        "truth that the predictions belong to, else every true mask")  # fmt: skip
    add("--data", type=Path, help="the data set that --split is a list of (beside the truth)")
    add("--allow-missing", action="store_true", help="no prediction counts as background")
    add("--against", type=Path, help="other label maps to compare with, image by image")
    add("--json", type=Path, help="a file for the result")
    add("--csv", type=Path, help="a file for IoU and confusion by class, or the sweep")
    return parser


def _maps(given: Any) -> dict[str, Any]:
    from training import tables
    from training.evaluation import evaluate_maps, format_table

    if given.against is not None:
        raise TrainingError("--against is about label maps; give them with --predictions.")
    if (given.maps / "config.json").is_file() and (given.maps / "maps").is_dir():
        raise TrainingError(f"{given.maps} is a run's folder; give {given.maps / 'maps'}.")
    names = _listed(given) if given.split else None
    found = evaluate_maps(given.maps, given.truth, _classes(given), names)
    print(format_table(found))
    if given.csv is not None:
        write_whole(given.csv, tables.sweep_csv(found).encode())
    return found


def _predictions(given: Any) -> dict[str, Any]:
    from training import measures, tables

    for folder, what in ((given.predictions, "predictions"), (given.truth, "true masks")):
        if not folder.is_dir():
            raise TrainingError(f"The folder of {what} {folder} does not exist.")
    if (given.predictions / "config.json").is_file() and (given.predictions / "labels").is_dir():
        raise TrainingError(
            f"{given.predictions} is a run's folder; give {given.predictions / 'labels'}."
        )
    classes = _classes(given)
    names = _listed(given) if given.split else _names(given.predictions, given.truth)
    how: dict[str, Any] = {"allow_missing": given.allow_missing}
    found = measures.measure(given.predictions, given.truth, classes, names, **how)
    told = measures.result(found, classes)
    print(tables.text(told))
    if given.csv is not None:
        write_whole(given.csv, tables.to_csv(told).encode())
    if given.against is not None:
        other = measures.measure(given.against, given.truth, classes, names, **how)
        told["against"] = measures.compare(other, found, classes)
        print(f"\nagainst {given.against}")
        print(tables.comparison(told["against"]))
    return told


def _listed(given: Any) -> list[str]:
    """The images of --split."""
    from backend.exchange.sources import open_source

    data = given.data or given.truth.absolute().parent
    return [item.name for item in open_source(data, given.split).items]


def _names(predictions: Path, truth: Path) -> list[str]:
    """The images to measure where no list is named: those of the smallest list beside the truth
    that holds all predictions, so that one that is missing is noticed; else every true mask.

    Raises TrainingError where there is no prediction at all, or one without a true mask.
    """
    found = {path.stem for path in predictions.glob("*.png")}
    if not found:
        raise TrainingError(f"There are no label maps (IMAGE.png) in {predictions}.")
    lists = sorted((truth.absolute().parent / LISTS).glob("*.txt"))
    listed = [(path.stem, _lines(path)) for path in lists]
    holding = [(len(names), split, names) for split, names in listed if found <= set(names)]
    if holding:
        _, split, names = min(holding)
        print(f"The predictions are of the list {split}, {len(names)} images.")
        return names
    true = {path.stem for path in truth.glob("*.png")}
    strangers = sorted(found - true)
    if strangers:
        from backend.exchange.names import some

        raise TrainingError(
            f"{len(strangers)} images have no true mask in {truth}: {some(strangers)}."
        )
    return sorted(true)


def _lines(path: Path) -> list[str]:
    from backend.exchange.classes import read_text
    from backend.exchange.names import image_name

    words = (line.split() for line in read_text(path).splitlines())
    names = (image_name(line[0].rpartition("JPEGImages/")[2]) for line in words if line)
    return list(dict.fromkeys(names))


def _classes(given: Any) -> dict[int, str]:
    """id -> name: as given, beside the truth, of what made the maps or predictions, else VOC's."""
    from backend.exchange.classes import VOC_IDS, read_classes

    beside = given.truth.absolute().parent / "classes.txt"
    if given.classes is not None:
        return read_classes(given.classes)
    if beside.is_file():
        return read_classes(beside)
    found = _of_run(given.maps) if given.maps else _of_record(given.predictions)
    # A network may have learnt some of VOC's classes alone, while the truth holds others.
    of_voc = given.maps is None and found.items() <= VOC_IDS.items()
    return VOC_IDS if of_voc or not found else found


def _of_run(maps: Path) -> dict[int, str]:
    """The classes of the weights beside a run's maps; none where there are no weights."""
    if not (maps.absolute().parent / "weights.safetensors").is_file():
        return {}
    from backend.weights import read_card

    card = read_card(maps.absolute().parent / "weights.safetensors")
    return dict(zip(card.class_ids, card.classes, strict=True))


def _of_record(predictions: Path) -> dict[int, str]:
    """The classes of the network that made predictions; none where no record says so."""
    from training.prediction_record import read_record

    record = read_record(predictions) or {}
    return {int(id): name for id, name in record.get("classes", {}).items()}
