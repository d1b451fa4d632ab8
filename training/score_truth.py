"""How scores of masks go with the true ones, where true masks are known; only ever a measure."""

from collections.abc import Mapping, Sequence

from backend.errors import DataError, ImageError
from backend.exchange.sources import Item, Source
from backend.images import read_image
from backend.labels import read_labels
from backend.maps.objectness import NONE
from training.correlation import correlations, write_calibration
from training.run import Run
from training.scored_masks import Measure

DRAWN = ("SC", "SF")


def compare(
    run: Run,
    source: Source,
    items: Sequence[Item],
    measure: Measure,
    names: Sequence[str],
    scores: Mapping[str, Sequence[float]],
) -> dict[str, float]:
    """The correlations of each score but CD with the true AC, over the images with a true mask, and
    the mean of that; {} without any. scores: by image, in the order of `names`.

    Writes calibration.json. A true mask that cannot be used is named and left out.
    """
    truth: list[float] = []
    found: dict[str, list[float]] = {name: [] for name in names if name != "CD"}
    known = [item for item in items if item.truth is not None and item.name in scores]
    for number, item in enumerate(known, start=1):
        run.check()
        try:
            assert item.mask is not None
            labels, true = read_labels(item.mask), source.truth(item)
            plain = measure.objectness == NONE
            likely = 1.0 if plain else measure.of_image(read_image(item.image))
        except (DataError, ImageError) as problem:
            run.message(f"The score of {item.name} is not compared: {problem}")
            continue
        parts = measure.true_accuracy(labels, true, item.tags, likely)
        truth.append(sum(parts) / len(parts))
        for name, value in zip(names, scores[item.name], strict=True):
            if name in found:
                found[name].append(value)
        run.progress(number, len(known), stage="measuring")
    if not truth:
        return {}
    write_calibration(run.folder, {name: found[name] for name in DRAWN if name in found}, truth)
    told = correlations(found, truth)
    said = [f"{name} {told[f'pearson_{name}']:.3f}" for name in DRAWN if f"pearson_{name}" in told]
    if said:
        run.message(f"Correlation with the true AC over {len(truth)} masks: {', '.join(said)}.")
    return {**told, "true_AC": sum(truth) / len(truth)}
