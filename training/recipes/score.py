"""SAL's scores of the labels that a run made: coarse ones by saliency, fine ones by a network.

Zhou et al., SAL: Selection and Attention Losses for Weakly Supervised Semantic Segmentation (TMM
2020), Eqs. 3 to 5 and 7.
"""

import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.coarse_scoring import CoarseScoring
from training.errors import TrainingError
from training.machine import Machine
from training.options import option, restated
from training.recipes import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backend.exchange.items import Item
    from backend.mask_scorer import MaskScorer
    from backend.saliency import SaliencySource
    from training.run import Run


@dataclass(frozen=True)
class Score(CoarseScoring):
    """What is measured and what with."""

    from_: str = option("", "the folder of the run whose labels/IMAGE.png are scored")
    scorer: str = option(
        "",
        "a run of the recipe scorer, its weights file or the name of shipped ones; without it the "
        "coarse scores alone",
        section="SAL III-B2",
    )
    batch: int = option(8, "masks that the network sees at a time", minimum=1, maximum=4096)
    device: str = restated(Machine, "device", "auto")
    precision: str = restated(Machine, "precision", "auto")


def run(settings: Score, run: "Run") -> dict[str, Any]:
    """Writes references/IMAGE.png and a line of scores.jsonl for each image with labels; where true
    masks are known calibration.json, with --per-class classes.jsonl.
    """
    from training.candidate_masks import open_labelled, tell_saliency
    from training.earlier_run import require_unchanged
    from training.mask_scoring import Coarse, score_all
    from training.recipes.fuse import device
    from training.references import open_references
    from training.run import write_provenance
    from training.score_truth import compare
    from training.sources import described

    if not settings.from_:
        raise TrainingError("--from is missing: name the folder of a run that made labels.")
    labelled = open_labelled(run, [settings.from_])
    scorer = open_scorer(settings)
    items = labelled.labelled
    with open_references(run, settings, device(settings.device)) as references:
        made_of = {
            "labels": labels_told(Path(settings.from_)),
            "saliency": saliency_told(references.maker.saliency, labelled.source.items),
            "reference": references.maker.told(),
            "scorer": {} if scorer is None else _told(scorer),
            "data": described(labelled.source),
        }
        flags = {"labels": "--from", "saliency": "--saliency", "scorer": "--scorer"}
        require_unchanged(run.folder, made_of, flags)
        write_provenance(run.folder, made_of)
        tell_saliency(run, references, items)
        missing = set(references.maker.saliency.missing(item.name for item in items))
        items = [labelled.item(item.name, 0) for item in items if item.name not in missing]
        coarse = Coarse(
            references,
            settings.measure,
            0 if scorer is None else scorer.size,
            labelled.source.classes,
            *methods_of(Path(settings.from_)),
        )
        names = ("AC", "CD", "SC") if scorer is None else ("AC", "CD", "SC", "P", "SF")
        found = {
            line["image"]: tuple(line[name] for name in names)
            for line in score_all(run, items, coarse, scorer, settings.batch, settings.threads)
        }
    if not found:
        raise TrainingError(
            f"None of the {len(labelled.labelled)} labelled images could be scored; the messages "
            "say why."
        )
    columns = dict(zip(names, zip(*found.values(), strict=True), strict=True))
    metrics = {name: sum(values) / len(values) for name, values in columns.items()}
    metrics |= compare(run, labelled.source, items, settings.measure, names, found)
    return {
        "metrics": {**metrics, "images": len(found)}, "weights": None, "maps": 0, "labels": 0
    }  # fmt: skip


def open_scorer(settings: Score) -> "MaskScorer | None":
    """The network that gives P; None where none is named. Raises WeightsError."""
    if not settings.scorer:
        return None
    from backend.mask_scorer import MaskScorer, card_of
    from training.machine import computes_bfloat16
    from training.recipes.fuse import device

    where = device(settings.device)
    half = settings.precision == "bf16" or (
        settings.precision == "auto" and computes_bfloat16(where)
    )
    return MaskScorer(card_of(settings.scorer), where, half=half)


def methods_of(folder: Path) -> tuple[dict[str, str], str]:
    """How each image's labels were made, as the run that made them says, and what is said of the
    others.
    """
    from training.mask_scoring import lines_in
    from training.run import CONFIG, read_config
    from training.scores import SCORES

    recipe = read_config(folder)["recipe"] if (folder / CONFIG).is_file() else "labels"
    told = {line["image"]: str(line["method"]) for line in lines_in(folder / SCORES)
            if line.get("method")}  # fmt: skip
    return told, recipe if folder.name == recipe else f"{recipe} · {folder.name}"


def labels_told(folder: Path) -> dict[str, Any]:
    """A run that made labels, for a record; its digest is of what decides them, where the folder
    says so. Each mask has a digest of its own in scores.jsonl.
    """
    from training.run import CONFIG, read_config
    from training.stages.stage import WITHOUT_EFFECT

    told: dict[str, Any] = {"name": folder.name}
    if (folder / CONFIG).is_file():
        config = read_config(folder)
        settings = {k: v for k, v in config["settings"].items() if k not in WITHOUT_EFFECT}
        decides = [config["recipe"], config.get("preset"), config.get("seed"), settings]
        told["recipe"] = config["recipe"]
        told["digest"] = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    return told


def saliency_told(saliency: "SaliencySource", items: "Iterable[Item]") -> dict[str, Any]:
    """Where saliency comes from, for a record; the digest of a folder is that of its maps."""
    digest = saliency.digest
    if saliency.maps is not None:
        told = hashlib.sha256()
        for item in items:
            if saliency.maps.has(item.name):
                told.update(f"{item.name}\n".encode())
                # An image whose map cannot be read is left out and named when its turn comes.
                with contextlib.suppress(OSError):
                    told.update(saliency.maps.find(item.name).read_bytes())
        digest = told.hexdigest()
    return {"name": saliency.name, "origin": saliency.origin, "digest": digest}


def _told(scorer: "MaskScorer") -> dict[str, Any]:
    card = scorer.card
    return {"name": card.name, "digest": card.digest, "size": card.input_size}


RECIPE = Recipe(
    name="score",
    title="Mask scores (SAL)",
    summary="Scores the labels that a run made, by saliency and by a trained mask scorer.",
    settings=Score,
    run=run,
    takes=("tags", "runs"),
    makes=("scores",),
)
