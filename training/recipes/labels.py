"""Proxy labels for every tagged image of a data set: attention, saliency, fusion, CRF, mask scores.

What the page shows for one image (`backend.inspection`), for a folder. Nothing is trained.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import TrainingError
from training.options import option
from training.recipes import Recipe
from training.run import CONFIG, PROVENANCE, write_provenance

if TYPE_CHECKING:
    from backend.exchange.sources import Item, Source
    from backend.inspection import Inspector
    from backend.inspection import Settings as Stages
    from backend.saliency import SaliencySource
    from backend.weights import WeightsCard
    from training.run import Run

SCORES = "scores.jsonl"
FUSIONS = ("seenet", "dcsp", "oaa")
OWN = "own"
METHODS = (
    OWN, "cam", "seenet", "oaa", "oaaplus", "ecsnet", "gradcam", "gradcampp", "layercam"
)  # fmt: skip
CRF_PRESETS = ("dcsp", "deeplab", "psa", "irn", "oaa", "none")


@dataclass(frozen=True)
class Labels:
    """Whose maps become labels, and how."""

    weights: str = option(
        "", "the trained network: a run's folder, a weights file or a shipped name"
    )
    method: str = option(
        OWN,
        "whose attention: own: the method that the weights were trained for, with the numbers that "
        "they were trained with; oaa wants the run's folder as --weights",
        choices=METHODS,
    )
    fusion: str = option(
        "dcsp",
        "the rule that makes labels of attention and saliency",
        section="SeeNet Alg. 1; DCSP Alg. 1; OAA 4",
        choices=FUSIONS,
    )
    saliency: str = option("classical", "classical, or folder:DIR of grey maps named as the images")
    weight: float = option(
        1.0,
        "of attention in SeeNet's harmonic mean",
        section="SeeNet Alg. 1",
        minimum=0,
        maximum=100,
    )
    gamma: float = option(
        0.4, "what DCSP asks of a foreground pixel", section="DCSP 3.3", minimum=0, maximum=1
    )
    crf: str = option("dcsp", "whose dense CRF refines the labels", choices=CRF_PRESETS)
    threads: int = option(2, "images worked on at a time", minimum=1, maximum=64)
    device: str = option(
        "auto", "auto takes the GPU where there is one", choices=("auto", "cpu", "cuda")
    )


@dataclass(frozen=True)
class Done:
    """What came of one image: its scores, how many maps, or why there is nothing."""

    name: str
    method: str = ""
    scores: dict[str, float] | None = None
    maps: int = 0
    why_not: str = ""


def run(settings: Labels, run: "Run") -> dict[str, Any]:
    """Writes labels/IMAGE.png, maps/IMAGE/CLASS.png and a line of scores.jsonl for each image, and
    provenance.json, which says what made them."""
    import torch

    from backend.exchange.sources import open_source
    from backend.inspection import Inspector, trained_with
    from backend.inspection import Settings as Stages
    from backend.refinement import CrfPool
    from backend.saliency import saliency_source
    from backend.weights import load, shipped
    from training.machine import require_cuda

    if not settings.weights:
        names = ", ".join(card.name for card in shipped()) or "none"
        raise TrainingError(
            "--weights is missing: give a run's folder, a weights file, or the name of shipped "
            f"weights ({names})."
        )
    if settings.device == "cuda":
        require_cuda()
    gpu = settings.device != "cpu" and torch.cuda.is_available()
    network, card = load(settings.weights, "cuda" if gpu else "cpu")
    source = open_source(run.data, run.split).tagged() if run.data else None
    if source is None:
        raise TrainingError("--data is missing.")
    crf = None if settings.crf == "none" else settings.crf
    stages = Stages.from_json(
        {
            **trained_with(card),
            "method": "" if settings.method == OWN else settings.method,
            "fusion": settings.fusion,
            "saliency": settings.saliency,
            "weight": settings.weight,
            "gamma": settings.gamma,
            "crf": crf,
        }
    )
    saliency = saliency_source(settings.saliency)
    record_provenance(run.folder, card, saliency)
    made_with = f"{card.name} ({card.digest[:8]}) · {short_name(saliency)}"
    done = already_done(run.folder)
    todo = [item for item in source.items if item.name not in done]
    if done:
        run.message(f"{len(source.items) - len(todo)} images were done before; {len(todo)} remain.")
    with CrfPool(settings.threads) as pool:
        if crf and not pool.available:
            run.message(f"The labels stay as the fusion made them. {pool.reason}")
        folder = run_folder(card)
        inspector = Inspector(network, card, saliency, pool, folder=folder, working_side=None)
        run.message(f"The attention is that of {inspector.method(stages).title}.")
        run.begun = True
        with (run.folder / SCORES).open("a", encoding="utf-8") as scores:
            for each in label_all(run, inspector, source, todo, stages, settings.threads):
                if each.scores is None:
                    run.message(each.why_not)
                    continue
                line = {
                    "image": each.name,
                    # The candidate keeps the method alone, so it names what else made the mask.
                    "method": f"{each.method} · {made_with}",
                    "weights_digest": card.digest,
                    "saliency": saliency.name,
                    **each.scores,
                }
                scores.write(json.dumps(line, ensure_ascii=False) + "\n")
                scores.flush()
                done[each.name] = line
        return outcome(run.folder, source, done)


def label_all(
    run: "Run",
    inspector: "Inspector",
    source: "Source",
    items: "list[Item]",
    stages: "Stages",
    threads: int,
) -> Iterator[Done]:
    """Each image as it is done, in order; Cancelled between two of them."""
    workers = ThreadPoolExecutor(threads)
    try:
        work = workers.map(lambda item: label(inspector, source, item, stages, run.folder), items)
        for number, each in enumerate(work):
            yield each
            run.progress(number + 1, len(items), always=number + 1 == len(items), stage="labels")
            run.check()
    finally:
        workers.shutdown(cancel_futures=True)


def label(
    inspector: "Inspector", source: "Source", item: "Item", stages: "Stages", folder: Path
) -> Done:
    """One image's labels and maps, written; a sentence instead where it cannot be read or no tag
    of it is known.
    """
    from backend.errors import ImageError
    from backend.images import read_image, require_usable
    from backend.labels import write_heat, write_labels

    try:
        image = require_usable(read_image(item.image), item.name)
    except ImageError as problem:
        return Done(item.name, why_not=f"{item.name} is left out: {problem}")
    tags = [(id, source.classes[id]) for id in item.tags]
    looks = inspector.method(stages)
    attention, fused = looks.final, f"fusion.{stages.fusion}"
    wanted = {attention, fused, "crf", "sal.score"} - (set() if stages.crf else {"crf"})
    labels, method, notes = None, f"{looks.name}.{stages.fusion}", []
    maps, scores = 0, {}
    for made in inspector.inspect(image, tags, stages, name=item.name, only=wanted):
        if made.array is None:
            notes.append(made.caption)
        elif made.stage == attention:
            write_heat(folder / "maps" / item.name / f"{made.tag}.png", made.array)
            maps += 1
        elif made.stage == fused:
            labels = made.array
        elif made.stage == "crf":
            labels, method = made.array, f"{method}.crf"
        elif made.stage == "sal.score":
            scores = dict(made.numbers)
    if labels is None:
        return Done(item.name, why_not=f"{item.name} has no labels: {' '.join(notes)}")
    if not ((labels > 0) & (labels < 255)).any():
        # There is nothing in it to review, and nothing to learn from.
        return Done(item.name, why_not=f"{item.name} has no pixel of any tag in its mask.")
    write_labels(folder / "labels" / f"{item.name}.png", labels)
    return Done(item.name, method, scores, maps)


def already_done(folder: Path) -> dict[str, dict[str, Any]]:
    """The lines of scores.jsonl whose label file exists, by image; a torn last line is ended."""
    path = folder / SCORES
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    if text and not text.endswith("\n"):
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")
    found: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        name = told.get("image") if isinstance(told, dict) else None
        if isinstance(name, str) and (folder / "labels" / f"{name}.png").is_file():
            found[name] = told
    return found


def run_folder(card: "WeightsCard") -> Path | None:
    """The folder of the run that a weights file lies in, None for a file by itself."""
    folder = None if card.path is None else card.path.parent
    return folder if folder and (folder / CONFIG).is_file() else None


def record_provenance(folder: Path, card: "WeightsCard", saliency: "SaliencySource") -> None:
    """Writes which weights and which saliency make the labels of this run to provenance.json.

    Raises TrainingError where a run goes on with other weights than it began with: half its
    labels would be another network's.
    """
    try:
        before = json.loads((folder / PROVENANCE).read_bytes())["weights"]
        name, digest = str(before["name"]), str(before["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        name = digest = ""
    if digest and digest != card.digest:
        raise TrainingError(
            f"This run began with the weights {name} ({digest[:8]}), but --weights now names "
            f"{card.name} ({card.digest[:8]}). Put the first ones back, or start a new run in "
            "another --out."
        )
    told = {
        "weights": {"name": card.name, "digest": card.digest, "origin": card.origin},
        "saliency": {"name": saliency.name, "origin": saliency.origin},
    }
    write_provenance(folder, told)


def short_name(saliency: "SaliencySource") -> str:
    """A source's name without the folders above a folder of maps."""
    return f"folder:{saliency.maps.root.name}" if saliency.maps else saliency.name


def outcome(folder: Path, source: "Source", done: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the event `finished` says: counts, and the mean of each score."""
    names = sorted(
        {
            name
            for told in done.values()
            for name, value in told.items()
            if isinstance(value, int | float)
        }
    )
    metrics = {
        name: sum(told.get(name, 0.0) for told in done.values()) / max(1, len(done))
        for name in names
    }
    maps = sum(1 for name in done for _ in (folder / "maps" / name).glob("*.png"))
    metrics["images"] = len(source.items)
    return {"metrics": metrics, "weights": None, "maps": maps, "labels": len(done)}


RECIPE = Recipe(
    name="labels",
    title="Proxy labels",
    summary="Makes masks for review from trained weights: attention, saliency, fusion, CRF.",
    settings=Labels,
    run=run,
    takes=("tags", "weights"),
    makes=("labels", "maps"),
)
